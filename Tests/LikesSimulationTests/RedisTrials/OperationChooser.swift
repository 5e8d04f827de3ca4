import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage

/// Draws operations as hosts, operators and bad luck might bring them about, most of them close to each other: the same
/// few items, users, versions and markers.
struct OperationChooser {
    private let plan: Plan
    private var chance: Chance
    /// Markers that Redis named, the last one last.
    private var generations: [Generation]
    private let lowestVersion: Int64
    private var kept: [KeptCounter] = []
    private var untold: [SealedCounter] = []
    private var isShort = false
    private var isRefusing = false

    private static let generationsMax = 4
    private static let versionsCount: Int64 = 7

    init(seed: UInt64, plan: Plan) {
        self.plan = plan
        chance = Chance(seed: seed)
        // Some that Lua's numbers can't tell apart, some with one digit more than others, and the last there are.
        let lowest: [Int64] = [0, 0, 0, 7, 96, 9_007_199_254_740_990, Int64.max - Self.versionsCount + 1]
        lowestVersion = lowest[chance.below(lowest.count)]
        let database = DatabaseIdentity(system: "70", timeline: 1)
        generations = [Generation(server: "nowhere", database: database, token: "000000000000")]
    }

    /// What is fixed for all operations of one round.
    static func plan(seed: UInt64) -> Plan {
        var chance = Chance(seed: seed)
        var plan = Plan(seed: seed)
        plan.usersCount = 1 + chance.below(4)
        let items = (1...(1 + chance.below(6))).map { Item(type: UInt8(chance.below(3)), id: Int64($0) * 7) }
        plan.items = items.sorted { ($0.type, $0.id) < ($1.type, $1.id) }
        // With what passes (thousands) no time left ever comes near another, nor near nothing.
        plan.configuration.cacheTTLSeconds = 3_500
        // Longer than a round takes, shorter than what passes.
        plan.limits.tellMs = 400_000
        plan.configuration.rateLimitWindowSeconds = 7_500
        plan.configuration.recentLikesTTLSeconds = 20_500
        plan.configuration.recentLikesMax = [1, 2, 3, 1_000][chance.below(4)]
        plan.configuration.rateLimitRequests = [0, 1, 5, 100][chance.below(4)]
        return plan
    }

    /// What Redis kept may be dropped.
    mutating func learn(_ outcome: RedisOutcome) {
        switch outcome {
        case .wroteThrough(_, let found, let left):
            if !found.isEmpty { kept = found }
            if !left.isEmpty { untold = left }
        case .filled(let found) where !found.isEmpty: kept = found
        default: return
        }
    }

    mutating func learn(_ generation: Generation) {
        generations.removeAll { $0 == generation }
        generations.append(generation)
        if generations.count > Self.generationsMax { generations.removeFirst() }
    }

    /// `recent`: the members of each user's recent likes.
    mutating func next(serverWord: String, recent: (Int) -> Set<Int>) -> RedisOperation {
        // What refuses everything does not last.
        if isShort, chance.hits(percent: 15) { return fill(false) }
        if isRefusing, chance.hits(percent: 25) { return refuse(false) }
        switch chance.below(100) {
        case 0..<10: return identify()
        case 10..<38: return writeThrough(recent)
        case 38..<48: return calling(.fill(generation(), counters()))
        case 48..<56: return tell()
        case 56..<62: return calling(.readCounters(generation(), items()))
        case 62..<78: return admit()
        case 78..<80: return .beat(chance.next() >> 1)
        case 80..<82: return calling(.drop(generation(), kept))
        case 82..<86: return .drop(key())
        case 86..<88: return .dropCounter(chance.below(plan.items.count))
        case 88..<89: return .flush
        case 89..<93: return .pass(seconds: 1_000 * chance.between(1, 8))
        case 93..<94: return .restart(isEmpty: chance.hits(percent: 30))
        case 94..<96:
            let word = chance.hits(percent: 60) ? serverWord : "run0:repl0"
            return .plant(Generation(server: word, database: database(), token: token()))
        case 96..<98: return fill(true)
        default: return refuse(true)
        }
    }

    // MARK: Calls

    private mutating func calling(_ request: RedisRequest) -> RedisOperation {
        .call(request, isLate: chance.hits(percent: 8))
    }

    private mutating func identify() -> RedisOperation {
        // What stands there, mostly; what stood there once; nothing.
        let found = generations[
            generations.count - 1 - (chance.hits(percent: 20) ? chance.below(generations.count) : 0)]
        let new = IdentifyRequest.New(
            database: database(), era: found.era + (chance.hits(percent: 5) ? 1 : 0), token: token(),
            snapshot: DatabaseSnapshot(least: Int64(chance.below(1_000))),
            instead: chance.hits(percent: 20) ? "" : found.marker)
        return calling(.identify(IdentifyRequest(new: chance.hits(percent: 30) ? nil : new)))
    }

