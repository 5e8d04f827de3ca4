import LikesCore
import LikesProtocol
import LikesSettings

/// What a seed is to be: how many of everything, which faults, and when.
package struct Plan: Sendable {
    package var hostsCount: Int
    package var clientsCount: Int
    package var usersCount: Int
    /// Sorted as PostgreSQL sorts them; an item's place in here is its index everywhere.
    package var items: [Item]
    package var configuration = Configuration()
    package var limits = Limits.standard
    package var hasSmallLimits = false
    /// All ends here.
    package var duration: Micros
    /// Requests before the audit.
    package var requestsCount: Int
    package var faults: [Fault] = []
    /// A pair that PostgreSQL refuses for what is in it.
    package var poisonedPair: Int?
    /// Messages mostly take much less than their wire's time.
    package var isSkewed: Bool
    /// The slowest wire to Redis, to PostgreSQL's lane, to its reader.
    package var redisDelay: Micros
    package var laneDelay: Micros
    package var readerDelay: Micros
    package var subscriberDelay: Micros
    /// Of 100 wires, so many are slower than a millisecond.
    package var slowPercent = 50
    /// PostgreSQL's reader hears at once, and is heard late.
    package var areAnswersSlow = false
    /// Of 100 items that a fault strikes, so many are left alone for a while.
    package var dormantPercent = 50
    /// Of requests for many pairs, two in three are LIKES and LIKERS.
    package var asksForLists = false
    var isReferenceNoted = true
    /// Clients that act together like at one meeting, and unlike at the next.
    package var alternates = false
    /// Steps of a statement take this long.
    package var stepDelay: (low: Micros, high: Micros)
    /// Of 100 rows that a statement changes, so many are followed by a pause.
    package var pausePercent: Int
    /// Of 100 requests, so many disconnect their client instead.
    package var disconnectPercent: Int
    package var takesSnapshots: Bool
    /// PostgreSQL's data is saved now and then, to be put back.
    package var savesDatabase = false
    package var databasesCount = 1
    /// Entries of one command to Redis.
    package var sliceMax = 50
    /// Clients act together, at multiples of this, most of them on one item; 0: each on its own.
    package var stampede: Micros
    /// Keys that are evicted go one by one, up to this far apart.
    package var evictionGap: Micros
    /// Of 100 counters written while keys are evicted, so many are the next to go.
    package var evictsNewPercent = 20
    package var evictsMarker = true
    /// For each standby that answers counts, how long it takes to replay a commit.
    package var standbyPaces: [(low: Micros, high: Micros)] = []
    package var standbysCount: Int { standbyPaces.count }
    package static let standbysMax = 2
    /// Primaries of the Redis Cluster that there are at first; 0: Redis is one server.
    package var nodesCount = 0
    /// The nodes that REDIS_URL names.
    package var nodesNamed: [Int] = []
    /// The slowest wire to a standby.
    package var standbyDelay: Micros = .ms(1)

    /// After the last fault's end: counts are to be exact, repaired and fresh again.
    package static let quiet: Micros = .seconds(50)
    /// Clients stop this long before the end: time enough for a lane to tend its row twice.
    package static let audit: Micros = .seconds(10)

    package init(seed: UInt64, focus: Focus? = nil) {
        var chance = Chance(seed: seed ^ 0x5EED_0F_9A_11)
        hostsCount = 2 + chance.below(3)
        usersCount = 3 + chance.below(4)
        clientsCount = hostsCount * (1 + chance.below(4))
        let itemsCount = [2, 3, 4, 2, 3, 4, 5 + chance.below(8), 13 + chance.below(18)][chance.below(8)]
        var drawn: [Item] = []
        for id in 1...itemsCount { drawn.append(Item(type: UInt8(chance.below(2)), id: Int64(id))) }
        items = drawn.sorted { ($0.type, $0.id) < ($1.type, $1.id) }
        requestsCount = 200 + chance.below(700)
        duration = Plan.quiet + .seconds(chance.between(20, 55))
        isSkewed = chance.hits(percent: 60)
        stampede = chance.hits(percent: 50) ? chance.between(.ms(50), .ms(2_000)) : 0
        evictionGap = chance.hits(percent: 50) ? .ms(50) : .seconds(2)
        redisDelay = .ms(1)
        laneDelay = .ms(1)
        readerDelay = .ms(1)
        subscriberDelay = chance.hits(percent: 30) ? .ms(200) : .ms(1)
        stepDelay = (5, [.ms(1), .ms(1), .ms(10), .ms(20)][chance.below(4)])
        pausePercent = chance.hits(percent: 50) ? 8 : 50
        disconnectPercent = chance.hits(percent: 50) ? 0 : 1 + chance.below(4)
        takesSnapshots = false
        configuration.cacheTTLSeconds = [1, 2, 5, 15, 60, 120][chance.below(6)]
        configuration.localCacheTTLMs =
            chance.hits(percent: 25) ? chance.between(20_000, 120_000) : chance.between(200, 3_000)
        configuration.localCacheEntries = [0, 1, 2, 100, 100][chance.below(5)]
        configuration.requestTimeoutMs = chance.between(1_000, 5_000)
        configuration.redisTimeoutMs = chance.between(50, 100)
        if chance.hits(percent: 40) { redisDelay = .ms(configuration.redisTimeoutMs / 6) }
        if chance.hits(percent: 40) { laneDelay = .ms(50) }
        if chance.hits(percent: 40) { readerDelay = .ms(min(450, configuration.requestTimeoutMs / 5)) }
        configuration.rateLimitRequests = chance.hits(percent: 10) ? 20 : 0
        configuration.rateLimitWindowSeconds = 5
        configuration.recentLikesMax = 2
        configuration.recentLikesTTLSeconds = 20
        if chance.hits(percent: 35) {
            limits = .small(&chance)
            hasSmallLimits = true
            // So that the audit comes through in time, which may ask for one item after the other.
            readerDelay = min(readerDelay, .ms(20))
            configuration.requestTimeoutMs = max(configuration.requestTimeoutMs, 3_000)
        }
        if chance.hits(percent: 40) { sliceMax = 1 + chance.below(2) }
        if chance.hits(percent: 20) { areAnswersSlow = true }
        if chance.hits(percent: 30) { evictsNewPercent = 80 }
        if chance.hits(percent: 8) { poisonedPair = chance.below(usersCount * itemsCount) }
        focus?.narrow(&self, &chance)
        drawFaults(&chance, focus)
        drawStandbys(seed, focus)
        drawCluster(seed, focus)
        asksForLists = focus == nil && seed % 2 == 1
    }

    /// How slow a new wire may be.
    func delayMax(_ backend: Backend, _ chance: inout Chance) -> Micros {
        let high =
            switch backend {
            case .redis: redisDelay
            case .subscriber: subscriberDelay
            case .lane: laneDelay
            case .reader: readerDelay
            case .standby: standbyDelay
            }
        guard high > .ms(1), chance.hits(percent: slowPercent) else { return .ms(1) }
        return slowPercent == 100 ? high : chance.between(.ms(1), high)
    }

    package var pairsCount: Int { usersCount * items.count }
    /// Faults end by then.
    package var calmFrom: Micros { duration - Plan.quiet }
    /// Others than hosts write counters in Redis.
    var hasForgeries: Bool { faults.contains { $0.kind == .redisStranger || $0.kind == .referenceWrites } }
    /// When clients stop. Of two databases on one Redis, one goes without in the end: its hosts hear nothing of each
    /// other, and may answer from memory for as long as they may then.
    package var active: Micros {
        duration - Plan.audit - (databasesCount > 1 ? .ms(Limits.unheardCacheMs) : 0)
    }

    /// None, or a short one; any kinds, each now and then; or few kinds, often.
    private mutating func drawFaults(_ chance: inout Chance, _ focus: Focus?) {
        var kinds: [FaultKind] = focus?.drawnFaults(&chance) ?? []
        var most = 8
        var isShort = false
        if focus == nil {
            func drawn() -> FaultKind { FaultKind.drawn[chance.below(FaultKind.drawn.count)] }
            switch chance.below(100) {
            case ..<15:
                requestsCount += requestsCount / 2
                return
            case ..<50:
                // Long before and after it all has to be as if nothing could fail.
                isShort = true
                duration += .seconds(30)
                most = 1
                kinds = [drawn()]
            case ..<73:
                most = 3
                kinds = FaultKind.drawn.filter { _ in chance.hits(percent: 22) }
            default: kinds = (0..<(1 + chance.below(3))).map { _ in drawn() }
            }
        }
        for kind in kinds {
            for _ in 0..<(1 + chance.below(most)) {
                var span = focus?.faultMs ?? kind.durationMs
                if isShort { span.1 = min(span.1, max(span.0, 1_000)) }
                drawFault(kind, span, &chance)
            }
        }
        // Half of the time some faults come together: the second while the first is not over or just was.
        if faults.count > 1, chance.hits(percent: 50) {
            for place in 1..<faults.count where chance.hits(percent: 40) {
                let near = faults[place - 1].at + chance.skewed(0, .seconds(4))
                faults[place].at = min(near, calmFrom - faults[place].duration)
            }
        }
        takesSnapshots = faults.contains {
            [.redisRestartsOld, .redisFailsOver, .redisSwapped].contains($0.kind)
        }
        savesDatabase = faults.contains {
            [.postgresRestored, .postgresReloaded, .postgresWentBack].contains($0.kind)
        }
        if kinds.contains(.databasesShareRedis) { databasesCount = 2 }
    }

    /// Where there is time enough for it.
    private mutating func drawFault(_ kind: FaultKind, _ spanMs: (Int64, Int64), _ chance: inout Chance) {
        let (low, high) = spanMs
        let duration = Micros.ms(chance.hits(percent: 50) ? chance.skewed(low, high) : chance.between(low, high))
        let latest = calmFrom - duration
        guard latest > .seconds(2) else { return }
        let at = chance.between(.seconds(1), latest)
        let host = chance.below(hostsCount)
        let armedBy = kind.silencesOthers ? (host + 1) % hostsCount : host
        faults.append(
            Fault(
                kind: kind, at: at, duration: duration, host: host, isArmed: chance.hits(percent: 50),
                armedBy: armedBy))
    }

    /// Standbys, and what becomes of them, apart from all else: a seed without them stays as it is.
    private mutating func drawStandbys(_ seed: UInt64, _ focus: Focus?) {
        var chance = Chance(seed: seed ^ 0x57A4_DB_75)
        var count = [0, 0, 1, 2][chance.below(4)]
        if let focus { count = focus.hasStandbys ? 1 + chance.below(2) : 0 }
        configuration.databaseReplicaURLs = (0..<count).map { "postgresql://standby\($0)/likes" }
        let paces: [(low: Micros, high: Micros)] = [
            (50, .ms(5)), (50, .ms(5)), (50, .ms(5)), (.ms(20), .ms(500)), (.ms(500), .seconds(6)),
        ]
        standbyPaces = (0..<count).map { _ in
            let drawn = paces[chance.below(paces.count)]
            return focus?.standbyPace ?? drawn
        }
        standbyDelay = .ms([1, 1, 1, 30, 200][chance.below(5)])
        guard focus == nil, count > 0, chance.hits(percent: 60) else { return }
        for _ in 0..<(1 + chance.below(3)) {
            let kind = FaultKind.ofStandbys[chance.below(FaultKind.ofStandbys.count)]
            for _ in 0..<(1 + chance.below(3)) { drawFault(kind, kind.durationMs, &chance) }
        }
    }

    /// The same for a Redis Cluster.
    private mutating func drawCluster(_ seed: UInt64, _ focus: Focus?) {
        var chance = Chance(seed: seed ^ 0xC1_05_7E_12_0D)
        let isDrawn = chance.below(100) < Self.clustersPercent && databasesCount == 1
        guard focus?.hasCluster ?? isDrawn else { return }
        nodesCount = [3, 3, 3, 2, 4][chance.below(5)]
        nodesNamed = [0, nodesCount - 1]
        guard focus == nil, chance.hits(percent: 80) else { return }
        for _ in 0..<(1 + chance.below(3)) {
            let kind = FaultKind.ofClusters[chance.below(FaultKind.ofClusters.count)]
            for _ in 0..<(1 + chance.below(3)) { drawFault(kind, kind.durationMs, &chance) }
        }
    }

    /// Of 100 seeds, in so many Redis is a cluster.
    private static let clustersPercent = 33
}
