/// Who is served next when there is more to do than fits into a turn: by cost, not by count of requests.
///
/// Those who cost little lately do not wait at all, whatever the others do. The rest is queued fairly. Time in the
/// queue is virtual, it goes on with the work that is done: each connection has a finish, where its last service ended
/// on its own; the next one starts there, or now, whichever is later; the earliest start is served first. So all make
/// progress alike, and who was away has no claim to what others used meanwhile.
package struct FairQueue {
    /// What a connection has cost.
    package struct Account {
        /// In virtual time.
        fileprivate var finish: Int64 = 0
        /// When its cost is paid off at the rate of those who cost little, in microseconds of real time.
        fileprivate var paidAt: Int64 = 0

        package init() {}
    }

    private struct Entry {
        var start: Int64
        /// Those of one start are served in the order in which they came.
        var serial: UInt64
        var id: ConnectionID

        func comesBefore(_ other: Entry) -> Bool {
            start != other.start ? start < other.start : serial < other.serial
        }
    }

    /// A heap: no entry comes before its parent.
    private var heap: [Entry] = []
    private var serials: UInt64 = 0
    /// The latest start that was served.
    private var clock: Int64 = 0
    private var latestFinish: Int64 = 0

    package init() {}

    package var isEmpty: Bool { heap.isEmpty }
    package var count: Int { heap.count }

    /// Whether the connection may be served out of turn: it cost little, or nobody waits.
    package func isDue(_ account: Account, now: Instant) -> Bool {
        account.finish <= clock || account.paidAt - now.microseconds <= Limits.littleCostMicroseconds
    }

    /// The connection waits for its turn.
    package mutating func add(_ id: ConnectionID, _ account: Account) {
        serials += 1
        heap.append(Entry(start: max(account.finish, clock), serial: serials, id: id))
        rise(heap.count - 1)
    }

    /// The connection was served at this cost.
    package mutating func charge(_ cost: Int, to account: inout Account, now: Instant) {
        account.finish = max(account.finish, clock) + Int64(cost)
        latestFinish = max(latestFinish, account.finish)
        account.paidAt = max(account.paidAt, now.microseconds) + Int64(cost) * Limits.microsecondsPerCost
    }

    /// Takes out the one whose turn it is.
    package mutating func next() -> ConnectionID? {
        guard let first = heap.first else { return nil }
        clock = max(clock, first.start)
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink(0)
        }
        return first.id
    }

    /// Nobody waits: what was used so far counts no more.
    package mutating func rest() {
        if heap.isEmpty { clock = latestFinish }
    }

    private mutating func rise(_ place: Int) {
        var place = place
        while place > 0 {
            let parent = (place - 1) / 2
            guard heap[place].comesBefore(heap[parent]) else { return }
            heap.swapAt(place, parent)
            place = parent
        }
    }

    private mutating func sink(_ place: Int) {
        var place = place
        while true {
            var least = place
            for child in (2 * place + 1)...(2 * place + 2) where child < heap.count {
                if heap[child].comesBefore(heap[least]) { least = child }
            }
            guard least != place else { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
