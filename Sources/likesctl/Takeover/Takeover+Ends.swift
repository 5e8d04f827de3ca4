import LikesProtocol
import LikesStorage
import LikesctlCommands

// What follows the take-over: its end, and its way back.
extension Takeover {
    // MARK: --adopt-finish

    func finish() throws(Failure) -> ExitStatus {
        switch try state() {
        case .reference:
            throw Failure(
                .refused, Schema.referenceMisfit(database.name), next: session.advice.likesctlAgain(.adopt).text)
        case .sideBySide, .finished: break
        }
        // They are gone together, in one transaction.
        let isDone = try session.holds("SELECT to_regprocedure('likesd_beside()') IS NULL")
        // What the reference has begun to write ends before that, and is noted.
        if !isDone { try endSideBySide() }
        try report.done(isDone ? "taken over already" : "the triggers and their function are gone")
        let others = try warnOfOthers()
        let isComplete = try tellIndexes(others)
        try report.end(
            "finished",
            "taken over in database \(database.name): what others than likesd write to the tables is stored and "
                + "counted, but no host is told of it", database: database.name)
        return isComplete ? .ok : .incomplete
    }

    private func endSideBySide() throws(Failure) {
        try session.briefly([.withoutWriters("user_likes"), .alone("counters")]) { () throws(Failure) in
            for statement in Schema.endBesideStatements + [Schema.likesdVersionDefault] {
                try database.execute(statement)
            }
        }
    }

    /// Nothing tells a reference that still runs from others that may write likes. Returns them.
    private func warnOfOthers() throws(Failure) -> String {
        let others = try otherSessions()
        guard !others.isEmpty else { return others }
        let indexes = options.dropsIndexes ? ": the indexes stay until those have ended, and this is run again" : ""
        report.warn(
            Warning(
                message: Self.connected(others) + indexes,
                next: "if one of them is the reference service's, stop it, then run this again and "
                    + "likesctl verify --repair"))
        return others
    }

    /// Those that may be the reference's, in words; empty: there are none.
    func otherSessions() throws(Failure) -> String {
        try database.execute(TakeoverStatements.otherSessions).map { row in
            let words = row.map { ForeignText.shown($0 ?? "") }
            return "\(words[0])\(words[1].isEmpty ? "" : " (\(words[1]))"): \(words[2])"
        }.joined(separator: ", ")
    }

    static func connected(_ others: String) -> String { "other sessions are connected to this database: \(others)" }

    /// likesd's likes take numbers of the reference's column too.
    func warnOfNumbers() throws(Failure) {
        for row in try database.execute(TakeoverStatements.fewNumbers) where row.count == 3 {
            let words = row.map { ForeignText.shown($0 ?? "") }
            report.warn(
                Warning(
                    message:
                        "\(words[2]) % of the numbers for user_likes.\(words[0]) are used: after the last one nobody "
                        + "can store a like",
                    next:
                        "ALTER SEQUENCE \(words[1]) AS bigint; ALTER TABLE user_likes ALTER \(words[0]) TYPE bigint; "
                        + "nobody can use the table while that rewrites it"))
        }
    }

    // MARK: --adopt-undo

    func undo() throws(Failure) -> ExitStatus {
        _ = try state()
        var missing = 0
        if try hasRecord() { missing = try giveBack() } else { try report.done("nothing was taken over") }
        let lost = Counted.text(missing, "index", plural: "indexes")
        let without = missing == 0 ? "" : ", and without \(lost) that it had"
        try report.end(
            "reference", "database \(database.name) is the reference service's again, with all likes\(without)",
            database: database.name)
        return missing == 0 ? .ok : .incomplete
    }

    /// Returns how many of the reference's indexes are missing.
    private func giveBack() throws(Failure) -> Int {
        try waitForHosts()
        let records = try database.execute(TakeoverStatements.records)
        for record in records { try restoreIndex(record) }
        let missing = try database.execute(TakeoverStatements.missingIndexes)
        let types = try database.execute("\(Schema.selectItemTypes) WHERE id > 3 ORDER BY id")
        for row in types {
            let (number, name) = (row[0] ?? "", ForeignText.shown(row[1] ?? ""))
            try report.done(
                "item type \(number) was \(name): its likes stay, and nothing names it any more; the next --adopt "
                    + "names it with --type \(number)=\(name)")
        }
        // In the order in which the reference's transactions use them.
        let locks = Schema.sharedTables.map { TableLock.alone($0) } + Schema.adoptedTables.map { .implied($0) }
        try session.briefly(locks) { () throws(Failure) in
            // Indexes may have taken hours.
            let count = try livingHosts()
            guard count == 0 else { throw stillUsed(by: count) }
            for statement in Schema.unadoptionStatements + SharedColumns.undoing(records) + [Schema.dropOwnTables] {
                try database.execute(statement)
            }
        }
        try report.done("the triggers, counters.version and likesd's own tables are gone")
        for row in missing { warnOfMissing(row) }
        guard try session.holds("SELECT to_regclass('\(Schema.likersIndexName)') IS NOT NULL") else {
            return missing.count
        }
        report.warn(
            Warning(
                message: "the index \(Schema.likersIndexName) stays, and makes each like of the reference dearer",
                next: "DROP INDEX CONCURRENTLY \(Schema.likersIndexName), unless somebody else uses it"))
        return missing.count
    }

    /// Hosts that still use the tables would refuse all requests at once.
    private func waitForHosts() throws(Failure) {
        // A host that has just been stopped said so before that: it takes 6 s to be sure.
        let endMs = SystemCalls.nowMs() + Self.hostsSilentMs
        var hasSaid = false
        while true {
            let count = try livingHosts()
            guard count > 0 else { return }
            guard SystemCalls.nowMs() < endMs else { throw stillUsed(by: count) }
            // With another count it is not said again.
            if !hasSaid { warnOfHosts(count) }
            hasSaid = true
            report.progress("waiting until hosts of likesd are silent")
            SystemCalls.pause(ms: Self.hostsLookMs)
        }
    }

    private func warnOfHosts(_ count: Int64) {
        report.warn(
            Warning(
                message: "\(Counted.text(count, "host")) of likesd used the tables in the last 6 s: waiting up to "
                    + "\(Self.hostsSilentMs / 1_000) s until \(count == 1 ? "it is" : "they are") silent"))
    }

    private func livingHosts() throws(Failure) -> Int64 {
        let row = try database.execute(TakeoverStatements.livingHosts).first
        return row?.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0
    }

    private func stillUsed(by count: Int64) -> Failure {
        Failure(
            .refused,
            "\(Counted.text(count, "host")) of likesd still \(count == 1 ? "uses" : "use") the tables, which were not "
                + "given back",
            next: "sudo systemctl disable --now likesd.socket likesd.service on each of them, then run this again")
    }

    private static let hostsSilentMs: Int64 = 8_000
    private static let hostsLookMs: Int32 = 250
}
