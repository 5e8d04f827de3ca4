import LikesStorage

// Which data in Redis belongs to this database.
extension Core {
    /// Reads the marker. Replaces it only if it was seen not to fit and the database has been looked at again since,
    /// because this host may be the one that is behind.
    mutating func identifyData(_ node: NodePlace, insteadOf unfit: String? = nil, _ turn: inout Turn) {
        guard redis[node].link.isUp, redis.isInUse(node), coherence[node].trust.generation == nil,
            redis[node].calls[.identify] == 0
        else { return }
        var request = IdentifyRequest(new: nil)
        if let unfit, coherence.past.identity != nil {
            request.new = coherence.newMarker(instead: unfit, token: random.token())
            repairs[node].beginIdentifying()
        }
        redis.call(.identify(request), .identify(request), on: node, &turn)
    }

    mutating func identified(
        _ request: IdentifyRequest, _ marker: FoundMarker, on node: NodePlace, _ turn: inout Turn
    ) {
        noteRefusal(nil, of: .identifying, on: node, &turn)
        let made = marker.generation
        let isGenuine = made.map { coherence.isGenuine($0) } ?? false
        // The hosts of another database have another secret.
        let found = isGenuine || made.map(coherence.isForeign) ?? false ? made : nil
        if isGenuine, let found, coherence.isPromoted(found.database) { leaveOldPrimary(found.database, &turn) }
        // The marker was put in another place for the same data.
        if let found, found == coherence[node].trust.generation { return }
        // What stands in the marker's next place is from before, or nobody's.
        if let own = coherence[node].trust.generation, own.token == request.new?.token,
            found.map({ isGenuine && (!marker.isOfThisLife || $0.isOlder(than: own)) }) ?? true
        {
            return putMarker(own, of: node, instead: marker.text, &turn)
        }
        guard let found, marker.isOfThisLife && coherence.fits(found, on: node) || !safeguards.generationCheck else {
            repairs[node].identified(isNew: false)
            if coherence[node].trust.generation != nil { loseData(node, now: turn.now) }
            if let found, marker.isOfThisLife, coherence.isShared(found, on: node, now: turn.now) {
                return leaveToOthers(node, &turn)
            }
            // Hosts that make one marker each, in two places, would not hear of each other. But if this host alone
            // drops the data, those that use it look where it is.
            if found.map({ !coherence.isDropped($0, on: node) }) ?? true, redis[node].marker.retryIfOld(now: turn.now) {
                placeMarker(of: node, &turn)
                return identifyData(node, &turn)
            }
            coherence[node].trust.misfit(marker.text)
            // If another host's new marker came first and does not fit either, the two hosts are in no hurry.
            return lane.survey(
                at: request.new == nil ? turn.now : turn.now.adding(ms: Limits.disputeAskMs))
        }
        let isMade = found.token == request.new?.token
        repairs[node].identified(isNew: isMade)
        if coherence.isLaterEra(found, isMade: isMade, on: node) {
            let text = "another host began era \(found.era); dropping cached counts"
            say(.past, .warning, text, &turn)
            forgetPast(now: turn.now)
            // A committed batch or sign of life that turns out to be missing from now on belongs to the same loss.
            lane.row.forgetCommitted()
        }
        let isOutdated = coherence[node].trust.isOutdated(by: found, now: turn.now)
        if isOutdated { repairs[node].forgetTold() }
        if found.token != coherence[node].trust.token {
            known.forgetTold()
            redis.forgetFormer(node)
            lane.upkeep.settled = nil
            say(.past, .notice, "using Redis' generation \(found.token)", &turn)
        }
        redis[node].link.proved()
        // Changes made before this may not have been told to this host.
        known.expireAll(of: node)
        coherence.identified(found, isMade: isMade, on: node, now: turn.now)
        if coherence.knowsWhoSpeaks, let usedSince { coherence.past.use(since: usedSince) }
        repairs.passes.identified(node, knowsMore: !isOutdated, now: turn.now)
        lane.survey(at: turn.now)
    }

    /// Nobody knows any more which data the node has.
    private mutating func loseData(_ node: NodePlace, now: Instant) {
        coherence[node].trust.lose(now: now)
        repairs.passes.lose(node)
    }

    /// The node has other data than before, under the same connection.
    mutating func identifyAgain(_ node: NodePlace, _ turn: inout Turn) {
        guard redis[node].link.isUp, coherence[node].trust.generation != nil else { return }
        loseData(node, now: turn.now)
        missTellings(node, now: turn.now)
        repairs[node].rereadAll()
        identifyData(node, &turn)
    }

    private mutating func leaveToOthers(_ node: NodePlace, _ turn: inout Turn) {
        let failure = BackendFailure.unreachable(
            "the likesd of another database uses the same Redis database",
            next: "give each its own in REDIS_URL, as in redis://HOST/1; or, if the other one is gone, delete "
                + "\(RedisKeys.marker) in Redis; if there never was one, another program writes to likesd's keys")
        giveUp(.redis(node), failure, &turn)
        redis[node].link.stayDown(until: turn.now.adding(ms: Limits.foreignPauseMs))
    }

    /// Stops believing the data in Redis. Also while Redis is down, so that the data is not believed when it is back.
    mutating func disownData(_ node: NodePlace, _ turn: inout Turn) {
        guard safeguards.generationCheck else { return }
        coherence[node].trust.disown(now: turn.now)
        repairs.passes.lose(node)
        repairs[node].forgetTold()
        missTellings(node, now: turn.now)
        identifyData(node, &turn)
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
            for node in redis.places { disownData(node, &turn) }
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
        for node in redis.places {
            doubtMessages(of: node)
            // The marker, too, may be sealed with this secret or the one before.
            coherence[node].trust.lose(now: turn.now)
            repairs.passes.lose(node)
            identifyData(node, &turn)
        }
    }
}
