import CPostgres
import LikesCore

/// The connection that writes: one batch after the other.
///
/// Not in pipeline mode: outside of it libpq ends a statement's results only when the server is ready for the next,
/// which is after the commit. An error at commit comes as a further result.
final class LaneLink: PostgresLink {
    private struct UnderWay {
        let call: CallID
        let batch: LaneBatch
        var outcome: BatchOutcome?
        var failure: StatementFailure?
    }

    private var types: TypeNumbers?
    private var underWay: UnderWay?
    private var parameters = StatementParameters()
    /// Told the types' numbers, all of which the lane knows.
    private let onTypes: (TypeNumbers) -> Void

    init(
        host: CoreHost, loop: EventLoop, configuration: Configuration, onTypes: @escaping (TypeNumbers) -> Void
    ) {
        self.onTypes = onTypes
        super.init(.lane, preparing: [.commit], host: host, loop: loop, configuration: configuration)
    }

    /// Without a connection the core has given the call up already.
    func commit(_ call: CallID, _ rows: [BatchRow]) {
        guard isReady, let types else { return }
        precondition(underWay == nil, "a second batch on one lane")
        let batch = LaneBatch(rows, types: types)
        batch.write(to: &parameters)
        guard send(.commit, parameters) else { return }
        underWay = UnderWay(call: call, batch: batch)
        flush()
    }

    override func settled(_ types: TypeNumbers) -> Bool {
        self.types = types
        onTypes(types)
        return true
    }

    override func forget() { underWay = nil }

    override func collect() {
        while let connection, PQisBusy(connection) == 0, var current = underWay {
            guard let raw = PQgetResult(connection) else {
                underWay = nil
                finish(current)
                continue
            }
            let result = StatementResult(raw)
            if result.status == PGRES_TUPLES_OK {
                current.outcome = current.batch.outcome(result)
            } else if result.endsSession {
                // Ended by the server or on the way: nothing is proven, not even after an outcome.
                return lose(.unreachable(result.message))
            } else {
                current.failure = current.failure ?? StatementFailure(result)
            }
            underWay = current
        }
    }

    /// The server is ready for the next: what it said is final.
    private func finish(_ done: UnderWay) {
        if let failure = done.failure {
            host.deliver { core, now, actions in core.statementFailed(done.call, failure, now: now, into: &actions) }
        } else if let outcome = done.outcome {
            host.deliver { core, now, actions in core.committed(done.call, outcome, now: now, into: &actions) }
        } else {
            lose(.unreachable("the server gave no result of a batch"))
        }
    }
}
