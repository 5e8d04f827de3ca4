import LikesProtocol
import LikesRandom
import LikesStorage
import Testing

@testable import LikesCore

/// Redis and PostgreSQL as far as one host's core sees them: each executes its calls in order, some time after they
/// were sent, and its answer arrives some time after that.
private struct Backends {
    var likes: Set<Pair> = []
    var rows: [Item: CounterState] = [:]
    var cached: [Item: CounterState] = [:]
    var recent: Set<Pair> = []
    private var sent: [Backend: [Action]] = [:]
    private var answers: [Backend: [Answer]] = [:]

    enum Answer {
        case admitted(CallID, [AdmissionVerdict])
        case countersRead(CallID, [CounterState?])
        case wroteThrough(CallID)
        case told(CallID, Int)
        case filled(CallID)
        case committed(CallID, BatchOutcome)
        case countersSelected(CallID, [CounterState])
        case pairsSelected(CallID, [PairState])
        case listsSelected(CallID, [ListPage])
    }

    var isIdle: Bool { sent.values.allSatisfy(\.isEmpty) && answers.values.allSatisfy(\.isEmpty) }

    mutating func take(_ action: Action) {
        if let backend = action.call?.backend { sent[backend, default: []].append(action) }
    }

    /// Executes one call, or delivers one answer, of a backend chosen at random.
    mutating func progress(_ random: inout SplitMix64) -> Answer? {
        guard let backend = [Backend.redis, .lane, .reader].randomElement(using: &random) else { return nil }
        if Bool.random(using: &random), let calls = sent[backend], !calls.isEmpty {
            if let answer = execute(calls[0], &random) { answers[backend, default: []].append(answer) }
            sent[backend]?.removeFirst()
        } else if let due = answers[backend], !due.isEmpty {
            return answers[backend]?.removeFirst()
        }
        return nil
    }

    private func row(_ item: Item) -> CounterState { rows[item] ?? CounterState(item: item, count: 0, version: 0) }

    private mutating func execute(_ action: Action, _ random: inout SplitMix64) -> Answer? {
        switch action {
        case .redis(_, let call, .admit(let entries, _)):
            return .admitted(
                call,
                entries.map {
                    if $0.pair.user == limitedUser { return .limited(retrySeconds: 9) }
                    return .admitted(recent: $0.kind == .like && recent.contains($0.pair))
                })
        case .redis(_, let call, .readCounters(_, let items)):
            // Redis may evict whatever it likes.
            for item in items where Int.random(in: 0..<4, using: &random) == 0 { cached[item] = nil }
            return .countersRead(call, items.map { cached[$0] })
        case .redis(_, let call, .writeThrough(_, let counters, let changes)):
            set(counters.map(\.counter))
            for change in changes {
                if change.add { recent.insert(change.pair) } else { recent.remove(change.pair) }
            }
            return .wroteThrough(call)
        case .redis(_, let call, .fill(_, let counters)):
            set(counters.map(\.counter))
            return .filled(call)
        case .redis(_, let call, .tell(_, let counters, _)): return .told(call, counters.count)
        case .lane(let call, .commit(let request)):
            let batch = request.rows
            let changed = batch.map { likes.contains($0.pair) != $0.wanted }
            for row in batch { if row.wanted { likes.insert(row.pair) } else { likes.remove(row.pair) } }
            let items = Set(zip(batch, changed).filter { $0.1 }.map { $0.0.pair.item })
            for item in items {
                let count = Int64(likes.count { $0.item == item })
                rows[item] = CounterState(item: item, count: count, version: row(item).version + 1)
            }
            let counters = items.map { row($0) }.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
            return .committed(call, BatchOutcome(changed: changed, counters: counters))
        case .reader(let call, .selectCounters(let items)): return .countersSelected(call, items.map { row($0) })
        case .reader(let call, .selectPairs(let pairs)):
            return .pairsSelected(call, pairs.map { PairState(liked: likes.contains($0), counter: row($0.item)) })
        case .reader(let call, .selectLists(let queries)):
            return .listsSelected(call, queries.map { page($0) })
        // The scenario answers these by itself, and none of these counters is forged.
        case .redis(_, _, .identify), .redis(_, _, .drop), .lane(_, .fence), .lane(_, .tend), .lane(_, .survey),
            .lane(_, .checkSchema), .reader(_, .selectRepairs):
            return nil
        // There is none.
        case .reader(_, .selectPosition), .standby: return nil
        case .reply, .close, .resume, .beat, .markerKey, .askCluster, .connect, .disconnect, .reload, .configure, .log,
            .stopped:
            return nil
        }
    }

    private func page(_ query: ListQuery) -> ListPage {
        switch query {
        case .likes(let query):
            return .items(likes.filter { $0.user == query.user }.map(\.item).sorted { $0.id < $1.id })
        case .likers(let query): return .users(likes.filter { $0.item == query.item }.map(\.user).sorted())
        }
    }

    private mutating func set(_ counters: [CounterState]) {
        for counter in counters where (cached[counter.item]?.version ?? -1) <= counter.version {
            cached[counter.item] = counter
        }
    }
}

/// It is over the limit from the beginning.
private let limitedUser: Int64 = 3

