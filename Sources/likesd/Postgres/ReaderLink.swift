import CPostgres
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection that reads counts, pairs and the rows of `cache_repairs`.
final class ReaderLink: PipelinedLink<ReaderCall> {
    /// From the lane, which adds missing types.
    private var learnt: TypeNumbers?
    /// Its server was a standby when it connected.
    private var isOnStandby = false

    init(driver: CoreDriver, loop: EventLoop, configuration: Configuration, servers: DatabaseServers) {
        super.init(
            .reader, preparing: PreparedStatement.ofReader(standbys: configuration.databaseReplicaURLs.count),
            driver: driver, loop: loop, configuration: configuration, servers: servers)
    }

    /// Takes over the numbers of all types, once the lane has them. If the lane found a server that takes writes, the
    /// reader must move there too.
    func learn(_ types: TypeNumbers) {
        learnt = types
        self.types = types
        if isReady && isOnStandby { lose(.unreachable("the primary is back")) }
    }

    func perform(_ id: CallID, _ request: ReaderRequest) { send(ReaderCall(id: id, request: request)) }

    override func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool {
        isOnStandby = facts.identity == nil
        return super.setupEnded(types, facts)
    }

    override var learntTypes: TypeNumbers? { learnt }

    override func ended(_ call: ReaderCall, _ failed: Failed?) {
        let answer: ReaderAnswer =
            switch failed {
            case .misfit(let misfit): .misfit(misfit)
            case .statement(let failure): .failed(call.isPosition ? .other(failure.text) : failure)
            case nil: call.answer ?? .misfit(Misfit("no result"))
            }
        driver.deliver { core, turn in core.answered(call.id, answer, &turn) }
    }
}

/// A call on the reader.
struct ReaderCall: PipelinedCall {
    let id: CallID
    let request: ReaderRequest
    fileprivate private(set) var answer: ReaderAnswer?

    init(id: CallID, request: ReaderRequest) {
        self.id = id
        self.request = request
    }

    var statements: [PreparedStatement] { [request.statement] }
    var rowsMax: Int { request.rowsMax }

    /// Some servers refuse to tell their position. Everything else can still be read from them.
    fileprivate var isPosition: Bool {
        switch request {
        case .selectPosition: true
        case .selectCounters, .selectPairs, .selectLists, .selectRepairs: false
        }
    }

    func write(_ statement: PreparedStatement, to parameters: inout StatementParameters, types: TypeNumbers) {
        request.write(to: &parameters, types: types)
    }

    mutating func take(
        _ result: borrowing StatementResult, of statement: PreparedStatement, types: TypeNumbers
    ) throws(Misfit) {
        answer = try request.answer(result, types: types)
    }
}
