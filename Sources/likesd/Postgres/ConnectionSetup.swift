import CPostgres
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// What must be sent and learned on a new connection before it can be used, step by step.
struct ConnectionSetup {
    private enum Step {
        case look(SessionLook)
        case session, identity, version, fitness, seals, types, unnamed
        // Only the lane adds types, in one transaction.
        case lockTypes, addTypes, commitTypes, typesAgain
        case prepare(Int)
        case describe(Int)
    }

    /// What the server said, for later steps.
    private struct Found {
        var isStandby = false
        /// The tables were another service's.
        var isAdopted = false
        /// The rows of `item_types`.
        var types: [NumberedType] = []
    }

    enum Outcome {
        case step
        /// A second connection is to be asked `SessionLook.question`; `heard` tells what it said.
        case askAnother
        case done(TypeNumbers, DatabaseFacts)
        case failed(BackendFailure)
    }

    private let backend: Backend
    /// What earlier connections of this process learned about item types.
    private let learnt: TypeNumbers?
    /// The tables existed when a connection of this kind was set up before.
    private let hadTables: Bool
    private let statements: [PreparedStatement]
    private let configuration: Configuration
    private let advice: Advice
    private let target: DatabaseTarget
    private var step: Step
    private var types: TypeNumbers?
    private var facts = DatabaseFacts(identity: nil)
    private var found = Found()
    /// The first obstacle.
    private var failure: BackendFailure?

    init(
        _ backend: Backend, preparing statements: [PreparedStatement], configuration: Configuration, _ advice: Advice,
        _ target: DatabaseTarget, sessionAnnounced: Int32, hadTables: Bool, learnt: TypeNumbers?
    ) {
        step = .look(SessionLook(announced: sessionAnnounced))
        self.learnt = learnt
        self.hadTables = hadTables
        self.backend = backend
        self.statements = statements
        self.configuration = configuration
        self.advice = advice
        self.target = target
    }

    private var isLane: Bool { backend == .lane }
    /// The server is to be a standby that answers counts.
    private var isForStandby: Bool { if case .standby = backend { true } else { false } }

    // MARK: Asking

    /// Sends the step's command; false: libpq refused it.
    func send(on connection: OpaquePointer) -> Bool {
        let status =
            switch step {
            case .look: PQsendQuery(connection, SessionLook.question)
            case .session: PQsendQuery(connection, ConnectionSetup.sessionText(configuration))
            case .identity: PQsendQuery(connection, "SELECT \(PostgresIdentity.columns)")
            case .version: PQsendQuery(connection, Schema.selectVersion)
            case .fitness: PQsendQuery(connection, Schema.selectMisfits)
            case .seals: PQsendQuery(connection, Schema.selectSeals)
            case .types, .typesAgain: PQsendQuery(connection, Schema.selectItemTypes)
            case .unnamed: PQsendQuery(connection, Schema.selectUnnamedTypes)
            case .lockTypes: PQsendQuery(connection, "BEGIN; \(Schema.lockItemTypes)")
            case .addTypes: sendTypes(on: connection)
            case .commitTypes: PQsendQuery(connection, "COMMIT")
            case .prepare(let place):
                PQsendPrepare(connection, statements[place].rawValue, statements[place].text, 0, nil)
            case .describe(let place): PQsendDescribePrepared(connection, statements[place].rawValue)
            }
        return status != 0
    }

    /// The planner must plan what the statements are written for: look-ups by key, in a loop over the items asked for.
    /// Any other plan would still be right, but the lane would lock in another order than other hosts. Plans are made
    /// once, so that they do not depend on what the first calls happen to contain.
    ///
    /// An idle host says little and keeps its connections: the server must not end them for that. (The setting came
    /// with PostgreSQL 14.)
    ///
    /// `synchronous_commit` is set even if it is on, so that turning it off for the server has no effect here; a
    /// stronger setting stays.
    static func sessionText(_ configuration: Configuration) -> String {
        let timeoutMs = configuration.requestTimeoutMs
        return """
            SET client_min_messages = warning;
            SET default_transaction_isolation = 'read committed';
            SET plan_cache_mode = force_generic_plan;
            SET jit = off;
            SET enable_seqscan = off;
            SET enable_bitmapscan = off;
            SET enable_hashjoin = off;
            SET enable_mergejoin = off;
            SET statement_timeout = \(timeoutMs);
            SET lock_timeout = \(max(1, timeoutMs / 2));
            SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout';
            SELECT set_config(
                'synchronous_commit',
                CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
                false);
            SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, (\(Schema.hasVersion)),
                (\(Schema.hasTables)), (\(Schema.selectBarredSchema)), (\(Schema.hasReference)), \(Schema.isAdopted)
            """
    }

