import LikesProtocol
import LikesSettings
import LikesStorage
/// A client connection: its slot in the core's table, and how often the slot was used before.
package struct ConnectionID: Hashable, Sendable {
    package var slot: UInt32
    package var incarnation: UInt32
    package init(slot: UInt32, incarnation: UInt32) {
        self.slot = slot
        self.incarnation = incarnation
    }
}
