import LikesProtocol
import LikesStorage
import LikesctlCommands

/// Compares `counters` with the likes themselves.
///
/// A pass reads the counters of a window of items, then all of user_likes in short statements, then the counters again.
/// An item whose counter has the same version before and after did not change in between, in any of the statements'
/// snapshots, so its likes were counted exactly, wherever they are stored. The others have *moved*: they are counted
/// again in the next pass, or in one statement, which has one snapshot.
struct LikesAudit {
    /// With this many items that moved, they are decided before another window begins.
    static let movedMax = 100_000
    /// Passes for items that move all the time, if one statement for them would take too long.
    static let roundsMax = 5
    /// Items that one statement decides.
    static let decideItemsMax = 50_000
    /// Items that are sent along with each statement, so that PostgreSQL returns no others.
    static let filterItemsMax = 10_000
    /// How often a pass begins again because the table was rewritten, or got other partitions, meanwhile.
    static let rewritesMax = 3
    /// Rows in a page, if PostgreSQL has no statistics.
    private static let rowsPerPage: Int64 = 100

    private let context: AuditContext
    private let mender: Mender
    private var moved: [StoredItem] = []
    private var lastPassMs: Int64 = 0

    init(_ context: AuditContext, _ mender: Mender) {
        self.context = context
        self.mender = mender
    }

    private var database: Database { _read { yield context.database } }
    private var report: VerifyReport { context.report }
    private var sliceRows: Int { context.options.sliceRows }

    /// Checks every item.
    mutating func auditAll() throws(Failure) {
        var after = StoredItem.lowest
        repeat {
            var window = try range(after: after)
            try pass(&window)
            after = window.through
            if moved.count >= Self.movedMax { try decide() }
        } while after < .highest
        try decide()
    }

    /// Checks these items, which are sorted and distinct.
    mutating func audit(_ items: [StoredItem]) throws(Failure) {
        for slice in items.slices(of: context.options.itemsPerPass) {
            try pass(set: slice)
            if moved.count >= Self.movedMax { try decide() }
        }
        try decide()
    }

    // MARK: One pass

    private mutating func pass(set items: ArraySlice<StoredItem>) throws(Failure) {
        var window = ItemWindow(set: Array(items))
        for slice in window.items.slices(of: sliceRows) {
            let rows = try database.numbers(AuditStatements.states, AuditContext.parameters(slice))
            for row in 0..<rows.rowCount {
                if let item = rows.item(row), let state = rows.state(row) { window.set(item, state) }
            }
        }
        try pass(&window)
    }

    private func range(after: StoredItem) throws(Failure) -> ItemWindow {
        var window = ItemWindow(after: after, itemsMax: context.options.itemsPerPass)
        var last = after
        while !window.isFull {
            let limit = min(sliceRows, context.options.itemsPerPass - window.items.count)
            let rows = try counters(after: last, through: .highest, limit: limit)
            for row in 0..<rows.rowCount {
                guard let item = rows.item(row), let state = rows.state(row) else { continue }
                last = item
                if context.types.isWanted(item) { window.append(item, state) }
            }
            guard rows.rowCount == limit else { return window }
            report.progress(
                "counters: \(Counted.text(window.items.count, "item")) of pass \(report.database.passes + 1) read")
        }
        window.close()
        return window
    }

    private func counters(
        after: StoredItem, through: StoredItem, limit: Int
    ) throws(Failure) -> QueryResult {
        try database.numbers(
            AuditStatements.counters,
            [String(after.id), String(after.type), String(through.id), String(through.type), String(limit)])
    }

    private mutating func pass(_ window: inout ItemWindow) throws(Failure) {
        let startMs = SystemCalls.nowMs()
        report.database.passes += 1
        var rewrites = 0
        while try !count(&window) {
            rewrites += 1
            guard rewrites < Self.rewritesMax else {
                throw Failure(
                    .timedOut,
                    "user_likes is rewritten or gets other partitions again and again (VACUUM FULL, CLUSTER, ATTACH)",
                    next: "run this when that is done")
            }
            window.restart()
        }
        try compare(window)
        lastPassMs = SystemCalls.nowMs() - startMs
    }

    /// Counts all likes of the window; false if the table was rewritten meanwhile, or got other partitions, so that
    /// likes were not where the pass looked for them.
    private func count(_ window: inout ItemWindow) throws(Failure) -> Bool {
        let facts = try TableFacts(database)
        let rowsPerPage = facts.likes > 0 ? max(1, facts.likes / max(1, facts.pages)) : Self.rowsPerPage
        // A slice has the same pages of all tables.
        let pagesPerSlice = max(1, Int64(sliceRows) / (rowsPerPage * max(1, facts.tables)))
        let startMs = SystemCalls.nowMs()
        var read: Int64 = 0
        for page in stride(from: 0, to: facts.pagesMax, by: Int(pagesPerSlice)) {
            let end = min(page + pagesPerSlice, facts.pagesMax)
            let rows = try likes(of: window, from: page, to: end)
            for row in 0..<rows.rowCount {
                guard let item = rows.item(row), let count = rows.number(row, 2) else { continue }
                window.add(count, to: item)
                read += count
            }
            report.progress(
                "likes: \(100 * end / facts.pagesMax) % of pass \(report.database.passes), \(read) likes "
                    + "(\(VerifyReport.rate(read, since: startMs))/s), \(report.database.items) of "
                    + "\(facts.counters > 0 ? "about \(facts.counters)" : "an unknown number of") items checked")
        }
        report.database.likes += read
        return try TableFacts(database).layout == facts.layout
    }

