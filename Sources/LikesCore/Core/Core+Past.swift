import LikesProtocol
import LikesStorage

// Which database this is, and which of its pasts it continues.
extension Core {
    // MARK: Surveys

    mutating func sendSurvey(_ turn: inout Turn) {
        lane.survey(at: turn.now.adding(ms: Limits.surveyMs))
        let generations = redis.inUse.compactMap { coherence[$0].trust.generation }
        let tokens = redis.inUse.compactMap { node in
            coherence[node].trust.generation.map { NodeToken($0.token, on: redis.clusterNode(node)).text }
        }
        let request = SurveyRequest(
            lane: lane.row.lane, tokens: tokens.sorted(),
            servers: Set(generations.map(\.server)).sorted(), snapshot: .common(generations.map(\.snapshot)),
            since: usedSince ?? 0, signOfLife: lane.row.nextSignOfLife())
        lane.call(.survey(request, askedAt: turn.now), .survey(request), &turn)
    }

    /// `Generation.snapshot.next` of the oldest data that this host uses; nil: it does not know all of it yet, or has
    /// none. Data that it has used before counts until it knows another for that node.
    var usedSince: Int64? {
        var least: Int64?
        for node in redis.inUse {
            guard let next = coherence[node].trust.madeBefore else { return nil }
            least = min(least ?? next, next)
        }
        return least
    }

    /// `Generation.snapshot.next` of the newest data that this host uses; nil: it does not know all of it.
    private var newestInUse: Int64? {
        let generations = redis.inUse.compactMap { coherence[$0].trust.generation }
        return generations.count == redis.inUse.count ? generations.map(\.snapshot.next).max() : nil
    }

    mutating func surveyed(_ request: SurveyRequest, askedAt: Instant, _ survey: Survey, _ turn: inout Turn) {
        lane.link.proved()
        guard let seals = survey.seals else {
            // The new connections say what to do.
            return giveUpDatabase(.unreachable("the table likesd_secret has no secret"), &turn)
        }
        learn(seals, askedAt: askedAt, &turn)
        noteSilent(lanesFenced: survey.silentLanesFenced, &turn)
        coherence.past.survey(survey)
        let isKept = lane.row.signOfLifeKept(request.signOfLife, before: survey.signOfLife)
        let isSame = coherence.past.identity == survey.identity
        learn(survey.identity, of: .lane, &turn)
        guard lane.link.isUp else { return }
        guard isSame else {
            // What the connections learnt came from tables that were replaced.
            return giveUpDatabase(.unreachable("the tables were replaced"), &turn)
        }
        guard survey.knowsTypes else {
            // The new connections learn the types, and whether one has another number now.
            return giveUpDatabase(.unreachable("item types changed their numbers, or are missing"), &turn)
        }
        if !isKept {
            goBack("what this host wrote is missing", &turn)
        } else if isBehind(survey.snapshot, request), safeguards.generationCheck {
            // Repairs would seem older than the data, and be taken for settled.
            goBack("Redis' data is of later transactions", &turn)
        } else if let reason = coherence.past.owedReason {
            wentBack(reason, &turn)
        }
        let named = lane.row.servers.named
        let survey = compareRow(request, survey)
        for node in redis.inUse {
            if let unfit = coherence[node].trust.unfit {
                if coherence.isForged(marker: unfit, on: node) { noteForged(.marker, &turn) }
                identifyData(node, insteadOf: unfit, &turn)
            } else if let generation = coherence[node].trust.generation, isNamed(node, in: request) {
                coherence.noteStrays(survey, generation, on: node, inUse: redis.inUse) { server in
                    // Others have its slots.
                    named[server].map { !redis.successors(of: $0).contains(node) } ?? false
                }
                compare(survey, askedAt: askedAt, with: generation, ownToken(generation, on: node), on: node, &turn)
            }
        }
    }

