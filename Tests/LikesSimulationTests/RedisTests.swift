import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage
import Testing

/// The simulated Redis by itself.
private struct Server {
    let scheduler = Scheduler(seed: 1)
    let plan = Plan(seed: 1)
    let redis: Redis
    let clockOffset: Micros

    init() throws {
        redis = Redis(scheduler: scheduler, plan: plan, safeguards: Safeguards())
        redis.receive(.hello(node: nil), on: 1, backend: .redis(0), host: 1)
        guard case .redisReady(let time)? = redis.outbox.last?.message else { throw NotReady() }
        clockOffset = time
    }

    struct NotReady: Error {}

    var item: Item { plan.items[0] }

    /// What it answers at once, nil: nothing yet.
    func ask(_ request: RedisRequest, within: Micros = .seconds(1)) -> RedisAnswer? {
        let known = redis.outbox.count
        let deadline = scheduler.now + clockOffset + within
        redis.receive(.redis(1, request, deadline: deadline), on: 1, backend: .redis(0), host: 1)
        guard redis.outbox.count > known, case .redis(_, let answer, _)? = redis.outbox.last?.message else {
            return nil
        }
        return answer
    }

    func identify(_ token: String) -> Generation? {
        // Instead of whatever is there.
        let look = ask(.identify(IdentifyRequest(new: nil)))
        guard case .identified(let found)? = look else { return nil }
        let isKept = found.isOfThisLife
        let new = IdentifyRequest.New(
            database: DatabaseIdentity(system: "7", timeline: 1), token: token, snapshot: .unknown, instead: found.text)
        guard case .identified(let marker)? = ask(.identify(IdentifyRequest(new: isKept ? nil : new))) else {
            return nil
        }
        return marker.generation
    }

    func wait(_ time: Micros) {
        scheduler.after(time, .clientActs, 0)
        _ = scheduler.advance()
    }

    func counter(_ count: Int64, _ version: Int64) -> SealedCounter {
        SealedCounter(
            counter: CounterState(item: item, count: count, version: version), seal: Seal(seconds: 1, digest: 2))
    }
}

@Suite struct RedisTests {
    @Test("A counter is set unless a newer version is there, and is gone after its time")
    func aCounterIsSetUnlessANewerVersionIsThere() throws {
        let server = try Server()
        let generation = try #require(server.identify("aaaaaaaaaaaa"))
        _ = server.ask(.fill(generation, [server.counter(5, 3)]))
        _ = server.ask(.fill(generation, [server.counter(4, 2)]))
        #expect(server.redis.counter(0) == server.counter(5, 3))
        server.wait(.seconds(server.plan.configuration.cacheTTLSeconds + 1))
        #expect(server.redis.counter(0) == nil)
    }

    @Test("What Redis comes to after its deadline does nothing, though its client is gone")
    func whatRedisReachesAfterItsDeadlineDoesNothing() throws {
        let server = try Server()
        let generation = try #require(server.identify("aaaaaaaaaaaa"))
        server.redis.hang(until: server.scheduler.now + .seconds(2))
        #expect(server.ask(.fill(generation, [server.counter(5, 3)]), within: .seconds(1)) == nil)
        server.redis.receive(.end, on: 1, backend: .redis(0), host: 1)
        server.wait(.seconds(3))
        server.redis.resume()
        #expect(server.redis.counter(0) == nil)
    }

    @Test("Counters of another generation are none, and none are set under it")
    func countersOfAnotherGenerationAreNone() throws {
        let server = try Server()
        let old = try #require(server.identify("aaaaaaaaaaaa"))
        _ = server.ask(.fill(old, [server.counter(5, 3)]))
        server.redis.takeSnapshot()
        server.redis.restart(.lastSnapshot, until: server.scheduler.now)
        server.redis.receive(.hello(node: nil), on: 1, backend: .redis(0), host: 1)
        let new = try #require(server.identify("bbbbbbbbbbbb"))
        #expect(new.token == "bbbbbbbbbbbb", "the marker was of another life")
        #expect(server.redis.counter(0) == nil)
        guard case .failed(.otherGeneration)? = server.ask(.fill(old, [server.counter(5, 3)])) else {
            Issue.record("set under the old generation")
            return
        }
    }
}
