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
        // What the reference has begun to write ends before that, and is noted.
        try session.briefly([.withoutWriters("user_likes"), .alone("counters")]) { () throws(Failure) in
            for statement in Schema.endBesideStatements + [Schema.likesdVersionDefault] {
                try database.execute(statement)
            }
        }
        try report.done("the triggers and their function are gone")
        try warnOfOthers()
        try tellIndexes()
        try report.end(
            "finished",
            "taken over in database \(database.name): what others than likesd write to the tables is stored and "
                + "counted, but no host is told of it", database: database.name)
        return .ok
    }

    /// Nothing tells a reference that still runs from a report.
    private func warnOfOthers() throws(Failure) {
        let others = try database.execute(TakeoverStatements.otherSessions).map { row in
            let words = row.map { ForeignText.shown($0 ?? "") }
            return "\(words[0])\(words[1].isEmpty ? "" : " (\(words[1]))"): \(words[2])"
        }
        guard !others.isEmpty else { return }
        report.warn(
            Warning(
                message: "other sessions are connected to this database: \(others.joined(separator: ", "))",
                next: "if one of them is the reference service's, stop it, then run this again and "
                    + "likesctl verify --repair"))
    }

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

    // MARK: Indexes

    /// Names those that no statement of likesd uses, and drops them if asked to.
    func tellIndexes() throws(Failure) {
        for index in try database.execute(Schema.selectSpareIndexes).compactMap({ SpareIndex($0) }) {
            guard options.dropsIndexes, index.isDispensable else {
                try report.found(index, isDropped: false)
                continue
            }
            try database.execute(TakeoverStatements.record, ["index", index.table, index.name, index.definition])
            session.report.progress("dropping \(index.name), which nobody waits for")
            try atLength(index.sql)
            try report.found(index, isDropped: true)
        }
    }

    /// Runs what may take long, and keeps nobody waiting.
    private func atLength(_ statement: String) throws(Failure) {
        try database.execute("SET statement_timeout = 0")
        try database.execute("SET lock_timeout = 0")
        try database.execute(statement, timeoutMs: TakeoverSession.longMs)
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
    }

    // MARK: --adopt-undo

    func undo() throws(Failure) -> ExitStatus {
        _ = try state()
        if try hasRecord() { try giveBack() } else { try report.done("nothing was taken over") }
        try report.end(
            "reference", "database \(database.name) is the reference service's again, with all likes",
            database: database.name)
        return .ok
    }

    private func giveBack() throws(Failure) {
        try waitForHosts()
        let records = try database.execute(TakeoverStatements.records)
        for record in records { try restoreIndex(record) }
        let types = try database.execute("\(Schema.selectItemTypes) WHERE id > 3 ORDER BY id")
        for row in types {
            let (number, name) = (row[0] ?? "", ForeignText.shown(row[1] ?? ""))
            try report.done("item type \(number) was \(name): its likes stay, and nothing names it any more")
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
        guard try session.holds("SELECT to_regclass('\(Schema.likersIndexName)') IS NOT NULL") else { return }
        report.warn(
            Warning(
                message: "the index \(Schema.likersIndexName) stays, and makes each like of the reference dearer",
                next: "DROP INDEX CONCURRENTLY \(Schema.likersIndexName), unless somebody else uses it"))
    }

    /// Hosts that still use the tables would refuse all requests at once.
    private func waitForHosts() throws(Failure) {
        // A host that has just been stopped said so before that: it takes 6 s to be sure.
        let endMs = SystemCalls.nowMs() + Self.hostsSilentMs
        while true {
            let count = try livingHosts()
            guard count > 0 else { return }
            guard SystemCalls.nowMs() < endMs else { throw stillUsed(by: count) }
            report.progress("waiting until hosts of likesd are silent")
            SystemCalls.pause(ms: Self.hostsLookMs)
        }
    }

    private func livingHosts() throws(Failure) -> Int64 {
        let row = try database.execute(TakeoverStatements.livingHosts).first
        return row?.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0
    }

    private func stillUsed(by count: Int64) -> Failure {
        Failure(
            .refused, "\(Counted.text(count, "host")) of likesd still use the tables, which were not given back",
            next: "sudo systemctl disable --now likesd.socket likesd.service on each of them, then run this again")
    }

    private static let hostsSilentMs: Int64 = 8_000
    private static let hostsLookMs: Int32 = 250

    /// Makes an index again that was dropped. One that was interrupted is not valid, and is begun anew.
    private func restoreIndex(_ record: [String?]) throws(Failure) {
        guard record.count == 4, record[0] == "index", let name = record[2], let definition = record[3] else { return }
        let words = ["CREATE INDEX ", "CREATE UNIQUE INDEX "]
        guard name.split(separator: ".").allSatisfy({ String($0).asSQLName != nil }),
            let beginning = words.first(where: { definition.hasPrefix($0) })
        else { return report.warn(Warning(message: "the index \(ForeignText.shown(name)) was not made again")) }
        let valid = try database.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", [name]
        ).first?.first
        if valid == "t" { return }
        report.progress("making \(name) again, which nobody waits for")
        if valid != nil { try atLength("DROP INDEX CONCURRENTLY \(name)") }
        try atLength("\(beginning)CONCURRENTLY \(definition.dropFirst(beginning.count))")
        try report.done("index \(name) made again")
    }
}
