import CPostgres
import LikesCore
import LikesSettings
import LikesStorage

/// The connection that writes, one transaction at a time.
///
/// Not in pipeline mode: outside of it, libpq ends a statement's results only when the server is ready for the next,
/// which is after the commit. An error at commit arrives as a further result.
final class LaneLink: PostgresLink {
    private struct UnderWay {
        let call: LaneCall
        var answer: Result<LaneAnswer, Misfit>?
        var failure: StatementFailure?
    }

    private var types: TypeNumbers?
    private var underWay: UnderWay?
    private var parameters = StatementParameters()
    private let servers: DatabaseServers
    /// Called with the types' numbers, which the lane knows completely, whenever a server that takes writes was found.
    private let onTypes: (TypeNumbers) -> Void

    init(
        driver: CoreDriver, loop: EventLoop, configuration: Configuration, servers: DatabaseServers,
        onTypes: @escaping (TypeNumbers) -> Void
    ) {
        self.onTypes = onTypes
        self.servers = servers
        super.init(
            .lane, preparing: PreparedStatement.ofLane, driver: driver, loop: loop, configuration: configuration,
            servers: servers)
    }

    /// Without a connection the core has given up the call already.
    func perform(_ id: CallID, _ request: LaneRequest) {
        guard isReady, let types else { return }
        precondition(underWay == nil, "a second call on one lane")
        let call = LaneCall(id, request, types: types)
        call.write(to: &parameters, types: types)
        guard send(call.statement, parameters) else { return }
        underWay = UnderWay(call: call)
        flush()
    }

    override func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool {
        self.types = types
        onTypes(types)
        if let chosen { servers.laneConnected(to: chosen) }
        return true
    }

    override var learntTypes: TypeNumbers? { types }

    override func noticed(_ notice: ServerNotice) {
        guard isReady, notice.isCancelledStandbyWait else { return }
        driver.deliver { core, turn in core.standbyWaitCancelled(&turn) }
    }

    override var rowsAwaited: Int? { underWay?.call.rowsMax }

    override func forget() { underWay = nil }

    override func collect() {
        while let connection, PQisBusy(connection) == 0, var current = underWay {
            guard let raw = nextResult() else {
                endAnswer()
                underWay = nil
                finish(current)
                continue
            }
            let result = StatementResult(raw)
            guard result.isOrdinary else { return lose(.unexpected(Self.unasked)) }
            if result.status == PGRES_TUPLES_OK, let types {
                current.answer = Result { () throws(Misfit) in
                    try current.call.answer(result, types: types) {
                        $0.failure(advice, target).map(BackendFailure.init)
                    }
                }
            } else if result.endsSession {
                // The server or the network ended it: nothing is certain, not even after an answer.
                return lose(.unreachable(result.message))
            } else {
                current.failure = current.failure ?? StatementFailure(result, permission: advice.permission(target))
            }
            underWay = current
        }
    }

    /// The server is ready for the next statement, so its answer is final.
    private func finish(_ done: UnderWay) {
        let answer: LaneAnswer
        if let failure = done.failure {
            answer = .failed(failure)
        } else {
            switch done.answer ?? .failure(Misfit("no result")) {
            case .success(let whole): answer = whole
            case .failure(let misfit): answer = .misfit(misfit)
            }
        }
        driver.deliver { core, turn in core.answered(done.call.id, answer, &turn) }
    }
}
