import LikesStorage

// Which database this is, and which of its pasts it continues.
extension Core {
    // MARK: Surveys

    mutating func sendSurvey(_ turn: inout Turn) {
        lane.survey(at: turn.now.adding(ms: Limits.surveyMs))
        let generation = coherence.trust.generation
        let request = SurveyRequest(
            lane: lane.row.lane, token: generation?.token ?? "", server: generation?.server ?? "",
            snapshot: generation?.snapshot ?? .unknown, signOfLife: lane.row.nextSignOfLife(),
            freshMs: coherence.trust.freshMs(now: turn.now))
        lane.call(.survey(request, askedAt: turn.now), .survey(request), &turn)
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
        } else if survey.snapshot.least < request.snapshot.least, safeguards.generationCheck {
            // Repairs would seem older than the data, and be taken for settled.
            goBack("Redis' data is of later transactions", &turn)
        } else if let reason = coherence.past.owedReason {
            wentBack(reason, &turn)
        }
        if let unfit = coherence.trust.unfit {
            if coherence.isForged(marker: unfit) { noteForged(.marker, &turn) }
            return identifyData(insteadOf: unfit, &turn)
        }
        // A survey sent before the data was identified does not say that this host uses it.
        if let generation = coherence.trust.generation, request.token == generation.token {
            compare(survey, with: generation, &turn)
        }
    }

    private mutating func noteSilent(lanesFenced: Int, _ turn: inout Turn) {
        guard lanesFenced > 0 else { return }
        reports.statistics.silentLanesFenced += Int64(lanesFenced)
        if lanesFenced >= limits.lanesPerSurvey { lane.survey(at: turn.now) }
        repairs.passes.passSoon(now: turn.now)
        say(.lane, .notice, "\(lanesFenced) hosts fell silent; repairing what they left behind", &turn)
    }

    /// Compares this host's generation with the ones that other hosts use. Hosts on two Redis servers do not hear of
    /// each other's changes.
    private mutating func compare(_ survey: Survey, with generation: Generation, _ turn: inout Turn) {
        guard safeguards.generationCheck else { return coherence.trust.agreeUnseen() }
        coherence.past.noteStrays(survey.strayed, generation)
        let askAgainAt = turn.now.adding(ms: Limits.disputeAskMs)
        switch coherence.trust.compare(survey, era: coherence.past.era, now: turn.now) {
        case .agreed:
            tendMended(now: turn.now)
            guard let moment = coherence.past.eraDueAt(survey, generation, now: turn.now) else { return }
            guard moment <= turn.now else { return lane.survey(by: moment) }
            say(.past, .warning, "hosts recently used another Redis; dropping cached counts", &turn)
            beginEra(&turn)
        case .unclear:
            checkMarker(&turn)
            lane.survey(at: askAgainAt)
        case .disputed:
            lane.survey(at: askAgainAt)
            reports.statistics.redisDisputes += 1
            let text = "\(Self.disputeText); not using it until all hosts name the same one"
            say(.past, .warning, text, &turn)
        case .stillDisputed: lane.survey(at: askAgainAt)
        case .agreedAgain(let era):
            say(.past, .notice, "all hosts use one Redis again", &turn)
            // Redis' data is from a time when other hosts did not write to it, unless another host has thrown it away
            // already.
            let isOld = coherence.past.era == era || coherence.past.strayEraAt(now: turn.now) != nil
            if isOld { return beginEra(&turn) }
            // Meanwhile batches noted their changes only in `cache_repairs`.
            repairs.passes.startOver(now: turn.now)
        }
    }

    static let disputeText = "other hosts use another Redis, or Redis has two primaries"
    static let disputeAdvice = "set REDIS_URL to the same primary on all hosts"

    // MARK: Another past

    /// A connection says which past of the database it is at. A connection to a past that is over is of no use, and is
    /// given up.
    mutating func learn(_ identity: DatabaseIdentity, of backend: Backend, _ turn: inout Turn) {
        let marker = coherence.trust.generation?.database
        if let marker, coherence.past.identity == nil, marker.isAhead(of: identity) {
            return refuse(identity, newest: marker, of: backend, &turn)
        }
        guard let known = coherence.past.identity, known != identity else {
            coherence.past.adopt(identity)
            if let marker, !marker.isSameDatabase(identity) { forgetPast(now: turn.now) }
            return identifyAnew(&turn)
        }
        if known.isAhead(of: identity) { return refuse(identity, newest: known, of: backend, &turn) }
        let isServersPast = known.system != identity.system || known.timeline != identity.timeline
        let what =
            isServersPast ? "PostgreSQL's timeline changed" : "likesd's tables were replaced (restored or rewritten)"
        say(.past, .warning, "\(what); dropping cached counts", &turn)
        coherence.past.adopt(identity)
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
        coherence.past.adopt(newest)
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
        coherence.past.forgetStrays()
        let text = "PostgreSQL went back to an earlier state (\(reason)); dropping cached counts"
        say(.past, .warning, text, &turn)
        beginEra(&turn)
    }

    private mutating func beginEra(_ turn: inout Turn) {
        reports.statistics.erasBegun += 1
        coherence.past.beginEra(now: turn.now)
        forgetPast(now: turn.now)
        if coherence.trust.generation != nil { disownData(&turn) }
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
        guard let generation = coherence.trust.generation,
            !generation.fits(coherence.past.identity, era: coherence.past.era)
        else { return }
        disownData(&turn)
    }

    // MARK: Contradictions

    /// Compares a primary's answer, asked for under the permit, with what is known. A counter older than one known when
    /// the primary was asked proves that the database went back.
    mutating func compareWithKnown(_ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn) {
        guard safeguards.contradictions, permit.era == coherence.past.era else { return }
        let isFresh = permit.isFresh(writePermit(now: turn.now))
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
