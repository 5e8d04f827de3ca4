import LikesctlCommands

/// Adds the sorted likes that are missing, with their counts, and has hosts told.
struct ImportMerge {
    /// Pages of sorted likes in one step. A page has some 130 likes.
    private static let pagesFirst: Int64 = 8
    private static let pages: ClosedRange<Int64> = 1...4_096

    /// What one step did.
    private struct Added {
        var read: Int64
        var added: Int64
        var nextPage: Int64
    }

    let context: ImportContext

    private var database: Database { _read { yield context.database } }
    private var report: ImportReport { context.report }

    func merge(_ state: inout ImportState) throws(Failure) {
        report.begin(.adding, done: state.merged)
        let pages = try database.numbers(ImportStatements.pagesOfLikes).number(0, 0) ?? 0
        var steps = try SmallSteps(database, first: Self.pagesFirst, sizes: Self.pages)
        var pace = HostsPace()
        var guess = Guess()
        while state.nextPage < pages {
            let before = state
            try pace.wait(database) { report.waits($0, before) }
            let done = try steps.run(
                { (size) throws(Failure) -> Added in
                    try add(from: before.nextPage, to: min(before.nextPage + size, pages), &guess)
                }, waiting: { report.waits($0, before) })
            state.nextPage = done.nextPage
            state.merged += done.read
            state.added += done.added
            report.progress(state)
        }
        report.progress(state, always: true)
    }

    private func add(from first: Int64, to next: Int64, _ guess: inout Guess) throws(Failure) -> Added {
        if guess.allAreNew {
            do throws(Failure) {
                return try add(from: first, to: next, mayBeThere: false)
            } catch {
                guard error.isDuplicate else { throw error }
                guess.wasWrong()
            }
        }
        let done = try add(from: first, to: next, mayBeThere: true)
        guess.learn(allWereNew: done.read == done.added)
        return done
    }

    private func add(from first: Int64, to next: Int64, mayBeThere: Bool) throws(Failure) -> Added {
        let row = try database.numbers(
            ImportStatements.merge(mayBeThere: mayBeThere), ["(\(first),0)", "(\(next),0)", String(next)],
            timeoutMs: Database.statementTimeoutMs)
        return Added(read: row.number(0, 0) ?? 0, added: row.number(0, 1) ?? 0, nextPage: next)
    }

    /// Whether no like of the next step is there already. A wrong guess costs a step, and leaves its rows to vacuum.
    private struct Guess {
        private static let pauseFirst = 8
        private static let pauseMax = 1_024

        private var pause = pauseFirst
        /// Steps before it guesses again.
        private var left = 0

        var allAreNew: Bool { left == 0 }

        mutating func wasWrong() {
            left = pause
            pause = min(2 * pause, Self.pauseMax)
        }

        mutating func learn(allWereNew: Bool) { left = allWereNew ? 0 : max(0, left - 1) }
    }
}
