/// The release of likesd and likesctl.
package enum Release {
    /// The version, as `--version`, HELLO and INFO show it.
    package static let version = "0.1.0"
}
