import LikesctlCommands

/// Does a long piece of work in short transactions that hosts' batches hardly notice.
///
/// A step that locks rows makes every batch wait that needs one of them. So its size follows what the steps before
/// took. PostgreSQL ends one that takes too long, or that waits for somebody else's lock; then less is tried.
struct SmallSteps {
    /// What a step is to take, in milliseconds: some 150 are no more than a slow disk costs a batch now and then.
    static let aimMs: Int64 = 150
    /// PostgreSQL ends a step that takes longer than this, and one that waits this long for a row.
    static let statementMs: Int64 = 400
    static let lockMs: Int64 = 200
    /// How long steps may fail one after the other, in milliseconds.
    static let stallMsMax: Int64 = 60_000
    private static let pauseMs: Int32 = 50

    private let sizes: ClosedRange<Int64>
    /// Of the next step.
    private(set) var size: Int64

    init(_ database: borrowing Database, first: Int64, sizes: ClosedRange<Int64>) throws(Failure) {
        self.sizes = sizes
        size = first
        try Self.bound(database, statementMs: Self.statementMs, lockMs: Self.lockMs)
    }

    /// Runs what only reads. Nobody waits for it, so it may take, and wait, longer than a step.
    static func reading<Result: ~Copyable>(
        _ database: borrowing Database, _ read: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let readMs = Int64(Database.statementTimeoutMs)
        try bound(database, statementMs: readMs, lockMs: readMs)
        let result = try read()
        try bound(database, statementMs: statementMs, lockMs: lockMs)
        return result
    }

    private static func bound(
        _ database: borrowing Database, statementMs: Int64, lockMs: Int64
    ) throws(Failure) {
        try database.execute("SET statement_timeout = \(statementMs)")
        try database.execute("SET lock_timeout = \(lockMs)")
    }

    /// Whether a step that failed so may be tried again.
    static func mayGoOn(after error: Failure) -> Bool {
        error.isLocked || error.isCancelled || error.isWorthRepeating
    }

    /// Runs one step, which gets its size. `waiting` is told what it waits for. `isOver`: whether a step that failed is
    /// not wanted any more.
    mutating func run<Result>(
        _ step: (Int64) throws(Failure) -> Result, waiting: (String) -> Void, isOver: () -> Bool = { false }
    ) throws(Failure) -> Result {
        let firstMs = SystemCalls.nowMs()
        while true {
            let startMs = SystemCalls.nowMs()
            do throws(Failure) {
                let result = try step(size)
                adapt(to: max(1, SystemCalls.nowMs() - startMs))
                return result
            } catch {
                guard Self.mayGoOn(after: error), !isOver(), SystemCalls.nowMs() - firstMs < Self.stallMsMax
                else { throw error }
                waiting(error.isLocked ? "for rows that another session has locked" : "for PostgreSQL, which is slow")
                size = max(sizes.lowerBound, size / 2)
                SystemCalls.pause(ms: Self.pauseMs)
            }
        }
    }

    /// Grows and shrinks by a half at most, so that one odd step changes little.
    private mutating func adapt(to tookMs: Int64) {
        let wanted = size * Self.aimMs / tookMs
        size = min(max(wanted, size / 2), max(size * 3 / 2, size + 1))
        size = min(max(size, sizes.lowerBound), sizes.upperBound)
    }
}
