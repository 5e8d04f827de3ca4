import LikesProtocol
import LikesStorage

// Which database this is, at which of its pasts; and which of Redis' data is its.
extension Core {
    // MARK: Redis' marker

    /// Looks at the marker, or makes another once it was seen not to fit and the database was looked at again: it may
    /// be this host that is behind.
    mutating func verifyRedis(insteadOf unfit: String? = nil, _ turn: inout Turn) {
        guard redis.isUp, trust.generation == nil, calls[.verify] == 0 else { return }
        var request = VerifyRequest(new: nil)
        if let unfit, let history = past.history {
            request.new = VerifyRequest.New(
                database: history, era: past.era, token: newToken(), snapshot: past.snapshot,
                instead: unfit, secret: sealer.secret)
            repairs.beginVerifying()
        }
        turn.append(.verify(calls.begin(.verify(request), now: turn.now), request))
    }

    package mutating func verified(
        _ call: CallID, _ marker: FoundMarker, _ turn: inout Turn
    ) {
        guard case .verify(let request)? = calls.end(call) else { return }
        redisRefusals[.verifying] = nil
        let made = marker.generation
        let isGenuine = made.map { !safeguards.seals || sealer.isGenuine($0) } ?? false
        // Another database's hosts have another secret.
        let found = isGenuine || made.map(isForeign) ?? false ? made : nil
        if isGenuine, let found, isPromoted(found.database) {
            leaveOldPrimary(found.database, &turn)
        }
        guard let found, marker.isOfThisLife && fits(found) || !safeguards.generationCheck else {
            repairs.verified(isNew: false)
            if let found, marker.isOfThisLife, isShared(found, now: turn.now) {
                return leaveToOthers(&turn)
            }
            trust.misfit(marker.text)
            // Where another host's came first and does not fit either, the two of them are in no hurry.
            laneRow.surveyAt = request.new == nil ? turn.now : turn.now.adding(ms: Limits.disputeAskMs)
            return
        }
        let isMade = found.token == request.new?.token
        repairs.verified(isNew: isMade)
        // The last era has no later one: there other data is.
        let isLater = found.era > past.era || found.era == Limits.eraMax && !isMade && found.token != trust.token
        if isLater, past.history != nil || past.era > 0 {
            let text = "another host has begun era \(found.era) of what is cached: what this one had is dropped"
            say(.past, .warning, text, &turn)
            forgetPast(now: turn.now)
            // What this host misses from now on was lost in what that host has found.
            laneRow.forgetCommitted()
        }
        // Before PostgreSQL was there for the first time nobody knows who made it: it is looked at again then.
        if sealer.secret != nil || !safeguards.seals {
            past.join(era: found.era)
            past.use(found)
        }
        let isOutdated = trust.isOutdated(by: found, now: turn.now)
        if isOutdated { repairs.forgetTold() }
        if found.token != trust.token {
            recent.forgetTold()
            laneRow.settled = nil
            say(.past, .notice, "Redis' counters are of generation \(found.token)", &turn)
        }
        redis.proved()
        // What was changed until now may not have been told.
        if safeguards.cacheExpiry { cache.expireAll() }
        trust.verified(found, isMade: isMade, knowsMore: !isOutdated, now: turn.now)
        laneRow.surveyAt = turn.now
    }

    /// Whether what was made under the marker may be believed.
    private func fits(_ found: Generation) -> Bool {
        found.token != trust.disownedToken && found.fits(past.history, era: past.era)
    }

    /// 12 hex digits.
    private mutating func newToken() -> String {
        let digits = String(SipHash.hash(jitter.next(), 1, 0, 0, key: key) & 0xFFFF_FFFF_FFFF, radix: 16)
        return String(repeating: "0", count: 12 - digits.count) + digits
    }

    // MARK: Surveys

    mutating func sendSurvey(_ turn: inout Turn) {
        laneRow.surveyAt = turn.now.adding(ms: Limits.surveyMs)
        let request = SurveyRequest(
            lane: laneRow.lane, generation: trust.generation?.token ?? "", server: trust.generation?.server ?? "",
            snapshot: trust.generation?.snapshot ?? .unknown, beat: laneRow.beat(),
            freshMs: trust.freshMs(now: turn.now))
        turn.append(.survey(calls.begin(.survey(request, askedAt: turn.now), now: turn.now), request))
    }

