/// A server that should not be used: what is wrong with it, and what to do.
package struct ServerAdvice: Hashable, Sendable {
    package var reason: String
    package var next: String
    package init(reason: String, next: String) {
        self.reason = reason
        self.next = next
    }
}