    /// Notes that the survey has compared this host's row. Returns it with what that row does not say.
    private mutating func compareRow(_ request: SurveyRequest, _ survey: Survey) -> Survey {
        let lost = lane.row.servers.named.filter { !request.servers.contains($0.key) }
        let covered = Set(lost.values).filter { place in
            redis.successors(of: place).allSatisfy { isNamed($0, in: request) }
        }
        let isWhole = redis.inUse.allSatisfy { isNamed($0, in: request) }
        let missing = lane.row.servers.compared(
            request.servers, isWhole: isWhole, covered: covered, next: survey.snapshot.next)
        var survey = survey
        if let missing { survey.strayed.append(missing) }
        return survey
    }

    /// Whether the survey said that this host uses the node's data: not if it was sent before that was identified.
    private func isNamed(_ node: NodePlace, in request: SurveyRequest) -> Bool {
        coherence[node].trust.generation.map { request.tokens.contains(ownToken($0, on: node).text) } ?? false
    }

    private func ownToken(_ generation: Generation, on node: NodePlace) -> NodeToken {
        NodeToken(generation.token, on: redis.clusterNode(node))
    }

    /// Whether data that the survey named was made later than what PostgreSQL has.
    private func isBehind(_ snapshot: DatabaseSnapshot, _ request: SurveyRequest) -> Bool {
        redis.inUse.contains { node in
            guard let generation = coherence[node].trust.generation else { return false }
            return isNamed(node, in: request) && snapshot.least < generation.snapshot.least
        }
    }

    private mutating func noteSilent(lanesFenced: Int, _ turn: inout Turn) {
        guard lanesFenced > 0 else { return }
        reports.statistics.silentLanesFenced += Int64(lanesFenced)
        if lanesFenced >= limits.lanesPerSurvey { lane.survey(at: turn.now) }
        repairs.passes.passSoon(now: turn.now)
        say(.lane, .notice, "\(Counted.text(lanesFenced, "host")) fell silent; repairing what they left behind", &turn)
    }

    /// Compares this host's generation with the ones that other hosts use. Hosts on two Redis servers do not hear of
    /// each other's changes.
    private mutating func compare(
        _ survey: Survey, askedAt: Instant, with generation: Generation, _ own: NodeToken, on node: NodePlace,
        _ turn: inout Turn
    ) {
        guard safeguards.generationCheck else { return coherence[node].trust.agreeUnseen() }
        let others = coherence.compare(
            survey, askedAt: askedAt, lane: lane.row.lane, on: node, own: own, inUse: redis.inUse,
            isOfOther: { redis.isOther($0, than: node) })
        let askAgainAt = turn.now.adding(ms: Limits.disputeAskMs)
        let line = disputeLine(node)
        switch coherence[node].trust.compare(others, era: coherence.past.era, now: turn.now) {
        case .agreed:
            tendMended(now: turn.now)
            dropIfOthersCameBack(survey, to: node, &turn)
        case .unclear:
            checkMarker(of: node, &turn)
            lookAgain(at: node, askAgainAt, &turn)
        case .disputed:
            lookAgain(at: node, askAgainAt, &turn)
            reports.statistics.redisDisputes += 1
            let one = redis.isCluster ? "Redis\(address(node)): " : ""
            let text = "\(one)\(disputeText); not using it until all hosts name the same one"
            say(line, .warning, text, &turn)
        case .stillDisputed: lookAgain(at: node, askAgainAt, &turn)
        case .agreedAgain(let dispute):
            let one = redis.isCluster ? "the same data of Redis\(address(node))" : "one Redis"
            say(line, .notice, "all hosts use \(one) again", &turn)
            // Redis' data is from a time when other hosts did not write to it, unless another host has thrown it away
            // already.
            let isSame = redis.isCluster ? generation.token == dispute.token : coherence.past.era == dispute.era
            if isSame || !coherence[node].strays.isEmpty { return dropData(of: node, &turn) }
            // Meanwhile batches noted their changes only in `cache_repairs`.
            repairs.passes.startOver(node, now: turn.now)
        }
    }

