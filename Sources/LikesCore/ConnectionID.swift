/// Names a client's connection: its place in the core's table, and how often that place was used before.
package struct ConnectionID: Hashable, Sendable {
    package var slot: UInt32
    package var incarnation: UInt32
    package init(slot: UInt32, incarnation: UInt32) {
        self.slot = slot
        self.incarnation = incarnation
    }
}
