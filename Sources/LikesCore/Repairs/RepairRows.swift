import LikesProtocol

/// Repairs that only this process knows of. They are in the journal of each batch until `cache_repairs` has them.
struct UntoldRepairs {
    private var items: Set<Item> = []
    /// The same items in the order in which they came. Items that are no longer untold are skipped.
    private var order = Ring<Item>()
    /// On their way to `cache_repairs`. Those that are set in Redis meanwhile will have a row there by then.
    private var telling: Set<Item> = []

    var count: Int { items.count }

    /// The items in the order in which they came.
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

    /// Takes the next items to be told. Call `told` afterwards.
    mutating func take(max: Int) -> [Item] {
        var taken: [Item] = []
        while taken.count < max, let item = order.popFirst() {
            if items.remove(item) != nil { taken.append(item) }
        }
        telling.formUnion(taken)
        return taken
    }

    /// The items were told, or telling them failed.
    mutating func told(_ told: [Item]) { telling.subtract(told) }

    func checkInvariants() { precondition(items.count <= order.count, "each has its place in the order") }
}

/// Repairs that are set in Redis, and whose rows in `cache_repairs` still have to be deleted.
struct MendedRows {
    private var queue = Ring<MendedRow>()
    /// The same rows, and deleted ones that an answer under way may still bring.
    private var rows: [Item: MendedRow] = [:]
    /// Rows deleted since PostgreSQL was asked for rows.
    private var struckOff: [MendedRow] = []
    private let rowsMax: Int

    init(rowsMax: Int) { self.rowsMax = rowsMax }

    var count: Int { queue.count }

    func hasRoom(for more: Int) -> Bool { queue.isEmpty || queue.count + more <= rowsMax }

    /// The row was seen before it was deleted.
    func covers(_ row: RepairRow) -> Bool { rows[row.item]?.covers(row) ?? false }

    mutating func append(_ row: MendedRow) {
        // Over the limit the row stays in the table, and is found and mended once more.
        guard queue.count < rowsMax else { return }
        queue.append(row)
        rows[row.item] = row
    }

    mutating func take(max: Int) -> [MendedRow] {
        var taken: [MendedRow] = []
        while taken.count < max, let row = queue.popFirst() { taken.append(row) }
        return taken
    }

    /// The rows were not deleted.
    mutating func putBack(_ taken: [MendedRow]) { for row in taken where rows[row.item] != nil { queue.append(row) } }

    /// The rows are deleted. `mayBeSeen`: an answer that may still contain them is under way.
    mutating func struck(_ deleted: [MendedRow], mayBeSeen: Bool) {
        struckOff += deleted
        if !mayBeSeen { forgetStruckOff() }
    }

    /// No answer from before the deletion is under way any more.
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