    /// Begins anew if hosts were at another Redis in between, or wrote to the one that they used before after others
    /// had begun to fill this one.
    private mutating func dropIfOthersCameBack(_ survey: Survey, to node: NodePlace, _ turn: inout Turn) {
        let moment = redis.isCluster ? turn.now : coherence.past.strayEraAt(now: turn.now)
        if !coherence[node].strays.isEmpty, moment > turn.now { lane.survey(by: moment) }
        if !coherence[node].strays.isEmpty, moment <= turn.now {
            let ofNode = "hosts wrote to a primary that was replaced; dropping the counts of Redis\(address(node))"
            let text = redis.isCluster ? ofNode : Self.cameBackText
            say(.past, .warning, text, &turn)
            return dropData(of: node, &turn)
        }
        guard let seenAt = coherence.past.othersCameBack(survey, newest: newestInUse, now: turn.now) else { return }
        // Or they have heard before this host that nodes were replaced.
        if redis.isCluster,
            turn.now.ms(since: seenAt) < Limits.disputeConfirmMs || !redis.asks.wasAnswered(after: seenAt)
        {
            redis.asks.askSoon(now: turn.now)
            return lane.survey(at: turn.now.adding(ms: Limits.disputeAskMs))
        }
        say(.past, .warning, Self.cameBackText, &turn)
        beginEra(&turn)
    }

    private static let cameBackText = "hosts recently used another Redis; dropping cached counts"

    /// The data in Redis lacks changes: that of one node, if Redis is a cluster.
    private mutating func dropData(of node: NodePlace, _ turn: inout Turn) {
        guard redis.isCluster else { return beginEra(&turn) }
        coherence[node].strays.settle()
        disownData(node, &turn)
    }

    /// Slots may have moved, and with them the node's marker.
    private mutating func lookAgain(at node: NodePlace, _ moment: Instant, _ turn: inout Turn) {
        redis[node].marker.retry()
        redis.asks.askSoon(now: turn.now)
        lane.survey(at: moment)
    }

    private func disputeLine(_ node: NodePlace) -> RepeatedLines.Kind {
        redis.isCluster ? .connection(.redis(node)) : .past
    }

    var disputeText: String {
        redis.isCluster
            ? "other hosts use other data of it, or it has two primaries"
            : "other hosts use another Redis, or Redis has two primaries"
    }

    var disputeAdvice: String {
        redis.isCluster
            ? "name the same cluster in REDIS_URL on all hosts, and run redis-cli --cluster check HOST:PORT"
            : "set REDIS_URL to the same primary on all hosts"
    }

    // MARK: Another past

    /// A connection says which past of the database it is at. A connection to a past that is over is of no use, and is
    /// given up.
    mutating func learn(_ identity: DatabaseIdentity, of backend: Backend, _ turn: inout Turn) {
        let marker = redis.places.compactMap { coherence[$0].trust.generation?.database }.first
        if let marker, coherence.past.identity == nil, marker.isAhead(of: identity) {
            return refuse(identity, newest: marker, of: backend, &turn)
        }
        guard let known = coherence.past.identity, known != identity else {
            coherence.adopt(identity)
            if let marker, !marker.isSameDatabase(identity) { forgetPast(now: turn.now) }
            return identifyAnew(&turn)
        }
        if known.isAhead(of: identity) { return refuse(identity, newest: known, of: backend, &turn) }
        let isServersPast = known.system != identity.system || known.timeline != identity.timeline
        let what =
            isServersPast ? "PostgreSQL's timeline changed" : "likesd's tables were replaced (restored or rewritten)"
        say(.past, .warning, "\(what); dropping cached counts", &turn)
        coherence.adopt(identity)
        forgetPast(now: turn.now)
        lane.row.forgetCommitted()
        identifyAnew(&turn)
        let other: Backend = backend == .lane ? .reader : .lane
        if self[other].isUp { giveUp(other, .unreachable("the tables were replaced"), &turn) }
    }

    private mutating func refuse(
        _ identity: DatabaseIdentity, newest: DatabaseIdentity, of backend: Backend, _ turn: inout Turn
    ) {
        let text = "this server is at timeline \(identity.timeline), but another was promoted to \(newest.timeline)"
        giveUp(backend, .unreachable(text, next: oldPrimaryAdvice), &turn)
    }

