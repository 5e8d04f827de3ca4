import CPostgres
import LikesCore

/// What has to be said and learnt on a new connection before it can be used, step by step.
struct Settling {
    private enum Step {
        case session, identity, version, fitness, types
        // Whether anything was counted under the numbers of types that are gone.
        case useOfNumbers([TypeNumbers.Lost])
        // Only the lane adds types, in one transaction.
        case lockTypes, addTypes, commitTypes, typesAgain
        case prepare(Int)
        case describe(Int)
    }

    enum Outcome {
        case step
        case done(TypeNumbers, DatabaseFacts)
        case failed(BackendFailure)
    }

    /// The numbers of item types as this process has learnt them, and at which past of which database.
    struct LearntTypes {
        var numbers: TypeNumbers
        var history: DatabaseHistory
    }

    private let isLane: Bool
    private let learnt: LearntTypes?
    /// They were there when a connection of this kind was settled before.
    private let hadTables: Bool
    private let statements: [PreparedStatement]
    private let configuration: Configuration
    private let advice: Advice
    private let target: DatabaseTarget
    private var step = Step.session
    private var types: TypeNumbers?
    private var facts = DatabaseFacts(history: nil)
    private var isStandby = false
    /// The first thing in the way.
    private var failure: BackendFailure?

    init(
        _ backend: Backend, preparing statements: [PreparedStatement], configuration: Configuration, _ advice: Advice,
        _ target: DatabaseTarget, hadTables: Bool, learnt: LearntTypes?
    ) {
        self.learnt = learnt
        self.hadTables = hadTables
        isLane = backend == .lane
        self.statements = statements
        self.configuration = configuration
        self.advice = advice
        self.target = target
    }

    // MARK: Asking

    /// Sends the step's command; false: libpq did not take it.
    func send(on connection: OpaquePointer) -> Bool {
        let status =
            switch step {
            case .session: PQsendQuery(connection, Settling.sessionText(configuration))
            case .identity: PQsendQuery(connection, "SELECT \(PostgresIdentity.columns)")
            case .version: PQsendQuery(connection, Schema.selectVersion)
            case .fitness: PQsendQuery(connection, Schema.selectMisfits)
            case .types, .typesAgain: PQsendQuery(connection, Schema.selectItemTypes)
            case .useOfNumbers(let lost): PQsendQuery(connection, Schema.selectCounted(typeNumbers: lost.map(\.number)))
            case .lockTypes: PQsendQuery(connection, "BEGIN; \(Schema.lockItemTypes)")
            case .addTypes: sendNames(on: connection)
            case .commitTypes: PQsendQuery(connection, "COMMIT")
            case .prepare(let place):
                PQsendPrepare(connection, statements[place].rawValue, statements[place].text, 0, nil)
            case .describe(let place): PQsendDescribePrepared(connection, statements[place].rawValue)
            }
        return status != 0
    }