@Suite struct PipelineModelTests {
    @Test("However long each backend takes, a pipeline is answered as if executed in order", arguments: 0..<300)
    func aPipelineIsAnsweredAsIfExecutedInOrder(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var scenario = Scenario(
            {
                $0.rateLimitRequests = 0
                $0.localCacheEntries = seed % 2 == 0 ? 2 : 100
                $0.requestTimeoutMs = 1_000_000
                $0.redisTimeoutMs = 1_000_000
            }, byHand: [.fill])
        var backends = Backends()
        // Liked before, unknown to Redis: duplicates without a hint.
        for user in 0..<2 {
            backends.likes.insert(Pair(user: Int64(user), item: post))
            backends.rows[post] = counter(post, Int64(user + 1), Int64(user + 1))
        }
        var model = backends.likes
        let client = try scenario.open()
        var expected: [Reply] = []
        var replies: [Reply] = []
        func settle(_ steps: Int) {
            for _ in 0..<steps {
                for action in scenario.takeWithCalls() {
                    if case .reply(_, let reply) = action { replies.append(reply) } else { backends.take(action) }
                }
                guard let answer = backends.progress(&random) else { continue }
                scenario.now = scenario.now.adding(ms: Int64.random(in: 0..<400, using: &random))
                switch answer {
                case .admitted(let call, let verdicts): scenario.admit(call: call, verdicts)
                case .countersRead(let call, let counters): scenario.redisHas(call: call, counters)
                case .wroteThrough(let call): scenario.wroteThrough(call: call)
                case .told(let call, let count):
                    scenario.told(call: call, [TellingOutcome](repeating: .told, count: count))
                case .filled(let call): scenario.filled(call: call)
                case .committed(let call, let outcome):
                    scenario.commit(call: call, changed: outcome.changed, outcome.counters)
                case .countersSelected(let call, let counters): scenario.databaseHas(call: call, counters)
                case .pairsSelected(let call, let states): scenario.pairs(call: call, states)
                case .listsSelected(let call, let pages): scenario.lists(call: call, pages)
                }
            }
        }
        for _ in 0..<60 {
            let request = Self.request(&random)
            scenario.send(request, on: client)
            expected.append(Self.execute(request, &model))
            settle(Int.random(in: 0..<6, using: &random))
        }
        for _ in 0..<10_000 where replies.count < expected.count { settle(10) }
        // The model does not know an error's text.
        for place in replies.indices {
            if case .error(let error) = replies[place], error.code == .rateLimited { replies[place] = Self.limited }
        }
        #expect(replies == expected)
        while !backends.isIdle { settle(10) }
        #expect(backends.likes == model)
        #expect(scenario.core.writes.count == 0)
        #expect(scenario.core.clients.followers.isEmpty)
        #expect(scenario.core.clients.gathersCount == 0)
        #expect(scenario.core.reads.fetchesCount == 0)
        #expect(scenario.core.reads.primaryCount == 0)
        #expect(scenario.core.writes.confirmations.count == 0)
        #expect(scenario.core.writes.owed.countingCount == 0)
        #expect(scenario.core.clients.followers.unfollowed.isEmpty)
    }

    private static let limited = Reply.error(ErrorReply(.rateLimited, ""))

    private static func request(_ random: inout SplitMix64) -> Request {
        let item = Bool.random(using: &random) ? post : other
        let pair = Pair(user: Int64.random(in: 0...limitedUser, using: &random), item: item)
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: return .like(pair)
        case 2: return .unlike(pair)
        case 3: return .count(item)
        case 4: return .liked(pair)
        case 5: return .mcount([other, post, other])
        case 6: return .likes(LikesQuery(user: pair.user))
        case 7: return .likers(LikersQuery(item: item))
        default: return .mliked(user: pair.user, items: [post, other])
        }
    }

    private static func execute(_ request: Request, _ model: inout Set<Pair>) -> Reply {
        switch request {
        case .like(let pair), .unlike(let pair): if pair.user == limitedUser { return limited }
        default: break
        }
        let likes = model
        func count(_ item: Item, _ likes: Set<Pair>) -> Int64 { Int64(likes.count { $0.item == item }) }
        switch request {
        case .like(let pair):
            let changed = model.insert(pair).inserted
            return .change(changed: changed, count: count(pair.item, model))
        case .unlike(let pair):
            let changed = model.remove(pair) != nil
            return .change(changed: changed, count: count(pair.item, model))
        case .count(let item): return .integer(count(item, likes))
        case .liked(let pair): return .integer(likes.contains(pair) ? 1 : 0)
        case .likes(let query):
            let items = likes.filter { $0.user == query.user }.map(\.item).sorted { $0.id < $1.id }
            return .array(items.map { .text(ItemTypes.standard.text(of: $0)) })
        case .likers(let query):
            return .integers(likes.filter { $0.item == query.item }.map(\.user).sorted())
        case .mcount(let items, _): return .integers(items.map { count($0, likes) })
        case .mliked(let user, let items):
            return .integers(items.map { likes.contains(Pair(user: user, item: $0)) ? 1 : 0 })
        default: return .null
        }
    }
}
