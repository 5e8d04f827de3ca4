/// Bounds of what settings are read from, and of parts of their values. The range of a setting stands in its entry of
/// `Setting.allCases`. A value outside is refused at the start, never cut to fit.
package enum ConfigurationLimits {
    /// Bytes of a configuration file. All settings commented at length take 10 KiB.
    package static let fileBytesMax = 1024 * 1024
    /// Bytes of a credential: a URL with a name and a password, or a list of them.
    package static let credentialBytesMax = 64 * 1024
    /// Bytes of a Unix socket's path: `sun_path` without its ending zero.
    package static let socketPathBytesMax = 107
    /// One user has no more than so many quarters of MAX_CONNECTIONS, unless told.
    static let connectionShareQuarters = 3
    /// Redis' own number of databases is a C int.
    static let redisDatabase: ClosedRange<Int64> = 0...2_147_483_647
    /// TCP ports.
    static let port: ClosedRange<Int64> = 1...65_535
}
