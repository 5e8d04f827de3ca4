/// What likesd and likesctl are built as.
package enum Release {
    /// The version, as `--version`, HELLO and INFO give it.
    package static let version = "0.1.0"
}
