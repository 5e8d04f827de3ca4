/// The memory that clients make the process hold, by connection: buffers at the edge, requests and replies in the core.
/// The sums change only when a buffer's capacity changes or a request has to wait. Cached counts do not change them.
///
/// Invariant: `footprintBytes` is the sum of `footprints`.
struct ClientMemory {
    var limitBytes: Int
    private(set) var footprintBytes = 0
    /// By the connection's slot. A separate table keeps the search for the largest short.
    private var footprints: ContiguousArray<Int> = []
    /// Since when the connection has taken none of its replies; `never`: it takes them all. Also by slot.
    private var unreadSince: ContiguousArray<Int64> = []
    private static let never = Int64.max
    /// The largest footprint since memory was last given back.
    private var peakBytes = 0
    private var mayGiveBackAt: Instant
    private(set) var givenBackTotal: Int64 = 0

    init(limitBytes: Int, now: Instant) {
        self.limitBytes = limitBytes
        mayGiveBackAt = now
    }

    var isOver: Bool { footprintBytes > limitBytes }

    subscript(slot: Int) -> Int { slot < footprints.count ? footprints[slot] : 0 }

    /// The connection holds this many bytes more, or fewer.
    mutating func add(_ bytes: Int, slot: Int) {
        while footprints.count <= slot {
            footprints.append(0)
            unreadSince.append(Self.never)
        }
        footprints[slot] += bytes
        footprintBytes += bytes
        if footprintBytes > peakBytes { peakBytes = footprintBytes }
    }

    /// The connection no longer holds anything.
    mutating func forget(slot: Int) {
        guard slot < footprints.count else { return }
        add(-footprints[slot], slot: slot)
        unreadSince[slot] = Self.never
    }

    /// Notes whether the connection's socket takes its replies.
    mutating func note(isUnread: Bool, slot: Int, now: Instant) {
        guard slot < footprints.count else { return }
        if isUnread != (unreadSince[slot] != Self.never) {
            unreadSince[slot] = isUnread ? now.microseconds : Self.never
        }
    }

    /// The connection took some of its replies, but not all.
    mutating func progressed(slot: Int, now: Instant) {
        guard slot < footprints.count, unreadSince[slot] != Self.never else { return }
        unreadSince[slot] = now.microseconds
    }

    /// The slot of the connection to close: the one that holds most. What a connection holds counts
    /// `Limits.unreadWeight` times if it has not read its replies for a while.
    func largest(now: Instant) -> Int? {
        let latest = now.adding(ms: -Limits.unreadMs).microseconds
        var found: (slot: Int, weight: Int)?
        for slot in footprints.indices where footprints[slot] > 0 {
            let weight = unreadSince[slot] <= latest ? footprints[slot] * Limits.unreadWeight : footprints[slot]
            if weight > found?.weight ?? 0 { found = (slot, weight) }
        }
        return found?.slot
    }

    // MARK: Giving back

    private var isMuchFree: Bool { peakBytes - footprintBytes >= Limits.givenBackBytesMin }

    /// When to give memory back; nil: not enough was freed.
    var giveBackAt: Instant? { isMuchFree ? mayGiveBackAt : nil }

    /// Whether to give memory back now. Returning true counts as having done it.
    mutating func takesGiveBack(now: Instant) -> Bool {
        guard isMuchFree, mayGiveBackAt <= now else { return false }
        peakBytes = footprintBytes
        mayGiveBackAt = now.adding(ms: Limits.giveBackMs)
        givenBackTotal += 1
        return true
    }
}
