import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

/// A core with a small Redis Cluster and a PostgreSQL that answer at once. It plays no failures of PostgreSQL.
struct ClusterScenario {
    struct Node {
        var isUp = true
        /// By the key: what stands at likesd's markers.
        var markers: [String: String] = [:]
        var markerKey = ""
        /// Markers' keys whose slot is between two nodes.
        var markersElsewhere: Set<String> = []
        /// It serves nothing.
        var isClusterDown = false
        var counters: [Item: SealedCounter] = [:]
        /// Items and users whose keys the node does not have, and where it sends those who ask for a rate.
        var elsewhere: Set<Item> = []
        var redirects: [Int64: RedisRedirect] = [:]
        var rates: [Int64: Int64] = [:]
    }

    var core: Core
    var now = Instant.ms(1_000)
    var nodes: [Node] = []
    /// What was asked of the nodes since the last look, without identifying and markers.
    var asked: [(node: NodePlace, request: RedisRequest)] = []
    var commits: [CommitRequest] = []
    var tends: [TendRequest] = []
    var counted: [Item] = []
    var rows: [RepairRow] = []
    var others: [OtherHosts] = []
    /// Nodes that are down do not refuse connections.
    var isSilent = false
    /// What the survey finds of other hosts' past.
    /// Transactions, and to which servers they were to be written.
    var strayed: [(transaction: Int64, servers: Set<String>)] = []
    var latest: Int64 = 0
    /// The number of the next transaction.
    var transaction: Int64 = 50
    /// In each step some likes of this item come, each when the one before is stored. Surveys find this host's row.
    var traffic: Item?
    /// By node: how often its data began anew.
    private(set) var markersMade: [NodePlace: Int] = [:]
    private var likesLeft = 0
    private var user: Int64 = 1_000
    private var row: (transaction: Int64, servers: Set<String>) = (0, [])
    private(set) var replies: [Reply] = []
    private(set) var connected: [Backend] = []
    private(set) var views: [ClusterView] = []
    private var database: [Item: CounterState] = [:]
    private var likes: Set<Pair> = []
    private(set) var connection: ConnectionID

    /// Each node has a share of the slots.
    init(
        nodes count: Int = 3, safeguards: Safeguards = Safeguards(),
        _ change: (inout Configuration) -> Void = { _ in }
    ) throws {
        var configuration = Configuration()
        configuration.localCacheEntries = 1_000
        change(&configuration)
        core = Core(
            configuration: configuration,
            versions: VersionFacts(processID: 1, swift: "6", libpq: "15", hiredis: "0.14", systemd: "252"),
            seed: 7, now: now, safeguards: safeguards)
        views = [Self.view(nodes: count)]
        let opened = core.opened(now: now)
        connection = try #require(opened)
        step { core, turn in core.start(&turn) }
        // The first connection finds a cluster.
        step { [views] core, turn in core.clusterSeen(views[0], &turn) }
        pass(ms: 3_000)
        asked = []
    }

    static func view(nodes count: Int, epochs: [Int64]? = nil) -> ClusterView {
        let share = RedisSlot.count / count
        let primaries = (0..<count).map { place in
            let last = place == count - 1 ? RedisSlot.count - 1 : (place + 1) * share - 1
            return node(place, epoch: epochs?[place] ?? Int64(place + 1), [place * share...last])
        }
        return ClusterView(primaries: primaries, ids: Set(primaries.map(\.id)))
    }

    static func node(_ place: Int, epoch: Int64, _ slots: [ClosedRange<Int>]) -> ClusterView.Node {
        ClusterView.Node(
            id: String(repeating: "\(place)", count: 40), host: "10.0.0.\(place + 1)", port: 6379, epoch: epoch,
            slots: slots)
    }

    /// The slots move as this view says.
    mutating func see(_ view: ClusterView) {
        views.append(view)
        step { core, turn in core.clusterSeen(view, &turn) }
    }

    /// The view with the slot at another node.
    func moved(slot: Int, to winner: Int, epoch: Int64) -> ClusterView {
        guard var view = views.last else { preconditionFailure("a cluster without a view") }
        for place in view.primaries.indices {
            view.primaries[place].slots = view.primaries[place].slots.flatMap { range in
                range.contains(slot)
                    ? [range.lowerBound..<slot, slot + 1..<range.upperBound + 1].filter { !$0.isEmpty }
                        .map { ClosedRange($0) }
                    : [range]
            }
            guard place == winner else { continue }
            view.primaries[place].slots.append(slot...slot)
            view.primaries[place].epoch = epoch
        }
        return view
    }

    func slot(of item: Item) -> Int { KeySlots(core.configuration.itemTypes).of(item) }

    /// The first item from this number on that the node has.
    func item(on node: NodePlace, from id: Int64 = 1) -> Item {
        var item = Item(type: 0, id: id)
        while core.redis.node(of: item) != node { item.id += 1 }
        return item
    }

