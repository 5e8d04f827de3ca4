import LikesProtocol
import LikesRandom
import LikesStorage

/// Pages of repairs under way: read from PostgreSQL, then set in Redis.
struct RepairPages {
    typealias Number = Repairs.PageNumber

    struct Page {
        enum Stage {
            /// PostgreSQL was asked for it.
            case reading
            /// To be set in Redis, as long as the permit holds.
            case read([CounterState])
            /// On its way to Redis since that moment.
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
    /// Items in a page: more as long as Redis takes them quickly; fewer if it does not, or if PostgreSQL's answers come
    /// too late to be written. So hosts that repair at the same time leave room for each other, and for everything
    /// else.
    private(set) var sizeMax: Int
    private let itemsMax: Int

    init(_ limits: Limits) {
        itemsMax = limits.countersPerCallMax
        sizeMax = min(Limits.repairPageMin, limits.countersPerCallMax)
    }

    var count: Int { pages.count }
    var isFull: Bool { pages.count >= Limits.repairPagesMax }
    /// The number of the next page.
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

    /// PostgreSQL answered for the page.
    mutating func read(_ number: Number, _ counters: [CounterState]) {
        if let place = place(number) { pages[place].stage = .read(counters) }
    }

    /// The next page to be set in Redis.
    var firstRead: (page: Page, counters: [CounterState])? {
        for page in pages { if case .read(let counters) = page.stage { return (page, counters) } }
        return nil
    }

    mutating func write(_ number: Number, now: Instant) {
        if let place = place(number) { pages[place].stage = .writing(since: now) }
    }

    /// Redis has the page.
    mutating func wrote(_ number: Number, now: Instant) {
        guard let page = end(number), case .writing(let since) = page.stage else { return }
        let ms = now.ms(since: since)
        if ms > Limits.repairWriteMsMax {
            takeLess(atLeast: Limits.repairPageMin)
        } else if ms <= Limits.repairWriteMsMax / 2 {
            sizeMax = min(itemsMax, 2 * sizeMax)
        }
    }

    /// Makes the next pages smaller.
    mutating func takeLess(atLeast least: Int) { sizeMax = max(min(sizeMax, least), sizeMax / 2) }

    /// Ends the page and returns it; nil: it has already ended.
    @discardableResult
    mutating func end(_ number: Number) -> Page? { place(number).map { pages.remove(at: $0) } }

    mutating func takeAll() -> [Page] {
        defer { pages = [] }
        return pages
    }

    /// Drops pages that were read, and of which nothing is left to do.
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

/// The items that wait for a page, in no order. Some belong to repairs that no longer wait.
struct RepairPool {
    private var items: [Item] = []
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    var isEmpty: Bool { items.isEmpty }
    var count: Int { items.count }

    mutating func append(_ more: [Item]) { items += more }

    /// Takes one of them, at random.
    mutating func take() -> Item? {
        guard !items.isEmpty else { return nil }
        items.swapAt(Int(random.next() % UInt64(items.count)), items.count - 1)
        return items.removeLast()
    }

    /// Keeps only items that still wait, each once.
    mutating func keep(_ isWaiting: (Item) -> Bool) {
        var seen: Set<Item> = []
        items = items.filter { isWaiting($0) && seen.insert($0).inserted }
    }
}