    package mutating func surveyed(_ call: CallID, _ survey: Survey, _ turn: inout Turn) {
        guard case .survey(let request, let askedAt)? = calls.end(call) else { return }
        lane.proved()
        guard let seals = survey.seals else {
            // New connections say what to do.
            return giveUpDatabase(.unreachable("the table likesd_secret has no secret"), &turn)
        }
        learn(seals, askedAt: askedAt, &turn)
        if survey.lanesRetired > 0 {
            statistics.lanesRetired += Int64(survey.lanesRetired)
            if survey.lanesRetired >= limits.lanesPerSurvey { laneRow.surveyAt = turn.now }
            let text = "\(survey.lanesRetired) hosts fell silent: repairing what they left"
            say(.lane, .notice, text, &turn)
        }
        past.survey(survey)
        let isKept = laneRow.beatKept(request.beat, before: survey.beat)
        let isSame = past.history == survey.history
        learn(survey.history, of: .lane, &turn)
        guard lane.isUp else { return }
        guard isSame else {
            // What the connection learnt of the tables, it learnt of others.
            return giveUpDatabase(.unreachable("the tables are others now"), &turn)
        }
        guard survey.knowsTypes else {
            // New connections learn them, and whether any has another number now.
            let failure = BackendFailure.unreachable("item types have other numbers, or none")
            return giveUpDatabase(failure, &turn)
        }
        if !isKept {
            goBack("it lacks what this host wrote", &turn)
        } else if survey.snapshot.least < request.snapshot.least, safeguards.generationCheck {
            // Of repairs it would be said that they are older than the data.
            goBack("Redis' data is of later transactions", &turn)
        } else if let reason = past.owedReason {
            wentBack(reason, &turn)
        }
        if let unfit = trust.unfit {
            noteForged(marker: unfit, &turn)
            return verifyRedis(insteadOf: unfit, &turn)
        }
        // One that was on its way when the data was verified does not say that it is used.
        if let generation = trust.generation, request.generation == generation.token {
            compare(survey, with: generation, &turn)
        }
    }

    /// Hosts on two Redis do not hear of each other's changes.
    private mutating func compare(
        _ survey: Survey, with generation: Generation, _ turn: inout Turn
    ) {
        guard safeguards.generationCheck else {
            trust.agreeUnseen()
            return
        }
        past.noteStrays(survey.strayed, generation)
        switch trust.compare(survey, era: past.era, now: turn.now) {
        case .agreed:
            tendMended(now: turn.now)
            // Hosts were at another Redis in between, and are back: this one has missed what they changed.
            // Where the numbers of transactions went back, what was said of later ones says nothing.
            let latest = max(survey.latest, past.latestUsed)
            let cameBack = latest > generation.snapshot.next && latest <= survey.snapshot.next
            // One wrote something to the Redis that it used before, after the others had begun to fill this one.
            guard let moment = cameBack ? turn.now : past.strayEraAt(now: turn.now) else { return }
            guard moment <= turn.now else {
                laneRow.surveyAt = min(laneRow.surveyAt, moment)
                return
            }
            let text = "hosts have just used another Redis: what is cached is dropped"
            say(.past, .warning, text, &turn)
            beginEra(&turn)
        case .unclear:
            lookAtMarker(&turn)
            laneRow.surveyAt = turn.now.adding(ms: Limits.disputeAskMs)
        case .disputed:
            laneRow.surveyAt = turn.now.adding(ms: Limits.disputeAskMs)
            statistics.redisDisputes += 1
            let text = "\(Self.disputeText): it is not used until all hosts name the same"
            say(.past, .warning, text, &turn)
        case .stillDisputed: laneRow.surveyAt = turn.now.adding(ms: Limits.disputeAskMs)
        case .settled(let era):
            say(.past, .notice, "all hosts use one Redis again", &turn)
            // What it has is from when others did not write to it, unless another host has thrown it away already.
            if past.era == era || past.strayEraAt(now: turn.now) != nil { return beginEra(&turn) }
            // Meanwhile batches have noted in `cache_repairs` alone what they changed.
            trust.doubt(now: turn.now)
        }
    }

    static let disputeText = "other hosts use another Redis, or Redis has two primaries"
    static let disputeAdvice = "let REDIS_URL name one and the same primary on all hosts"

