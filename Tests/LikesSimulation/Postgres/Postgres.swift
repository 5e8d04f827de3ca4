import LikesCore
import LikesProtocol
import LikesStorage

/// PostgreSQL as far as likesd asks it: READ COMMITTED transactions of one statement each, row locks, waits, deadlocks,
/// commits that take effect at one moment, backends that go on when their client is gone.
package final class Postgres {
    let scheduler: Scheduler
    let safeguards: Safeguards
    let plan: Plan
    package internal(set) var state: PostgresState
    package internal(set) var flips: [[Flip]]
    package internal(set) var counts: [[CountEntry]]
    /// Which of the server's databases it is (its OID), how often its tables were made (theirs), and how often their
    /// files were (`relfilenode`, new after TRUNCATE as well). `identity`, which a host is told on connecting, is to
    /// say what of these a core can tell apart.
    let number: Int
    var tablesMade = 1
    var filesMade = 1
    var timeline: Int64 = 1
    package var identity: DatabaseIdentity {
        DatabaseIdentity(
            system: "7000000000000000001", timeline: timeline, tables: "\(number).\(tablesMade).\(filesMade)")
    }

    /// Another database has another.
    var secret: Secret {
        guard let secret = Secret(hex: String(repeating: "5\(number)", count: 16)) else {
            preconditionFailure("digits")
        }
        return secret
    }
    /// Its clock minus the simulation's.
    private let clockOffset: Micros
    package var seals: SealFacts {
        SealFacts(secret: secret, seconds: (scheduler.now + clockOffset) / .seconds(1))
    }

    /// Messages to be sent to hosts, taken by the simulation after each event.
    package var outbox: [(connection: Int32, message: ToHost)] = []
    /// What went wrong with the rules of the database itself.
    package var violation: Violation?
    /// The host that has just committed, and a bit for each item that changed.
    package var lastCommit: (host: Int, items: UInt32)?

    var sessions: [Int32: Session] = [:]
    private var holders: [RowLock: Int32] = [:]

    // Faults
    package var downUntil: Micros = 0
    package var hungUntil: Micros = 0
    package var readOnlyUntil: Micros = 0
    package var schemaUntil: Micros = 0
    package var fullUntil: Micros = 0
    package var retryableUntil: Micros = 0
    var standbyLostUntil: Micros = 0
    /// Somebody else's.
    private var longTransaction: (number: Int64, until: Micros)?
    /// What the standby had when it was lost.
    var standby: PostgresState?
    /// Those that answer counts.
    var standbys: [StandbyServer] = []
    /// How often it went back.
    var jumps = 0
    /// What was saved, to be put back.
    var saves: [PostgresState] = []

    package init(scheduler: Scheduler, plan: Plan, safeguards: Safeguards, number: Int = 0) {
        self.number = number
        self.scheduler = scheduler
        self.plan = plan
        self.safeguards = safeguards
        clockOffset = .seconds(1_790_000_000) + scheduler.chance.between(0, .seconds(100))
        state = PostgresState(usersCount: plan.usersCount, items: plan.items)
        flips = [[Flip]](repeating: [], count: plan.pairsCount)
        counts = plan.items.map { _ in [CountEntry(at: 0, count: 0, version: 0, host: -1, ups: 0, downs: 0)] }
        standbys = plan.standbyPaces.map { StandbyServer(scheduler, plan, database: number, pace: $0, state) }
    }

    // MARK: Messages

    package func receive(_ message: ToServer, on connection: Int32, backend: Backend, host: Int) {
        guard downUntil <= scheduler.now else {
            if case .end = message { return }
            outbox.append((connection, .end(.unreachable("the server is down"))))
            return
        }
        switch message {
        case .hello: connect(connection, backend, host)
        case .lane(let call, let request): append(.lane(call, request), connection)
        case .reader(let call, let request): append(.reader(call, request), connection)
        case .redis, .beat, .askTime, .loadScripts, .standby: preconditionFailure("another server is asked for that")
        case .end:
            guard let session = sessions[connection] else { return }
            session.isOrphan = true
            if session.statement == nil { sessions[connection] = nil }
        }
    }

    private func append(_ call: StatementCall, _ connection: Int32) {
        guard let session = sessions[connection] else { return }
        session.queue.append(call)
        if session.statement == nil { begin(session) }
    }

    private func connect(_ connection: Int32, _ backend: Backend, _ host: Int) {
        // While the server hangs, nobody answers.
        if hungUntil > scheduler.now { return }
        if schemaUntil > scheduler.now {
            outbox.append((connection, .end(.schema("run likesctl migrate"))))
        } else if backend == .lane, readOnlyUntil > scheduler.now {
            outbox.append((connection, .end(.readOnly("the server is read-only"))))
        } else {
            sessions[connection] = Session(connection: connection, backend: backend, host: host)
            outbox.append((connection, .databaseReady(DatabaseFacts(identity: identity, seals: seals))))
        }
    }

    // MARK: Statements

    private func begin(_ session: Session) {
        while let call = session.queue.popFirst() {
            // Statements that wait in the buffer of a connection that is gone are executed, or not.
            if session.isOrphan, scheduler.chance.hits(percent: 50) { continue }
            session.turn &+= 1
            session.statement = Statement(call)
            if call.isWrite {
                state.lastTransaction += 1
                session.statement?.transaction = state.lastTransaction
            }
            goOn(session)
            scheduler.after(
                .ms(plan.configuration.requestTimeoutMs), .statementTimeout, session.connection, session.turn)
            return
        }
        if session.isOrphan { sessions[session.connection] = nil }
    }

    private func goOn(_ session: Session) {
        let delay =
            plan.isSkewed
            ? scheduler.chance.skewed(plan.stepDelay.low, plan.stepDelay.high)
            : scheduler.chance.between(plan.stepDelay.low, plan.stepDelay.high)
        scheduler.after(delay, .statementStep, session.connection, session.turn)
    }

    /// A statement's next step.
    package func step(_ connection: Int32, _ turn: UInt32) {
        guard let session = sessions[connection], session.turn == turn, session.statement != nil else { return }
        let resumesAt = max(hungUntil, session.hungUntil)
        if resumesAt > scheduler.now {
            let spread = scheduler.chance.between(0, .ms(2))
            scheduler.at(resumesAt + spread, .statementStep, connection, turn)
            return
        }
        guard session.statement?.waitsFor == nil else { return }
        switch run(session) {
        case .goesOn: goOn(session)
        case .waits(let lock): wait(session, lock)
        case .waitsUntil(let moment): scheduler.at(moment, .statementStep, connection, turn)
        case .failed(let failure): fail(session, failure)
        case .done(let answer): end(session, answer)
        }
    }

    private func end(_ session: Session, _ answer: StatementAnswer) {
        release(session)
        guard let call = session.statement?.call else { return }
        let isUnproven = session.statement?.isWaitCancelled ?? false
        session.statement = nil
        if isUnproven, safeguards.standbyWait {
            outbox.append((session.connection, .end(.unreachable("a wait for the standby was cancelled"))))
        } else {
            outbox.append((session.connection, call.message(answer)))
        }
        begin(session)
    }

    func fail(_ session: Session, _ failure: StatementFailure) {
        guard session.statement != nil else { return }
        end(session, .failed(failure))
    }

    // MARK: Locks

    /// nil: the row is this transaction's now; otherwise who waits for it has to.
    func lock(_ row: RowLock, _ session: Session) -> StepResult? {
        if let holder = holders[row] {
            return holder == session.connection ? nil : .waits(row)
        }
        holders[row] = session.connection
        session.statement?.locks.append(row)
        return nil
    }

    func isFree(_ rows: [RowLock]) -> Bool { rows.allSatisfy { holders[$0] == nil } }

    func isLocked(_ row: RowLock, against session: Session) -> Bool {
        holders[row].map { $0 != session.connection } ?? false
    }

    private func wait(_ session: Session, _ row: RowLock) {
        session.statement?.waitsFor = row
        session.statement?.waitCount &+= 1
        scheduler.coverage.note(.rowWaits)
        // Whom does the holder wait for, and that one?
        var holder = holders[row]
        var steps = 0
        while let next = holder, next != session.connection, steps < 64 {
            holder = sessions[next]?.statement?.waitsFor.flatMap { holders[$0] }
            steps += 1
        }
        if holder == session.connection {
            scheduler.coverage.note(.deadlocks)
            violation = violation ?? Violation(.deadlock, "transactions wait for each other's rows")
            fail(session, .retryable("deadlock detected"))
            return
        }
        let timeout = Micros.ms(max(1, plan.configuration.requestTimeoutMs / 2))
        let mark = session.turn &* 64 &+ (session.statement?.waitCount ?? 0) % 64
        scheduler.after(timeout, .lockTimeout, session.connection, mark)
    }

    package func lockTimeout(_ connection: Int32, _ mark: UInt32) {
        guard let session = sessions[connection], let statement = session.statement, statement.waitsFor != nil,
            mark == session.turn &* 64 &+ statement.waitCount % 64
        else { return }
        scheduler.coverage.note(.lockTimeouts)
        fail(session, .retryable("lock timeout"))
    }

    package func statementTimeout(_ connection: Int32, _ turn: UInt32) {
        guard let session = sessions[connection], session.turn == turn, let statement = session.statement else {
            return
        }
        if case .answers = statement.phase { return }
        // A stopped process handles its timer when it goes on: a moment too late for the commit, or not.
        guard max(hungUntil, session.hungUntil) <= scheduler.now else { return }
        if statement.cancelledAt != nil {
            session.statement?.cancelledAt = scheduler.now
            return scheduler.after(0, .statementStep, connection, turn)
        }
        // A commit that is flushed is not interrupted.
        if statement.loggedAt != nil { return }
        fail(session, .other("statement timeout"))
    }

    private func release(_ session: Session) {
        guard let locks = session.statement?.locks, !locks.isEmpty else { return }
        for row in locks { holders[row] = nil }
        session.statement?.locks = []
        guard sessions.values.contains(where: { $0.statement?.waitsFor != nil }) else { return }
        for other in sessions.keys.sorted() {
            guard let waiting = sessions[other], let row = waiting.statement?.waitsFor, holders[row] == nil else {
                continue
            }
            waiting.statement?.waitsFor = nil
            goOn(waiting)
        }
    }

    /// The transaction's changes take effect, all at once.
    func releaseCommitted(_ session: Session) {
        session.statement?.transaction = nil
        release(session)
    }

    var snapshot: DatabaseSnapshot {
        var running = sessions.values.compactMap { $0.statement?.transaction }
        if let long = longTransaction, scheduler.now < long.until { running.append(long.number) }
        running.sort()
        let next = state.lastTransaction + 1
        return DatabaseSnapshot(least: running.first ?? next, next: next, running: running)
    }

    // MARK: What is committed

    /// The host has this answer to a commit.
    package func noteTold(_ outcome: BatchOutcome) {
        for counter in outcome.counters {
            let commit = ToldCount.commit(counter.count)
            counts[index(of: counter.item)][commit].isTold = true
        }
    }

    /// The item's counter as clients are told of it.
    package func told(_ item: Int) -> CounterState {
        var counter = state.counters[item]
        counter.count = ToldCount.told(likes: counter.count, commit: state.commits[item], database: number)
        return counter
    }

    /// Before the item's count is noted.
    func note(flip pair: Int, liked: Bool, host: Int) {
        let commit = counts[pair % plan.items.count].count
        flips[pair].append(Flip(at: scheduler.now, liked: liked, host: host, commit: commit))
    }

    func note(count item: Int, host: Int, ups: Int64, downs: Int64, loggedAt: Micros?) {
        let counter = state.counters[item]
        state.commits[item] = counts[item].count
        counts[item].append(
            CountEntry(
                at: scheduler.now, count: counter.count, version: counter.version, host: host, ups: ups, downs: downs,
                loggedAt: loggedAt))
    }

    // MARK: Faults

    package func beginLongTransaction(until: Micros) {
        state.lastTransaction += 1
        longTransaction = (state.lastTransaction, until)
    }

    /// Everything not committed is lost, every connection with it. `isRecovered`: by this server, which has what it
    /// flushed.
    package func crash(until: Micros, isRecovered: Bool = true) {
        for connection in connections {
            guard let session = sessions[connection], isRecovered || isUnseen(session) else { continue }
            finishFlushed(session)
        }
        for connection in sessions.keys.sorted() {
            outbox.append((connection, .end(.unreachable("the server went away"))))
        }
        sessions = [:]
        holders = [:]
        downUntil = until
        longTransaction = nil
    }

    /// A backend process is ended at whatever it does.
    package func terminate(_ connection: Int32) {
        guard let session = sessions[connection] else { return }
        finishFlushed(session)
        release(session)
        sessions[connection] = nil
        outbox.append((connection, .end(.unreachable("terminated"))))
    }

    package var connections: [Int32] { sessions.keys.sorted() }

    /// Those with a statement under way.
    package var busyConnections: [Int32] { sessions.keys.sorted().filter { sessions[$0]?.statement != nil } }

    package func hang(_ connection: Int32, until: Micros) { sessions[connection]?.hungUntil = until }
}
