import CPostgres
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection that reads counts, pairs and the rows of `cache_repairs`: several calls on the wire, answered in
/// order.
final class ReaderLink: PostgresLink {
    private var types: TypeNumbers?
    /// From the lane, which adds missing types.
    private var learnt: TypeNumbers?
    /// Its server was a standby when it connected.
    private var isOnStandby = false
    private var calls = Ring<(id: CallID, request: ReaderRequest)>()
    private var parameters = StatementParameters()

    init(driver: CoreDriver, loop: EventLoop, configuration: Configuration, servers: DatabaseServers) {
        super.init(
            .reader, preparing: PreparedStatement.ofReader, driver: driver, loop: loop, configuration: configuration,
            servers: servers)
    }

    /// Takes over the numbers of all types, once the lane has them. If the lane found a server that takes writes, the
    /// reader must move there too.
    func learn(_ types: TypeNumbers) {
        learnt = types
        self.types = types
        if isReady && isOnStandby { lose(.unreachable("the primary is back")) }
    }

    /// Without a connection the core has given up the call already.
    func perform(_ id: CallID, _ request: ReaderRequest) {
        guard isReady, let types else { return }
        request.write(to: &parameters, types: types)
        guard send(request.statement, parameters) else { return }
        // Each call is a transaction, so that a failed one does not fail others.
        guard reading({ PQpipelineSync($0) }) == 1 else { return lose() }
        calls.append((id, request))
        flush()
    }

    override func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool {
        isOnStandby = facts.identity == nil
        self.types = types
        return PQenterPipelineMode(connection) == 1
    }

    override var learntTypes: TypeNumbers? { learnt }

    override var rowsAwaited: Int? { calls.first?.request.rowsMax }

    override func forget() { calls.removeAll() }

    override func collect() {
        // A null ends one call's results. Two in a row mean that libpq has given up.
        var nulls = 0
        while nulls < 2, let connection, PQisBusy(connection) == 0, let call = calls.first {
            guard let raw = nextResult() else {
                nulls += 1
                continue
            }
            nulls = 0
            let result = StatementResult(raw)
            switch result.status {
            case PGRES_TUPLES_OK:
                guard let types else { continue }
                deliver(answer(call.request, result, types), to: call.id)
            case PGRES_PIPELINE_SYNC:
                endAnswer()
                calls.popFirst()
            default:
                guard result.isOrdinary else { return lose(.unexpected(Self.unasked)) }
                if result.endsSession { return lose(.unreachable(result.message)) }
                let failure = StatementFailure(result, permission: advice.permission(target))
                deliver(.failed(failure), to: call.id)
            }
        }
    }

    private func answer(
        _ request: ReaderRequest, _ result: borrowing StatementResult, _ types: TypeNumbers
    ) -> ReaderAnswer {
        do { return try request.answer(result, types: types) } catch { return .misfit(error) }
    }

    private func deliver(_ answer: ReaderAnswer, to call: CallID) {
        driver.deliver { core, turn in core.answered(call, answer, &turn) }
    }
}
