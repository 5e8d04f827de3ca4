import LikesCore
import LikesStorage

/// A call to Redis that went out in several slices, each executed at a moment of its own: what came in of it. Its
/// outcome is the worst of theirs.
struct SlicedCall {
    var slicesLeft: Int
    var done = 0
    var verdicts: [AdmissionVerdict] = []
    var counters: [SealedCounter?] = []
    var failure: RedisFailure?
    var refusal: String?
    var kept: [KeptCounter] = []

    /// Slices are answered in the order they were sent.
    mutating func take(_ answer: Answer) {
        slicesLeft -= 1
        done += 1
        switch answer {
        case .admitted(_, let some): verdicts += some
        case .countersRead(_, let some): counters += some
        case .wroteThrough(_, let refusal, let some):
            self.refusal = self.refusal ?? refusal
            kept += some
        case .filled(_, let some): kept += some
        case .redisCallFailed(_, let new): if weight(new) > (failure.map(weight) ?? 0) { failure = new }
        default: return
        }
    }

    private func weight(_ failure: RedisFailure) -> Int {
        switch failure {
        case .refused: 1
        case .late: 2
        case .otherGeneration: 3
        case .misfit: 4
        }
    }

    /// `last`: the answer to the last slice, which says what was called.
    func outcome(_ last: Answer) -> Answer {
        guard let call = last.redisCall else { return last }
        if let failure { return .redisCallFailed(call, failure) }
        switch last {
        case .admitted: return .admitted(call, verdicts)
        case .countersRead: return .countersRead(call, counters)
        case .wroteThrough: return .wroteThrough(call, refusal: refusal, kept: kept)
        case .filled: return .filled(call, kept: kept)
        default: return last
        }
    }
}

extension Answer {
    /// The call of Redis' that may have been sliced.
    var redisCall: CallID? {
        switch self {
        case .admitted(let call, _), .countersRead(let call, _), .wroteThrough(let call, _, _), .filled(let call, _),
            .dropped(let call), .redisCallFailed(let call, _):
            call
        default: nil
        }
    }
}

extension Simulation {
    /// As the daemon does it, in commands of no more than so many entries.
    func sendSliced(_ action: Action, deadline: Micros, _ host: Int, to connection: Int32) {
        let slices = slices(of: action)
        guard let call = action.call, slices.count != 1 else {
            for slice in slices { send(.call(slice, deadline: deadline), to: connection) }
            return
        }
        if slices.isEmpty {
            // There is nothing to do.
            hosts[host].inbox.append(.wire(connection, .answer(.wroteThrough(call, refusal: nil, kept: []))))
            return wake(host)
        }
        hosts[host].sliced[call] = SlicedCall(slicesLeft: slices.count)
        for slice in slices { send(.call(slice, deadline: deadline), to: connection) }
    }

    private func slices(of action: Action) -> [Action] {
        func parts<Element>(_ all: [Element]) -> [[Element]] {
            stride(from: 0, to: all.count, by: plan.sliceMax).map {
                Array(all[$0..<min($0 + plan.sliceMax, all.count)])
            }
        }
        switch action {
        case .admit(let call, let entries): return parts(entries).map { .admit(call, $0) }
        case .readCounters(let call, let generation, let items) where !items.isEmpty:
            return parts(items).map { .readCounters(call, generation, $0) }
        case .writeThrough(let call, let generation, let counters, let recent):
            return parts(counters).map { .writeThrough(call, generation, counters: $0, recent: []) }
                + parts(recent).map { .writeThrough(call, generation, counters: [], recent: $0) }
        case .fill(let call, let generation, let counters): return parts(counters).map { .fill(call, generation, $0) }
        case .drop(let call, let generation, let kept): return parts(kept).map { .drop(call, generation, $0) }
        default: return [action]
        }
    }

    /// The whole call's answer; nil: slices of it are still out.
    func joined(_ answer: Answer, _ host: Int) -> Answer? {
        guard let call = answer.redisCall, var sliced = hosts[host].sliced[call] else { return answer }
        sliced.take(answer)
        hosts[host].sliced[call] = sliced.slicesLeft > 0 ? sliced : nil
        return sliced.slicesLeft > 0 ? nil : sliced.outcome(answer)
    }

    /// The connection is gone, and with it the answers still to come.
    func forgetSliced(_ host: Int) {
        if hosts[host].sliced.values.contains(where: { $0.done > 0 }) { scheduler.coverage.note(.halfCalls) }
        hosts[host].sliced = [:]
    }
}
