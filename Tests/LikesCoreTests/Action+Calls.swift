import LikesProtocol
import LikesStorage

@testable import LikesCore

// The calls of a script, each by its name.
extension Action {
    static func identify(_ call: CallID, _ request: IdentifyRequest) -> Action { .redis(call, .identify(request)) }

    static func admit(_ call: CallID, _ entries: [AdmissionEntry]) -> Action { .redis(call, .admit(entries)) }

    static func readCounters(_ call: CallID, _ generation: Generation, _ items: [Item]) -> Action {
        .redis(call, .readCounters(generation, items))
    }

    static func readCounters(_ call: CallID, _ items: [Item]) -> Action {
        .redis(call, .readCounters(Script.generation, items))
    }

    static func writeThrough(
        _ call: CallID, _ generation: Generation = Script.generation, counters: [CounterState], recent: [RecentLike]
    ) -> Action {
        .redis(call, .writeThrough(generation, counters: counters.map { unsealed($0) }, recent: recent))
    }

    static func fill(
        _ call: CallID, _ generation: Generation = Script.generation, counters: [CounterState]
    ) -> Action {
        .redis(call, .fill(generation, counters.map { unsealed($0) }))
    }

    static func drop(_ call: CallID, _ generation: Generation, _ kept: [KeptCounter]) -> Action {
        .redis(call, .drop(generation, kept))
    }

    static func fence(_ call: CallID, _ request: FenceRequest) -> Action { .lane(call, .fence(request)) }

    static func commit(_ call: CallID, _ rows: [BatchRow]) -> Action {
        .lane(call, .commit(CommitRequest(rows: rows)))
    }

    static func tend(_ call: CallID, _ request: TendRequest) -> Action { .lane(call, .tend(request)) }

    static func survey(_ call: CallID, _ request: SurveyRequest) -> Action { .lane(call, .survey(request)) }

    static func checkSchema(_ call: CallID) -> Action { .lane(call, .checkSchema) }

    static func selectCounters(_ call: CallID, _ items: [Item]) -> Action { .reader(call, .selectCounters(items)) }

    static func selectPairs(_ call: CallID, _ pairs: [Pair]) -> Action { .reader(call, .selectPairs(pairs)) }

    static func selectRepairs(_ call: CallID, _ select: RepairSelect) -> Action {
        .reader(call, .selectRepairs(select))
    }
}
