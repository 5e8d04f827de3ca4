import LikesProtocol
import LikesStorage

/// The counts being fetched. At most one fetch of each item is on the wire. A request joins a fetch that has not been
/// sent yet. If it has been sent, the request waits for the next one, since the answer on its way may be older than the
/// request.
struct Fetches {
    enum Stage {
        /// For the node that the fetch names.
        case queuedForRedis
        /// For the primary or a standby.
        case queuedForDatabase
        case queuedForPrimary
        case sent
    }

    struct Fetch {
        var stage: Stage
        /// Which node of Redis has the item; nil: nobody knows.
        var node: NodePlace?
        /// Tells this fetch's entry in a queue from one of an earlier fetch of the item.
        var serial: UInt64
        /// A client that asks for few counts waits for it.
        var isSmall: Bool
        /// They asked before the fetch was sent: its answer is theirs.
        var waiting: [Part]
        /// They asked after it was sent.
        var next: [Part] = []
        /// How many requests have stopped waiting since the lists were last cleared of them. It may be too high.
        var left = 0
        /// The newest state that this host committed or heard of while the fetch was under way. It outlives the cache's
        /// entry.
        var newer: CounterState?
    }

    private var table: [Item: Fetch] = [:]
    /// For the primary alone, for any PostgreSQL, and for each node of Redis.
    private var queues = [Queue(), Queue()]
    private static let primaryQueue = 0
    private static let databaseQueue = 1
    private static func redisQueue(_ node: NodePlace) -> Int { 2 + node }
    private var serials: UInt64 = 0

    /// Clients that ask for few counts do not wait behind those that ask for many. Each side gets half of each call,
    /// and what the other leaves of it.
    private struct Queue {
        var small = Ring<(Item, UInt64)>()
        var large = Ring<(Item, UInt64)>()

        var count: Int { small.count + large.count }
        var isEmpty: Bool { small.isEmpty && large.isEmpty }

        mutating func append(_ item: Item, _ serial: UInt64, isSmall: Bool) {
            if isSmall { small.append((item, serial)) } else { large.append((item, serial)) }
        }

        mutating func popFirst(isSmall: Bool) -> (Item, UInt64)? { isSmall ? small.popFirst() : large.popFirst() }

        mutating func keep(_ isLiving: (Item, UInt64) -> Bool) {
            var living = Queue()
            while let (item, serial) = small.popFirst() {
                if isLiving(item, serial) { living.small.append((item, serial)) }
            }
            while let (item, serial) = large.popFirst() {
                if isLiving(item, serial) { living.large.append((item, serial)) }
            }
            self = living
        }

        mutating func shrinkIfEmptied() {
            if Fetches.isEmptied(small.count, small.capacity) { small.shrink() }
            if Fetches.isEmptied(large.count, large.capacity) { large.shrink() }
        }
    }

    var count: Int { table.count }
    func hasForRedis(_ node: NodePlace) -> Bool {
        let queue = Self.redisQueue(node)
        return queue < queues.count && !queues[queue].isEmpty
    }
    var hasForDatabase: Bool { !queues[Self.databaseQueue].isEmpty }
    var hasForPrimary: Bool { !queues[Self.primaryQueue].isEmpty }

    /// `isSmall`: the connection asks for few counts. `mayWait` false: also joins a fetch on the wire, only to show why
    /// that is wrong.
    /// `node`: of Redis; nil: PostgreSQL is asked.
    mutating func join(
        _ item: Item, _ part: Part, on node: NodePlace? = 0, isSmall: Bool = true, mayWait: Bool = true
    ) {
        guard let place = table.index(forKey: item) else {
            let stage: Stage = node == nil ? .queuedForDatabase : .queuedForRedis
            table[item] = Fetch(stage: stage, node: node, serial: 0, isSmall: isSmall, waiting: [part])
            return enqueue(item, stage)
        }
        let stage = table.values[place].stage
        if mayWait, case .sent = stage {
            table.values[place].next.append(part)
        } else {
            table.values[place].waiting.append(part)
        }
        guard isSmall, !table.values[place].isSmall else { return }
        table.values[place].isSmall = true
        switch stage {
        case .queuedForRedis, .queuedForDatabase, .queuedForPrimary:
            enqueue(item, stage)
            compactQueues()
        case .sent: break
        }
    }

