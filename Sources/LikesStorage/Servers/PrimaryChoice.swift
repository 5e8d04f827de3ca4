import LikesSettings

/// A Redis primary, as a Sentinel names it.
package struct NamedPrimary: Hashable, Sendable {
    package var address: RedisEndpoint.Address
    /// Sentinel's config-epoch: each failover gives the name to a server at a higher one.
    package var epoch: Int64

    package init(address: RedisEndpoint.Address, epoch: Int64) {
        self.address = address
        self.epoch = epoch
    }
}

/// What the Sentinels said, and which Redis server to use.
///
/// Sentinels disagree while a failover is under way, and for as long as one of them is cut off from the others. The
/// highest epoch decides. What was named at a lower one than this process has heard of may be deposed, and is never
/// used again.
package struct PrimaryChoice {
    package enum Choice: Equatable, Sendable {
        case primary(NamedPrimary)
        /// No Sentinel names any.
        case missing
        /// All that is named, the first of it, is older than what was heard of before.
        case deposed(NamedPrimary, newest: NamedPrimary)
    }

    /// What each Sentinel says, in the order of the URL; nil: it does not answer.
    package private(set) var said: [NamedPrimary?]
    /// The one with the highest epoch of all that were ever heard of.
    private var newest: NamedPrimary?
    /// The one that connections were last told to use.
    package private(set) var used: NamedPrimary?

    package init(sentinels count: Int) { said = Array(repeating: nil, count: count) }

    /// `place`: the Sentinel's in the URL.
    package mutating func heard(_ primary: NamedPrimary, from place: Int) {
        said[place] = primary
        if let newest, newest.epoch >= primary.epoch { return }
        newest = primary
    }

    /// The Sentinel does not answer any more. What it said stays true, but nobody knows what has happened since.
    package mutating func lost(_ place: Int) { said[place] = nil }

    /// Connections are told to use it.
    package mutating func use(_ primary: NamedPrimary) { used = primary }

    /// If two are named at the same epoch, which no failover does, the one in use stays; otherwise the one that most
    /// Sentinels name, and of several the one whose name comes first: hosts that hear the same choose the same.
    package var choice: Choice {
        guard let newest, let first = said.lazy.compactMap({ $0 }).first else { return .missing }
        let named = said.compactMap { $0 }.filter { $0.epoch == newest.epoch }
        if named.isEmpty { return .deposed(first, newest: newest) }
        if let used, named.contains(used) { return .primary(used) }
        let votes = Dictionary(grouping: named, by: \.self).mapValues(\.count)
        let best = votes.max { ($0.value, $1.key.address.name) < ($1.value, $0.key.address.name) }
        return best.map { .primary($0.key) } ?? .missing
    }

    /// Why the Sentinels' answers need attention, though a primary is chosen: two of them contradict each other.
    package var contradiction: String? {
        guard case .primary(let primary) = choice,
            let other = said.lazy.compactMap({ $0 }).first(where: {
                $0.epoch == primary.epoch && $0.address != primary.address
            })
        else { return nil }
        return "Sentinels name both \(primary.address.name) and \(other.address.name) at epoch \(primary.epoch)"
    }
}

extension PrimaryChoice {
    /// Why what is named is not used.
    package static func reason(_ named: NamedPrimary, newest: NamedPrimary) -> String {
        "the Sentinels name \(named.address.name) at epoch \(named.epoch), but \(newest.address.name) was named at the "
            + "later epoch \(newest.epoch)"
    }
}