    private mutating func writeThrough(_ recent: (Int) -> Set<Int>) -> RedisOperation {
        let counters = chance.hits(percent: 10) ? [] : counters()
        return calling(
            .writeThrough(generation(), counters: counters, recent: changes(recent)))
    }

    private mutating func tell() -> RedisOperation {
        // What Redis has told nobody of, mostly; and at times at once.
        let counters = chance.hits(percent: 80) && !untold.isEmpty ? untold : counters()
        let paceMs = chance.hits(percent: 50) ? 0 : plan.limits.tellMs
        return calling(.tell(generation(), counters, paceMs: paceMs))
    }

    private mutating func admit() -> RedisOperation {
        // Now and then more than one run of the script takes.
        let count = chance.hits(percent: 8) ? 51 + chance.below(60) : 1 + chance.below(8)
        let entries = (0..<count).map { _ in
            AdmissionEntry(pair: pair(), kind: chance.hits(percent: 70) ? .like : .unlike)
        }
        return calling(.admit(entries))
    }

    // MARK: Faults

    private mutating func fill(_ isOn: Bool) -> RedisOperation {
        isShort = isOn
        return .fill(isOn)
    }

    private mutating func refuse(_ isOn: Bool) -> RedisOperation {
        isRefusing = isOn
        return .refuse(isOn)
    }

    // MARK: What they are about

    private mutating func generation() -> Generation {
        guard chance.hits(percent: 10) else { return generations[generations.count - 1] }
        var other = generations[chance.below(generations.count)]
        // All but the token.
        if chance.hits(percent: 30) { other.database = database() }
        return other
    }

    private mutating func database() -> DatabaseIdentity {
        // Mostly where they were: each later one makes a new marker.
        let timeline: Int64 = chance.hits(percent: 70) ? 3 : [1, 2, 4, 12][chance.below(4)]
        return DatabaseIdentity(
            system: chance.hits(percent: 90) ? "7000000000000000001" : "70", timeline: timeline,
            tables: chance.hits(percent: 90) ? "5.16400.16410.16410" : "5.16400.16410.16500")
    }

    private mutating func token() -> String {
        if chance.hits(percent: 10) { return generations[chance.below(generations.count)].token }
        return String(chance.next() | 1 << 63, radix: 16).prefix(12).description
    }

    private mutating func counters() -> [SealedCounter] {
        items().map { item in
            let count = chance.hits(percent: 95) ? chance.between(0, 9) : Int64.max - chance.between(0, 9)
            let version = lowestVersion + chance.between(0, Self.versionsCount - 1)
            return SealedCounter(
                counter: CounterState(item: item, count: count, version: version),
                seal: Seal(seconds: chance.between(0, 1 << 36 - 1), digest: chance.next()))
        }
    }

    /// In any order, the same one more than once at times.
    private mutating func items() -> [Item] {
        (0..<(1 + chance.below(plan.items.count))).map { _ in plan.items[chance.below(plan.items.count)] }
    }

    private mutating func pair() -> Pair {
        Pair(user: Int64(1 + chance.below(plan.usersCount)), item: plan.items[chance.below(plan.items.count)])
    }

    /// Chance takes members out of a set that has too many. So that what follows is the same whichever they were, sets
    /// that may come to that are only added to.
    private mutating func changes(_ recent: (Int) -> Set<Int>) -> [RecentLike] {
        let changes = (0..<chance.below(9)).map { _ in
            RecentLike(pair: pair(), add: chance.hits(percent: 65))
        }
        return changes.filter { change in
            change.add || !plan.mayTrim(Int(change.pair.user) - 1, changes, recent)
        }
    }

    private mutating func key() -> StoredKey {
        let (item, user) = (chance.below(plan.items.count), chance.below(plan.usersCount))
        return switch chance.below(9) {
        case 0..<2: .counter(item)
        case 2..<4: .version(item)
        case 4..<6: .recent(user)
        case 6..<8: .rate(user)
        default: .plainMarker
        }
    }
}

extension Plan {
    /// Whether a user's recent likes may come to have too many members by these changes.
    func mayTrim(_ user: Int, _ changes: [RecentLike], _ recent: (Int) -> Set<Int>) -> Bool {
        let added = changes.filter { $0.add && $0.pair.user == user + 1 }.compactMap {
            items.firstIndex(of: $0.pair.item)
        }
        return recent(user).union(added).count > configuration.recentLikesMax
    }
}
