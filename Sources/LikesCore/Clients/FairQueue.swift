/// Who is served next when there is more to do than fits into a turn. It goes by cost, not by the number of requests,
/// and charges the cost to the sharer that causes it, through however many connections.
///
/// A connection that has cost little recently has a claim: it need not wait, whatever the others do (`claim`). The
/// claim is its own only once the connection has been there for a while. Until then its sharer's claim counts, which
/// all the sharer's new connections use up together. So it gains nothing to close a connection that has cost much and
/// open another.
///
/// All others queue fairly, first between the sharers, then between the connections of each (`Line`). Both levels use
/// virtual time. Each sharer or connection has a finish: where its last service ended in its own time. Its next service
/// starts there or now, whichever is later, and the earliest start is served first. Now advances with the work done,
/// divided by the number of those who wait. So those who come later start later, and those who wait are not passed by
/// newcomers for ever. Service out of turn delays a finish by one step at most: the claim has paid for it, and a
/// connection that has to queue once does not wait for long.
package struct FairQueue {
    /// What a connection has cost.
    package struct Account {
        /// The place of its sharer's line in `lines`.
        fileprivate var line: Int
        /// In the line's virtual time: the start of its next service, while it waits for it …
        fileprivate var start: Int64 = 0
        /// … and the end of its last one.
        fileprivate var finish: Int64 = 0
        /// When its cost is paid off at the rate of those who cost little, in microseconds of real time.
        fileprivate var paidAt: Int64 = 0
        /// It has no claim of its own before this moment, in microseconds of real time.
        fileprivate var newUntil: Int64
    }

    /// Why a connection may be served out of turn.
    package enum Claim {
        /// It has been there for a while and costs little.
        case established
        /// It is new, and its sharer's new connections cost little.
        case newcomer
        case none
    }

    /// All connections of one sharer.
    private struct Line {
        var sharer: Sharer?
        var connections = 0
        var waiting = StartHeap()
        var clock: Int64 = 0
        var latestFinish: Int64 = 0
        /// The line's own start and finish among the lines.
        var start: Int64 = 0
        var finish: Int64 = 0
        var serial: UInt64 = 0
        /// When the cost of its new connections is paid off.
        var paidAt: Int64 = 0
        /// When the cost of all service by claim of its established connections is paid off.
        var establishedPaidAt: Int64 = 0
    }

    private var lines: ContiguousArray<Line> = []
    private var places: [Sharer?: Int] = [:]
    private var free: [Int] = []
    /// The lines that have waiting connections.
    private var active: [Int] = []
    private var serials: UInt64 = 0
    private var clock: Int64 = 0
    private var latestFinish: Int64 = 0
    /// At this many lines, the ones of no more use are looked for and dropped.
    private var linesMax = Limits.sharersKept
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }
    /// How many sharers are known.
    var sharers: Int { places.count }

    // MARK: Connections come and go

    /// A connection was made, at this cost. `isNew`: it was not inherited from the previous process.
    package mutating func opened(
        by sharer: Sharer?, cost: Int = 0, isNew: Bool = true, now: Instant
    ) -> Account {
        let place = places[sharer] ?? newLine(of: sharer, now: now)
        lines[place].connections += 1
        var account = Account(
            line: place, newUntil: isNew ? now.adding(ms: Limits.newcomerMs).microseconds : .min)
        charge(cost, to: &account, now: now)
        account.paidAt = 0
        return account
    }

    /// A connection was closed, at this cost.
    package mutating func closed(_ account: Account, cost: Int = 0, now: Instant) {
        var account = account
        charge(cost, to: &account, now: now)
        lines[account.line].connections -= 1
        dropIfUseless(account.line, now: now)
    }

    private mutating func newLine(of sharer: Sharer?, now: Instant) -> Int {
        if places.count >= linesMax {
            for place in Array(places.values) { dropIfUseless(place, now: now) }
            linesMax = max(Limits.sharersKept, 2 * places.count)
        }
        let place = free.popLast() ?? lines.count
        if place == lines.count { lines.append(Line()) }
        lines[place] = Line(sharer: sharer)
        places[sharer] = place
        return place
    }

    /// A line is kept as long as it holds anything that counts against a new connection of its sharer.
    private mutating func dropIfUseless(_ place: Int, now: Instant) {
        let line = lines[place]
        guard line.connections == 0, line.waiting.isEmpty,
            max(line.paidAt, line.establishedPaidAt) <= now.microseconds
        else { return }
        places[line.sharer] = nil
        lines[place] = Line()
        free.append(place)
    }

    // MARK: Out of turn

    /// Whether the connection may be served before the queue, and why.
    package func claim(_ account: Account, now: Instant) -> Claim {
        let latest = now.microseconds + Limits.littleCostMicroseconds
        guard account.paidAt <= latest else { return .none }
        if account.newUntil <= now.microseconds {
            return lines[account.line].establishedPaidAt <= latest ? .established : .none
        }
        return lines[account.line].paidAt <= latest ? .newcomer : .none
    }

    /// The connection was served out of turn at this cost. `surcharge` counts only against its claim. `byClaim`: others
    /// were waiting.
    package mutating func charge(
        _ cost: Int, surcharge: Int = 0, to account: inout Account, byClaim: Bool = false, now: Instant
    ) {
        pay(cost + surcharge, &account, now: now)
        let place = account.line
        if byClaim, account.newUntil <= now.microseconds {
            lines[place].establishedPaidAt = Self.paid(
                lines[place].establishedPaidAt, Int64(cost) / Limits.establishedCostPerMicrosecond, now)
        }
        let cost = Int64(cost) * Self.scale
        account.finish = Self.putOff(account.finish, by: cost, from: lines[place].clock)
        lines[place].latestFinish = max(lines[place].latestFinish, account.finish)
        lines[place].finish = Self.putOff(lines[place].finish, by: cost, from: clock)
        latestFinish = max(latestFinish, lines[place].finish)
    }

    private static func putOff(_ finish: Int64, by cost: Int64, from clock: Int64) -> Int64 {
        max(finish, min(max(finish, clock) + cost, clock + Int64(Limits.outOfTurnCostMax) * scale))
    }

    private mutating func pay(_ cost: Int, _ account: inout Account, now: Instant) {
        account.paidAt = Self.paid(account.paidAt, Int64(cost) * Limits.microsecondsPerCost, now)
        guard account.newUntil > now.microseconds else { return }
        let place = account.line
        lines[place].paidAt = Self.paid(lines[place].paidAt, Int64(cost) / Limits.newcomersCostPerMicrosecond, now)
    }

    private static func paid(_ paidAt: Int64, _ microseconds: Int64, _ now: Instant) -> Int64 {
        min(max(paidAt, now.microseconds) + microseconds, now.microseconds + Limits.debtMicrosecondsMax)
    }

    // MARK: In turn

    /// Keeps fractions of one unit of cost from being rounded away.
    private static let scale: Int64 = 1_024

    /// The connection waits for its turn. `isBehindOwn`: its work follows its last service without a pause, so it
    /// starts where that one ended, even if the others' time is ahead.
    package mutating func add(_ id: ConnectionID, _ account: inout Account, isBehindOwn: Bool = false) {
        let place = account.line
        serials += 1
        if lines[place].waiting.isEmpty {
            // When nobody waits, earlier use no longer counts.
            if active.isEmpty { clock = max(clock, latestFinish) }
            lines[place].clock = max(lines[place].clock, lines[place].latestFinish)
            lines[place].start = isBehindOwn ? lines[place].finish : max(lines[place].finish, clock)
            lines[place].serial = serials
            active.append(place)
        }
        account.start = isBehindOwn ? account.finish : max(account.finish, lines[place].clock)
        lines[place].waiting.insert(StartHeap.Entry(start: account.start, serial: serials, id: id))
        count += 1
    }

    /// Takes out the connection whose turn it is. Call `chargeTurn` next, even if the connection is gone by then.
    package mutating func next() -> ConnectionID? {
        var found: Int?
        for (order, place) in active.enumerated() {
            guard let best = found.map({ active[$0] }) else {
                found = order
                continue
            }
            let (one, other) = (lines[place].start, lines[best].start)
            if one != other ? one < other : lines[place].serial < lines[best].serial { found = order }
        }
        guard let found else { return nil }
        let place = active[found]
        guard let entry = lines[place].waiting.popFirst() else { return nil }
        count -= 1
        clock = max(clock, lines[place].start)
        lines[place].clock = max(lines[place].clock, entry.start)
        if lines[place].waiting.isEmpty {
            active.swapAt(found, active.count - 1)
            active.removeLast()
        }
        return entry.id
    }

    /// The connection was served in its turn at this cost.
    package mutating func chargeTurn(_ cost: Int, surcharge: Int = 0, to account: inout Account, now: Instant) {
        pay(cost + surcharge, &account, now: now)
        let place = account.line
        let cost = Int64(cost) * Self.scale
        account.finish = max(account.finish, account.start + cost)
        lines[place].clock += cost / Int64(lines[place].waiting.count + 1)
        lines[place].latestFinish = max(lines[place].latestFinish, account.finish)
        let isActive = !lines[place].waiting.isEmpty
        clock += cost / Int64(active.count + (isActive ? 0 : 1))
        lines[place].finish = max(lines[place].finish, lines[place].start + cost)
        latestFinish = max(latestFinish, lines[place].finish)
        if isActive {
            serials += 1
            lines[place].start = lines[place].finish
            lines[place].serial = serials
        }
    }
}

/// Connections by the start of their next service. A heap: no entry comes before its parent.
private struct StartHeap {
    struct Entry {
        var start: Int64
        /// Entries with the same start are served in the order in which they came.
        var serial: UInt64
        var id: ConnectionID

        func comesBefore(_ other: Entry) -> Bool {
            start != other.start ? start < other.start : serial < other.serial
        }
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var place = entries.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            guard entries[place].comesBefore(entries[parent]) else { return }
            entries.swapAt(place, parent)
            place = parent
        }
    }

    mutating func popFirst() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return first
    }

    private mutating func sink() {
        var place = 0
        while true {
            var least = place
            for child in (2 * place + 1)...(2 * place + 2) where child < entries.count {
                if entries[child].comesBefore(entries[least]) { least = child }
            }
            guard least != place else { return }
            entries.swapAt(place, least)
            place = least
        }
    }
}