    private func sendTypes(on connection: OpaquePointer) -> Int32 {
        Schema.array(of: configuration.itemTypes).withCString { names in
            (learnt?.array ?? Schema.noNumbers).withCString { numbers in
                [names, numbers].withUnsafeBufferPointer {
                    PQsendQueryParams(connection, Schema.addItemTypes, 2, nil, $0.baseAddress, nil, nil, 0)
                }
            }
        }
    }

    // MARK: Learning

    /// One of the step's results.
    mutating func take(_ result: borrowing StatementResult) {
        guard failure == nil else { return }
        do throws(Misfit) {
            try read(result)
        } catch {
            failure = .unexpected("an answer that does not fit its call: \(error.text)")
        }
    }

    private mutating func read(_ result: borrowing StatementResult) throws(Misfit) {
        if result.status == PGRES_FATAL_ERROR {
            failure = failure(of: result)
            return
        }
        if case .describe(let place) = step { return takeColumns(result, of: statements[place]) }
        guard result.status == PGRES_TUPLES_OK else { return }
        switch step {
        case .look(var look):
            guard result.rowCount == 1 else { throw Misfit("an invalid process id") }
            look.answered(try result.text(0, 0))
            step = .look(look)
        case .session: try takeSession(result)
        case .identity: try takeIdentity(result)
        case .version: try takeVersion(result)
        case .fitness:
            // The role for a standby may lack rights that only the primary's needs.
            let misfits = try result.misfits().filter { !isForStandby || !$0.isOfRole }
            failure = misfits.failure(advice, target).map(BackendFailure.init)
        case .seals: try takeSeals(result)
        case .types, .typesAgain:
            guard result.rowCount > 0 else {
                failure = .schema("the table item_types is empty", next: Schema.whenLost("item_types"))
                return
            }
            found.types = []
            for row in 0..<result.rowCount {
                guard let number = Int16(try result.text(row, 0)) else { continue }
                found.types.append(NumberedType(number: number, name: try result.text(row, 1)))
            }
            types = TypeNumbers(
                types: configuration.itemTypes, rows: found.types.map { ($0.number, $0.name) },
                // A standby may not have them yet; the lane must know the table's content.
                known: isLane ? nil : learnt)
        case .unnamed: try takeUnnamed(result)
        case .lockTypes, .addTypes, .commitTypes, .prepare, .describe: return
        }
    }

    /// A new number could be wrong, and without one all counts of the type would be 0.
    private mutating func takeUnnamed(_ result: borrowing StatementResult) throws(Misfit) {
        var stored: Set<Int16> = []
        for row in 0..<result.rowCount { if let number = Int16(try result.text(row, 0)) { stored.insert(number) } }
        let configured = configuration.itemTypes.names.filter { learnt?.number(of: $0) == nil }
        failure = UnnamedTypes(configured: configured, known: found.types, stored: stored)
            .map { BackendFailure(advice.unnamed($0)) }
    }

    /// If columns were altered manually, their rows could not be read.
    private mutating func takeColumns(_ result: borrowing StatementResult, of statement: PreparedStatement) {
        guard let (column, type) = result.misfit(statement.columns) else { return }
        failure = .schema("the column \(column) does not have the type \(type)", next: PostgresAdvice.altered)
    }

    private mutating func takeSession(_ result: borrowing StatementResult) throws(Misfit) {
        // The results before it have one column, set_config's.
        guard result.rowCount == 1, result.columnCount == 7 else { return }
        found.isAdopted = try result.text(0, 6) == "t"
        found.isStandby = try result.text(0, 0) == "t"
        let isReadOnly = try result.text(0, 1) == "t"
        if isLane && found.isStandby {
            failure = .readOnly("the server is a standby", next: advice.primary)
        } else if isLane && isReadOnly {
            failure = .readOnly("the server is read-only", next: advice.primary)
        } else if try result.text(0, 2) == "t" {
            return
        } else if !result.isNull(0, 4) {
            failure = BackendFailure(advice.barred(from: ForeignText.shown(try result.text(0, 4)), target))
        } else if try result.text(0, 5) == "t" {
            failure = BackendFailure(advice.reference(in: target.database))
        } else if try result.text(0, 3) == "t" {
            failure = .schema(
                "the table likesd_schema is missing in the database \(target.database)", next: Schema.whenVersionLost)
        } else if hadTables {
            failure = .schema(
                "likesd's tables are gone from the database \(target.database)", next: Schema.whenLost("a table"))
        } else {
            failure = .schema(
                "the database \(target.database) has no likesd tables \(Schema.notWhileRestoring)",
                next: advice.migrate)
        }
    }

