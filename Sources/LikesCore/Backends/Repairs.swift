import LikesProtocol

/// Items whose counter in Redis may be old, since a write-through did not arrive or a batch's outcome is unknown. Until
/// each is set there again, confirmed, Redis is not asked for it.
struct Repairs {
    private enum State {
        /// What was committed is not known: to be read from PostgreSQL.
        case unread
        case reading
        /// To be set in Redis.
        case known(CounterState)
        /// On its way to Redis.
        case writing(CounterState)
    }

    private var states: [Item: State] = [:]
    /// Items that became `unread` or `known`; those that are not so any more are passed over.
    private var toRead = Ring<Item>()
    private var toWrite = Ring<Item>()
    /// Too many to remember: until then Redis may hold counters that are old, and its counters are not read.
    private var distrustUntil: Instant?
    /// After a failure nothing is tried before this.
    private var retryAt: Instant?
    private let entriesMax: Int
    private let distrustMs: Int64

    /// `distrustMs`: by then every counter that could be old has expired in Redis.
    init(entriesMax: Int, distrustMs: Int64) {
        self.entriesMax = entriesMax
        self.distrustMs = distrustMs
    }

    var count: Int { states.count }

    /// When to go on after a failure; nil: nothing is held back.
    var wakeAt: Instant? { states.isEmpty ? nil : retryAt }

    func contains(_ item: Item) -> Bool { !states.isEmpty && states[item] != nil }

    mutating func areReadsTrusted(now: Instant) -> Bool {
        guard let until = distrustUntil else { return true }
        if now < until { return false }
        distrustUntil = nil
        return true
    }

    /// These were committed, and Redis may not have them.
    mutating func note(_ missed: [CounterState], now: Instant) {
        for counter in missed {
            switch states[counter.item] {
            case .known(let known)?:
                if counter.version > known.version { states[counter.item] = .known(counter) }
            case .writing(let written)?:
                if counter.version > written.version { makeKnown(counter) }
            case .unread?, .reading?: makeKnown(counter)
            case nil:
                guard hasRoom(now: now) else { return }
                makeKnown(counter)
            }
        }
    }

    /// These may have changed; nobody knows.
    mutating func noteUnknown(_ items: some Collection<Item>, now: Instant) {
        for item in items {
            guard states[item] != nil || hasRoom(now: now) else { return }
            makeUnread(item)
        }
    }

    /// PostgreSQL was read. Settles what was unknown before, and nothing else.
    mutating func settle(_ counter: CounterState) {
        switch states[counter.item] {
        case .reading?: makeKnown(counter)
        case .unread?, .known?, .writing?, nil: return
        }
    }

    mutating func takeToRead(max: Int, now: Instant) -> [Item] {
        guard mayTry(now: now) else { return [] }
        var items: [Item] = []
        while items.count < max, let item = toRead.popFirst() {
            guard case .unread? = states[item] else { continue }
            states[item] = .reading
            items.append(item)
        }
        return items
    }

    mutating func takeToWrite(max: Int, now: Instant) -> [CounterState] {
        guard mayTry(now: now) else { return [] }
        var counters: [CounterState] = []
        while counters.count < max, let item = toWrite.popFirst() {
            guard case .known(let counter)? = states[item] else { continue }
            states[item] = .writing(counter)
            counters.append(counter)
        }
        return counters
    }

    /// Redis has these, or something newer.
    mutating func wrote(_ counters: [CounterState]) {
        for counter in counters {
            if case .writing(let written)? = states[counter.item], written.version <= counter.version {
                states[counter.item] = nil
            }
        }
    }

    mutating func writeFailed(_ counters: [CounterState], now: Instant) {
        for counter in counters {
            if case .writing(let written)? = states[counter.item] { makeKnown(written) }
        }
        retryAt = now.adding(ms: Limits.repairRetryMs)
    }

    mutating func readFailed(_ items: [Item], now: Instant) {
        for item in items {
            if case .reading? = states[item] { makeUnread(item) }
        }
        retryAt = now.adding(ms: Limits.repairRetryMs)
    }

    /// Time has come to `wakeAt`, or not.
    mutating func tick(now: Instant) { _ = mayTry(now: now) }

    /// Redis is back: no reason to hold anything back.
    mutating func retryNow() { retryAt = nil }

    private mutating func mayTry(now: Instant) -> Bool {
        if let retryAt, now < retryAt { return false }
        retryAt = nil
        return true
    }

    private mutating func makeKnown(_ counter: CounterState) {
        states[counter.item] = .known(counter)
        toWrite.append(counter.item)
    }

    private mutating func makeUnread(_ item: Item) {
        if case .unread? = states[item] { return }
        states[item] = .unread
        toRead.append(item)
    }

    private mutating func hasRoom(now: Instant) -> Bool {
        if states.count < entriesMax { return true }
        states = [:]
        toRead.removeAll()
        toWrite.removeAll()
        distrustUntil = now.adding(ms: distrustMs)
        return false
    }
}
