import LikesSettings
import LikesStorage
import LikesProtocol

/// Requests that wait for an earlier one of their own connection.
struct Followers {
    private var table: [Ticket: [Follower]] = [:]
    /// Lists that are being started: what is left of them is not in the table any more.
    private(set) var starting = 0
    /// Changes among the followers whose rate is counted already: what comes later on their connections may be on its
    /// way past them.
    private(set) var admittedCount = 0
    /// Reads whose preceding change failed: they look for themselves, and later changes of their connection wait for
    /// them after all.
    private(set) var unfollowed: Set<Ticket> = []

    /// How many requests have others waiting for them.
    var count: Int { table.count }
    var isEmpty: Bool { table.isEmpty && starting == 0 }
    /// Whether a change that was admitted may have to wait once more.
    var mayHoldAdmitted: Bool { !unfollowed.isEmpty || admittedCount > 0 }

    mutating func append(_ follower: Follower, behind earlier: Ticket) {
        if case .admittedChange = follower { admittedCount += 1 }
        table[earlier, default: []].append(follower)
    }

    /// Those behind a request that was answered, in order; `finishStarting` follows.
    mutating func beginStarting(behind ticket: Ticket) -> [Follower]? {
        guard let following = table.removeValue(forKey: ticket) else { return nil }
        starting += 1
        return following
    }

    mutating func finishStarting() { starting -= 1 }

    mutating func unfollow(_ ticket: Ticket) { unfollowed.insert(ticket) }

    /// The request is answered, or its client is gone.
    mutating func forgetUnfollowed(_ ticket: Ticket) { unfollowed.remove(ticket) }

    /// The follower starts, or is dropped.
    mutating func leave(_ follower: Follower) { if case .admittedChange = follower { admittedCount -= 1 } }

    /// The changes behind a request whose client is gone: none of them was sent.
    mutating func drop(behind ticket: Ticket) -> [ChangeIndex] {
        (table.removeValue(forKey: ticket) ?? []).compactMap { follower in
            leave(follower)
            return switch follower {
            case .change(let index), .admittedChange(let index): index
            case .count, .liked: nil
            }
        }
    }

    /// From where each COUNT has its count that came after the change was sent.
    mutating func replaceSource(behind ticket: Ticket, with source: CountBehind) {
        guard let behind = table[ticket] else { return }
        table[ticket] = behind.map { follower in
            guard case .count(let part, let item, .ofSentChange) = follower else { return follower }
            return .count(part, item, source)
        }
    }

    func checkInvariants() {
        let admitted = table.values.joined().count { if case .admittedChange = $0 { true } else { false } }
        precondition(starting >= 0, "lists of followers end as often as they begin")
        precondition(starting > 0 || admitted == admittedCount, "admitted followers are counted")
        precondition(table.values.allSatisfy { !$0.isEmpty }, "nobody is followed by no one")
    }
}

/// A request that starts when an earlier one of its connection has been answered.
enum Follower {
    case change(ChangeIndex)
    /// Its rate is counted already.
    case admittedChange(ChangeIndex)
    case count(Part, Item, CountBehind)
    /// `answer`: what the change makes of the pair, when the request came before the change was sent; nil: ask.
    case liked(Part, Pair, answer: Bool?)
}

/// Where a COUNT behind a change has its count from.
enum CountBehind {
    /// It asks.
    case asked
    /// It is the change's, which had not been sent when the COUNT came: the commit lies between its request and its
    /// reply.
    case ofChange
    /// The same, of a change that had been sent: unless something newer is known when the batch is answered. No later
    /// change of the connection is in that batch.
    case ofSentChange
    /// It was known when the batch was answered, and is newer than the change's.
    case newer(Int64)
}
