import LikesCore
import LikesProtocol
import LikesStorage

/// A call, and which node of Redis it went to.
struct NodeCall: Hashable {
    let node: NodePlace
    let call: CallID

    init(_ node: NodePlace, _ call: CallID) {
        self.node = node
        self.call = call
    }
}

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
    var untold: [SealedCounter] = []
    var outcomes: [TellingOutcome] = []
    var elsewhere: [Item] = []
    var hasMoved = false

    /// Slices are answered in the order they were sent.
    mutating func take(_ answer: RedisAnswer) {
        slicesLeft -= 1
        done += 1
        switch answer {
        case .admitted(let some): verdicts += some
        case .countersRead(let some): counters += some
        case .wroteThrough(let refusal, let some, let others, let moved):
            elsewhere += moved
            self.refusal = self.refusal ?? refusal
            kept += some
            untold += others
        case .filled(let some): kept += some
        case .told(let some): outcomes += some
        case .failed(let new): if weight(new) > (failure.map(weight) ?? 0) { failure = new }
        case .identified, .dropped: return
        }
    }

    private func weight(_ failure: RedisFailure) -> Int {
        switch failure {
        case .refused, .clusterDown: 1
        case .late: 2
        case .otherGeneration: 3
        case .elsewhere: 4
        case .misfit: 5
        }
    }

    /// `last`: the answer to the last slice, which says what was called.
    func outcome(_ last: RedisAnswer) -> RedisAnswer {
        if let failure { return .failed(failure) }
        switch last {
        case .admitted: return .admitted(verdicts)
        case .countersRead: return .countersRead(counters)
        case .wroteThrough: return .wroteThrough(refusal: refusal, kept: kept, untold: untold, elsewhere: elsewhere)
        case .told: return .told(outcomes)
        case .filled: return .filled(kept: kept)
        case .identified, .dropped, .failed: return last
        }
    }
}

extension Simulation {
    /// As the daemon does it, in commands of no more than so many entries.
    func sendSliced(
        _ call: NodeCall, _ request: RedisRequest, deadline: Micros, marker: Int, _ host: Int, to connection: Int32
    ) {
        let slices = slices(of: request)
        if slices.isEmpty {
            // There is nothing to do.
            hosts[host].inbox.append(.wire(connection, .redis(call.call, .wroteThrough(refusal: nil, kept: []))))
            return wake(host)
        }
        if slices.count > 1 { hosts[host].sliced[call] = SlicedCall(slicesLeft: slices.count) }
        for slice in slices {
            send(.redis(call.call, slice, deadline: deadline, marker: marker), to: connection)
        }
    }

    private func slices(of request: RedisRequest) -> [RedisRequest] {
        func parts<Element>(_ all: [Element]) -> [[Element]] {
            stride(from: 0, to: all.count, by: plan.sliceMax).map {
                Array(all[$0..<min($0 + plan.sliceMax, all.count)])
            }
        }
        switch request {
        case .admit(let entries, let isAsking): return parts(entries).map { .admit($0, isAsking: isAsking) }
        case .readCounters(let generation, let items) where !items.isEmpty:
            return parts(items).map { .readCounters(generation, $0) }
        case .writeThrough(let generation, let counters, let recent):
            return parts(counters).map { .writeThrough(generation, counters: $0, recent: []) }
                + parts(recent).map { .writeThrough(generation, counters: [], recent: $0) }
        case .fill(let generation, let counters): return parts(counters).map { .fill(generation, $0) }
        case .drop(let generation, let kept): return parts(kept).map { .drop(generation, $0) }
        case .tell(let generation, let counters, let paceMs):
            return parts(counters).map { .tell(generation, $0, paceMs: paceMs) }
        case .identify, .readCounters: return [request]
        }
    }

    /// The whole call's answer; nil: slices of it are still out.
    func joined(
        _ call: NodeCall, _ answer: RedisAnswer, hasMoved: Bool, _ host: Int
    ) -> (answer: RedisAnswer, hasMoved: Bool)? {
        guard var sliced = hosts[host].sliced[call] else { return (answer, hasMoved) }
        sliced.take(answer)
        sliced.hasMoved = sliced.hasMoved || hasMoved
        hosts[host].sliced[call] = sliced.slicesLeft > 0 ? sliced : nil
        return sliced.slicesLeft > 0 ? nil : (sliced.outcome(answer), sliced.hasMoved)
    }

    /// The connection is gone, and with it the answers still to come.
    func forgetSliced(_ host: Int, _ node: NodePlace) {
        let lost = hosts[host].sliced.filter { $0.key.node == node }
        if lost.values.contains(where: { $0.done > 0 }) { scheduler.coverage.note(.halfCalls) }
        for call in lost.keys { hosts[host].sliced[call] = nil }
    }
}
