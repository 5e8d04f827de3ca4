import LikesctlCommands

/// Lets a statement that locks counters give way to whoever has locked one.
///
/// While it waits for one row it holds those that it locked before, and every batch that changes these waits with it.
/// So it waits only briefly, and is tried again. Then each item is tried by itself, where waiting blocks nobody, and
/// those that stay locked are left alone.
struct RowLocks {
    /// How long a statement waits for a row, in milliseconds.
    static let waitMs: Int64 = 200
    /// How often it is tried with all items at once.
    static let triesMax = 3

    let context: AuditContext

    /// Runs `body` with all of these, or with one after the other. Returns those whose rows stayed locked.
    func run<Element>(
        _ elements: [Element], _ body: ([Element]) throws(Failure) -> Void
    ) throws(Failure) -> [Element] {
        try setWait(Self.waitMs)
        var locked: [Element] = []
        do {
            if try !attempt(elements, tries: Self.triesMax, body) {
                for element in elements {
                    if try !attempt([element], tries: 1, body) { locked.append(element) }
                }
            }
        } catch {
            try setWait(Database.statementTimeoutMs)
            throw error
        }
        try setWait(Database.statementTimeoutMs)
        return locked
    }

    private func setWait(_ ms: Int64) throws(Failure) { try context.database.execute("SET lock_timeout = \(ms)") }

    private func attempt<Element>(
        _ elements: [Element], tries: Int, _ body: ([Element]) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        for _ in 0..<tries {
            do {
                try body(elements)
                return true
            } catch  where error.isLocked {
                continue
            }
        }
        return false
    }
}
