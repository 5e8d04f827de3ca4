import LikesStorage

// Which data in Redis belongs to this database.
extension Core {
    /// Reads the marker. Replaces it only if it was seen not to fit and the database has been looked at again since,
    /// because this host may be the one that is behind.
    mutating func identifyData(insteadOf unfit: String? = nil, _ turn: inout Turn) {
        guard redis.link.isUp, coherence.trust.generation == nil, redis.calls[.identify] == 0 else { return }
        var request = IdentifyRequest(new: nil)
        if let unfit, coherence.past.identity != nil {
            request.new = coherence.newMarker(instead: unfit, token: random.token())
            repairs.beginIdentifying()
        }
        redis.call(.identify(request), .identify(request), &turn)
    }

    mutating func identified(_ request: IdentifyRequest, _ marker: FoundMarker, _ turn: inout Turn) {
        noteRefusal(nil, of: .identifying, &turn)
        let made = marker.generation
        let isGenuine = made.map { coherence.isGenuine($0) } ?? false
        // The hosts of another database have another secret.
        let found = isGenuine || made.map(coherence.isForeign) ?? false ? made : nil
        if isGenuine, let found, coherence.isPromoted(found.database) { leaveOldPrimary(found.database, &turn) }
        guard let found, marker.isOfThisLife && coherence.fits(found) || !safeguards.generationCheck else {
            repairs.identified(isNew: false)
            if let found, marker.isOfThisLife, coherence.isShared(found, now: turn.now) { return leaveToOthers(&turn) }
            coherence.trust.misfit(marker.text)
            // If another host's new marker came first and does not fit either, the two hosts are in no hurry.
            return lane.survey(
                at: request.new == nil ? turn.now : turn.now.adding(ms: Limits.disputeAskMs))
        }
        let isMade = found.token == request.new?.token
        repairs.identified(isNew: isMade)
        if coherence.isLaterEra(found, isMade: isMade) {
            let text = "another host began era \(found.era); dropping cached counts"
            say(.past, .warning, text, &turn)
            forgetPast(now: turn.now)
            // A committed batch or sign of life that turns out to be missing from now on belongs to the same loss.
            lane.row.forgetCommitted()
        }
        let isOutdated = coherence.trust.isOutdated(by: found, now: turn.now)
        if isOutdated { repairs.forgetTold() }
        if found.token != coherence.trust.token {
            known.forgetTold()
            lane.upkeep.settled = nil
            say(.past, .notice, "using Redis' generation \(found.token)", &turn)
        }
        redis.link.proved()
        // Changes made before this may not have been told to this host.
        known.expireAll()
        coherence.identified(found, isMade: isMade, now: turn.now)
        repairs.passes.identified(knowsMore: !isOutdated, now: turn.now)
        lane.survey(at: turn.now)
    }

    private mutating func leaveToOthers(_ turn: inout Turn) {
        let failure = BackendFailure.unreachable(
            "the likesd of another database uses the same Redis database",
            next: "give each its own in REDIS_URL, as in redis://HOST/1; or, if the other one is gone, delete "
                + "\(RedisKeys.marker) in Redis; if there never was one, another program writes to likesd's keys")
        giveUp(.redis, failure, &turn)
        redis.link.stayDown(until: turn.now.adding(ms: Limits.foreignPauseMs))
    }

    /// Stops believing the data in Redis. Also while Redis is down, so that the data is not believed when it is back.
    mutating func disownData(_ turn: inout Turn) {
        guard safeguards.generationCheck else { return }
        coherence.trust.disown(now: turn.now)
        repairs.passes.lose()
        repairs.forgetTold()
        missTellings(now: turn.now)
        identifyData(&turn)
    }

    // MARK: The secret and the clock

    /// Whether this host can check the seals of its database's hosts.
    package var knowsSecret: Bool { coherence.sealer.secret != nil }

    /// PostgreSQL returned the secret and its time. It was asked at `askedAt` or later. If its clock was set back, old
    /// seals would look recent again once the clock reaches their time, so a generation with a new token is made.
    mutating func learn(_ facts: SealFacts, askedAt: Instant, _ turn: inout Turn) {
        let learnt = coherence.learn(facts, askedAt: askedAt, now: turn.now)
        if learnt.isClockSetBack {
            say(.past, .notice, "PostgreSQL's clock was set back; replacing Redis' data", &turn)
            disownData(&turn)
        }
        guard learnt.isNewSecret else { return }
        if learnt.isOtherSecret {
            let text = "the secret in likesd_secret changed; dropping cached counts"
            say(.past, .notice, text, &turn)
        }
        // What was taken in before could not be proven. Or the secret is a new one, and other hosts have not been heard
        // since they learnt it.
        known.forgetUnproven()
        reads.forgetNewer()
        doubtMessages()
        // The marker, too, may be sealed with this secret or the one before.
        coherence.trust.lose(now: turn.now)
        repairs.passes.lose()
        identifyData(&turn)
    }
}