    private func likes(of window: ItemWindow, from page: Int64, to end: Int64) throws(Failure) -> QueryResult {
        let places = ["(\(page),0)", "(\(end),0)"]
        if !window.isRange, window.items.count <= Self.filterItemsMax {
            let ids = AuditContext.array(window.items) { String($0.id) }
            return try database.numbers(AuditStatements.likesOfItems, places + [ids])
        }
        return try database.numbers(
            AuditStatements.likesOfRange,
            places + [
                String(window.after.id), String(window.after.type), String(window.through.id),
                String(window.through.type), context.types.parameter,
            ])
    }

    // MARK: Judging

    /// Reads the window's counters again and judges each item by both readings.
    private mutating func compare(_ window: ItemWindow) throws(Failure) {
        var isJudged = [Bool](repeating: false, count: window.items.count)
        var strayCounters: Set<StoredItem> = []
        func take(_ rows: borrowing QueryResult, _ audit: inout LikesAudit) throws(Failure) -> StoredItem? {
            var last: StoredItem?
            for row in 0..<rows.rowCount {
                guard let item = rows.item(row) else { continue }
                last = item
                if let place = window.place(of: item) {
                    isJudged[place] = true
                    try audit.judge(item, window.states[place], rows.state(row), window.likes[place])
                } else if window.strays[item] != nil {
                    // Its first counter was created during the pass.
                    strayCounters.insert(item)
                }
            }
            return last
        }
        if window.isRange {
            var last = window.after
            var isDone = false
            while !isDone {
                let rows = try counters(after: last, through: window.through, limit: sliceRows)
                isDone = rows.rowCount < sliceRows
                last = try take(rows, &self) ?? last
            }
        } else {
            for slice in window.items.slices(of: sliceRows) {
                let rows = try database.numbers(AuditStatements.states, AuditContext.parameters(slice))
                _ = try take(rows, &self)
            }
        }
        for place in window.items.indices where !isJudged[place] {
            try judge(window.items[place], window.states[place], nil, window.likes[place])
        }
        for (item, likes) in window.strays {
            if strayCounters.contains(item) { moved.append(item) } else { try judge(item, nil, nil, likes) }
        }
        try mender.flush()
        report.progress(
            "counters: \(Counted.text(report.database.items, "item")) checked in "
                + "\(Counted.text(report.database.passes, "pass", plural: "passes"))", always: true)
    }

    private mutating func judge(
        _ item: StoredItem, _ before: CounterState?, _ after: CounterState?, _ likes: Int64
    ) throws(Failure) {
        guard before == after else {
            moved.append(item)
            return
        }
        report.checked(item)
        if likes != before?.count ?? 0 {
            try mender.take(Difference(item: item, finding: .counter(before, likes: likes)))
        }
    }

    // MARK: What moved

    /// Decides all that moved, or reports how many could not be decided.
    private mutating func decide() throws(Failure) {
        let snapshotMs = context.options.snapshotSeconds * 1_000
        var rounds = 0
        while !moved.isEmpty {
            let items = moved.sorted()
            moved = []
            if snapshotMs > 0, lastPassMs <= snapshotMs {
                try decide(items, withinMs: snapshotMs)
                return
            }
            guard rounds < Self.roundsMax else {
                report.database.undecided += Int64(items.count)
                return
            }
            rounds += 1
            for slice in items.slices(of: context.options.itemsPerPass) { try pass(set: slice) }
        }
    }

    /// Counts these in one statement, so at one moment.
    private func decide(_ items: [StoredItem], withinMs: Int64) throws(Failure) {
        try database.execute("SET statement_timeout = \(withinMs)")
        for slice in items.slices(of: Self.decideItemsMax) {
            do {
                let rows = try database.numbers(
                    AuditStatements.decide, AuditContext.parameters(slice), timeoutMs: withinMs)
                for row in 0..<rows.rowCount {
                    guard let item = rows.item(row), let likes = rows.number(row, 4) else { continue }
                    report.checked(item)
                    let state = rows.state(row)
                    if likes != state?.count ?? 0 {
                        try mender.take(Difference(item: item, finding: .counter(state, likes: likes)))
                    }
                }
            } catch  where error.status == .timedOut {
                report.database.undecided += Int64(slice.count)
            }
            report.progress("counters: \(Counted.text(report.database.items, "item")) checked", always: true)
        }
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try mender.flush()
    }
}

/// PostgreSQL's facts about the tables.
struct TableFacts {
    /// Changes when the table is rewritten or gets other partitions.
    let layout: Int64
    /// One, or the number of its partitions.
    let tables: Int64
    /// Pages of the largest table.
    let pagesMax: Int64
    /// Pages of all tables.
    let pages: Int64
    /// Roughly how many rows there are; 0 or less: unknown.
    let likes: Int64
    let counters: Int64

    init(_ database: borrowing Database) throws(Failure) {
        let rows = try database.numbers(AuditStatements.facts)
        guard rows.rowCount == 1 else {
            throw Failure(.refused, "a table is missing", next: Schema.whenLost("the table"))
        }
        layout = rows.number(0, 0) ?? 0
        tables = rows.number(0, 1) ?? 0
        pagesMax = rows.number(0, 2) ?? 0
        pages = rows.number(0, 3) ?? 0
        likes = rows.number(0, 4) ?? 0
        counters = rows.number(0, 5) ?? 0
    }
}

extension Array {
    /// Its elements in slices of at most `count`.
    func slices(of count: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
    }
}
