/// What a server said is nothing that it could say to what it was asked, with the tables, or the keys, as likesd needs
/// them. In words for HEALTH and the log.
package struct Misfit: Error, Equatable, Sendable {
    package var text: String
    package init(_ text: String) { self.text = text }
}
