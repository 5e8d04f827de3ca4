import LikesProtocol
import LikesStorage

/// The place of a Redis primary among those that this host uses: 0 for one that has all slots. A place is never given
/// to another one.
package typealias NodePlace = Int

/// This host's access to one Redis primary: two connections, the calls under way, and the operations that it rejects.
struct RedisNode {
    /// For calls.
    var link: Link
    /// For messages from other hosts.
    var subscriber: Link
    var calls = Calls<RedisPurpose>()
    /// In a cluster.
    var marker = MarkerPlace()
    /// How often it got slots from another node. What happened to their items before was told there.
    var slotsWon: Int64 = 0
    /// Operations that Redis rejects while it still serves others.
    private(set) var refusals: [RedisTask: RedisRefusal] = [:]

    init(now: Instant) {
        link = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
        subscriber = Link(connectMsMax: Limits.redisConnectMsMax, now: now)
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
