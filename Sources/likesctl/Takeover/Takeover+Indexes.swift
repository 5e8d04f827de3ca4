import LikesProtocol
import LikesStorage
import LikesctlCommands

// The reference's indexes.
extension Takeover {
    /// Names those that no statement of likesd uses, and drops them if asked to and nobody may miss them: `others` are
    /// sessions that may be the reference's. Returns whether all was done that was asked for.
    func tellIndexes(_ others: String) throws(Failure) -> Bool {
        var isComplete = true
        for index in try database.execute(Schema.selectSpareIndexes).compactMap({ SpareIndex($0) }) {
            guard options.dropsIndexes, index.isDispensable else {
                try report.found(index, options.task == .finish ? .spare : .inUse)
                continue
            }
            guard others.isEmpty else {
                isComplete = false
                try report.found(index, .left)
                continue
            }
            try database.execute(TakeoverStatements.record, ["index", index.table, index.name, index.definition])
            report.progress("dropping \(index.name), which nobody waits for")
            try atLength(index.sql)
            try report.found(index, .dropped)
        }
        return isComplete
    }

    /// Runs what may take long, and keeps nobody waiting.
    private func atLength(_ statement: String) throws(Failure) {
        try database.execute("SET statement_timeout = 0")
        try database.execute("SET lock_timeout = 0")
        try database.execute(statement, timeoutMs: TakeoverSession.longMs)
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
    }

    /// Makes an index again that was dropped. One that was interrupted is not valid, and is begun anew.
    func restoreIndex(_ record: [String?]) throws(Failure) {
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
        do {
            try atLength("\(beginning)CONCURRENTLY \(definition.dropFirst(beginning.count))")
        } catch {
            var failure = error
            failure.message += "\nThe index \(name) is unfinished: it is made anew when this is run again."
            throw failure
        }
        try report.done("index \(name) made again")
    }

    /// A row of `TakeoverStatements.missingIndexes`: somebody else dropped it, so it may have been meant.
    func warnOfMissing(_ row: [String?]) {
        let words = row.map { ForeignText.shown(($0 ?? "").utf8, bytesMax: Self.definitionBytesMax) }
        guard words.count == 3 else { return }
        report.warn(
            Warning(
                message: "\(words[1]) of \(words[0]), which the reference service had, is missing: likesctl did not "
                    + "drop it",
                next: "unless that was meant: \(words[2])"))
    }

    /// A statement that is cut would be wrong.
    private static let definitionBytesMax = 4 * 1024
}