    private mutating func takeIdentity(_ result: borrowing StatementResult) throws(Misfit) {
        guard result.rowCount == 1, let timeline = Int64(try result.text(0, 1)),
            (0...DatabaseIdentity.timelineMax).contains(timeline)
        else { throw Misfit("an invalid timeline") }
        facts.identity = try DatabaseIdentity(
            system: try result.text(0, 0), timeline: timeline, tables: try result.text(0, 2)
        ).checked()
    }

    private mutating func takeSeals(_ result: borrowing StatementResult) throws(Misfit) {
        guard result.rowCount == 1, let secret = Secret(hex: try result.text(0, 0)) else {
            failure = .schema(
                "the table likesd_secret has no secret of 32 lower-case hex digits",
                next: "\(Schema.unlessRestored) \(advice.schema(Schema.renewSecret, target))")
            return
        }
        guard let seconds = Int64(try result.text(0, 1)), Schema.secondsRange.contains(seconds) else {
            throw Misfit("an invalid time")
        }
        facts.seals = SealFacts(secret: secret, seconds: found.isStandby ? nil : seconds)
    }

    private mutating func takeVersion(_ result: borrowing StatementResult) throws(Misfit) {
        failure = advice.version(result.rowCount == 1 ? Int(try result.text(0, 0)) : nil).map(BackendFailure.init)
    }

    /// What a second connection said; nil: nothing.
    mutating func heard(_ session: String?) {
        guard case .look(var look) = step else { return }
        look.heard(session)
        step = .look(look)
    }

    private mutating func after(_ look: SessionLook) -> Outcome {
        var look = look
        let next = look.next()
        step = .look(look)
        switch next {
        case .ask: return .step
        case .askAnother: return .askAnother
        case .isOwn:
            step = .session
            return .step
        case .isLent:
            return .failed(
                .unreachable(
                    "a pooler stands between likesd and PostgreSQL that gives its sessions to others after each "
                        + "transaction",
                    next: "use session pooling (in PgBouncer: pool_mode = session) or a direct connection in "
                        + setting.rawValue))
        }
    }

    /// The setting that names the server.
    private var setting: Setting { isForStandby ? .databaseReplicaURLs : .databaseURL }

    /// All results of the step were taken. Returns what comes next.
    mutating func next() -> Outcome {
        if let failure { return .failed(isForStandby ? failure.ofStandby : failure) }
        switch step {
        case .look(let look): return after(look)
        // A standby writes no log.
        case .session: step = found.isStandby ? .version : .identity
        // What takes writes is of no use as a standby, whatever is there.
        case .identity where isForStandby: return .done(TypeNumbers(types: configuration.itemTypes, rows: []), facts)
        case .identity: step = .version
        case .version: step = .fitness
        // Counts need no seals, so the role for a standby need not read the secret.
        case .fitness: step = isForStandby ? .types : .seals
        case .seals: step = .types
        case .types:
            guard let types else { return .failed(.schema("item_types gave no rows", next: advice.migrate)) }
            if types.isComplete {
                step = .prepare(0)
            } else if found.isAdopted {
                // The role for a standby may read few tables.
                guard !isForStandby else { return .failed(.schema("a configured item type has no number").ofStandby) }
                step = .unnamed
            } else {
                step = isLane ? .lockTypes : .prepare(0)
            }
        case .unnamed: step = isLane ? .lockTypes : .prepare(0)
        case .lockTypes: step = .addTypes
        case .addTypes: step = .commitTypes
        case .commitTypes: step = .typesAgain
        case .typesAgain:
            guard let types, types.isComplete else {
                return .failed(.schema("item_types does not take the configured types", next: advice.migrate))
            }
            step = .prepare(0)
        case .prepare(let place): step = .describe(place)
        case .describe(let place):
            if place + 1 < statements.count {
                step = .prepare(place + 1)
            } else if let types {
                facts.hasOtherTypes = learnt.map { types != $0 } ?? false
                return .done(types, facts)
            }
        }
        return .step
    }

    private func failure(of result: borrowing StatementResult) -> BackendFailure {
        let state = result.sqlState ?? ""
        let text = "\(result.message) (SQLSTATE \(state))"
        return switch state {
        case "25006": .readOnly(text, next: advice.primary)
        case "42501": .schema(text, next: advice.permission(target))
        // The version was there, so migrating cannot create what is missing.
        case "42P01", "42703", "3F000": .schema(text, next: Schema.whenLost("what is missing"))
        default: .unreachable(text)
        }
    }
}

extension BackendFailure {
    /// Nothing can be corrected on a standby itself.
    fileprivate var ofStandby: BackendFailure {
        guard case .schema(let text, _) = self else { return self }
        return .schema(text, next: "correct that on the primary that it follows, or correct DATABASE_REPLICA_URLS")
    }
}
