import LikesProtocol
import LikesStorage

/// What clients wait for that has to be read: fetches of counts, and pairs.
struct Reads {
    private var fetches = Fetches()
    private var pairs = Ring<PairRead>()
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

    /// A fetch of the item that is on its way may bring something older.
    mutating func noteNewer(_ counter: CounterState) {
        if safeguards.fetchOvertaking { fetches.noteNewer(counter) }
    }

    /// The database is at another past: versions known before mean nothing.
    mutating func forgetNewer() { fetches.forgetNewer() }

    // MARK: Pairs

    var pairsCount: Int { pairs.count }

    mutating func ask(_ read: PairRead) { pairs.append(read) }

    mutating func takePairs(max: Int) -> [PairRead] {
        var taken: [PairRead] = []
        while taken.count < max, let read = pairs.popFirst() { taken.append(read) }
        return taken
    }

    /// PostgreSQL did not answer. The pairs that clients wait for are asked first again. Returns the likes whose hints
    /// were being confirmed, which go on unconfirmed.
    mutating func putBack(_ reads: [PairRead]) -> [ChangeIndex] {
        for read in reads.reversed() { if case .part = read.asker { pairs.prepend(read) } }
        return reads.compactMap(\.change)
    }

    /// The reader is lost. Returns the likes whose hints were to be confirmed, which go on unconfirmed.
    mutating func takeConfirmations() -> [ChangeIndex] {
        var left = Ring<PairRead>()
        var changes: [ChangeIndex] = []
        while let read = pairs.popFirst() {
            if let change = read.change { changes.append(change) } else { left.append(read) }
        }
        pairs = left
        return changes
    }

    /// Drops reads whose askers have left: those at the head, and all once they outnumber the `askersMax` that may
    /// wait. A live head must not keep a long tail of them, since clients may come and go while the reader is away.
    /// Returns the likes among them, whose hints need no confirmation any more.
    mutating func dropUnasked(askersMax: Int, isAsked: (PairRead) -> Bool) -> [ChangeIndex] {
        var dropped: [ChangeIndex] = []
        func isLeft(_ read: PairRead) -> Bool {
            if isAsked(read) { return false }
            if let change = read.change { dropped.append(change) }
            return true
        }
        if pairs.count > 2 * askersMax + Limits.placesKept {
            var living = Ring<PairRead>()
            while let read = pairs.popFirst() { if !isLeft(read) { living.append(read) } }
            pairs = living
        }
        while let read = pairs.first, isLeft(read) { pairs.popFirst() }
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
