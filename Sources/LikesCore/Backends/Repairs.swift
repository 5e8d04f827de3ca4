import LikesProtocol

/// Counters whose write-through did not reach Redis: set there again before its counters are believed.
struct Repairs {
    private var counters: [Item: CounterState] = [:]
    /// Too many to remember: until then Redis may hold counters that are old, and its counters are not read.
    private(set) var distrustUntil: Instant?
    private let entriesMax: Int
    private let distrustMs: Int64

    /// `distrustMs`: by then every counter that could be old has expired in Redis.
    init(entriesMax: Int, distrustMs: Int64) {
        self.entriesMax = entriesMax
        self.distrustMs = distrustMs
    }

    var count: Int { counters.count }

    mutating func note(_ missed: [CounterState], now: Instant) {
        for counter in missed {
            if let known = counters[counter.item], known.version >= counter.version { continue }
            guard counters.count < entriesMax || counters[counter.item] != nil else {
                counters = [:]
                distrustUntil = now.adding(ms: distrustMs)
                return
            }
            counters[counter.item] = counter
        }
    }

    /// What to set now that Redis is back, in slices; forgotten from here on.
    mutating func take(slice: Int) -> [[CounterState]] {
        let all = counters.values.sorted { ($0.item.type, $0.item.id) < ($1.item.type, $1.item.id) }
        counters = [:]
        return stride(from: 0, to: all.count, by: slice).map { Array(all[$0..<min($0 + slice, all.count)]) }
    }

    mutating func areReadsTrusted(now: Instant) -> Bool {
        guard let until = distrustUntil else { return true }
        if now < until { return false }
        distrustUntil = nil
        return true
    }
}
