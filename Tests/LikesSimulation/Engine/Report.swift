import LikesCore
import LikesProtocol

extension Simulation {
    /// What a failing seed is and did, to be read: its plan, and all that concerns the pair or item of the violation.
    package func report(linesMax: Int = 400) -> String {
        guard let violation else { return "seed \(seed): no guarantee was broken\n" }
        var text = "seed \(seed): \(violation.rule.rawValue): \(violation.text)\n"
        if let pair = violation.pair { text += "  pair \(describe(pair: pair))\n" }
        if let item = violation.item { text += "  item \(describe(plan.items[item]))\n" }
        let settings = plan.configuration
        text += "  \(plan.hostsCount) hosts, \(plan.clientsCount) clients, \(plan.usersCount) users, "
        text += "\(plan.items.count) items, \(operations.count) operations, \(plan.duration / 1_000_000) s\n"
        text += "  CACHE_TTL \(settings.cacheTTLSeconds) s, LOCAL_CACHE_TTL \(settings.localCacheTTLMs) ms, "
        text += "LOCAL_CACHE_ENTRIES \(settings.localCacheEntries), REQUEST_TIMEOUT \(settings.requestTimeoutMs) ms, "
        text += "REDIS_TIMEOUT \(settings.redisTimeoutMs) ms\n"
        let standard = Mirror(reflecting: Limits.standard).children
        for (drawn, usual) in zip(Mirror(reflecting: plan.limits).children, standard) {
            guard let name = drawn.label, let value = drawn.value as? Int, value != usual.value as? Int else {
                continue
            }
            text += "  \(name) \(value)"
        }
        text += "\n"
        if let cluster, let item = violation.item { text += describe(cluster, item) }
        var lines: [(Micros, String)] = []
        for note in notes {
            guard let line = describe(note.what, concerning: violation) else { continue }
            lines.append((note.at, line))
        }
        for pair in 0..<plan.pairsCount where concerns(pair, violation) {
            for database in databases {
                for flip in database.flips[pair] {
                    let what = "\(describe(pair: pair)) \(flip.liked ? "liked" : "unliked") by host \(flip.host)"
                    lines.append((flip.at, "\(describe(database)): \(what)" + (flip.isUndone ? ", undone later" : "")))
                }
            }
        }
        for item in plan.items.indices where violation.item == nil || violation.item == item {
            for database in databases {
                for entry in database.counts[item].dropFirst() {
                    let what = "\(describe(plan.items[item])) count \(entry.count), version \(entry.version)"
                    lines.append((entry.at, "\(describe(database)): \(what) by host \(entry.host)"))
                }
            }
        }
        // A stable order, so that the same seed prints the same.
        let sorted = lines.enumerated().sorted {
            $0.element.0 != $1.element.0 ? $0.element.0 < $1.element.0 : $0.0 < $1.0
        }
        if sorted.count > linesMax { text += "  … \(sorted.count - linesMax) earlier lines\n" }
        for line in sorted.suffix(linesMax) { text += "  \(Self.seconds(line.element.0))  \(line.element.1)\n" }
        return text
    }

    /// What the nodes believe of the slot of the item's counter in the end, and how it moved.
    private func describe(_ cluster: Cluster, _ item: Int) -> String {
        let piece = cluster.pieces.ofItem[item]
        var text = "  slot \(cluster.pieces.pieces[piece].lowerBound)\n"
        for (node, member) in cluster.members.enumerated() {
            text += "  node \(node) epoch \(member.epochs[node]): of node \(member.owners[piece])"
            text += cluster.isPrimary(node) ? "" : ", a copy"
            if let to = member.migrating[piece] { text += ", on its way to node \(to)" }
            if let from = member.importing[piece] { text += ", on its way from node \(from)" }
            text += "\n"
        }
        for move in cluster.moves where move.piece == piece {
            text += "  \(move.from) to \(move.to): \(move.phase)\n"
        }
        return text
    }

    private func concerns(_ pair: Int, _ violation: Violation) -> Bool {
        if let wanted = violation.pair { return pair == wanted }
        if let item = violation.item { return pair % plan.items.count == item }
        return false
    }

    private static func seconds(_ moment: Micros) -> String {
        let fraction = String(moment % 1_000_000)
        return "\(moment / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    private func describe(_ database: Postgres) -> String {
        databases.count > 1 ? "PostgreSQL \(database.number)" : "PostgreSQL"
    }

    private func describe(pair: Int) -> String {
        "user \(pair / plan.items.count + 1) " + describe(plan.items[pair % plan.items.count])
    }

    private func describe(_ item: Item) -> String { plan.configuration.itemTypes.text(of: item) }

    private func describe(_ what: Note.What, concerning violation: Violation) -> String? {
        let item = violation.item ?? violation.pair.map { $0 % plan.items.count }
        switch what {
        case .fault(let fault): return "FAULT \(fault.kind) host \(fault.host) for \(fault.duration / 1_000) ms"
        case .performed(let host, let action):
            guard violation.rule == .interface || isShown(action, item) else { return nil }
            return "host \(host) → \(short("\(action)"))"
        case .heard(let host, .cluster(let view)):
            let nodes = view.primaries.map { node in
                let slots = node.slots.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
                return "\(node.name) epoch \(node.epoch): \(slots.joined(separator: " "))"
            }
            return "host \(host) ← cluster of \(nodes.joined(separator: "; "))"
        case .heard(let host, let message): return "host \(host) ← \(short("\(message)"))"
        case .asked(let place): return line(place, violation, isReply: false)
        case .answered(let place): return line(place, violation, isReply: true)
        }
    }

    private func isShown(_ action: Action, _ item: Int?) -> Bool {
        switch action {
        case .reply, .resume, .close, .beat: false
        case .redis(_, _, .readCounters(_, let items)), .reader(_, .selectCounters(let items)),
            .standby(_, _, .selectCounters(let items, _)):
            item.map { items.contains(plan.items[$0]) } ?? true
        default: true
        }
    }

    private func line(_ first: Int, _ violation: Violation, isReply: Bool) -> String? {
        let item = violation.item ?? violation.pair.map { $0 % plan.items.count }
        var texts: [String] = []
        for place in first..<(first + Int(operations[first].width)) {
            let operation = operations[place]
            if let item, operation.item != item { continue }
            if let pair = violation.pair, operation.kind == .liked, operation.pair != pair { continue }
            var text = "host \(operation.host) client \(operation.client) #\(place) \(operation.kind) "
            text += operation.kind == .count ? describe(plan.items[operation.item]) : describe(pair: operation.pair)
            if isReply {
                text += " = \(operation.outcome)"
                if operation.outcome == .answered {
                    text += operation.isChange ? " changed \(operation.changed) count" : ""
                    text += " \(operation.value)"
                }
            } else {
                text += "?"
            }
            texts.append(text)
        }
        return texts.isEmpty ? nil : texts.joined(separator: "; ")
    }

    /// Module and type names say nothing here.
    private func short(_ text: String) -> String {
        var words = text
        for noise in ["LikesCore.", "LikesProtocol.", "LikesSimulation."] {
            words = words.split(separator: noise, omittingEmptySubsequences: false).joined()
        }
        return String(words.prefix(400))
    }
}