    /// Takes up to `max` items to ask the node of Redis for. They count as sent.
    mutating func takeForRedis(_ node: NodePlace, max: Int) -> [Item] {
        let queue = Self.redisQueue(node)
        return queue < queues.count ? take(from: queue, max: max) : []
    }

    /// Takes up to `max` items to ask a standby for. They count as sent.
    mutating func takeForStandby(max: Int) -> [Item] { take(from: Self.databaseQueue, max: max) }

    /// Takes up to `max` items to ask the primary for. They count as sent. `isOnly`: those alone that no standby may
    /// answer.
    mutating func takeForPrimary(isOnly: Bool, max: Int) -> [Item] {
        let items = take(from: Self.primaryQueue, max: max)
        return isOnly || items.count == max ? items : items + take(from: Self.databaseQueue, max: max - items.count)
    }

    /// Redis lacks the item, or cannot be asked, so PostgreSQL is asked. Those who waited for the next fetch join this
    /// one. A fetch that nobody waits for any more is forgotten. `isOnlyPrimary`: no standby may answer.
    mutating func moveToDatabase(_ item: Item, isOnlyPrimary: Bool, isWaited: (Part) -> Bool) {
        guard var fetch = table[item] else { return }
        fetch.waiting = (fetch.waiting + fetch.next).filter(isWaited)
        fetch.next = []
        fetch.left = 0
        table[item] = fetch.waiting.isEmpty ? nil : fetch
        if !fetch.waiting.isEmpty { enqueue(item, isOnlyPrimary ? .queuedForPrimary : .queuedForDatabase) }
    }

    /// The database is at another past: versions known before mean nothing.
    mutating func forgetNewer() {
        for item in table.keys { table[item]?.newer = nil }
    }

    /// The newest state that this host committed or heard of while the item's fetch was under way; nil: none.
    func newer(_ item: Item) -> CounterState? { table[item]?.newer }

    mutating func noteNewer(_ counter: CounterState) {
        guard let fetch = table[counter.item] else { return }
        if let known = fetch.newer, known.version >= counter.version { return }
        table[counter.item]?.newer = counter
    }

    /// Ends the fetch on the wire. Returns who waited for it, and the newest state that it committed or heard of
    /// meanwhile.
    mutating func finish(_ item: Item, isWaited: (Part) -> Bool) -> (waiting: [Part], newer: CounterState?) {
        guard var fetch = table[item], case .sent = fetch.stage else { return ([], nil) }
        let finished = fetch.waiting
        fetch.waiting = fetch.next.filter(isWaited)
        if fetch.waiting.isEmpty {
            table[item] = nil
        } else {
            fetch.next = []
            fetch.left = 0
            table[item] = fetch
            enqueue(item, fetch.node == nil ? .queuedForDatabase : .queuedForRedis)
        }
        shrinkIfEmptied()
        return (finished, fetch.newer)
    }

    /// Drops a queued fetch and returns who waited for it.
    mutating func drop(_ item: Item) -> [Part] {
        guard let fetch = table.removeValue(forKey: item) else { return [] }
        compactQueues()
        return fetch.waiting + fetch.next
    }

    /// A request, or a part of one, stopped waiting, so `isWaited` is false for it. The lists are cleared once half of
    /// their requests have left, so that a hot item does not cost a pass over all of them each time. A queued fetch
    /// that nobody waits for any more is forgotten.
    mutating func leave(_ item: Item, isWaited: (Part) -> Bool) {
        guard let place = table.index(forKey: item) else { return }
        table.values[place].left += 1
        let fetch = table.values[place]
        guard 2 * fetch.left > fetch.waiting.count + fetch.next.count else { return }
        let (waiting, next) = (fetch.waiting.filter(isWaited), fetch.next.filter(isWaited))
        table.values[place].left = 0
        table.values[place].waiting = waiting
        table.values[place].next = next
        if case .sent = fetch.stage { return }
        guard waiting.isEmpty, next.isEmpty else { return }
        table[item] = nil
        compactQueues()
    }

