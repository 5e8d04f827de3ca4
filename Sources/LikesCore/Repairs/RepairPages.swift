import LikesProtocol
import LikesStorage

/// Pages of repairs under way: read from PostgreSQL, set in Redis.
struct RepairPages {
    typealias Number = Repairs.PageNumber

    struct Page {
        enum Stage {
            /// PostgreSQL was asked.
            case reading
            /// To be set in Redis, as long as the permit holds.
            case read([CounterState])
            /// On its way to Redis since then.
            case writing(since: Instant)
        }

        var number: Number
        var items: [Item]
        /// Given before PostgreSQL was asked.
        var permit: WritePermit
        var stage = Stage.reading
    }

    private var pages: [Page] = []
    private var last: Number = 0
    /// Items in a page: more as long as Redis takes them quickly, fewer where it does not, or where PostgreSQL's
    /// answers come too late to be written. So hosts that repair at once leave room for each other, and for everything
    /// else.
    private(set) var sizeMax: Int
    private let itemsMax: Int

    init(_ limits: Limits) {
        itemsMax = limits.countersPerCallMax
        sizeMax = min(Limits.repairPageMin, limits.countersPerCallMax)
    }

    var count: Int { pages.count }
    var isFull: Bool { pages.count >= Limits.repairPagesMax }
    /// That of the next page.
    var nextNumber: Number { last + 1 }

    private func place(_ number: Number) -> Int? { pages.firstIndex { $0.number == number } }

    func contains(_ number: Number) -> Bool { place(number) != nil }

    func isWriting(_ number: Number) -> Bool {
        guard let place = place(number), case .writing = pages[place].stage else { return false }
        return true
    }

    mutating func begin(_ items: [Item], _ permit: WritePermit) -> Number {
        last += 1
        pages.append(Page(number: last, items: items, permit: permit))
        return last
    }

    /// PostgreSQL's answer to a page.
    mutating func read(_ number: Number, _ counters: [CounterState]) {
        if let place = place(number) { pages[place].stage = .read(counters) }
    }

    /// The next one to be set in Redis.
    var firstRead: (page: Page, counters: [CounterState])? {
        for page in pages { if case .read(let counters) = page.stage { return (page, counters) } }
        return nil
    }

    mutating func write(_ number: Number, now: Instant) {
        if let place = place(number) { pages[place].stage = .writing(since: now) }
    }

    /// Redis has it.
    mutating func wrote(_ number: Number, now: Instant) {
        guard let page = end(number), case .writing(let since) = page.stage else { return }
        let ms = now.ms(since: since)
        if ms > Limits.repairWriteMsMax {
            takeLess(atLeast: Limits.repairPageMin)
        } else if ms <= Limits.repairWriteMsMax / 2 {
            sizeMax = min(itemsMax, 2 * sizeMax)
        }
    }

    /// The next pages are smaller.
    mutating func takeLess(atLeast least: Int) { sizeMax = max(min(sizeMax, least), sizeMax / 2) }

    /// nil: it has ended already.
    @discardableResult
    mutating func end(_ number: Number) -> Page? { place(number).map { pages.remove(at: $0) } }

    mutating func takeAll() -> [Page] {
        defer { pages = [] }
        return pages
    }

    /// Those that were read, and of which nothing `isLeft`.
    mutating func dropRead(where isDone: (Page) -> Bool) {
        pages.removeAll { page in
            guard case .read = page.stage else { return false }
            return isDone(page)
        }
    }

    func checkInvariants() {
        precondition(zip(pages, pages.dropFirst()).allSatisfy { $0.number < $1.number }, "pages are in order")
        precondition(pages.last.map { $0.number <= last } ?? true, "a page from the future")
    }
}

/// The items that wait for a page, in no order; some are left behind by repairs that wait no more.
struct RepairPool {
    private var items: [Item] = []
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    var isEmpty: Bool { items.isEmpty }
    var count: Int { items.count }

    mutating func append(_ more: [Item]) { items += more }

    /// One of them, at random.
    mutating func take() -> Item? {
        guard !items.isEmpty else { return nil }
        items.swapAt(Int(random.next() % UInt64(items.count)), items.count - 1)
        return items.removeLast()
    }

    /// Only those that still wait, each once.
    mutating func keep(_ isWaiting: (Item) -> Bool) {
        var seen: Set<Item> = []
        items = items.filter { isWaiting($0) && seen.insert($0).inserted }
    }
}
