import LikesProtocol
import LikesStorage

@testable import LikesCore

// Calls as a test compares them: by what they ask.
extension Action {
    /// Stands for whichever call it is.
    static let noCall = CallID.max

    static func identify(_ request: IdentifyRequest) -> Action { .redis(0, noCall, .identify(request)) }

    static func admit(_ entries: [AdmissionEntry]) -> Action { .redis(0, noCall, .admit(entries)) }

    static func readCounters(_ generation: Generation = Scenario.generation, _ items: [Item]) -> Action {
        .redis(0, noCall, .readCounters(generation, items))
    }

    static func readCounters(_ items: [Item]) -> Action { readCounters(Scenario.generation, items) }

    static func writeThrough(
        _ generation: Generation = Scenario.generation, counters: [CounterState], recent: [RecentLike]
    ) -> Action {
        .redis(0, noCall, .writeThrough(generation, counters: counters.map { unsealed($0) }, recent: recent))
    }

    static func fill(_ generation: Generation = Scenario.generation, counters: [CounterState]) -> Action {
        .redis(0, noCall, .fill(generation, counters.map { unsealed($0) }))
    }

    static func drop(_ generation: Generation, _ kept: [KeptCounter]) -> Action {
        .redis(0, noCall, .drop(generation, kept))
    }

    static func tell(_ counters: [CounterState], paceMs: Int64 = 20) -> Action {
        .redis(0, noCall, .tell(Scenario.generation, counters.map { unsealed($0) }, paceMs: paceMs))
    }

    static func fence(_ request: FenceRequest) -> Action { .lane(noCall, .fence(request)) }

    static func commit(_ rows: [BatchRow]) -> Action { .lane(noCall, .commit(CommitRequest(rows: rows))) }

    static func tend(_ request: TendRequest) -> Action { .lane(noCall, .tend(request)) }

    static func survey(_ request: SurveyRequest) -> Action { .lane(noCall, .survey(request)) }

    static let checkSchema = Action.lane(noCall, .checkSchema)

    static func selectCounters(_ items: [Item]) -> Action { .reader(noCall, .selectCounters(items)) }

    static func selectPairs(_ pairs: [Pair]) -> Action { .reader(noCall, .selectPairs(pairs)) }

    static func selectLists(_ queries: [ListQuery]) -> Action { .reader(noCall, .selectLists(queries)) }

    static func selectRepairs(_ select: RepairSelect) -> Action { .reader(noCall, .selectRepairs(select)) }

    static func selectPosition(lane: Int64) -> Action { .reader(noCall, .selectPosition(lane: lane)) }

    static func askStandby(place: Int = 0, _ items: [Item], lane: Int64) -> Action {
        .standby(place: place, noCall, .selectCounters(items, lane: lane))
    }

    /// The same, whichever call it is.
    var withoutCall: Action {
        switch self {
        case .redis(_, _, let request): .redis(0, Action.noCall, request)
        case .lane(_, let request): .lane(Action.noCall, request)
        case .reader(_, let request): .reader(Action.noCall, request)
        case .standby(let place, _, let request): .standby(place: place, Action.noCall, request)
        case .reply, .close, .resume, .beat, .markerKey, .askCluster, .connect, .disconnect, .reload,
            .configure, .log, .stopped:
            self
        }
    }

    /// Which call it is, and of which backend.
    var call: (id: CallID, backend: Backend)? {
        switch self {
        case .redis(_, let call, _): (call, .redis)
        case .lane(let call, _): (call, .lane)
        case .reader(let call, _): (call, .reader)
        case .standby(let place, let call, _): (call, .standby(place))
        case .reply, .close, .resume, .beat, .markerKey, .askCluster, .connect, .disconnect, .reload,
            .configure, .log, .stopped:
            nil
        }
    }
}

// Which requests an answer may be the answer to.
extension RedisAnswer {
    func fits(_ action: Action) -> Bool {
        guard case .redis(_, _, let request) = action else { return false }
        return switch (self, request) {
        case (.identified, .identify), (.admitted, .admit), (.countersRead, .readCounters),
            (.wroteThrough, .writeThrough), (.filled, .fill), (.dropped, .drop), (.told, .tell),
            (.failed, _):
            true
        default: false
        }
    }
}

extension LaneAnswer {
    func fits(_ action: Action) -> Bool {
        guard case .lane(_, let request) = action else { return false }
        return switch (self, request) {
        case (.fenced, .fence), (.committed, .commit), (.tended, .tend), (.surveyed, .survey),
            (.schemaChecked, .checkSchema), (.fencedOff, .commit), (.fencedOff, .tend), (.misfit, _), (.failed, _):
            true
        default: false
        }
    }
}

extension ReaderAnswer {
    func fits(_ action: Action) -> Bool {
        guard case .reader(_, let request) = action else { return false }
        return switch (self, request) {
        case (.countersSelected, .selectCounters), (.pairsSelected, .selectPairs),
            (.listsSelected, .selectLists), (.repairsSelected, .selectRepairs), (.positionSelected, .selectPosition),
            (.misfit, _), (.failed, _):
            true
        default: false
        }
    }
}