    // MARK: Another past

    /// A connection says which past of the database it is at; one that is over is of no use, and given up.
    mutating func learn(
        _ history: DatabaseHistory, of backend: Backend, _ turn: inout Turn
    ) {
        if let marker = trust.generation?.database, past.history == nil, marker.isAhead(of: history) {
            return refuse(history, newest: marker, of: backend, &turn)
        }
        guard let known = past.history, known != history else {
            past.adopt(history)
            if let made = trust.generation?.database, !made.isSameDatabase(history) { forgetPast(now: turn.now) }
            return reverify(&turn)
        }
        if known.isAhead(of: history) {
            return refuse(history, newest: known, of: backend, &turn)
        }
        let isServersPast = known.system != history.system || known.timeline != history.timeline
        let what = isServersPast ? "PostgreSQL has another past" : "likesd's tables are others (restored or rewritten)"
        let text = "\(what) than before: what was cached is dropped"
        say(.past, .warning, text, &turn)
        past.adopt(history)
        forgetPast(now: turn.now)
        laneRow.forgetCommitted()
        reverify(&turn)
        let other: Backend = backend == .lane ? .reader : .lane
        if self[other].isUp {
            giveUp(other, .unreachable("the tables are others now"), &turn)
        }
    }

    private mutating func refuse(
        _ history: DatabaseHistory, newest: DatabaseHistory, of backend: Backend, _ turn: inout Turn
    ) {
        let text = "this server is at timeline \(history.timeline), another was promoted to \(newest.timeline)"
        giveUp(backend, .unreachable(text, next: oldPrimaryAdvice), &turn)
    }

    /// Where this host named the other server it would have found it, or say that it does not answer.
    private var oldPrimaryAdvice: String {
        "name the promoted server in \(configuration.places.text(of: .databaseURL)) of this host, and end this server; "
            + "or, where the promoted one is lost for good, delete likesd:generation in Redis "
            + "and restart likesd on all hosts"
    }

    /// Whether hosts were at a later past of the very database that this one is at.
    private func isPromoted(_ database: DatabaseHistory) -> Bool {
        past.history.map { database.isAhead(of: $0) } ?? false
    }

    /// Other hosts have seen another server promoted over the one that this host is at.
    private mutating func leaveOldPrimary(
        _ newest: DatabaseHistory, _ turn: inout Turn
    ) {
        guard let known = past.history else { return }
        past.adopt(newest)
        forgetPast(now: turn.now)
        if lane.isUp { refuse(known, newest: newest, of: .lane, &turn) }
        if reader.isUp, !isReaderStandby { refuse(known, newest: newest, of: .reader, &turn) }
    }

    /// Whether hosts of another database go on using this Redis: this one has made its own marker, and theirs is back.
    private mutating func isShared(_ found: Generation, now: Instant) -> Bool {
        isForeign(found) && trust.isBack(found, now: now)
    }

    /// It says that it is another database's.
    func isForeign(_ found: Generation) -> Bool {
        past.history.map { !found.database.isSameDatabase($0) } ?? false
    }

    private mutating func leaveToOthers(_ turn: inout Turn) {
        let failure = BackendFailure.unreachable(
            "another database's likesd uses the same database of Redis",
            next: "give each its own in REDIS_URL, as in redis://HOST/1; or, where the other one is gone, delete "
                + "likesd:generation in Redis; where there never was one, somebody else writes to likesd's keys")
        giveUp(.redis, failure, &turn)
        redis.hold(until: turn.now.adding(ms: Limits.foreignHoldMs))
    }

    /// PostgreSQL is at a state from before what is known, as far as Redis and other hosts tell: so not too often.
    private mutating func wentBack(_ reason: String, _ turn: inout Turn) {
        guard past.mayBeginEra(now: turn.now) else {
            past.owedReason = reason
            return
        }
        goBack(reason, &turn)
    }

    mutating func goBack(_ reason: String, _ turn: inout Turn) {
        statistics.databasesGoneBack += 1
        past.forgetStrays()
        let text = "PostgreSQL went back to an earlier state (\(reason)): what is cached is dropped"
        say(.past, .warning, text, &turn)
        beginEra(&turn)
    }