    /// The first user whose rate one node has and whose recent likes another one, or the same.
    func user(rateOn node: NodePlace, recentOn other: NodePlace) -> Int64 {
        var user: Int64 = 1
        while core.redis.nodeOfRate(user: user) != node || core.redis.nodeOfRecentLikes(user: user) != other {
            user += 1
        }
        return user
    }

    // MARK: Events

    mutating func step(_ event: (inout Core, inout Turn) -> Void) {
        var turn = Turn(now: now)
        event(&core, &turn)
        likesLeft = 50
        likeMore(&turn)
        core.turnEnded(&turn)
        core.checkInvariants()
        while !turn.actions.isEmpty {
            let actions = turn.actions
            turn.actions = []
            for action in actions { perform(action, &turn) }
            core.turnEnded(&turn)
        }
        now.microseconds += 1
    }

    mutating func pass(ms: Int64) {
        let end = now.adding(ms: ms)
        while let next = core.nextTick, next <= end {
            now = max(now, next)
            step { core, turn in core.tick(&turn) }
        }
        now = max(now, end)
        step { core, turn in core.tick(&turn) }
    }

    @discardableResult
    mutating func send(_ request: Request) -> Reply? {
        let before = replies.count
        step { [connection] core, turn in core.received(request, on: connection, &turn) }
        return replies.count > before ? replies.last : nil
    }

    /// The node dies, or is back with what it had.
    mutating func setUp(_ node: NodePlace, _ isUp: Bool) {
        nodes[node].isUp = isUp
        guard !isUp else { return pass(ms: 3_000) }
        for backend in [Backend.redis(node), .subscriber(node)] {
            step { core, turn in core.lost(backend, .unreachable("gone"), &turn) }
        }
    }

    mutating func takeAsked() -> [(node: NodePlace, request: RedisRequest)] {
        defer { asked = [] }
        return asked
    }

    // MARK: Answers

    private mutating func perform(_ action: Action, _ turn: inout Turn) {
        switch action {
        case .reply(_, let reply): replies.append(reply)
        case .redis(let node, let call, let request):
            core.answered(redis: node, call, answer(request, on: node), &turn)
        case .markerKey(let node, let key):
            while nodes.count <= node { nodes.append(Node()) }
            nodes[node].markerKey = key
        case .askCluster: if let view = views.last { core.clusterSeen(view, &turn) }
        case .beat(let node, let number): core.heardBeat(on: node, number, &turn)
        case .lane(let call, let request):
            core.answered(call, answer(request), &turn)
            if case .commit = request { likeMore(&turn) }
        case .reader(let call, let request): core.answered(call, answer(request), &turn)
        case .connect(let backend): connect(backend, &turn)
        case .standby, .close, .resume, .disconnect, .reload, .configure, .log, .stopped: return
        }
    }

    private mutating func likeMore(_ turn: inout Turn) {
        guard let traffic, likesLeft > 0 else { return }
        (likesLeft, user) = (likesLeft - 1, user + 1)
        core.received(.like(Pair(user: user, item: traffic)), on: connection, &turn)
    }

    private mutating func connect(_ backend: Backend, _ turn: inout Turn) {
        connected.append(backend)
        let facts = DatabaseFacts(identity: Scenario.identity, seals: Scenario.seals(now))
        switch backend {
        case .redis(let node), .subscriber(let node):
            guard core.clusterNode(node) != nil else { return }
            while nodes.count <= node { nodes.append(Node()) }
            if isSilent, !nodes[node].isUp { return }
            guard nodes[node].isUp else { return core.lost(backend, .unreachable("gone"), &turn) }
            if case .redis = backend { core.redisConnected(node, &turn) } else { core.subscriberConnected(node, &turn) }
        case .lane, .reader: core.databaseConnected(backend, facts, &turn)
        case .standby: return
        }
    }

    private mutating func answer(_ request: RedisRequest, on node: NodePlace) -> RedisAnswer {
        let server = "run\(node):repl"
        if nodes[node].isClusterDown {
            if case .identify = request { return .failed(.clusterDown) }
            return .failed(.refused("CLUSTERDOWN The cluster is down"))
        }
        if nodes[node].markersElsewhere.contains(nodes[node].markerKey) {
            if case .admit = request {} else { return .failed(.elsewhere) }
        }
        if case .identify(let request) = request {
            let found = nodes[node].markers[nodes[node].markerKey] ?? ""
            if let new = request.new, new.instead == found {
                markersMade[node, default: 0] += 1
                nodes[node].markers[nodes[node].markerKey] = new.generation(on: server).marker
            }
            let text = nodes[node].markers[nodes[node].markerKey] ?? ""
            return .identified(FoundMarker(text: text, server: server))
        }
        if case .readCounters(_, []) = request {} else { asked.append((node, request)) }
        let marker = nodes[node].markers[nodes[node].markerKey]
        switch request {
        case .identify: preconditionFailure("answered above")
        case .admit(let entries, let isAsking):
            return .admitted(entries.map { admit($0, on: node, isAsking: isAsking) })
        case .readCounters(let generation, let items):
            guard generation.marker == marker else { return .failed(.otherGeneration) }
            return .countersRead(items.map { nodes[node].elsewhere.contains($0) ? nil : nodes[node].counters[$0] })
        case .writeThrough(let generation, let counters, _):
            guard generation.marker == marker else { return .failed(.otherGeneration) }
            let left = set(counters, on: node)
            return .wroteThrough(refusal: nil, kept: [], untold: [], elsewhere: left)
        case .fill(let generation, let counters):
            guard generation.marker == marker else { return .failed(.otherGeneration) }
            _ = set(counters, on: node)
            return .filled(kept: [])
        case .drop: return .dropped
        case .tell(_, let counters, _): return .told(counters.map { _ in .told })
        }
    }

