/// Whether the answers of one pair can be put in one order, each within its time, that explains them all: a search
/// by Wing and Gong in the form of Lowe, over the histories of one bit. It knows nothing of PostgreSQL.
///
/// Answers that change nothing and fit the bit as it is are put in their place as soon as they do: that forbids no
/// order. What remains open is which changes come first, and which of the changes without an answer happened; of
/// those with the same effect the one that was called first is as good as any.
package struct Linearizability {
    package struct Entry: Sendable {
        package enum Kind: Sendable { case like, unlike, liked }
        package var kind: Kind
        package var calledAt: Micros
        /// `.never`: no answer, done at any time from the call on, or never.
        package var repliedAt: Micros
        /// What the answer says: changed, or for `liked` the state.
        package var result: Bool
        /// The entry, with an answer, that took effect before this one; called and answered no later.
        package var follows: Int?

        package init(_ kind: Kind, calledAt: Micros, repliedAt: Micros, result: Bool, follows: Int? = nil) {
            self.kind = kind
            self.calledAt = calledAt
            self.repliedAt = repliedAt
            self.result = result
            self.follows = follows
        }
    }

    /// One way it may have been so far: the changes that were done of those that are open, and the bit. `spent`: likes
    /// without an answer that were done; the unlikes follow from it.
    private struct Way: Hashable {
        var done: UInt64
        var isLiked: Bool
        var spentLikes: Int32
        var spentUnlikes: Int32
    }

    private var entries: [Entry]
    /// Entries that are under way, by their bit in `Way.done`.
    private var open: [Int?] = []
    /// For each entry under way its bit.
    private var bits: [Int?]
    private var answerless: (likes: Int32, unlikes: Int32) = (0, 0)
    private var ways: [Way] = [Way(done: 0, isLiked: false, spentLikes: 0, spentUnlikes: 0)]

    /// The first entry that nothing explains; nil: all are explained, or more were under way at once than are
    /// followed.
    package static func violation(_ entries: [Entry]) -> Int? {
        var search = Linearizability(entries: entries)
        return search.run()
    }

    private init(entries: [Entry]) {
        self.entries = entries
        bits = [Int?](repeating: nil, count: entries.count)
    }

    private mutating func run() -> Int? {
        // Calls before replies of the same moment: they overlap. Of the same kind, in the order of the entries.
        var moments: [(at: Micros, isReply: Bool, entry: Int)] = []
        for (place, entry) in entries.enumerated() {
            moments.append((entry.calledAt, false, place))
            if entry.repliedAt != .never { moments.append((entry.repliedAt, true, place)) }
        }
        moments.sort {
            if $0.at != $1.at { return $0.at < $1.at }
            return $0.isReply != $1.isReply ? $1.isReply : $0.entry < $1.entry
        }
        for moment in moments {
            let entry = entries[moment.entry]
            if entry.repliedAt == .never {
                if entry.kind == .like { answerless.likes += 1 } else { answerless.unlikes += 1 }
            } else if moment.isReply {
                guard let bit = bits[moment.entry] else { return nil }
                explore()
                ways = ways.filter { $0.done & (1 << UInt64(bit)) != 0 }
                if ways.isEmpty { return moment.entry }
                for place in ways.indices { ways[place].done &= ~(1 << UInt64(bit)) }
                open[bit] = nil
                bits[moment.entry] = nil
            } else {
                let bit = open.firstIndex(of: nil) ?? open.count
                if bit == open.count { open.append(nil) }
                guard bit < 64 else { return nil }
                open[bit] = moment.entry
                bits[moment.entry] = bit
                for place in ways.indices { ways[place] = settled(ways[place]) }
            }
        }
        return nil
    }

    /// All that fits the bit as it is and changes nothing is done.
    private func settled(_ way: Way) -> Way {
        var way = way
        var known: UInt64
        repeat {
            known = way.done
            for (bit, place) in open.enumerated() {
                guard let place, way.done & (1 << UInt64(bit)) == 0, mayBeNext(place, way) else { continue }
                let entry = entries[place]
                let fits =
                    switch entry.kind {
                    case .liked: entry.result == way.isLiked
                    case .like: !entry.result && way.isLiked
                    case .unlike: !entry.result && !way.isLiked
                    }
                if fits { way.done |= 1 << UInt64(bit) }
            }
            // What was done lets others follow.
        } while way.done != known
        return way
    }

    /// The entry that it follows is done.
    private func mayBeNext(_ place: Int, _ way: Way) -> Bool {
        guard let earlier = entries[place].follows, let bit = bits[earlier] else { return true }
        return way.done & (1 << UInt64(bit)) != 0
    }

    /// All ways that any changes lead to.
    private mutating func explore() {
        // Of two that differ only in how many were spent, the one that spent fewer can do all that the other can.
        var best: [Way: (Int32, Int32)] = [:]
        var waiting = ways
        ways = []
        while let next = waiting.popLast() {
            let way = settled(next)
            var key = way
            key.spentLikes = 0
            key.spentUnlikes = 0
            if let (likes, unlikes) = best[key], likes <= way.spentLikes, unlikes <= way.spentUnlikes { continue }
            best[key] = (way.spentLikes, way.spentUnlikes)
            ways.append(way)
            for (bit, place) in open.enumerated() {
                guard let place, way.done & (1 << UInt64(bit)) == 0, entries[place].result else { continue }
                let kind = entries[place].kind
                guard kind != .liked, (kind == .like) != way.isLiked, mayBeNext(place, way) else { continue }
                var after = way
                after.done |= 1 << UInt64(bit)
                after.isLiked.toggle()
                waiting.append(after)
            }
            var after = way
            after.isLiked.toggle()
            if way.isLiked, way.spentUnlikes < answerless.unlikes {
                after.spentUnlikes += 1
                waiting.append(after)
            } else if !way.isLiked, way.spentLikes < answerless.likes {
                after.spentLikes += 1
                waiting.append(after)
            }
        }
    }
}
