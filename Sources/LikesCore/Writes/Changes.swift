import LikesProtocol

/// A place in the table of changes.
typealias ChangeIndex = UInt32

/// How far a change has come. When its deadline passes, the reply is `-UNAVAILABLE` before `sent`, `-UNCERTAIN` in
/// `sent` and `counting`, and in `writingThrough` the reply that waits there.
enum ChangeStage {
    /// It follows an earlier request of its own connection.
    case following
    /// Gathered for admission, or in an admission under way.
    case admission
    /// PostgreSQL is asked whether the hint is right.
    case confirming
    /// Admitted, behind a change of the same item and connection that is being confirmed.
    case held
    /// In the lane's queue.
    case queued
    /// In a batch on its way to PostgreSQL.
    case sent
    /// Committed, and what it changed is known. Its item's count is being read.
    case counting(changed: Bool)
    /// Committed. Its counter is on the way to Redis, and the reply waits for that.
    case writingThrough(Reply)

    /// Whether it waits for the reader: its own hint, or that of the like that it is held behind, is being confirmed.
    var awaitsReader: Bool {
        switch self {
        case .confirming, .held: true
        case .following, .admission, .queued, .sent, .counting, .writingThrough: false
        }
    }
}

/// A LIKE or UNLIKE under way. It stays in the table as long as a queue, batch or call holds its index.
struct Change {
    var ticket: Ticket
    var pair: Pair
    var kind: ChangeKind
    var stage: ChangeStage
    var acceptedAt: Instant
    var times = StageTimes()
    /// Its deadline passed and it was replied to, but a queue or a call still holds it.
    var isAnswered = false
    var retries: UInt8 = 0
    /// Tells this use of the place from an earlier one.
    var incarnation: UInt32 = 0
}

/// An item that one connection changes.
struct OwnItem: Hashable {
    var connection: ConnectionID
    var item: Item

    init(_ change: Change) {
        connection = change.ticket.connection
        item = change.pair.item
    }
}

/// The table of changes under way.
struct Changes {
    private var table: ContiguousArray<Change> = []
    private var free: [ChangeIndex] = []
    private(set) var count = 0

    subscript(_ index: ChangeIndex) -> Change {
        _read { yield table[Int(index)] }
        _modify { yield &table[Int(index)] }
    }

    mutating func insert(_ change: Change) -> ChangeIndex {
        count += 1
        guard let index = free.popLast() else {
            table.append(change)
            return ChangeIndex(table.count - 1)
        }
        let incarnation = table[Int(index)].incarnation
        table[Int(index)] = change
        table[Int(index)].incarnation = incarnation
        return index
    }

    /// Whether the change that had the place in this incarnation still waits for its reply.
    func isWaited(_ index: ChangeIndex, incarnation: UInt32) -> Bool {
        table[Int(index)].incarnation == incarnation && !table[Int(index)].isAnswered
    }

    /// The change has left the stage.
    mutating func end(_ stage: StageTimes.Stage, of index: ChangeIndex, now: Instant) {
        let place = Int(index)
        let microseconds = now.microseconds - table[place].acceptedAt.microseconds
        table[place].times.end(stage, afterMicroseconds: microseconds)
    }

    /// Frees the place: no queue, batch or call holds its index any more.
    mutating func release(_ index: ChangeIndex) {
        table[Int(index)].incarnation &+= 1
        table[Int(index)].isAnswered = true
        free.append(index)
        count -= 1
    }
}
