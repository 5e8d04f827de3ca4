/// The memory that clients make the process hold, by connection: buffers at the edge, requests and replies in the core.
/// The sums change only when a buffer's capacity changes or a request has to wait. Cached counts do not change them.
///
/// Invariant: `heldBytes` is the sum of `held`.
struct ClientMemory {
    var limitBytes: Int
    private(set) var heldBytes = 0
    /// By the connection's slot. A separate table keeps the search for the largest short.
    private var held: ContiguousArray<Int> = []
    /// Since when the connection has taken none of its replies; `never`: it takes them all. Also by slot.
    private var unreadSince: ContiguousArray<Int64> = []
    private static let never = Int64.max
    /// The most that was held since memory was last given back.
    private var peakBytes = 0
    private var mayGiveBackAt: Instant
    private(set) var givenBackTotal: Int64 = 0

    init(limitBytes: Int, now: Instant) {
        self.limitBytes = limitBytes
        mayGiveBackAt = now
    }

    var isOver: Bool { heldBytes > limitBytes }

    subscript(slot: Int) -> Int { slot < held.count ? held[slot] : 0 }

    /// The connection holds this many bytes more, or fewer.
    mutating func add(_ bytes: Int, slot: Int) {
        while held.count <= slot {
            held.append(0)
            unreadSince.append(Self.never)
        }
        held[slot] += bytes
        heldBytes += bytes
        if heldBytes > peakBytes { peakBytes = heldBytes }
    }

    /// The connection no longer holds anything.
    mutating func forget(slot: Int) {
        guard slot < held.count else { return }
        add(-held[slot], slot: slot)
        unreadSince[slot] = Self.never
    }

    /// Notes whether the connection's socket takes its replies.
    mutating func note(isUnread: Bool, slot: Int, now: Instant) {
        guard slot < held.count else { return }
        if isUnread != (unreadSince[slot] != Self.never) {
            unreadSince[slot] = isUnread ? now.microseconds : Self.never
        }
    }

    /// The connection took some of its replies, but not all.
    mutating func progressed(slot: Int, now: Instant) {
        guard slot < held.count, unreadSince[slot] != Self.never else { return }
        unreadSince[slot] = now.microseconds
    }

    /// The slot of the connection to close: the one that holds most. What a connection holds counts
    /// `Limits.unreadWeight` times if it has not read its replies for a while.
    func largest(now: Instant) -> Int? {
        let latest = now.adding(ms: -Limits.unreadMs).microseconds
        var found: (slot: Int, weight: Int)?
        for slot in held.indices where held[slot] > 0 {
            let weight = unreadSince[slot] <= latest ? held[slot] * Limits.unreadWeight : held[slot]
            if weight > found?.weight ?? 0 { found = (slot, weight) }
        }
        return found?.slot
    }

    // MARK: Giving back

    private var isMuchFree: Bool { peakBytes - heldBytes >= Limits.givenBackBytesMin }

    /// When to give memory back; nil: not enough was freed.
    var giveBackAt: Instant? { isMuchFree ? mayGiveBackAt : nil }

    /// Whether to give memory back now. Returning true counts as having done it.
    mutating func takesGiveBack(now: Instant) -> Bool {
        guard isMuchFree, mayGiveBackAt <= now else { return false }
        peakBytes = heldBytes
        mayGiveBackAt = now.adding(ms: Limits.giveBackMs)
        givenBackTotal += 1
        return true
    }
}
