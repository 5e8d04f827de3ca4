import LikesProtocol
import LikesStorage

/// This host's access to Redis: its primaries, and which of them has what.
struct RedisAccess {
    private var nodes: [RedisNode]
    private var router: SlotRouter
    var asks = ClusterAsks()
    /// The node whose repairs come next.
    private var nextTurn: NodePlace = 0

    init(_ types: ItemTypes, now: Instant) {
        nodes = [RedisNode(now: now)]
        router = SlotRouter(types)
    }

    // Not `_read`: its coroutine would allocate.
    subscript(_ node: NodePlace) -> RedisNode {
        get { nodes[node] }
        _modify { yield &nodes[node] }
    }

    var places: Range<NodePlace> { nodes.indices }

    /// The nodes that have slots. Others may have been replaced, or be about to get some.
    private(set) var inUse: [NodePlace] = [0]

    /// The same, beginning with another node after each turn.
    var placesInTurn: [NodePlace] { Array(places[nextTurn...]) + places[..<nextTurn] }

    mutating func hadTurn(_ node: NodePlace) { nextTurn = (node + 1) % nodes.count }

    // MARK: A cluster

    /// Whether Redis is a cluster, as far as is known.
    var isCluster: Bool { router.map != nil }

    /// Whether every slot has a node.
    var isWhole: Bool { router.isWhole }

    /// How many slots have a node.
    var slotsCount: Int { router.map?.slotsCount ?? RedisSlot.count }

    /// How many slots the node has.
    func slotsCount(_ node: NodePlace) -> Int { router.map?.slotsCount(of: node) ?? RedisSlot.count }

    /// Takes in what a node says.
    mutating func take(_ view: ClusterView, now: Instant) -> SlotMap.Change {
        let change = router.take(view)
        while nodes.count < router.map?.nodes.count ?? 1 { nodes.append(RedisNode(now: now)) }
        inUse = places.filter(isInUse)
        for node in places {
            let hasChanged = change.losers.contains(node) || change.winners.contains(node)
            nodes[node].marker.seen(hasChanged: hasChanged, now: now)
            if change.winners.contains(node) { nodes[node].slotsWon += 1 }
        }
        return change
    }

    func clusterNode(_ node: NodePlace) -> ClusterView.Node? {
        router.map.flatMap { node < $0.nodes.count ? $0.nodes[node] : nil }
    }

    /// The node that answers at the address, if it can be called; nil: there is none.
    func node(at redirect: RedisRedirect) -> NodePlace? {
        router.map?.place(host: redirect.host, port: redirect.port).flatMap { nodes[$0].link.isUp ? $0 : nil }
    }

    /// Whether the data is of a node that never had any slot that this one has.
    func isOther(_ data: NodeToken, than node: NodePlace) -> Bool {
        !data.node.isEmpty && router.map?.isOther(data.node, than: node) ?? false
    }

    /// The nodes that have slots which this one has or had.
    func successors(of node: NodePlace) -> Set<NodePlace> { router.map?.successors(of: node) ?? [node] }

    /// Whether the node has any slots.
    func isInUse(_ node: NodePlace) -> Bool { router.map?.hasSlots(node) ?? true }

    /// Whether there should be a connection. Nodes without slots are called only to follow ASK.
    func needs(_ backend: Backend) -> Bool {
        switch backend {
        case .redis(let node): router.map?.isOfUse(node) ?? true
        case .subscriber(let node): isInUse(node)
        case .lane, .reader, .standby: true
        }
    }

    /// The key of the node's marker, if it has changed.
    mutating func takeMarkerKey(of node: NodePlace) -> String? {
        router.map.flatMap { nodes[node].marker.take(from: $0, node, lastCall: nodes[node].calls.lastID) }.map(
            RedisKeys.marker(slot:))
    }

    /// The node's data is new, so what it had of former slots means nothing.
    mutating func forgetFormer(_ node: NodePlace) { router.forgetFormer(node) }

    // MARK: Where things are

    /// The node that has the item's counter; nil: nobody has named one.
    func node(of item: Item) -> NodePlace? { router.node(of: item) }

    /// The node that counts the user's rate; nil: nobody has named one.
    func nodeOfRate(user: Int64) -> NodePlace? { router.nodeOfRate(user: user) }

    /// The node that has the user's recent likes; nil: nobody has named one.
    func nodeOfRecentLikes(user: Int64) -> NodePlace? { router.nodeOfRecentLikes(user: user) }

    /// Divides counters by the nodes that have them, in the order of the nodes.
    func byNode<Element>(_ all: [Element], _ item: (Element) -> Item) -> [(node: NodePlace?, [Element])] {
        guard nodes.count > 1 else { return all.isEmpty ? [] : [(0, all)] }
        var parts: [NodePlace: [Element]] = [:]
        for element in all { parts[node(of: item(element)) ?? -1, default: []].append(element) }
        return parts.keys.sorted().map { ($0 < 0 ? nil : $0, parts[$0] ?? []) }
    }

    mutating func call(_ purpose: RedisPurpose, _ request: RedisRequest, on node: NodePlace, _ turn: inout Turn) {
        turn.append(.redis(node, nodes[node].calls.begin(purpose, now: turn.now), request))
    }

    mutating func forgetOldRefusals(now: Instant) {
        for node in places { nodes[node].forgetOldRefusals(now: now) }
    }

    /// How many calls of the kind are under way on all nodes.
    func callsCount(_ kind: RedisPurpose.Kind) -> Int { nodes.reduce(0) { $0 + $1.calls[kind] } }

    /// The counters of the write-throughs and tellings under way.
    var onTheirWay: [[CounterState]] { nodes.flatMap(\.onTheirWay) }

    func checkInvariants() {
        for node in nodes { node.checkInvariants() }
    }
}

/// What a call to Redis is for: who waits for it, and what is needed to go on with its answer.
enum RedisPurpose: CallPurpose {
    case identify(IdentifyRequest)
    /// `parts`: what was asked of each; empty: both of all. `redirects`: how often a node has sent them to another one.
    case admission([ChangeIndex], parts: [AdmissionPart], redirects: Int = 0)
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

    var timedAs: TimedCall {
        switch self {
        case .admission: .redisAdmission
        case .readCounters: .redisRead
        case .writeThrough: .redisWrite
        case .identify, .repair, .fill, .drop, .tell: .redisOther
        }
    }

    var itemsCount: Int {
        switch self {
        case .admission(let changes, _, _): changes.count
        case .readCounters(let items, _, _): items.count
        case .writeThrough(_, let counters, _), .repair(_, let counters, _): counters.count
        case .tell(let counters, _): counters.count
        case .identify, .fill, .drop: 0
        }
    }

    /// The data that the call was meant for; nil: any.
    func generation(on node: NodePlace) -> Generation? {
        switch self {
        case .identify, .admission, .drop, .tell: nil
        case .readCounters(_, let generation, _): generation
        case .writeThrough(_, _, let permit), .repair(_, _, let permit), .fill(let permit):
            permit.generation(on: node)
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
        case (.admission(let changes, _, _), .admitted(let verdicts)) where changes.count != verdicts.count:
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
