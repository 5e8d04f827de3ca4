import LikesHost
import LikesProtocol
import LikesSettings
import LikesStorage
import LikesctlCommands

/// The connection of a take-over, and how it takes its locks.
///
/// A transaction that waits for a strong lock makes all wait that come after it. So such a lock is asked for only when
/// no old transaction holds the table, and for `lockMs` at most. Then all others pass, and it is asked for again.
final class TakeoverSession {
    /// How long the reference may have to wait for one of these locks. An autovacuum gives way after
    /// `deadlock_timeout`, by default a second, so less would never get the lock from it.
    static let lockMs: Int64 = 1_500
    /// The same for all locks of one transaction.
    static let locksMs: Int64 = 3_000
    /// What a short transaction may do with its locks takes milliseconds.
    static let briefMs: Int64 = 2_000
    /// Between two attempts, so that others get the tables for most of the time.
    private static let pauseMsMax: Int64 = 10_000
    /// Between two looks whether an old transaction has ended. Nobody waits meanwhile.
    private static let lookMs: Int64 = 250
    /// For a statement that reads a whole table or makes an index. Nobody waits for it.
    static let longMs: Int64 = 172_800_000

    let database: Database
    let report: TakeoverReport
    let advice: Advice
    let waitSeconds: Int64
    /// The schema of the reference's tables and their owner, as SQL writes them; nil: there are no such tables.
    private(set) var home: (schema: String, owner: String)?

    init(
        _ configuration: Configuration, _ options: TakeoverOptions, _ report: TakeoverReport
    ) throws(Failure) {
        self.report = report
        waitSeconds = options.waitSeconds
        advice = Advice(configuration, on: HostFacts.measured())
        database = try Database.connected(configuration, for: .migrate) { (warning) throws(Failure) in
            report.warn(warning)
        }
        guard database.serverVersion >= 140_000 else {
            throw Failure(.refused, "a take-over needs PostgreSQL 14 or newer: an older one could not look at all rows")
        }
        try database.execute("SET statement_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET lock_timeout = \(Database.statementTimeoutMs)")
        try database.execute("SET client_min_messages = warning")
        try database.execute("SET default_transaction_isolation = 'read committed'")
        // This session is idle, and keeps others away, for as long as likes are counted on another one. What takes long
        // by itself may take as long as it needs. If likesctl is killed, the server ends it within a second, so that
        // the next run need not wait for it.
        try database.execute(TakeoverStatements.noTimeLimits)
        try database.execute("SET client_connection_check_interval = 1000")
        try database.execute(AuditStatements.commitDurably)
        try waitForTurn()
        home = try findHome()
        // The function of the triggers takes it over, and new tables are made there.
        if let home { try database.execute("SET search_path = \(home.schema), pg_temp") }
    }

    /// Other hosts that do the same come one after the other, and find it done.
    private func waitForTurn() throws(Failure) {
        let endMs = SystemCalls.nowMs() + waitSeconds * 1_000
        while try database.execute(TakeoverStatements.lock).first?.first != "t" {
            let holder = try database.execute(TakeoverStatements.lockHolder).first?.first.flatMap { $0 } ?? "unknown"
            let what = "another likesctl migrate --adopt… works on the database \(database.name) (pid \(holder))"
            guard SystemCalls.nowMs() < endMs else {
                throw Failure(.timedOut, what, next: "run this again when that is done, which is safe")
            }
            report.warn(Warning(message: "\(what): waiting for it"))
            report.progress("waiting for pid \(holder)")
            SystemCalls.pause(ms: Int32(Self.lookMs))
        }
    }

    private func findHome() throws(Failure) -> (schema: String, owner: String)? {
        guard let row = try database.execute(TakeoverStatements.home).first else { return nil }
        guard row.count == 5, let schema = row[0]?.asSQLName, let owner = row[1]?.asSQLName else {
            throw Failure(.refused, "the server gives user_likes no valid name")
        }
        guard row[2] == "t", row[3] == "t" else {
            throw Failure(
                .refused, "user_likes and counters are not in one schema, or do not belong to one role",
                next: "ALTER TABLE counters SET SCHEMA \(schema); ALTER TABLE counters OWNER TO \(owner)")
        }
        guard row[4] == "t" else {
            throw Failure(
                .refused, "user_likes or counters is not a table", next: "name the database with the tables themselves")
        }
        return (schema, owner)
    }

    /// One boolean.
    func holds(_ condition: String) throws(Failure) -> Bool { try database.execute(condition).first?.first == "t" }

    // MARK: Short transactions

