import LikesProtocol
import LikesStorage

/// What clients wait for that has to be read: fetches of counts, pairs, and pages of lists.
struct Reads {
    private var fetches = Fetches()
    /// What only the primary may answer, in the order in which it was asked: of two answers that show the same pair,
    /// the later one must not be older.
    private var primary = Ring<PrimaryRead>()
    private let safeguards: Safeguards

    init(_ safeguards: Safeguards) { self.safeguards = safeguards }

    // MARK: Counts

    func hasForRedis(_ node: NodePlace) -> Bool { fetches.hasForRedis(node) }
    var hasForDatabase: Bool { fetches.hasForDatabase }
    var fetchesCount: Int { fetches.count }

    /// `isSmall`: the connection asks for few counts.
    mutating func join(_ item: Item, _ part: Part, on node: NodePlace?, isSmall: Bool) {
        fetches.join(item, part, on: node, isSmall: isSmall, mayWait: safeguards.fetchJoining)
    }

    mutating func takeForRedis(_ node: NodePlace, max: Int) -> [Item] { fetches.takeForRedis(node, max: max) }
    mutating func takeForStandby(max: Int) -> [Item] { fetches.takeForStandby(max: max) }

    /// `isOnly`: standbys take what any server may answer.
    func hasForPrimary(isOnly: Bool) -> Bool { fetches.hasForPrimary || !isOnly && fetches.hasForDatabase }
    mutating func takeForPrimary(isOnly: Bool, max: Int) -> [Item] { fetches.takeForPrimary(isOnly: isOnly, max: max) }
    func queuedForDatabase() -> [Item] { fetches.queuedForDatabase() }

    /// Redis cannot be asked, or lacks these items. `isOnlyPrimary`: a standby could not answer them.
    mutating func moveToDatabase(_ items: [Item], isOnlyPrimary: Bool, _ clients: Clients) {
        for item in items { fetches.moveToDatabase(item, isOnlyPrimary: isOnlyPrimary) { clients.isWaited($0) } }
    }

    /// Parts of replies no longer wait for the items' counts.
    mutating func leave(_ items: [Item], _ clients: Clients) {
        for item in items { fetches.leave(item) { clients.isWaited($0) } }
    }

    /// Ends the item's fetch. Returns who waited for it, and the newest state that was committed or heard of meanwhile.
    mutating func finish(_ item: Item, _ clients: Clients) -> (waiting: [Part], newer: CounterState?) {
        fetches.finish(item) { clients.isWaited($0) }
    }

    /// Drops a queued fetch, and returns who waited for it.
    mutating func drop(_ item: Item) -> [Part] { fetches.drop(item) }

    /// What this host committed or heard of while the item's fetch was under way; nil: nothing.
    func newer(_ item: Item) -> CounterState? { fetches.newer(item) }

    /// A fetch of the item that is on its way may bring something older.
    mutating func noteNewer(_ counter: CounterState) {
        if safeguards.fetchOvertaking { fetches.noteNewer(counter) }
    }

    /// The database is at another past: versions known before mean nothing.
    mutating func forgetNewer() { fetches.forgetNewer() }

    // MARK: Pairs and lists

    /// Pairs and pages that are to be asked for.
    var primaryCount: Int { primary.count }

    mutating func ask(_ read: PairRead) { primary.append(.pair(read)) }

    mutating func ask(_ read: ListRead) { primary.append(.list(read)) }

    /// What the next call asks for.
    enum Next {
        case pairs, lists
    }

    var next: Next? {
        switch primary.first {
        case .pair?: .pairs
        case .list?: .lists
        case nil: nil
        }
    }

    /// Takes pairs for one call, if they are next.
    mutating func takePairs(max: Int) -> [PairRead] {
        var taken: [PairRead] = []
        while taken.count < max, case .pair(let read)? = primary.first {
            taken.append(read)
            primary.popFirst()
        }
        return taken
    }

    /// Takes pages of one kind for one call, if they are next: up to `max`, with up to `rowsMax` rows, or one page.
    mutating func takeLists(max: Int, rowsMax: Int) -> [ListRead] {
        var taken: [ListRead] = []
        var rows = 0
        while taken.count < max, case .list(let read)? = primary.first {
            if let first = taken.first {
                guard read.query.isOfSameKind(as: first.query), rows + read.query.limit <= rowsMax else { break }
            }
            rows += read.query.limit
            taken.append(read)
            primary.popFirst()
        }
        return taken
    }

    /// PostgreSQL did not answer. The pairs that clients wait for are asked first again. Returns the likes whose hints
    /// were being confirmed, which go on unconfirmed.
    mutating func putBack(_ reads: [PairRead]) -> [ChangeIndex] {
        for read in reads.reversed() { if case .part = read.asker { primary.prepend(.pair(read)) } }
        return reads.compactMap(\.change)
    }

    /// PostgreSQL did not answer. These are asked first again.
    mutating func putBack(_ reads: [ListRead]) { for read in reads.reversed() { primary.prepend(.list(read)) } }

    /// The reader is lost. Returns the likes whose hints were to be confirmed, which go on unconfirmed.
    mutating func takeConfirmations() -> [ChangeIndex] {
        var left = Ring<PrimaryRead>()
        var changes: [ChangeIndex] = []
        while let read = primary.popFirst() {
            if let change = read.change { changes.append(change) } else { left.append(read) }
        }
        primary = left
        return changes
    }

    /// Drops reads whose askers have left: those at the head, and all once they outnumber the `askersMax` that may
    /// wait. A live head must not keep a long tail of them, since clients may come and go while the reader is away.
    /// Returns the likes among them, whose hints need no confirmation any more.
    mutating func dropUnasked(askersMax: Int, isAsked: (PrimaryRead) -> Bool) -> [ChangeIndex] {
        var dropped: [ChangeIndex] = []
        func isLeft(_ read: PrimaryRead) -> Bool {
            if isAsked(read) { return false }
            if let change = read.change { dropped.append(change) }
            return true
        }
        if primary.count > 2 * askersMax + Limits.placesKept {
            var living = Ring<PrimaryRead>()
            while let read = primary.popFirst() { if !isLeft(read) { living.append(read) } }
            primary = living
        }
        while let read = primary.first, isLeft(read) { primary.popFirst() }
        return dropped
    }

    func checkInvariants() { fetches.checkInvariants() }
}

/// A pair to read, and who asked for it.
struct PairRead {
    enum Asker {
        /// LIKED or MLIKED.
        case part(Part)
        /// A LIKE that the hint calls a duplicate.
        case change(ChangeIndex)
    }
    var pair: Pair
    var asker: Asker

    var change: ChangeIndex? { if case .change(let index) = asker { index } else { nil } }
}

/// What only PostgreSQL's primary may answer.
enum PrimaryRead {
    case pair(PairRead)
    case list(ListRead)

    var change: ChangeIndex? { if case .pair(let read) = self { read.change } else { nil } }
}
