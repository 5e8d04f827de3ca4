import CPostgres
import LikesCore
import LikesStorage

/// A call on a connection that has several on the wire.
protocol PipelinedCall {
    /// They run in this order, in one transaction. Each has a snapshot of its own: the session reads what is committed
    /// when the statement begins.
    var statements: [PreparedStatement] { get }
    /// Rows of all results together.
    var rowsMax: Int { get }

    func write(_ statement: PreparedStatement, to parameters: inout StatementParameters, types: TypeNumbers)

    /// Takes the rows of one of its statements, if that can return such rows.
    mutating func take(
        _ result: borrowing StatementResult, of statement: PreparedStatement, types: TypeNumbers) throws(Misfit)
}

/// A connection that only reads: several calls on the wire, answered in order. Its subclasses use it.
class PipelinedLink<Call: PipelinedCall>: PostgresLink {
    /// Why a call has no answer.
    enum Failed {
        case misfit(Misfit)
        case statement(StatementFailure)
    }

    private struct UnderWay {
        var call: Call
        let statements: [PreparedStatement]
        /// Results that have arrived.
        var resultCount = 0
        var failed: Failed?
    }

    /// nil: not set up yet.
    var types: TypeNumbers?
    private var calls = Ring<UnderWay>()
    private var parameters = StatementParameters()

    /// Without a connection the core has given up the call already.
    func send(_ call: Call) {
        guard isReady, let types else { return }
        let statements = call.statements
        for statement in statements {
            parameters.reset()
            call.write(statement, to: &parameters, types: types)
            guard send(statement, parameters) else { return }
        }
        // Each call is a transaction, so that a failed one does not fail others.
        guard reading({ PQpipelineSync($0) }) == 1 else { return lose() }
        calls.append(UnderWay(call: call, statements: statements))
        flush()
    }

    /// All results of the call have arrived, or one that makes it fail.
    func ended(_ call: Call, _ failed: Failed?) {}

    override func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool {
        self.types = types
        return PQenterPipelineMode(connection) == 1
    }

    override var rowsAwaited: Int? { calls.first?.call.rowsMax }

    override var statementsAwaited: Int { calls.first?.statements.count ?? 1 }

    override func forget() { calls.removeAll() }

    override func collect() {
        // A null ends one statement's results. Two in a row mean that libpq has given up.
        var nulls = 0
        while nulls < 2, let connection, PQisBusy(connection) == 0, !calls.isEmpty {
            guard let raw = nextResult() else {
                nulls += 1
                continue
            }
            nulls = 0
            let result = StatementResult(raw)
            switch result.status {
            case PGRES_TUPLES_OK: take(result)
            // The call failed with an earlier statement.
            case PGRES_PIPELINE_ABORTED where calls.first?.failed != nil: continue
            case PGRES_PIPELINE_SYNC:
                endAnswer()
                endCall()
            default:
                guard result.isOrdinary else { return lose(.unexpected(Self.unasked)) }
                if result.endsSession { return lose(.unreachable(result.message)) }
                fail(.statement(StatementFailure(result, permission: permissionAdvice)))
            }
        }
    }

    /// What to do if the role lacks a right.
    var permissionAdvice: String { advice.permission(target) }

    private func take(_ result: borrowing StatementResult) {
        guard let types, calls[0].failed == nil else { return }
        let place = calls[0].resultCount
        guard place < calls[0].statements.count else { return fail(.misfit(Misfit("more results than statements"))) }
        calls[0].resultCount += 1
        do throws(Misfit) {
            try calls[0].call.take(result, of: calls[0].statements[place], types: types)
        } catch {
            fail(.misfit(error))
        }
    }

    /// Reported at once: the connection may end before the rest of the answer is there.
    private func fail(_ failed: Failed) {
        guard calls[0].failed == nil else { return }
        calls[0].failed = failed
        ended(calls[0].call, failed)
    }

    private func endCall() {
        guard let done = calls.popFirst(), done.failed == nil else { return }
        let isWhole = done.resultCount == done.statements.count
        ended(done.call, isWhole ? nil : .misfit(Misfit("no result")))
    }
}