    /// The planner is told what the statements are written for: look-ups by key, in a loop over what was asked for.
    /// With any other plan they would still be right, but the lane's order of locks would not be that of other hosts.
    /// Plans are made once, so that they do not depend on what the first calls happen to hold.
    ///
    /// `synchronous_commit` is set even where it is on, so that turning it off for the server does not reach here; a
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
            SELECT set_config(
                'synchronous_commit',
                CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,
                false);
            SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean, (\(Schema.hasVersion)),
                (\(Schema.hasTables)), (\(Schema.selectBarredSchema))
            """
    }

    /// Names of types need no quoting in an array.
    private func sendNames(on connection: OpaquePointer) -> Int32 {
        let names = "{" + configuration.itemTypes.names.joined(separator: ",") + "}"
        return names.withCString { name in
            withUnsafePointer(to: Optional(name)) {
                PQsendQueryParams(connection, Schema.addItemTypes, 1, nil, $0, nil, nil, 0)
            }
        }
    }

    // MARK: Learning

    /// One of the step's results.
    mutating func take(_ result: borrowing StatementResult) {
        guard failure == nil else { return }
        if result.status == PGRES_FATAL_ERROR {
            failure = failure(of: result)
            // Where that takes too long to find out, there may be.
            if case .useOfNumbers(let lost) = step, result.sqlState == "57014" {
                failure = lost.first.map(Settling.lost)
            }
            return
        }
        if case .describe(let place) = step { return takeColumns(result, of: statements[place]) }
        guard result.status == PGRES_TUPLES_OK else { return }
        switch step {
        case .session: takeSession(result)
        case .identity: takeIdentity(result)
        case .version: takeVersion(result)
        case .fitness: failure = result.misfits.failure(advice, target)
        case .types, .typesAgain:
            guard result.rowCount > 0 else {
                // Whoever fills it again would find the numbers taken.
                failure = .schema("the table item_types is empty", next: Schema.whenLost("it"))
                return
            }
            types = TypeNumbers(
                types: configuration.itemTypes,
                rows: (0..<result.rowCount).compactMap { row in
                    Int16(result.text(row, 0)).map { ($0, result.text(row, 1)) }
                })
        case .useOfNumbers(let lost):
            guard result.rowCount > 0, let number = Int16(result.text(0, 0)) else { return }
            failure = lost.first { $0.number == number }.map(Settling.lost)
        case .lockTypes, .addTypes, .commitTypes, .prepare, .describe: return
        }
    }

    /// Of columns that somebody gave another type the rows could not be read.
    private mutating func takeColumns(_ result: borrowing StatementResult, of statement: PreparedStatement) {
        guard let (column, type) = result.misfit(statement.columns) else { return }
        failure = .schema("the column \(column) is not of the type \(type): \(PostgresAdvice.altered)")
    }

    private mutating func takeSession(_ result: borrowing StatementResult) {
        // The result before has one column, set_config's.
        guard result.rowCount == 1, result.columnCount == 5 else { return }
        isStandby = result.text(0, 0) == "t"
        if isLane && isStandby {
            failure = .readOnly("the server is a standby", next: advice.primary)
        } else if isLane && result.text(0, 1) == "t" {
            failure = .readOnly("the server is read-only", next: advice.primary)
        } else if result.text(0, 2) == "t" {
            return
        } else if !result.isNull(0, 4) {
            failure = advice.barred(from: result.text(0, 4), target)
        } else if result.text(0, 3) == "t" {
            failure = .schema(
                "the table likesd_schema is missing in the database \(target.database)", next: Schema.whenVersionLost)
        } else if hadTables {
            failure = .schema(
                "the database \(target.database) has lost the tables of likesd's", next: Schema.whenLost("a table"))
        } else {
            failure = .schema(
                "the database \(target.database) has no tables of likesd's \(Schema.notWhileRestoring)",
                next: advice.migrate)
        }
    }

    private mutating func takeIdentity(_ result: borrowing StatementResult) {
        guard result.rowCount == 1, let timeline = Int64(result.text(0, 1)) else { return }
        facts.history = DatabaseHistory(system: result.text(0, 0), timeline: timeline, tables: result.text(0, 2))
    }

    private mutating func takeVersion(_ result: borrowing StatementResult) {
        failure = advice.version(result.rowCount == 1 ? Int(result.text(0, 0)) : nil)
    }

    /// All of the step's results were taken: what comes next.
    mutating func next() -> Outcome {
        if let failure { return .failed(failure) }
        switch step {
        // A standby writes no log.
        case .session: step = isStandby ? .version : .identity
        case .identity: step = .version
        case .version: step = .fitness
        case .fitness: step = .types
        case .types:
            guard let types else { return .failed(.schema("item_types gave no rows", next: advice.migrate)) }
            let lost = learnt.map { $0.history == facts.history ? $0.numbers.lost(in: types) : [] } ?? []
            if isLane, !lost.isEmpty {
                step = .useOfNumbers(lost)
                return .step
            }
            step = isLane && !types.isComplete ? .lockTypes : .prepare(0)
        // The type was still to come in a data directory that was put back.
        case .useOfNumbers: step = .lockTypes
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
                return .done(types, facts)
            }
        }
        return .step
    }

    /// It had likes under its number, and must not get another.
    private static func lost(_ type: TypeNumbers.Lost) -> BackendFailure {
        let text = "the table item_types has lost \(type.name), which had the number \(type.number)"
        if let heir = type.heir { return .schema("\(text), now \(heir)'s", next: Schema.whenLost("it")) }
        let insertion = "INSERT INTO item_types (id, name) VALUES (\(type.number), '\(type.name)')"
        return .schema(text, next: "\(Schema.unlessRestored) \(insertion)")
    }

    private func failure(of result: borrowing StatementResult) -> BackendFailure {
        let state = result.sqlState ?? ""
        let text = "\(result.message) (SQLSTATE \(state))"
        return switch state {
        case "25006": .readOnly(text, next: advice.primary)
        case "42501": .schema(text, next: advice.permission(target))
        // The version was there: what is missing is not migrate's to make.
        case "42P01", "42703", "3F000": .schema(text, next: Schema.whenLost("it"))
        default: .unreachable(text)
        }
    }
}
