/// A place in PostgreSQL's write-ahead log (an LSN), in bytes from its beginning: 0 … 2^63−1.
package typealias LogPosition = Int64

/// Tells which server another answer came from. The row of a lane is made, and its epoch goes up, in commits of this
/// connection. Its number is random and was on no other connection. So a server that has this epoch is the one that the
/// lane writes to, or has replayed that server's log.
struct LaneSight: Equatable {
    var fence: LaneFence
    /// Which connection of the lane has this epoch. A lane may change its number meanwhile.
    var connection: Int64
}

/// Where the primary's log ended at moments of the recent past. A standby that has replayed one of these positions has
/// everything that was committed before its moment.
struct PrimaryPositions {
    private var known = Ring<(askedAt: Instant, position: LogPosition)>()

    var isEmpty: Bool { known.isEmpty }

    /// The primary's log ended here at `askedAt` or later. Answers come in the order of the calls, and a log only
    /// grows. Anything else comes from another server, so what was known before is forgotten.
    mutating func learn(_ position: LogPosition, askedAt: Instant) {
        if let last, askedAt < last.askedAt || position < last.position { forget() }
        if known.count == Limits.positionsMax { known.popFirst() }
        known.append((askedAt, position))
    }

    private var last: (askedAt: Instant, position: LogPosition)? { known.isEmpty ? nil : known[known.count - 1] }

    /// Another server may be the primary.
    mutating func forget() { known.removeAll() }

    /// The latest moment before which everything was committed that a log replayed up to here contains; nil: none is
    /// known.
    func provenAt(_ replayed: LogPosition) -> Instant? {
        for place in (0..<known.count).reversed() where known[place].position <= replayed {
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
