import CPostgres
import LikesCore
import LikesProtocol
import LikesSettings
import LikesStorage

/// The connection to one standby that answers counts.
final class StandbyLink: PipelinedLink<StandbyCall> {
    private let place: Int
    /// From the lane, which knows the primary's.
    private var learnt: TypeNumbers?

    /// `place`: of its URL in DATABASE_REPLICA_URLS.
    init(_ place: Int, driver: CoreDriver, loop: EventLoop, configuration: Configuration) {
        self.place = place
        super.init(
            .standby(place), preparing: PreparedStatement.ofStandby, driver: driver, loop: loop,
            configuration: configuration, servers: StandbyServer(place, configuration: configuration, loop: loop))
    }

    /// The types' numbers on the primary. With others, its counts would be those of other items.
    func learn(_ types: TypeNumbers) {
        learnt = types
        if isReady, types != self.types { lose(Self.otherTypes) }
    }

    func perform(_ id: CallID, _ request: StandbyRequest) { send(StandbyCall(id: id, request: request)) }

    override func setupEnded(_ types: TypeNumbers, _ facts: DatabaseFacts) -> Bool {
        let isStandby = facts.identity == nil
        if isStandby, let learnt, types != learnt {
            lose(Self.otherTypes)
            return false
        }
        return super.setupEnded(types, facts)
    }

    override var learntTypes: TypeNumbers? { learnt }

    override var permissionAdvice: String { advice.standbyPermission(target) }

    override func ended(_ call: StandbyCall, _ failed: Failed?) {
        let answer: StandbyAnswer =
            switch failed {
            case .misfit(let misfit): .misfit(misfit)
            case .statement(let failure): .failed(failure)
            case nil: .countersSelected(call.log, call.counters)
            }
        driver.deliver { core, turn in core.answered(standby: place, call.id, answer, &turn) }
    }

    private static let otherTypes = BackendFailure.unreachable(
        "its item types have other numbers than the primary's",
        next: "if that stays so, it follows another primary: correct DATABASE_REPLICA_URLS")
}

/// A call on a standby: how far it is, then the counts, then whether it still is a standby. One that was promoted in
/// between may show what it wrote itself.
struct StandbyCall: PipelinedCall {
    let id: CallID
    private let items: [Item]
    private let lane: Int64
    /// nil: the server is no standby, or was none any more in the end.
    private(set) var log: ReplayedLog?
    private var hasLooked = false
    private(set) var counters: [CounterState] = []

    init(id: CallID, request: StandbyRequest) {
        self.id = id
        switch request {
        case .selectCounters(let items, let lane):
            self.items = items
            self.lane = lane
        }
    }

    var statements: [PreparedStatement] { items.isEmpty ? [.replayed] : [.replayed, .counters, .replayed] }
    var rowsMax: Int { items.count + 2 }

    func write(_ statement: PreparedStatement, to parameters: inout StatementParameters, types: TypeNumbers) {
        if statement == .replayed {
            parameters.append(bigint: lane)
        } else {
            parameters.append(items: items, types: types)
        }
    }

    mutating func take(
        _ result: borrowing StatementResult, of statement: PreparedStatement, types: TypeNumbers
    ) throws(Misfit) {
        guard statement == .replayed else {
            counters = try result.counters(of: items)
            return
        }
        let isFirst = !hasLooked
        hasLooked = true
        guard try !result.isPositionMissing() else {
            log = nil
            return
        }
        guard isFirst else { return }
        log = ReplayedLog(
            position: try result.position(), epoch: try result.epoch(), signOfLife: try result.signOfLife())
    }
}