    private mutating func set(_ counters: [SealedCounter], on node: NodePlace) -> [Item] {
        for sealed in counters where !nodes[node].elsewhere.contains(sealed.counter.item) {
            nodes[node].counters[sealed.counter.item] = sealed
        }
        return counters.map(\.counter.item).filter(nodes[node].elsewhere.contains)
    }

    private mutating func admit(_ entry: AdmissionEntry, on node: NodePlace, isAsking: Bool) -> AdmissionVerdict {
        guard entry.part != .hint else { return .admitted(recent: false) }
        if let redirect = nodes[node].redirects[entry.pair.user], !isAsking { return .elsewhere(redirect) }
        nodes[node].rates[entry.pair.user, default: 0] += 1
        let isOver = nodes[node].rates[entry.pair.user, default: 0] > core.configuration.rateLimitRequests
        return isOver ? .limited(retrySeconds: 9) : .admitted(recent: false)
    }

    private mutating func answer(_ request: LaneRequest) -> LaneAnswer {
        switch request {
        case .fence: return .fenced(nil)
        case .commit(let request):
            commits.append(request)
            note(request)
            return .committed(commit(request))
        case .tend(let request):
            tends.append(request)
            let mended = Set(request.mended.map(\.item))
            rows.removeAll { mended.contains($0.item) }
            return .tended(settledUpTo: nil)
        case .survey(let request):
            return .surveyed(
                Survey(
                    silentLanesFenced: 0, identity: Scenario.identity, snapshot: DatabaseSnapshot(least: transaction),
                    others: others, latest: latest,
                    strayed: (strayed + ownRow(request)).map {
                        WrittenTo(transaction: $0.transaction, servers: $0.servers, surveyed: request.servers)
                    },
                    signOfLife: request.signOfLife - 1, seals: Scenario.seals(now)))
        case .checkSchema: return .schemaChecked(nil)
        }
    }

    private mutating func note(_ request: CommitRequest) {
        guard traffic != nil else { return }
        if !request.server.isEmpty { row = (transaction, Set(request.server.split(separator: ",").map(String.init))) }
        transaction += 1
    }

    private func ownRow(_ request: SurveyRequest) -> [(transaction: Int64, servers: Set<String>)] {
        let isFound = !row.servers.isSubset(of: request.servers) && !request.snapshot.hasEnded(row.transaction)
        return isFound ? [row] : []
    }

    private mutating func commit(_ request: CommitRequest) -> BatchOutcome {
        var changed: [Item: CounterState] = [:]
        let flags = request.rows.map { row in
            guard likes.contains(row.pair) != row.wanted else { return false }
            if row.wanted { likes.insert(row.pair) } else { likes.remove(row.pair) }
            var counter = state(row.pair.item)
            counter.count += row.wanted ? 1 : -1
            counter.version = state(row.pair.item).version + (changed[row.pair.item] == nil ? 1 : 0)
            database[row.pair.item] = counter
            changed[row.pair.item] = counter
            return true
        }
        for item in changed.keys where request.cutOff.contains(item) {
            rows.append(RepairRow(item: item, version: state(item).version, notedBy: 60))
        }
        let counters = changed.values.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
        return BatchOutcome(changed: flags, counters: counters)
    }

    private func state(_ item: Item) -> CounterState {
        database[item] ?? CounterState(item: item, count: 0, version: 0)
    }

    private mutating func answer(_ request: ReaderRequest) -> ReaderAnswer {
        switch request {
        case .selectCounters(let items):
            counted += items
            return .countersSelected(items.map(state))
        case .selectPairs(let pairs):
            return .pairsSelected(
                pairs.map { PairState(liked: likes.contains($0), counter: state($0.item)) })
        case .selectLists: preconditionFailure("nobody asks for lists")
        case .selectRepairs: return .repairsSelected(RepairRows(rows: rows, next: nil, horizon: 50))
        case .selectPosition: preconditionFailure("there are no standbys")
        }
    }
}