    /// If this host named the promoted server, it would have found that server, or reported that it does not answer.
    private var oldPrimaryAdvice: String {
        "name the promoted server in \(configuration.places.text(of: .databaseURL)) on this host, and stop this "
            + "server; or, if the promoted one is lost for good, delete \(RedisKeys.marker) in Redis "
            + "and restart likesd on all hosts"
    }

    /// Other hosts have seen another server promoted over the one that this host uses.
    mutating func leaveOldPrimary(_ newest: DatabaseIdentity, _ turn: inout Turn) {
        guard let known = coherence.past.identity else { return }
        coherence.adopt(newest)
        forgetPast(now: turn.now)
        if lane.link.isUp { refuse(known, newest: newest, of: .lane, &turn) }
        if reader.seesPrimary { refuse(known, newest: newest, of: .reader, &turn) }
    }

    /// By what Redis and other hosts tell, PostgreSQL is at an earlier state than before. Since others can cause this,
    /// it has an effect only once in a while.
    private mutating func wentBack(_ reason: String, _ turn: inout Turn) {
        guard coherence.past.mayBeginEra(now: turn.now) else { return coherence.past.oweEra(reason) }
        goBack(reason, &turn)
    }

    mutating func goBack(_ reason: String, _ turn: inout Turn) {
        reports.statistics.databasesGoneBack += 1
        coherence.forgetStrays()
        let text = "PostgreSQL went back to an earlier state (\(reason)); dropping cached counts"
        say(.past, .warning, text, &turn)
        beginEra(&turn)
    }

    private mutating func beginEra(_ turn: inout Turn) {
        reports.statistics.erasBegun += 1
        coherence.beginEra(now: turn.now)
        forgetPast(now: turn.now)
        for node in redis.places where coherence[node].trust.generation != nil { disownData(node, &turn) }
    }

    /// Stops believing everything that was cached.
    mutating func forgetPast(now: Instant) {
        known.forgetPast()
        reads.forgetNewer()
        // What standbys had before proves nothing of the present past.
        reader.standbys.forgetPositions(now: now)
        repairs.rereadAll()
        repairs.forgetRows()
        lane.upkeep.databaseWentBack(now: now)
        coherence.past.forgetUsed()
    }

    private mutating func identifyAnew(_ turn: inout Turn) {
        for node in redis.places {
            guard let generation = coherence[node].trust.generation,
                !generation.fits(coherence.past.identity, era: coherence.past.era)
            else { continue }
            disownData(node, &turn)
        }
    }

    // MARK: Contradictions

    /// Compares a primary's answer, asked for under the permit, with what is known. A counter older than one known when
    /// the primary was asked proves that the database went back.
    mutating func compareWithKnown(_ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn) {
        guard safeguards.contradictions, permit.era == coherence.past.era else { return }
        let now = writePermit(now: turn.now)
        let isFresh = { (item: Item) in
            self.redis.node(of: item).map { permit.isFresh(now, on: $0) } ?? permit.isYoung(at: now.askedAt)
        }
        var left = counters[...]
        while let (counter, version) = known.contradiction(in: &left, askedAt: permit.askedAt, isFresh: isFresh) {
            wentBack(Self.contradiction(counter, version), &turn)
            if permit.era != coherence.past.era { return }
            known.replace(counter)
        }
    }

    private static func contradiction(_ counter: CounterState, _ version: Int64) -> String {
        "a counter is at version \(counter.version), but was at \(version)"
    }

    mutating func sendDoubts(_ turn: inout Turn) {
        guard canAskPrimary, reader.calls[.doubts] == 0 else { return }
        let doubts = known.takeDoubts(now: turn.now)
        guard !doubts.isEmpty else { return }
        reader.call(.doubts(doubts, era: coherence.past.era), .selectCounters(doubts.map(\.item)), &turn)
    }

    /// The primary's answer to doubts. It was asked after each doubted version was known.
    mutating func decideDoubts(_ doubts: [Doubt], era: Int64, _ counters: [CounterState], _ turn: inout Turn) {
        guard era == coherence.past.era else { return }
        for (doubt, counter) in zip(doubts, counters) where counter.version < doubt.version {
            return wentBack(Self.contradiction(counter, doubt.version), &turn)
        }
    }
}
