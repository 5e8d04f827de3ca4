import LikesctlCommands

/// The requests under way on a connection, in order. Its memory is allocated once.
struct RequestsUnderWay: ~Copyable {
    struct Entry {
        /// When its latency began, in nanoseconds since the run's start.
        var sinceNs: Int64
        var verb: BenchVerb
        /// Whether the request came after the warm-up.
        var counts: Bool
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let countMax: Int
    private var first = 0
    private var count = 0

    init(countMax: Int) {
        self.countMax = countMax
        entries = .allocate(capacity: countMax)
    }

    deinit { entries.deallocate() }

    var hasRoom: Bool { count < countMax }

    /// There must be room.
    mutating func append(_ entry: Entry) {
        var slot = first + count
        if slot >= countMax { slot -= countMax }
        (entries + slot).initialize(to: entry)
        count += 1
    }

    /// nil if there is none.
    mutating func popFirst() -> Entry? {
        guard count > 0 else { return nil }
        let entry = entries[first]
        first = first + 1 == countMax ? 0 : first + 1
        count -= 1
        return entry
    }
}
