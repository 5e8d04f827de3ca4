/// Why the tables cannot be used, and what to do about it if that is known.
package struct SchemaFailure: Equatable, Sendable {
    package var reason: String
    package var next: String?
    package init(_ reason: String, next: String? = nil) {
        self.reason = reason
        self.next = next
    }
}
