import LikesProtocol
import LikesStorage

/// Counters that this host has put into Redis and that all hosts still have to be told of.
///
/// A write-through publishes a counter unless hosts were told of the item within `Limits.tellMs`. What is left out is
/// *owed*: once that time is over, this host asks Redis, in one call for all that it owes, to publish them. Whoever
/// hears the item at that version or a newer one owes nothing any more, and neither do others: all hosts hear the same.
///
/// Only hearing it settles what is owed, not Redis' word for it: what Redis has may be a stranger's. When a beat comes
/// that was said after Redis' answer, every message from before has come. What was not among them was not told.
struct Tellings {
    private enum State {
        /// Not asked for yet.
        case owed
        /// In the call that is under way.
        case asked
        /// Redis answered, at this moment, that hosts were told.
        case told(Instant)
    }

    private struct Entry {
        var sealed: SealedCounter
        var state = State.owed
        /// When to ask for it; of the entry's latest place in `order`.
        var dueAt: Instant
    }

    private var entries: [Item: Entry] = [:]
    /// Entries that are owed, by the time to ask for them.
    private var order = Ring<(Item, Instant)>()
    /// Entries by state.
    private(set) var owedCount = 0
    private var askedCount = 0
    /// No call before this moment, so that one host makes no more than one in `tellMs`.
    private var notBefore: Instant
    private let limits: Limits

    init(_ limits: Limits, now: Instant) {
        self.limits = limits
        notBefore = now
    }

    /// Hosts do not know these yet, as far as this host can tell.
    var isSettled: Bool { owedCount == 0 && askedCount == 0 }
    /// Those that no call under way asks for.
    var owed: [Item] { entries.values.compactMap { if case .owed = $0.state { $0.sealed.counter.item } else { nil } } }
    /// When to make the next call; nil: nothing is owed.
    var dueAt: Instant? { order.first.map { max($0.1, notBefore) } }

    /// Redis took these counters and told nobody. Returns those for which there is no room: they are to be told at
    /// once.
    mutating func owe(_ counters: [SealedCounter], now: Instant) -> [SealedCounter] {
        let dueAt = now.adding(ms: limits.tellMs)
        var rest: [SealedCounter] = []
        for sealed in counters {
            let item = sealed.counter.item
            guard let entry = entries[item] else {
                guard entries.count < limits.tellingsMax else {
                    rest.append(sealed)
                    continue
                }
                put(Entry(sealed: sealed, dueAt: dueAt))
                continue
            }
            guard entry.sealed.counter.version <= sealed.counter.version else { continue }
            if case .owed = entry.state {
                entries[item]?.sealed = sealed
            } else {
                remove(item)
                put(Entry(sealed: sealed, dueAt: dueAt))
            }
        }
        return rest
    }

    /// What to ask for now. One call at a time.
    mutating func take(now: Instant) -> [SealedCounter] {
        precondition(askedCount == 0, "one telling at a time")
        var taken: [SealedCounter] = []
        while taken.count < limits.countersPerCallMax, let (item, dueAt) = order.first, dueAt <= now {
            order.popFirst()
            guard let entry = entries[item], case .owed = entry.state, entry.dueAt == dueAt else { continue }
            entries[item]?.state = .asked
            owedCount -= 1
            askedCount += 1
            taken.append(entry.sealed)
        }
        dropLeftBehind()
        if !taken.isEmpty { notBefore = now.adding(ms: limits.tellMs) }
        return taken
    }

    /// Redis answered the call. Returns what it has lost.
    mutating func answered(
        _ counters: [SealedCounter], _ outcomes: [TellingOutcome], now: Instant
    ) -> [CounterState] {
        var lost: [CounterState] = []
        for (sealed, outcome) in zip(counters, outcomes) {
            let item = sealed.counter.item
            // It may have been heard, or written again, meanwhile.
            guard let entry = entries[item], case .asked = entry.state else { continue }
            remove(item)
            switch outcome {
            case .told:
                entries[item] = Entry(sealed: sealed, state: .told(now), dueAt: now)
            case .early: put(Entry(sealed: sealed, dueAt: now.adding(ms: limits.tellMs)))
            case .gone: lost.append(sealed.counter)
            }
        }
        return lost
    }

    /// All hosts were told of this counter.
    mutating func heard(_ counter: CounterState) {
        guard let entry = entries[counter.item], entry.sealed.counter.version <= counter.version else { return }
        remove(counter.item)
        dropLeftBehind()
    }

    /// All messages sent before this moment were heard. Returns those of which Redis had said by then that hosts were
    /// told.
    mutating func takeUnheard(saidBefore moment: Instant) -> [Item] {
        guard entries.count > owedCount + askedCount else { return [] }
        let unheard = entries.values.compactMap { entry -> Item? in
            if case .told(let at) = entry.state, at <= moment { entry.sealed.counter.item } else { nil }
        }
        for item in unheard { remove(item) }
        return unheard
    }

    /// They cannot be told this way any more.
    mutating func takeAll() -> [Item] {
        defer {
            entries = [:]
            order.removeAll()
            owedCount = 0
            askedCount = 0
        }
        return entries.values.map(\.sealed.counter.item)
    }

    private mutating func put(_ entry: Entry) {
        entries[entry.sealed.counter.item] = entry
        owedCount += 1
        order.append((entry.sealed.counter.item, entry.dueAt))
        if order.count > 2 * limits.tellingsMax { compact() }
    }

    private mutating func remove(_ item: Item) {
        switch entries.removeValue(forKey: item)?.state {
        case .owed: owedCount -= 1
        case .asked: askedCount -= 1
        case .told, nil: return
        }
    }

    /// No timer is armed for what was heard.
    private mutating func dropLeftBehind() {
        while let (item, dueAt) = order.first, !isOwed(item, dueAt) { order.popFirst() }
    }

    private mutating func compact() {
        for _ in 0..<order.count {
            guard let (item, dueAt) = order.popFirst() else { return }
            if isOwed(item, dueAt) { order.append((item, dueAt)) }
        }
    }

    private func isOwed(_ item: Item, _ dueAt: Instant) -> Bool {
        guard let entry = entries[item], case .owed = entry.state else { return false }
        return entry.dueAt == dueAt
    }

    func checkInvariants() {
        var (owed, asked) = (0, 0)
        for entry in entries.values {
            switch entry.state {
            case .owed: owed += 1
            case .asked: asked += 1
            case .told: continue
            }
        }
        precondition(owed == owedCount && asked == askedCount, "tellings are counted by state")
        precondition(entries.count <= limits.tellingsMax, "tellings have a limit")
        precondition(owed == 0 || dueAt != nil, "what is owed has its time")
    }
}
