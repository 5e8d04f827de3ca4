/// A place in PostgreSQL's write-ahead log (an LSN), in bytes from its beginning: 0 … 2^63−1.
package typealias LogPosition = Int64

/// Tells which server another answer came from. The row of a lane is made, and its epoch goes up, in commits of this
/// connection. Its number is random and was on no other connection. So a server that has this epoch is the one that the
/// lane writes to, or has replayed that server's log.
struct LaneSight: Equatable {
    var fence: LaneFence
    /// Which connection of the lane has this epoch. A lane may change its number meanwhile.
    var connection: Int64
    /// The last sign of life that this connection had committed by then, 0 for none. A server that replays another log
    /// from some moment on never gets a later one.
    var signOfLife: Int64
}

/// Where the primary's log ended at moments of the recent past. A standby that has replayed one of these positions has
/// everything that was committed before its moment.
struct PrimaryPositions {
    struct Known {
        var askedAt: Instant
        /// The primary's log ended here then, or later.
        var position: LogPosition
        var sight: LaneSight
    }

    private var known = Ring<Known>()

    var isEmpty: Bool { known.isEmpty }

    /// Answers come in the order of the calls, and a log only grows. Anything else comes from another server, so what
    /// was known before is forgotten.
    mutating func learn(_ next: Known) {
        if let last, next.askedAt < last.askedAt || next.position < last.position { forget() }
        if known.count == Limits.positionsMax { known.popFirst() }
        known.append(next)
    }

    private var last: Known? { known.isEmpty ? nil : known[known.count - 1] }

    /// Another server may be the primary.
    mutating func forget() { known.removeAll() }

    /// The latest moment before which everything was committed that a log replayed so far contains; nil: none is known.
    /// `lane`: whose sign of life was read there. Of a former number none can be.
    func provenAt(_ log: ReplayedLog, lane: Int64) -> Instant? {
        for place in (0..<known.count).reversed() {
            let (position, sight) = (known[place].position, known[place].sight)
            guard position <= log.position else { continue }
            if sight.fence.lane == lane, log.signOfLife ?? 0 < sight.signOfLife { continue }
            return known[place].askedAt
        }
        return nil
    }

    func checkInvariants() {
        precondition(known.count <= Limits.positionsMax, "more positions than are kept")
        for place in 1..<max(1, known.count) {
            let (one, next) = (known[place - 1], known[place])
            precondition(one.askedAt <= next.askedAt && one.position <= next.position, "a log only grows")
        }
    }
}
