import LikesProtocol

/// Requests that wait for an earlier one of their own connection.
struct Followers {
    private var table: [Ticket: [Follower]] = [:]
    /// How many lists are being started. Their remaining followers are no longer in the table.
    private(set) var starting = 0
    /// Followers that are admitted changes. A later change of the same connection may be about to pass one.
    private(set) var admittedCount = 0
    /// Reads whose preceding change failed. They ask for themselves, so later changes of their connection have to wait
    /// for them.
    private(set) var unfollowed: Set<Ticket> = []

    /// How many requests have followers.
    var count: Int { table.count }
    var isEmpty: Bool { table.isEmpty && starting == 0 }
    /// Whether an admitted change may have to wait once more.
    var mayHoldAdmitted: Bool { !unfollowed.isEmpty || admittedCount > 0 }

    mutating func append(_ follower: Follower, behind earlier: Ticket) {
        if case .admittedChange = follower { admittedCount += 1 }
        table[earlier, default: []].append(follower)
    }

    /// The followers of a request that was answered, in order. Call `finishStarting` next.
    mutating func beginStarting(behind ticket: Ticket) -> [Follower]? {
        guard let following = table.removeValue(forKey: ticket) else { return nil }
        starting += 1
        return following
    }

    mutating func finishStarting() { starting -= 1 }

    mutating func unfollow(_ ticket: Ticket) { unfollowed.insert(ticket) }

    /// The request was answered, or its client is gone.
    mutating func forgetUnfollowed(_ ticket: Ticket) { unfollowed.remove(ticket) }

    /// The follower starts, or is dropped.
    mutating func leave(_ follower: Follower) { if case .admittedChange = follower { admittedCount -= 1 } }

    /// The changes that follow a request whose client is gone. None of them was sent.
    mutating func drop(behind ticket: Ticket) -> [ChangeIndex] {
        (table.removeValue(forKey: ticket) ?? []).compactMap { follower in
            leave(follower)
            return switch follower {
            case .change(let index), .admittedChange(let index): index
            case .count, .liked, .list: nil
            }
        }
    }

    /// Sets where the COUNTs take their count from that came after the change was sent.
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

/// A request that starts once an earlier one of its connection is answered.
enum Follower {
    case change(ChangeIndex)
    /// Its change is already counted towards the rate limit.
    case admittedChange(ChangeIndex)
    case count(Part, Item, CountBehind)
    /// `answer`: the pair's state after the change, if the request came before the change was sent; nil: ask
    /// PostgreSQL.
    case liked(Part, Pair, answer: Bool?)
    case list(ListRead)
}

/// Where a COUNT that follows a change takes its count from.
enum CountBehind {
    /// It asks for itself.
    case asked
    /// From the change, which had not been sent when the COUNT came: the commit lies between the COUNT's request and
    /// its reply.
    case ofChange
    /// From a change that had been sent, unless something newer is known when the batch is answered. No later change of
    /// the connection is in that batch.
    case ofSentChange
    /// This count, which was known when the batch was answered and is newer than the change's.
    case newer(Int64)
}