    private mutating func beginEra(_ turn: inout Turn) {
        statistics.erasBegun += 1
        past.beginEra(now: turn.now)
        forgetPast(now: turn.now)
        disownGeneration(&turn)
    }

    /// Nothing that was cached is believed any more.
    private mutating func forgetPast(now: Instant) {
        cache.removeAll()
        fetches.forgetCommitted()
        recent.removeAll()
        doubts.removeAll()
        repairs.rereadAll()
        repairs.forgetRows()
        // The lane's row may be an earlier one, with a journal that nobody else empties while this host lives.
        laneRow.hasJournal = true
        laneRow.tend(by: now.adding(ms: Limits.mendedWaitMs))
        // Numbers of transactions go back as well.
        laneRow.settled = nil
        past.forgetUsed()
    }

    private mutating func reverify(_ turn: inout Turn) {
        guard let generation = trust.generation, !generation.fits(past.history, era: past.era) else { return }
        disownGeneration(&turn)
    }

    mutating func disownGeneration(_ turn: inout Turn) {
        if trust.generation != nil { disownData(&turn) }
    }

    /// Also while Redis is away: its data is not believed once it is back.
    mutating func disownData(_ turn: inout Turn) {
        guard safeguards.generationCheck else { return }
        trust.disown(now: turn.now)
        repairs.forgetTold()
        verifyRedis(&turn)
    }

    // MARK: Contradictions

    /// A primary that was asked under the permit gave these counters. One that is older than what was known by then is
    /// proof: the database went back.
    mutating func holdAgainstKnown(
        _ counters: [CounterState], _ permit: WritePermit, _ turn: inout Turn
    ) {
        guard safeguards.contradictions, permit.era == past.era else { return }
        let isFresh = permit.isFresh(writePermit(now: turn.now))
        for counter in counters {
            guard let (known, since) = newestKnown(counter.item), known.version > counter.version else { continue }
            guard isFresh, let since else {
                // When it became known is not remembered.
                doubts.claim(known)
                continue
            }
            if since <= permit.askedAt {
                // What comes in during a turn comes before what is asked at its end.
                wentBack(Self.contradiction(counter, known.version), &turn)
                if permit.era != past.era { return }
                // Too soon for all of it: this one at least.
                cache.replace(counter)
                recent.replace(counter)
            }
        }
    }

    /// The newest state of the item that this host has heard of, and a moment at or before which it had, nil where that
    /// is not remembered: what came in without being the cache's own is remembered apart, for longer than a fresh
    /// answer takes, as long as there is room.
    func newestKnown(_ item: Item) -> (CounterState, since: Instant?)? {
        let held = cache.known(item)
        guard let heard = recent.known(item).map({ ($0.0, since: Instant?.some($0.since)) }) else { return held }
        guard let held, held.0.version > heard.0.version else { return heard }
        return held
    }

    private static func contradiction(_ counter: CounterState, _ version: Int64) -> String {
        "a counter is at version \(counter.version) and was at \(version)"
    }

    /// Redis kept these instead of what PostgreSQL had given to be written under the permit.
    mutating func doubtKept(_ newer: [CounterState], _ permit: WritePermit) {
        guard safeguards.contradictions, permit.era == past.era else { return }
        for counter in newer { doubts.claim(counter) }
    }

    mutating func sendDoubts(_ turn: inout Turn) {
        guard canAskPrimary, calls[.doubt] == 0 else { return }
        let claims = doubts.take(now: turn.now)
        guard !claims.isEmpty else { return }
        let select = CounterSelect.doubts(claims, era: past.era)
        turn.append(.selectCounters(calls.begin(.selectCounters(select), now: turn.now), claims.map(\.item)))
    }

    /// What the primary says to them: it was asked after each version was known.
    mutating func settleDoubts(
        _ claims: [Doubts.Claim], era: Int64, _ counters: [CounterState], _ turn: inout Turn
    ) {
        guard era == past.era else { return }
        for (claim, counter) in zip(claims, counters) where counter.version < claim.version {
            return wentBack(Self.contradiction(counter, claim.version), &turn)
        }
    }
}

extension DatabaseHistory {
    /// Whether a server of the same cluster was promoted to this one's timeline since the other's.
    fileprivate func isAhead(of other: DatabaseHistory) -> Bool {
        system == other.system && timeline > other.timeline
    }
}
