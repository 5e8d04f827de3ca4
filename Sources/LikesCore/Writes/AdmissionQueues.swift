/// The changes that wait for their admission, by the node of Redis that counts their user's rate, and those of which
/// two nodes are asked at once.
struct AdmissionQueues {
    private var queues: [Ring<ChangeIndex>] = []
    /// Nobody has named their node.
    private var homeless = Ring<ChangeIndex>()
    /// What the first of two nodes decided; nil: neither has yet.
    private var split: [ChangeIndex: AdmissionVerdict?] = [:]
    /// Where several nodes are asked: the changes of one connection and item, in the order in which they came. A node
    /// that answers late must not let a later change pass.
    private var order: [OwnItem: [Ordered]] = [:]
    private var ready = Ring<(ChangeIndex, AdmissionVerdict)>()

    private struct Ordered {
        var index: ChangeIndex
        /// nil: nobody has decided yet.
        var verdict: AdmissionVerdict?
    }

    func has(_ node: NodePlace) -> Bool { node < queues.count && !queues[node].isEmpty }

    mutating func append(_ index: ChangeIndex, _ node: NodePlace?) {
        guard let node else { return homeless.append(index) }
        while queues.count <= node { queues.append(Ring()) }
        queues[node].append(index)
    }

    mutating func take(_ node: NodePlace?) -> ChangeIndex? {
        guard let node else { return homeless.popFirst() }
        return node < queues.count ? queues[node].popFirst() : nil
    }

    // MARK: Order

    /// The change comes behind the earlier ones of its connection and item.
    mutating func line(up index: ChangeIndex, _ own: OwnItem) { order[own, default: []].append(Ordered(index: index)) }

    /// What was decided about the change; nil: it is over. False: it stands in no line.
    mutating func decide(_ index: ChangeIndex, _ own: OwnItem, _ verdict: AdmissionVerdict?) -> Bool {
        guard !order.isEmpty, var line = order[own], let place = line.firstIndex(where: { $0.index == index }) else {
            return false
        }
        line[place].verdict = verdict
        if verdict == nil { line.remove(at: place) }
        while let first = line.first, let verdict = first.verdict {
            ready.append((first.index, verdict))
            line.removeFirst()
        }
        order[own] = line.isEmpty ? nil : line
        return true
    }

    /// The next change that goes on.
    mutating func takeReady() -> (ChangeIndex, AdmissionVerdict)? { ready.popFirst() }

    // MARK: Two nodes

    mutating func split(_ index: ChangeIndex) { split[index] = .some(nil) }

    /// The rate decides; a hint that either has found is one. nil: the other node has not decided yet.
    mutating func join(_ index: ChangeIndex, _ verdict: AdmissionVerdict) -> AdmissionVerdict? {
        guard !split.isEmpty, let first = split[index] else { return verdict }
        guard let first else {
            split[index] = verdict
            return nil
        }
        split[index] = nil
        return switch (first, verdict) {
        case (.limited, _): first
        case (_, .limited): verdict
        case (.admitted(let one), .admitted(let other)): .admitted(recent: one || other)
        case (.elsewhere, _), (_, .elsewhere): preconditionFailure("a redirect is no verdict")
        }
    }

    func checkInvariants(_ changes: Changes) {
        for queue in queues + [homeless] {
            for place in 0..<queue.count { Self.check(queue[place], changes) }
        }
        for index in split.keys { Self.check(index, changes) }
        precondition(ready.isEmpty, "what is decided goes on in the same turn")
        for (own, line) in order {
            precondition(line.first?.verdict == nil, "what is decided and is first goes on")
            for ordered in line {
                Self.check(ordered.index, changes)
                precondition(OwnItem(changes[ordered.index]) == own, "a change in another's line")
            }
        }
    }

    private static func check(_ index: ChangeIndex, _ changes: Changes) {
        guard case .admission = changes[index].stage else {
            preconditionFailure("awaits admission, in another stage")
        }
    }
}
