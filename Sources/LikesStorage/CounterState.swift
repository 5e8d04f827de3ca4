import LikesProtocol

/// An item's count at one version, as PostgreSQL had it. Version 0 with count 0: there is no row, the item was never
/// liked.
package struct CounterState: Hashable, Sendable {
    package var item: Item
    package var count: Int64
    package var version: Int64

    /// The highest version that Redis may hold: a million changes of one item in each second for 285 years.
    package static let versionMax: Int64 = 1 << 53 - 1

    package init(item: Item, count: Int64, version: Int64) {
        self.item = item
        self.count = count
        self.version = version
    }
}