    /// The items queued for PostgreSQL. While it is down, the cache may serve some of them.
    func queuedForDatabase() -> [Item] {
        let ofDatabase = [queues[Self.primaryQueue], queues[Self.databaseQueue]]
        return ofDatabase.flatMap { [$0.small, $0.large] }.flatMap { queue in
            (0..<queue.count).compactMap { place in
                let (item, serial) = queue[place]
                return table[item]?.serial == serial ? item : nil
            }
        }
    }

    private mutating func enqueue(_ item: Item, _ stage: Stage) {
        serials += 1
        table[item]?.stage = stage
        table[item]?.serial = serials
        let isSmall = table[item]?.isSmall ?? false
        let queue: Int
        switch stage {
        case .queuedForRedis:
            guard let node = table[item]?.node else { preconditionFailure("no node of Redis has the item") }
            queue = Self.redisQueue(node)
            while queues.count <= queue { queues.append(Queue()) }
        case .queuedForDatabase: queue = Self.databaseQueue
        case .queuedForPrimary: queue = Self.primaryQueue
        case .sent: preconditionFailure("a sent fetch stands in no queue")
        }
        queues[queue].append(item, serials, isSmall: isSmall)
    }

    private mutating func take(from queue: Int, max: Int) -> [Item] {
        var items: [Item] = []
        let smallMax = queues[queue].large.isEmpty ? max : max - max / 2
        take(from: queue, isSmall: true, into: &items, max: smallMax)
        take(from: queue, isSmall: false, into: &items, max: max)
        take(from: queue, isSmall: true, into: &items, max: max)
        return items
    }

    private mutating func take(from queue: Int, isSmall: Bool, into items: inout [Item], max: Int) {
        while items.count < max, let (item, serial) = queues[queue].popFirst(isSmall: isSmall) {
            guard table[item]?.serial == serial else { continue }
            table[item]?.stage = .sent
            items.append(item)
        }
    }

    /// Gives memory back when few of many fetches are left: at the limit of reads it is about 50 MB. It is needed again
    /// only after so many fetches that each pays little for it.
    private mutating func shrinkIfEmptied() {
        if Self.isEmptied(table.count, table.capacity) {
            var smaller: [Item: Fetch] = [:]
            for (item, fetch) in table { smaller[item] = fetch }
            table = smaller
        }
        for queue in queues.indices { queues[queue].shrinkIfEmptied() }
    }

    private static func isEmptied(_ count: Int, _ capacity: Int) -> Bool {
        capacity > Limits.fetchPlacesKept && count < capacity / 16
    }

    /// Places that there is memory for.
    var places: Int {
        queues.reduce(table.capacity) { $0 + $1.small.capacity + $1.large.capacity }
    }

    /// Drops entries of forgotten fetches once they outnumber the living ones, so that queues do not grow while a
    /// backend stays away.
    private mutating func compactQueues() {
        shrinkIfEmptied()
        for queue in queues.indices where queues[queue].count > 2 * table.count + Limits.placesKept {
            var entries = Queue()
            swap(&entries, &queues[queue])
            entries.keep { item, serial in table[item]?.serial == serial }
            queues[queue] = entries
        }
    }

    func checkInvariants() {
        for (item, fetch) in table {
            precondition(
                !fetch.waiting.isEmpty || !fetch.next.isEmpty || isSent(fetch), "a fetch that nobody waits for")
            precondition(fetch.newer.map { $0.item == item } ?? true, "another item's counter")
            if !isSent(fetch) { precondition(fetch.next.isEmpty, "who comes before a fetch is sent joins it") }
        }
    }

    private func isSent(_ fetch: Fetch) -> Bool { if case .sent = fetch.stage { true } else { false } }
}