    /// Runs `body` in one transaction that has the tables to itself, as soon as it gets them. It must take milliseconds
    /// and may be run again.
    func briefly(_ locks: [TableLock], _ body: () throws(Failure) -> Void) throws(Failure) {
        let endMs = SystemCalls.nowMs() + waitSeconds * 1_000
        var attempts: Int64 = 0
        var held = "a lock that others take again and again"
        // Those that had a table before the last attempt. Whoever still has it is waited for, also if the server does
        // not say since when, and an autovacuum that does not give way.
        var before: [String] = []
        while true {
            let holder = try holder(of: locks, before)
            if let holder {
                held = holder
                report.warn(Warning(message: "waiting for \(holder)"))
            }
            guard attempts == 0 && holder == nil || SystemCalls.nowMs() < endMs else {
                throw Failure(
                    .timedOut, "waited \(waitSeconds) s for \(held): what was done so far stays",
                    next: "end that, or run this again when it has ended, which is safe")
            }
            if holder == nil {
                var holders: [[String]] = []
                for lock in locks { holders.append(try transactions(on: [lock])) }
                var asked = 0
                do {
                    try attempt(locks, &asked, body)
                    return
                } catch  where error.isLocked || error.isWorthRepeating {
                    attempts += 1
                    // Nobody was asked to give way who has a table further on.
                    before = holders.prefix(asked).flatMap { $0 }
                }
            }
            report.progress("waiting for \(held)")
            let pauseMs = holder == nil ? min(Self.pauseMsMax, 1_000 * attempts) : Self.lookMs
            SystemCalls.pause(ms: Int32(max(Self.lookMs, min(pauseMs, endMs - SystemCalls.nowMs()))))
        }
    }

    /// `asked`: how many of the locks it has come to.
    private func attempt(
        _ locks: [TableLock], _ asked: inout Int, _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        try database.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        do {
            try setLockTimeout(ms: Self.lockMs)
            try database.execute("SET LOCAL statement_timeout = \(Self.briefMs)")
            // Whoever migrates waits, and is waited for.
            try database.execute(Schema.migrationLock)
            // The reference waits from the first lock that is asked for.
            let endMs = SystemCalls.nowMs() + Self.locksMs
            for lock in locks {
                asked += 1
                guard let statement = lock.statement else { continue }
                try setLockTimeout(ms: min(Self.lockMs, endMs - SystemCalls.nowMs()))
                try database.execute(statement)
            }
            try setLockTimeout(ms: min(Self.lockMs, endMs - SystemCalls.nowMs()))
            try body()
            try database.execute("COMMIT")
        } catch {
            guard error.status != .unreachable else { throw error }
            try database.execute("ROLLBACK")
            throw error
        }
    }

    /// 0 would be for ever.
    private func setLockTimeout(ms: Int64) throws(Failure) {
        try database.execute("SET LOCAL lock_timeout = \(max(1, ms))")
    }

    /// Who keeps one of the tables, for a message. `before`: transactions that are old enough, whatever the server says
    /// of them.
    private func holder(of locks: [TableLock], _ before: [String]) throws(Failure) -> String? {
        guard !locks.isEmpty else { return nil }
        let parameters = locks.parameters + [AuditContext.array(before) { $0 }]
        guard let row = try database.execute(TakeoverStatements.holder, parameters).first, row.count == 5 else {
            return nil
        }
        let words = row.map { ForeignText.shown($0 ?? "") }
        guard !words[0].isEmpty else {
            return "the prepared transaction '\(words[4])', which has used \(locks.names): COMMIT PREPARED or ROLLBACK "
                + "PREPARED ends it"
        }
        let who = [words[1], words[2], words[3]].filter { !$0.isEmpty }.joined(separator: ", ")
        return "the transaction of pid \(words[0])\(who.isEmpty ? "" : " (\(who))"), which has used \(locks.names) for "
            + "longer than a second"
    }

    private func transactions(on locks: [TableLock]) throws(Failure) -> [String] {
        guard !locks.isEmpty else { return [] }
        return try database.execute(TakeoverStatements.transactions, locks.parameters).compactMap { $0.first ?? nil }
    }

    // MARK: Failures

    /// A right is missing: only the owner has all of them, once it may make tables beside its own.
    func explained(_ failure: Failure) -> Failure {
        guard failure.status == .permissionDenied, let home else { return failure }
        var explained = failure
        explained.next = "run this as the owner of the tables, \(home.owner), or as a superuser"
        do throws(Failure) {
            if try !holds(TakeoverStatements.ownerMayCreate) {
                explained.next =
                    "as the owner of the schema, GRANT CREATE ON SCHEMA \(home.schema) TO \(home.owner); then run this "
                    + "as \(home.owner), or as a superuser"
            }
        } catch {
            // The failure's own words, and the general advice, are left.
            return explained
        }
        return explained
    }
}
