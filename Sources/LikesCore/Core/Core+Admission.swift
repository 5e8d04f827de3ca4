import LikesProtocol
import LikesStorage

// Admission: the user's rate is counted, and the hint looked up.
extension Core {
    /// Sends the change to admission. If it must not overtake an earlier request of its connection, it follows that
    /// request.
    mutating func admit(_ index: ChangeIndex) {
        if let earlier = blocker(of: index) {
            clients.followers.append(.change(index), behind: earlier)
        } else {
            let node = redis.nodeOfRate(user: writes.changes[index].pair.user)
            writes.awaitAdmission(index, on: node, isOrdered: redis.places.count > 1 && safeguards.admissionOrder)
        }
    }

    private func blocker(of index: ChangeIndex) -> Ticket? {
        safeguards.ownOrder ? clients.blocker(of: writes.changes[index], among: writes.changes) : nil
    }

    mutating func sendAdmissions(_ turn: inout Turn) {
        for node in redis.places { sendAdmissions(to: node, &turn) }
        // Nobody has named a node that counts their users' rates.
        while let index = writes.takeForLocalAdmission(nil) { admitLocally(index, &turn) }
        goOnAdmitted(&turn)
    }

    /// Sends the changes whose users' rates the node counts.
    private mutating func sendAdmissions(to node: NodePlace, _ turn: inout Turn) {
        guard admits(node) else {
            // Redis is down, or does nothing yet. No change overtakes one that Redis was asked to admit before.
            guard redis[node].calls[.admission] == 0 else { return }
            while let index = writes.takeForLocalAdmission(node) { admitLocally(index, &turn) }
            return
        }
        while writes.awaitsAdmission(node), redis[node].calls[.admission] < limits.callsInFlightMax {
            let taken = writes.takeForAdmission(node)
            if taken.isEmpty { continue }
            guard redis.places.count > 1 else {
                redis.call(.admission(taken, parts: []), .admit(taken.map { entry($0, .both) }), on: node, &turn)
                continue
            }
            sendSplit(taken, to: node, &turn)
        }
    }

    /// The hints may be on other nodes. Without such a node there is no hint.
    private mutating func sendSplit(_ changes: [ChangeIndex], to node: NodePlace, _ turn: inout Turn) {
        var parts: [AdmissionPart] = []
        var hints: [NodePlace: [ChangeIndex]] = [:]
        for index in changes {
            let change = writes.changes[index]
            let hintNode = change.kind == .like ? redis.nodeOfRecentLikes(user: change.pair.user) : node
            guard let hintNode, hintNode != node else {
                parts.append(hintNode == node ? .both : .rate)
                continue
            }
            parts.append(.rate)
            guard admits(hintNode) else { continue }
            writes.splitAdmission(index)
            hints[hintNode, default: []].append(index)
        }
        let entries = zip(changes, parts).map { entry($0, $1) }
        redis.call(.admission(changes, parts: parts), .admit(entries), on: node, &turn)
        for hintNode in hints.keys.sorted() {
            let asked = hints[hintNode] ?? []
            redis.call(
                .admission(asked, parts: Array(repeating: .hint, count: asked.count)),
                .admit(asked.map { entry($0, .hint) }), on: hintNode, &turn)
        }
    }

    private func entry(_ index: ChangeIndex, _ part: AdmissionPart) -> AdmissionEntry {
        AdmissionEntry(pair: writes.changes[index].pair, kind: writes.changes[index].kind, part: part)
    }

    mutating func admitted(
        _ changes: [ChangeIndex], _ parts: [AdmissionPart], _ verdicts: [AdmissionVerdict], redirects: Int,
        on node: NodePlace, _ turn: inout Turn
    ) {
        noteRefusal(nil, of: .admission, on: node, &turn)
        if parts.isEmpty || parts.contains(where: { $0 != .hint }) { writes.localRate.notNeeded(now: turn.now) }
        var moved: [RedisRedirect?: [ChangeIndex]] = [:]
        for (index, verdict) in zip(changes, verdicts) {
            guard case .elsewhere(let redirect) = verdict else {
                admitted(index, verdict, &turn)
                continue
            }
            moved[redirect, default: []].append(index)
        }
        for (redirect, changes) in moved.sorted(by: { $0.value[0] < $1.value[0] }) {
            follow(redirect, changes, redirects: redirects, &turn)
        }
    }

