import LikesProtocol

/// The counts being fetched: of each item at most one fetch is on the wire. A request joins a fetch that is not yet
/// sent; behind one that is it waits for the next, since the answer on its way may be older than the request.
struct Fetches {
    enum Stage {
        case queuedForRedis
        case queuedForDatabase
        case sent
    }

    struct Fetch {
        var stage: Stage
        /// Tells this fetch's entry in a queue from one of an earlier fetch of the item.
        var serial: UInt64
        /// Asked before the fetch was sent: its answer is theirs.
        var waiting: [Part]
        /// Asked since.
        var next: [Part] = []
        /// Requests that stopped waiting since the lists were last cleared of them, or more.
        var left = 0
        /// The newest state committed by this host, or heard of, while the fetch was under way. It outlives the cache's
        /// entry.
        var committed: CounterState?
    }

    private var table: [Item: Fetch] = [:]
    private var redisQueue = Ring<(Item, UInt64)>()
    private var databaseQueue = Ring<(Item, UInt64)>()
    private var serials: UInt64 = 0

    var count: Int { table.count }
    var hasForRedis: Bool { !redisQueue.isEmpty }
    var hasForDatabase: Bool { !databaseQueue.isEmpty }

    /// `mayWait` false: joins what is on the wire as well, only to show why that is wrong.
    mutating func join(_ item: Item, _ part: Part, mayWait: Bool = true) {
        if table[item] == nil {
            table[item] = Fetch(stage: .queuedForRedis, serial: 0, waiting: [part])
            enqueue(item, .queuedForRedis)
        } else if mayWait, case .sent? = table[item]?.stage {
            table[item]?.next.append(part)
        } else {
            table[item]?.waiting.append(part)
        }
    }

    /// Takes up to `max` items to ask Redis for; from now on they are sent.
    mutating func takeForRedis(max: Int) -> [Item] { take(.queuedForRedis, from: \.redisQueue, max: max) }

    /// Takes up to `max` items to ask PostgreSQL for; from now on they are sent.
    mutating func takeForDatabase(max: Int) -> [Item] { take(.queuedForDatabase, from: \.databaseQueue, max: max) }

    /// Redis has it not, or can't be asked: PostgreSQL is to be. Whoever waited for the next fetch joins this one; a
    /// fetch that nobody waits for any more is forgotten.
    mutating func moveToDatabase(_ item: Item, isWaited: (Part) -> Bool) {
        guard var fetch = table[item] else { return }
        fetch.waiting = (fetch.waiting + fetch.next).filter(isWaited)
        fetch.next = []
        fetch.left = 0
        table[item] = fetch.waiting.isEmpty ? nil : fetch
        if !fetch.waiting.isEmpty { enqueue(item, .queuedForDatabase) }
    }

    /// Another past of the database: versions known before mean nothing.
    mutating func forgetCommitted() {
        for item in table.keys { table[item]?.committed = nil }
    }

    mutating func noteCommitted(_ counter: CounterState) {
        guard let fetch = table[counter.item] else { return }
        if let known = fetch.committed, known.version >= counter.version { return }
        table[counter.item]?.committed = counter
    }

    /// Ends the fetch on the wire. Returns who waited for it, and what this host committed meanwhile.
    mutating func finish(_ item: Item, isWaited: (Part) -> Bool) -> (waiting: [Part], committed: CounterState?) {
        guard var fetch = table[item], case .sent = fetch.stage else { return ([], nil) }
        let finished = fetch.waiting
        fetch.waiting = fetch.next.filter(isWaited)
        if fetch.waiting.isEmpty {
            table[item] = nil
        } else {
            fetch.next = []
            fetch.left = 0
            table[item] = fetch
            enqueue(item, .queuedForRedis)
        }
        return (finished, fetch.committed)
    }

    /// Drops a fetch that is queued and returns who waited for it.
    mutating func drop(_ item: Item) -> [Part] {
        guard let fetch = table.removeValue(forKey: item) else { return [] }
        compactQueues()
        return fetch.waiting + fetch.next
    }

    /// A request, or a part of one, stopped waiting, as `isWaited` says. The lists are cleared once half of them have
    /// left, so that a hot item does not cost a pass over all of them each time. A queued fetch that nobody waits for
    /// any more is forgotten.
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

    /// Items queued for PostgreSQL, for those that can be served from what is cached when it is away.
    func queuedForDatabase() -> [Item] {
        (0..<databaseQueue.count).compactMap { place in
            let (item, serial) = databaseQueue[place]
            return table[item]?.serial == serial ? item : nil
        }
    }

    private mutating func enqueue(_ item: Item, _ stage: Stage) {
        serials += 1
        table[item]?.stage = stage
        table[item]?.serial = serials
        switch stage {
        case .queuedForRedis: redisQueue.append((item, serials))
        case .queuedForDatabase: databaseQueue.append((item, serials))
        case .sent: preconditionFailure("a sent fetch stands in no queue")
        }
    }

    private mutating func take(
        _ stage: Stage, from queue: WritableKeyPath<Fetches, Ring<(Item, UInt64)>>, max: Int
    ) -> [Item] {
        var items: [Item] = []
        while items.count < max, let (item, serial) = self[keyPath: queue].popFirst() {
            guard table[item]?.serial == serial else { continue }
            table[item]?.stage = .sent
            items.append(item)
        }
        return items
    }

    /// Entries of forgotten fetches go once they outnumber the living: a backend that stays away must not let a queue
    /// grow.
    private mutating func compactQueues() {
        for queue in [\Fetches.redisQueue, \Fetches.databaseQueue] {
            guard self[keyPath: queue].count > 2 * table.count + 1_024 else { continue }
            var living = Ring<(Item, UInt64)>()
            while let (item, serial) = self[keyPath: queue].popFirst() {
                if table[item]?.serial == serial { living.append((item, serial)) }
            }
            self[keyPath: queue] = living
        }
    }
}
