import LikesCore

// Slots that move between the nodes of a cluster while load goes on, key by key, as redis-cli does it.
extension Simulation {
    /// A range of slots, or some slots, of one node on their way to another.
    func moveSlots(_ cluster: Cluster, from: Int, to: Int, most: Int, until: Micros, _ kind: FaultKind) {
        let free = cluster.pieces(of: from).filter { piece in
            !cluster.moves.contains { $0.piece == piece && $0.phase != .over }
        }
        guard !free.isEmpty, from != to else { return }
        // Mostly slots with something in them, now and then that of the marker.
        let kept = free.filter { !redises[from].keys(in: $0).isEmpty }
        let chosen = kept.isEmpty || scheduler.chance.hits(percent: 15) ? free : kept
        let first = scheduler.chance.below(chosen.count)
        for piece in chosen[first..<min(chosen.count, first + 1 + scheduler.chance.below(most))] {
            var move = SlotMove(
                piece: piece, from: from, to: to, pace: scheduler.chance.skewed(100, .ms(50)))
            let left = max(0, until - now)
            if kind == .clusterSlotsStop, scheduler.chance.hits(percent: 70) { move.pause = left }
            if kind == .clusterSlotsReturn { move.timesMore = 1 + scheduler.chance.below(4) }
            move.isTakenBack = kind == .clusterSlotsStop && scheduler.chance.hits(percent: 50)
            begin(move, cluster)
        }
    }

    private func begin(_ move: SlotMove, _ cluster: Cluster) {
        cluster.moves.append(move)
        let place = cluster.moves.count - 1
        openTroubles[place] = troubles.count
        troubles.append(Trouble(scope: .repairs, from: now, to: .never, items: items(of: move, cluster)))
        scheduler.after(scheduler.chance.skewed(1, .ms(20)), .slotMoves, Int32(place))
    }

    /// The items that hosts may have to ask PostgreSQL for, and to repair: those whose slots move; all of a node whose
    /// marker moves, or which begins anew since it gets slots back.
    private func items(of move: SlotMove, _ cluster: Cluster) -> UInt32 {
        var items = cluster.pieces.items(in: [move.piece])
        let hasMarker = hosts.contains { host in
            host.markerSlots.values.contains { cluster.pieces.piece(of: $0) == move.piece }
        }
        if hasMarker { items |= self.items(of: move.from) | self.items(of: move.to) }
        if move.timesMore > 0 || cluster.former[move.piece]?.contains(move.to) ?? false {
            items |= self.items(of: move.from) | self.items(of: move.to)
        }
        return items
    }

