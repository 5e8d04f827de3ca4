import LikesProtocol

/// Repairs that this process alone knows of: they stand in the journal of each batch until `cache_repairs` has them.
struct UntoldRepairs {
    private var items: Set<Item> = []
    /// The same in the order they came; those that are not untold any more are passed over.
    private var order = Ring<Item>()
    /// On their way to `cache_repairs`: what of them is set in Redis meanwhile has a row there by then.
    private var telling: Set<Item> = []

    var count: Int { items.count }

    /// In the order they came.
    var inOrder: [Item] { items.isEmpty ? [] : (0..<order.count).map { order[$0] }.filter(items.contains) }

    func contains(_ item: Item) -> Bool { items.contains(item) }
    func isOnItsWay(_ item: Item) -> Bool { telling.contains(item) }
    func allSatisfy(_ holds: (Item) -> Bool) -> Bool { items.allSatisfy(holds) }

    mutating func insert(_ item: Item) {
        if items.insert(item).inserted { order.append(item) }
        // Items mended in the meantime leave their places behind.
        guard order.count > 2 * items.count + Limits.placesKept else { return }
        let living = inOrder
        order.removeAll()
        for item in living { order.append(item) }
    }

    mutating func remove(_ item: Item) { items.remove(item) }

    mutating func keep(_ kept: Set<Item>) { items.formIntersection(kept) }

    /// The next ones to be told; `told` follows.
    mutating func take(max: Int) -> [Item] {
        var taken: [Item] = []
        while taken.count < max, let item = order.popFirst() {
            if items.remove(item) != nil { taken.append(item) }
        }
        telling.formUnion(taken)
        return taken
    }

    /// They are told, or that failed.
    mutating func told(_ told: [Item]) { telling.subtract(told) }

    func checkInvariants() { precondition(items.count <= order.count, "each has its place in the order") }
}

/// Repairs that are set in Redis, and whose rows in `cache_repairs` are still to be deleted.
struct MendedRows {
    private var queue = Ring<MendedRow>()
    /// The same, and deleted rows that an answer on its way may still bring.
    private var rows: [Item: MendedRow] = [:]
    /// Deleted since PostgreSQL was asked for rows.
    private var struckOff: [MendedRow] = []
    private let rowsMax: Int

    init(rowsMax: Int) { self.rowsMax = rowsMax }

    var count: Int { queue.count }

    func hasRoom(for more: Int) -> Bool { queue.isEmpty || queue.count + more <= rowsMax }

    /// The row was seen before it was deleted.
    func covers(_ row: RepairRow) -> Bool { rows[row.item]?.covers(row) ?? false }

    mutating func append(_ row: MendedRow) {
        // Over the limit a row stays, and is found and mended once more.
        guard queue.count < rowsMax else { return }
        queue.append(row)
        rows[row.item] = row
    }

    mutating func take(max: Int) -> [MendedRow] {
        var taken: [MendedRow] = []
        while taken.count < max, let row = queue.popFirst() { taken.append(row) }
        return taken
    }

    /// They were not deleted.
    mutating func putBack(_ taken: [MendedRow]) { for row in taken where rows[row.item] != nil { queue.append(row) } }

    /// They are deleted. `mayBeSeen`: an answer with rows from before is on its way.
    mutating func struck(_ deleted: [MendedRow], mayBeSeen: Bool) {
        struckOff += deleted
        if !mayBeSeen { forgetStruckOff() }
    }

    /// No answer from before is on its way any more.
    mutating func forgetStruckOff() {
        for row in struckOff where rows[row.item] == row { rows[row.item] = nil }
        struckOff = []
    }

    mutating func removeAll() {
        queue.removeAll()
        rows = [:]
        struckOff = []
    }
}
