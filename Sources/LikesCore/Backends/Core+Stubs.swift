import LikesProtocol

extension Core {
    package mutating func redisConnected(now: Instant, into actions: inout [Action]) {}
    package mutating func subscriberConnected(now: Instant, into actions: inout [Action]) {}
    /// `backend`: lane or reader.
    package mutating func databaseConnected(
        _ backend: Backend, _ facts: DatabaseFacts, now: Instant, into actions: inout [Action]
    ) {}
    package mutating func verified(
        _ call: CallID, _ generation: Generation, now: Instant, into actions: inout [Action]
    ) {}
    package mutating func filled(_ call: CallID, now: Instant, into actions: inout [Action]) {}
    /// `refusal`: Redis had no room, and dropped the counters instead.
    package mutating func wroteThrough(
        _ call: CallID, refusal: String?, now: Instant, into actions: inout [Action]
    ) {}
    package mutating func redisCallFailed(
        _ call: CallID, _ failure: RedisFailure, now: Instant, into actions: inout [Action]
    ) {}
    /// Another host's write-through, or this one's.
    package mutating func heard(
        token: String, _ counters: [CounterState], now: Instant, into actions: inout [Action]
    ) {}
    package mutating func heardBeat(_ number: UInt64, now: Instant, into actions: inout [Action]) {}
    /// `state` nil: the lane had no row, nothing is known of earlier batches; it has one now, at epoch 1.
    package mutating func fenced(
        _ call: CallID, _ state: LaneState?, now: Instant, into actions: inout [Action]
    ) {}
    /// The lane is another's: nothing was done.
    package mutating func fencedOff(_ call: CallID, now: Instant, into actions: inout [Action]) {}
    package mutating func tended(_ call: CallID, now: Instant, into actions: inout [Action]) {}
    package mutating func lanesRetired(_ call: CallID, lanesCount: Int, now: Instant, into actions: inout [Action]) {}
    /// `next` nil: there are no more.
    package mutating func repairsSelected(
        _ call: CallID, _ counters: [CounterState], next: RepairCursor?, now: Instant, into actions: inout [Action]
    ) {}
}
