import LikesCore
import LikesProtocol
import LikesStorage

@testable import LikesSimulation

/// The simulated Redis, on its own.
final class ModelSide {
    private let plan: Plan
    private let scheduler: Scheduler
    private let redis: Redis
    private static let calls: Int32 = 1
    private static let listener: Int32 = 2
    private static let host = 1

    init(seed: UInt64, plan: Plan) {
        self.plan = plan
        scheduler = Scheduler(seed: seed)
        redis = Redis(scheduler: scheduler, plan: plan, safeguards: Safeguards())
        connect()
    }

    private func connect() {
        redis.receive(.hello(node: nil), on: Self.calls, backend: .redis(0), host: Self.host)
        redis.receive(.hello(node: nil), on: Self.listener, backend: .subscriber(0), host: Self.host)
        redis.outbox = []
    }

    var serverWord: String { redis.serverWord }

    /// It refused an older counter at least once.
    var hasKeptNewer: Bool { scheduler.coverage[.olderVersions] > 0 }

    // MARK: Calls

    func perform(_ request: RedisRequest, isLate: Bool) -> (outcome: RedisOutcome, heard: [RedisMessage]) {
        let shift = Micros.seconds(RedisContents.toleranceSeconds)
        let deadline = isLate ? redis.time - shift : redis.time + shift
        return tell(.redis(1, request, deadline: deadline))
    }

    func beat(_ number: UInt64) -> [RedisMessage] { tell(.beat(number)).heard }

    private func tell(_ message: ToServer) -> (outcome: RedisOutcome, heard: [RedisMessage]) {
        redis.receive(message, on: Self.calls, backend: .redis(0), host: Self.host)
        defer { redis.outbox = [] }
        var outcome = RedisOutcome.nothing
        var heard: [RedisMessage] = []
        for (_, message) in redis.outbox {
            switch message {
            case .heard(let token, let counters): heard.append(.counters(token: token, counters))
            case .heardBeat(let number): heard.append(.beat(number))
            case .redis(_, let answer, _): outcome = RedisOutcome(answer)
            default: heard.append(.unknown("\(message)"))
            }
        }
        return (outcome, heard)
    }

    // MARK: What there is

    func contents() -> RedisContents {
        var contents = RedisContents()
        let store = redis.store
        func add<Value>(_ key: StoredKey, _ entry: Expiring<Value>?, _ text: (Value) -> String) {
            guard let entry, entry.expiresAt > redis.time else { return }
            let value = text(entry.value)
            // A set without members is none.
            if value.isEmpty { return }
            contents.entries[plan.name(key)] = RedisContents.Entry(
                value: value, ttlSeconds: (entry.expiresAt - redis.time) / 1_000_000)
        }
        for place in plan.items.indices {
            add(.counter(place), store.counters[place]) { "\($0)" }
            add(.version(place), store.versions[place]) { version in
                RedisContents.withoutClock("\(version.token).\(version.value)")
            }
        }
        for place in 0..<plan.usersCount {
            add(.recent(place), store.recent[place]) { bits in
                plan.items.indices.filter { bits & 1 << $0 != 0 }.map { plan.name(plan.items[$0]) }.sorted()
                    .joined(separator: " ")
            }
            add(.rate(place), store.rates[place]) { "\($0)" }
        }
        if let marker = store.marker {
            contents.entries[plan.name(.plainMarker)] = RedisContents.Entry(
                value: marker.marker, ttlSeconds: nil)
        }
        return contents
    }

    /// The members of a user's recent likes, as places of items.
    func recent(_ user: Int) -> Set<Int> {
        guard let entry = redis.store.recent[user], entry.expiresAt > redis.time else { return [] }
        return Set(plan.items.indices.filter { entry.value & 1 << $0 != 0 })
    }

    /// Takes over what chance left in the other's set.
    func adopt(_ members: Set<Int>, of user: Int) {
        redis.store.recent[user]?.value = members.reduce(0) { $0 | 1 << UInt32($1) }
    }

    // MARK: What happens to it

    func flush() { redis.flush() }

    func drop(_ key: StoredKey) { redis.store.evict(key) }

    func dropCounter(_ place: Int) { redis.evict(item: place) }

    func plant(_ marker: Generation) { redis.store.marker = marker }

    func pass(seconds: Int64) {
        scheduler.after(.seconds(seconds), .clientActs, 0)
        _ = scheduler.advance()
    }

    func restart(isEmpty: Bool) {
        redis.takeSnapshot()
        redis.restart(isEmpty ? .empty : .lastSnapshot, until: scheduler.now)
        connect()
    }

    func setShort(_ isShort: Bool) { redis.fullUntil = isShort ? .never : 0 }

    func setRefusing(_ isRefusing: Bool) { redis.refusingUntil = isRefusing ? .never : 0 }
}