    /// The node does not count these users' rates. The one that does is asked, with no further look for hints. Each
    /// call is followed by few others, so they have no limit of their own.
    private mutating func follow(
        _ redirect: RedisRedirect?, _ changes: [ChangeIndex], redirects: Int, _ turn: inout Turn
    ) {
        guard safeguards.redirects, let redirect, redirects < Limits.redirectsMax, let node = redis.node(at: redirect)
        else {
            for index in changes { admitLocally(index, &turn) }
            return
        }
        redis.call(
            .admission(changes, parts: changes.map { _ in .rate }, redirects: redirects + 1),
            .admit(changes.map { entry($0, .rate) }, isAsking: redirect.isAsk), on: node, &turn)
    }

    /// One node, or this process in its place, has decided. The change goes on when both have.
    private mutating func admitted(_ index: ChangeIndex, _ verdict: AdmissionVerdict, _ turn: inout Turn) {
        if let verdict = writes.admitted(index, verdict) { goOn(index, verdict, &turn) }
        goOnAdmitted(&turn)
    }

    /// Changes that earlier ones of their connection and item have kept back.
    private mutating func goOnAdmitted(_ turn: inout Turn) {
        while let (index, verdict) = writes.takeAdmitted() { goOn(index, verdict, &turn) }
    }

    private mutating func goOn(_ index: ChangeIndex, _ verdict: AdmissionVerdict, _ turn: inout Turn) {
        switch verdict {
        case .limited(let seconds): refuseRate(index, seconds, &turn)
        case .admitted(let isRecent): admitted(index, isRecent: isRecent && canAskPrimary, &turn)
        case .elsewhere: preconditionFailure("a redirect is followed before it is taken for a verdict")
        }
    }

    /// The call did not come through: the process counts, and knows no hint.
    mutating func admitWithoutRedis(_ changes: [ChangeIndex], _ parts: [AdmissionPart], _ turn: inout Turn) {
        for (place, index) in changes.enumerated() {
            if !parts.isEmpty, parts[place] == .hint {
                admitted(index, .admitted(recent: false), &turn)
            } else {
                admitLocally(index, &turn)
            }
        }
    }

    mutating func admitLocally(_ index: ChangeIndex, _ turn: inout Turn) {
        if writes.changes[index].isAnswered {
            admitted(index, .admitted(recent: false), &turn)
        } else if let seconds = writes.localRate.count(user: writes.changes[index].pair.user, now: turn.now) {
            admitted(index, .limited(retrySeconds: seconds), &turn)
        } else {
            admitted(index, .admitted(recent: false), &turn)
        }
    }

    private mutating func refuseRate(_ index: ChangeIndex, _ seconds: Int64, _ turn: inout Turn) {
        let limit = configuration.rateLimitRequests
        let window = configuration.rateLimitWindowSeconds
        let text = "over \(limit) likes and unlikes in \(window) s: try again in \(seconds) s"
        finish(index, .error(ErrorReply(.rateLimited, text)), &turn)
    }

    /// Redis, or this process, has counted the change towards its user's rate. `isRecent`: the hint says that the pair
    /// is liked already.
    mutating func admitted(_ index: ChangeIndex, isRecent: Bool, _ turn: inout Turn) {
        if writes.forgetIfAnswered(index) { return }
        writes.end(.admission, of: index, now: turn.now)
        if clients.followers.mayHoldAdmitted, let earlier = blocker(of: index) {
            writes.follow(index)
            return clients.followers.append(.admittedChange(index), behind: earlier)
        }
        if isRecent, !safeguards.hintConfirmation { return writes.owe(index, changed: false) }
        switch earlierChange(of: index, isRecent: isRecent) {
        case .confirming(let earlier): writes.hold(index, behind: earlier)
        case nil where isRecent:
            writes.confirm(index)
            reads.ask(PairRead(pair: writes.changes[index].pair, asker: .change(index)))
        case .inLane, nil: writes.queue(index)
        }
    }

    private func earlierChange(of index: ChangeIndex, isRecent: Bool) -> Clients.EarlierChange? {
        guard isRecent || writes.confirmations.count > 0, safeguards.ownOrder else { return nil }
        return clients.earlierChange(of: writes.changes[index], among: writes.changes)
    }
}