    func continueMove(_ place: Int) {
        guard let cluster else { return }
        var move = cluster.moves[place]
        defer { cluster.moves[place] = move }
        let (piece, from, to) = (move.piece, move.from, move.to)
        if move.phase == .over { return }
        let isApart = cluster.isIsolated(from) || cluster.isIsolated(to)
        guard !isApart, redises[from].isWorking, redises[to].isWorking || cluster.members[to].isGone else {
            return scheduler.after(.ms(200), .slotMoves, Int32(place))
        }
        var delay = scheduler.chance.skewed(100, move.pace)
        switch move.phase {
        case .opens:
            guard cluster.owns(from, piece), cluster.isPrimary(to) else { return finish(&move, place) }
            // It refuses as long as it has not heard that it lost the slot.
            if cluster.owns(to, piece) { break }
            cluster.members[to].importing[piece] = from
            move.phase = .marks
        case .marks:
            guard cluster.members[to].importing[piece] == from else { return finish(&move, place) }
            cluster.members[from].migrating[piece] = to
            move.life = redises[from].serverWord
            move.phase = .moves
        case .moves:
            let keys = redises[from].keys(in: piece)
            if move.pause > 0, keys.count <= 2 || scheduler.chance.hits(percent: 30) {
                delay = move.pause
                move.pause = 0
                if now < plan.calmFrom { break }
            }
            if move.isTakenBack, keys.count < 2 || scheduler.chance.hits(percent: 30) {
                move.phase = .returns
                break
            }
            guard !keys.isEmpty else {
                move.phase = .closes
                break
            }
            // A node that restarted has keys again that it had handed over. Its operator has them replaced.
            shift(keys, from: from, to: to, replaces: redises[from].serverWord != move.life)
        case .closes:
            guard redises[from].keys(in: piece).isEmpty else {
                move.phase = .moves
                break
            }
            // Nodes that claim slots at the same moment take them from each other; operators do not do that.
            guard cluster.isSettledFrom <= now else { break }
            scheduler.coverage.note(.slotsMoved)
            cluster.members[to].importing[piece] = nil
            cluster.former[piece, default: []].insert(from)
            cluster.claim([piece], by: to)
            // The one that it leaves is told at once, the others soon.
            for node in redises.indices where node != to && cluster.isPrimary(node) {
                let delay = scheduler.chance.skewed(50, node == from ? .ms(5) : .ms(50))
                if node == from { cluster.isSettledFrom = now + delay + 1 }
                scheduler.after(delay, .slotIsSet, Int32(node), UInt32(place))
            }
            if move.timesMore > 0, now < plan.calmFrom {
                var back = move
                (back.from, back.to, back.phase, back.timesMore) = (to, from, .opens, move.timesMore - 1)
                cluster.moves.append(back)
                openTroubles[cluster.moves.count - 1] = openTroubles[place]
                openTroubles[place] = nil
                let pause = scheduler.chance.skewed(.ms(1), .seconds(8))
                scheduler.after(pause, .slotMoves, Int32(cluster.moves.count - 1))
            }
            return finish(&move, place)
        case .returns:
            let keys = redises[to].keys(in: piece)
            guard !keys.isEmpty else {
                scheduler.coverage.note(.slotsTakenBack)
                cluster.members[from].migrating[piece] = nil
                cluster.members[to].importing[piece] = nil
                return finish(&move, place)
            }
            shift(keys, from: to, to: from, replaces: false)
        case .mends:
            // What the node that was to get the slot has of it goes to whoever owns it.
            cluster.members[from].migrating[piece] = nil
            if !cluster.members[to].isGone, !cluster.owns(to, piece) {
                let keys = redises[to].keys(in: piece)
                for key in keys { _ = redises[to].move(key, to: redises[from], replaces: true) }
            }
            cluster.members[to].importing[piece] = nil
            return finish(&move, place)
        case .over: return
        }
        scheduler.after(delay, .slotMoves, Int32(place))
    }

    func setSlot(ofMove place: Int, at node: Int) {
        guard let cluster, redises[node].isWorking, !cluster.isIsolated(node) else { return }
        let move = cluster.moves[place]
        // It may be somebody else's by now.
        guard cluster.owner(of: move.piece) == move.to else { return }
        drop(cluster.set(move.piece, at: node, to: move.to), of: node)
    }

    private func shift(_ keys: [StoredKey], from: Int, to: Int, replaces: Bool) {
        let count = scheduler.chance.hits(percent: 30) ? keys.count : 1
        let first = scheduler.chance.below(keys.count)
        for key in (keys[first...] + keys[..<first]).prefix(count) {
            guard redises[from].move(key, to: redises[to], replaces: replaces) else {
                return fail(Violation(.slots, "\(key) is in the way at node \(to)", item: key.item))
            }
        }
    }

    private func finish(_ move: inout SlotMove, _ place: Int) {
        move.phase = .over
        // The operator leaves no slot open at its owner.
        if let cluster, cluster.members[move.from].migrating[move.piece] == move.to {
            cluster.members[move.from].migrating[move.piece] = nil
        }
        guard let trouble = openTroubles[place] else { return }
        openTroubles[place] = nil
        troubles[trouble].to = now + .seconds(2)
    }

    /// Node `old` is replaced by `new` in every move under way.
    func mendMoves(_ cluster: Cluster, of old: Int, by new: Int) {
        for place in cluster.moves.indices where cluster.moves[place].phase != .over {
            if cluster.moves[place].from == old {
                cluster.moves[place].from = new
                cluster.moves[place].phase = .mends
                scheduler.after(scheduler.chance.skewed(.ms(50), .seconds(4)), .slotMoves, Int32(place))
            } else if cluster.moves[place].to == old {
                cluster.moves[place].phase = .mends
                scheduler.after(scheduler.chance.skewed(.ms(50), .seconds(4)), .slotMoves, Int32(place))
            }
        }
    }
}
