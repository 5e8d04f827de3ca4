import LikesProtocol
import LikesStorage

/// This host's access to Redis: two connections, the calls under way, and the operations that Redis rejects.
struct RedisAccess {
    /// For calls.
    var link: Link
    /// For messages from other hosts.
    var subscriber: Link
    var calls = Calls<RedisPurpose>()
    /// Operations that Redis rejects while it still serves others.
    private(set) var refusals: [RedisTask: RedisRefusal] = [:]

    init(now: Instant) {
        link = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
        subscriber = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
    }

    mutating func call(_ purpose: RedisPurpose, _ request: RedisRequest, _ turn: inout Turn) {
        turn.append(.redis(calls.begin(purpose, now: turn.now), request))
    }

    mutating func connected(now: Instant) {
        link.connected(now: now)
        refusals = [:]
    }

    /// Notes that Redis rejected the task, or with nil that it did it. True: this is news.
    mutating func note(_ message: String?, of task: RedisTask, now: Instant) -> Bool {
        let isNews = message != nil && refusals[task]?.message != message
        refusals[task] = message.map { RedisRefusal(message: $0, at: now) }
        return isNews
    }

    /// An idle host makes no call that would show that Redis accepts the operation again.
    mutating func forgetOldRefusals(now: Instant) {
        guard !refusals.isEmpty else { return }
        refusals = refusals.filter { now.ms(since: $0.value.at) < Limits.refusalShownMs }
    }

    /// A refusal in words for HEALTH; nil: Redis does all that it is asked.
    var refusal: String? {
        refusals.min { $0.key.rawValue < $1.key.rawValue }.map { task, refusal in
            "\(task.rawValue) is refused: \(refusal.message)"
        }
    }

    /// The counters of the write-throughs and tellings under way, oldest first.
    var onTheirWay: [[CounterState]] {
        guard calls[.writeThrough] > 0 || calls[.tell] > 0 else { return [] }
        return calls.purposes.compactMap {
            switch $0 {
            case .writeThrough(_, let counters, _): counters
            case .tell(let counters, _): counters.map(\.counter)
            case .identify, .admission, .readCounters, .repair, .fill, .drop: nil
            }
        }
    }

    func checkInvariants() {
        calls.checkInvariants()
        precondition(link.isUp || calls.isEmpty, "calls to Redis end with their connection")
    }
}

/// What a call to Redis is for: who waits for it, and what is needed to go on with its answer.
enum RedisPurpose: CallPurpose {
    case identify(IdentifyRequest)
    case admission([ChangeIndex])
    case readCounters([Item], Generation, WritePermit)
    case writeThrough([ChangeIndex], [CounterState], WritePermit)
    /// A page of counters to set in Redis again.
    case repair(Repairs.PageNumber, [CounterState], WritePermit)
    case fill(WritePermit)
    /// Deletes counters that no host of this database made.
    case drop
    /// `isTracked`: `Tellings` waits for the outcome.
    case tell([SealedCounter], isTracked: Bool)

    /// For the limits on calls under way, each of which concerns one kind.
    enum Kind: Int, CaseIterable {
        case identify, admission, read, writeThrough, repair, fill, drop, tell
    }

    var kind: Kind {
        switch self {
        case .identify: .identify
        case .admission: .admission
        case .readCounters: .read
        case .writeThrough: .writeThrough
        case .repair: .repair
        case .fill: .fill
        case .drop: .drop
        case .tell: .tell
        }
    }

    /// What an operator is told if Redis refuses the call.
    var task: RedisTask {
        switch self {
        case .identify: .identifying
        case .admission: .admission
        case .readCounters: .reading
        case .writeThrough, .repair, .fill, .drop, .tell: .writing
        }
    }

    /// An answer with another number of elements than was asked for is a misfit.
    func checked(_ answer: RedisAnswer) -> RedisAnswer {
        switch (self, answer) {
        case (.admission(let changes), .admitted(let verdicts)) where changes.count != verdicts.count:
            .failed(.misfit(.otherNumber(of: "verdicts")))
        case (.readCounters(let items, _, _), .countersRead(let counters)) where items.count != counters.count:
            .failed(.misfit(.otherNumber(of: "counters")))
        case (.tell(let counters, _), .told(let outcomes)) where counters.count != outcomes.count:
            .failed(.misfit(.otherNumber(of: "outcomes")))
        default: answer
        }
    }
}

/// An operation that Redis may reject while it still serves others. One reason for a refusal, such as a right that is
/// missing or a replica that takes no writes, concerns all purposes of a task: what refuses a write-through refuses a
/// repair, a fill and a drop as well. So refusals are noted, shown in HEALTH and logged by task, under its raw value.
enum RedisTask: String {
    case identifying
    case admission, reading, writing
}

/// Redis' message for a refused operation, and when it last sent it.
struct RedisRefusal {
    var message: String
    var at: Instant
}
