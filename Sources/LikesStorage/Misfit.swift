/// An answer that a server could not give to its call if the tables, or the keys, were as likesd needs them. In words
/// for HEALTH and the log.
package struct Misfit: Error, Equatable, Sendable {
    package var text: String
    package init(_ text: String) { self.text = text }
}
