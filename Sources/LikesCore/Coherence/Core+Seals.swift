import LikesProtocol
import LikesStorage

// What a stranger in Redis may have put there, or said: told from what hosts of this database's have.
extension Core {
    enum Forgery {
        case counter, message, marker
    }

    /// Whether this host can tell what hosts of its database have sealed.
    package var knowsSecret: Bool { sealer.secret != nil }

    /// Whether a host of ours has sealed it for data of this token.
    mutating func isGenuine(_ sealed: SealedCounter, token: String) -> Bool {
        !safeguards.seals || sealer.isGenuine(sealed, token: token)
    }

    /// A marker that is to be replaced, after the secret was looked up once more. This host's own was made with the one
    /// before.
    mutating func noteForged(marker: String, _ turn: inout Turn) {
        guard safeguards.seals, !marker.isEmpty else { return }
        if let made = Generation(marker: marker),
            made.token == trust.token || isForeign(made) || sealer.isGenuine(made)
        {
            return
        }
        noteForged(.marker, &turn)
    }

    /// So many of them.
    mutating func noteForged(_ forgery: Forgery, count: Int = 1, _ turn: inout Turn) {
        let what: String
        switch forgery {
        case .counter:
            statistics.forgedCounters += Int64(count)
            what = "a counter"
        case .message:
            statistics.forgedMessages += Int64(count)
            what = "a message"
        case .marker:
            statistics.forgedMarkers += Int64(count)
            what = "the marker"
        }
        let text =
            "\(what) in Redis is not sealed by a host of this database's, and not believed; next: let no other user of "
            + "Redis write to likesd's keys or publish on its channels (security.md)"
        say(.forged(forgery), .warning, text, &turn)
    }

    // MARK: The secret and the clock

    /// PostgreSQL says by what seals are made; it was asked at `askedAt` or later. Where its clock was set back, what
    /// was sealed before would be recent once more when its time comes again: data of another token is made.
    mutating func learn(_ facts: SealFacts, askedAt: Instant, _ turn: inout Turn) {
        let wasKnown = sealer.secret != nil
        if let seconds = facts.seconds {
            let isSetBack = sealer.learn(seconds: seconds, askedAt: askedAt, heardAt: turn.now)
            if isSetBack, safeguards.seals, trust.token != nil {
                let text = "PostgreSQL's clock was set back: Redis' data is replaced"
                say(.past, .notice, text, &turn)
                disownData(&turn)
            }
        } else if wasKnown {
            // A standby may not have the newest yet.
            return
        }
        guard sealer.learn(facts.secret), safeguards.seals else { return }
        if wasKnown {
            let text = "the secret in likesd_secret is another than before: what is cached is dropped"
            say(.past, .notice, text, &turn)
        }
        // What came in before was not to be proven, or others have not been heard since they learnt it.
        cache.removeAll()
        fetches.forgetCommitted()
        doubts.removeAll()
        doubtMessages()
        // The marker as well may be made with this one, or the one before.
        trust.lose(now: turn.now)
        verifyRedis(&turn)
    }

    // MARK: Counters in Redis

    enum Standing {
        case believed
        /// A host's, but from so long ago that a stranger may have put it back.
        case aged
        case forged
    }

    /// What to make of a counter in Redis. While PostgreSQL was never there nobody knows better, and while it can't be
    /// asked something old is better than nothing.
    mutating func standing(of sealed: SealedCounter, token: String, now: Instant) -> Standing {
        guard safeguards.seals, sealer.secret != nil else { return .believed }
        guard sealer.isGenuine(sealed, token: token) else { return .forged }
        return sealer.isRecent(sealed, now: now) || !canAskPrimary ? .believed : .aged
    }

    /// What Redis kept instead of what PostgreSQL had given to be written under the permit. A host's may say that
    /// PostgreSQL went back. A stranger's would stay for ever, since no host has a newer one: it goes, and what was to
    /// be written is written once more. `isNews`: others were to be told of it, and a stranger can see to it that they
    /// never are; so they are told through PostgreSQL.
    mutating func judge(
        _ kept: [KeptCounter], _ permit: WritePermit, isNews: Bool = true, _ turn: inout Turn
    ) {
        guard !kept.isEmpty, let generation = permit.generation, generation == trust.generation else { return }
        var newer: [CounterState] = []
        var forged: [KeptCounter] = []
        for kept in kept {
            if let sealed = kept.counter, isGenuine(sealed, token: generation.token) {
                newer.append(sealed.counter)
            } else {
                forged.append(kept)
            }
        }
        doubtKept(newer, permit)
        guard !forged.isEmpty else { return }
        noteForged(.counter, count: forged.count, &turn)
        repairForged(forged.map(\.item), isNews: isNews, now: turn.now)
        turn.append(.drop(calls.begin(.drop, now: turn.now), generation, forged))
    }

    private mutating func repairForged(_ items: [Item], isNews: Bool, now: Instant) {
        guard safeguards.repairs else { return }
        guard !isNews else { return noteMissing(items, isHeldBack: true, now: now) }
        repairs.reread(items, heldBackFrom: now)
    }

    /// They are gone, or are others by now.
    package mutating func dropped(_ call: CallID, _ turn: inout Turn) {
        _ = calls.end(call)
    }
}
