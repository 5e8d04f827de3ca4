import LikesCore
import LikesProtocol
import LikesStorage

// What the scripts do, each at one moment.
extension Redis {
    func run(_ request: RedisRequest, deadline: Micros, marker: Int = RedisStore.plainMarker) -> RedisAnswer {
        if case .elsewhere = reachOfMarker(request, marker) { return .failed(.elsewhere) }
        let found = store.markers[marker]
        switch request {
        case .identify(let request): return identify(request, at: marker)
        case .admit(let entries, let isAsking): return admit(entries, isAsking: isAsking)
        case .readCounters(let generation, let items): return readCounters(generation, items, found)
        case .writeThrough(let generation, let counters, let recent):
            let set = setCounters(generation, counters, found, deadline: deadline, publishes: true)
            // Sent with the counters, whatever becomes of those.
            let kept = keep(recent)
            switch (set, kept) {
            case (.failure(let failure), _), (.success, .failure(let failure)): return .failed(failure)
            case (.success(let isShort, let kept, let untold, let elsewhere), .success(let isShortOfRoom, _, _, _)):
                return .wroteThrough(
                    refusal: isShort || isShortOfRoom ? "OOM" : nil, kept: kept, untold: untold, elsewhere: elsewhere)
            }
        case .fill(let generation, let counters):
            switch setCounters(generation, counters, found, deadline: deadline, publishes: false) {
            case .failure(let failure): return .failed(failure)
            case .success(_, let kept, _, _): return .filled(kept: kept)
            }
        case .drop(let generation, let kept): return drop(kept, generation)
        case .tell(let generation, let counters, let paceMs): return tell(generation, counters, found, paceMs: paceMs)
        }
    }

    private var isFull: Bool { fullUntil > scheduler.now }
    private var isRefusing: Bool { refusingUntil > scheduler.now }

    private func item(_ item: Item) -> Int {
        for (place, known) in plan.items.enumerated() where known == item { return place }
        preconditionFailure("an item that is not in the plan")
    }

    /// What all of the call depends on.
    private func reachOfMarker(_ request: RedisRequest, _ marker: Int) -> Reach {
        switch request {
        case .admit: return refusesAll ? reach(.marker(marker)) : .here
        case .writeThrough(_, let counters, _) where counters.isEmpty:
            return refusesAll ? reach(.marker(marker)) : .here
        case .identify, .readCounters, .writeThrough, .fill, .drop, .tell: return reach(.marker(marker))
        }
    }

    private func identify(_ request: IdentifyRequest, at marker: Int) -> RedisAnswer {
        let found = FoundMarker(text: store.markers[marker]?.marker ?? "", server: serverWord)
        guard let new = request.new, new.instead == found.text else { return .identified(found) }
        // Short memory does not keep a script from writing once it has deleted something.
        if isRefusing { return .failed(.refused("no writes")) }
        let made = new.generation(on: serverWord)
        store.markers[marker] = made
        overheard.keep(made, in: \.markers, &scheduler.chance)
        overheard.lastMarker = made
        return .identified(FoundMarker(text: made.marker, server: serverWord))
    }

    private func readCounters(_ generation: Generation, _ items: [Item], _ found: Generation?) -> RedisAnswer {
        guard !safeguards.generationCheck || found == generation else {
            return .failed(.otherGeneration)
        }
        return .countersRead(
            items.map { asked -> SealedCounter? in
                let place = item(asked)
                guard hasReach(item: place), let count = store.counter(place, at: time),
                    let version = store.version(place, at: time),
                    version.token == generation.token || !safeguards.generationCheck
                else { return nil }
                return version.read(asked, count: count)
            })
    }

    private enum Written {
        /// `isShort`: of memory, and something was not kept. `kept`: what Redis had, and kept, because it looks newer.
        /// `untold`: what hosts are still to be told of.
        /// `elsewhere`: what another node has.
        case success(isShort: Bool, kept: [KeptCounter], untold: [SealedCounter] = [], elsewhere: [Item] = [])
        case failure(RedisFailure)
    }

    private func setCounters(
        _ generation: Generation, _ counters: [SealedCounter], _ found: Generation?, deadline: Micros,
        publishes: Bool
    ) -> Written {
        if counters.isEmpty { return .success(isShort: false, kept: []) }
        if time > deadline {
            scheduler.coverage.note(.lateCalls)
            if safeguards.callDeadline { return .failure(.late) }
        }
        if found != generation {
            scheduler.coverage.note(.otherGenerations)
            if safeguards.generationCheck { return .failure(.otherGeneration) }
        }
        let expiresAt = time + .seconds(plan.configuration.cacheTTLSeconds)
        var isShort = false
        // Not older than what is there: all hosts are told of these, now or later.
        var taken: [SealedCounter] = []
        var untold: [SealedCounter] = []
        var kept: [KeptCounter] = []
        var elsewhere: [Item] = []
        for sealed in counters {
            let counter = sealed.counter
            let place = item(counter.item)
            guard hasReach(item: place, unlinks: true) else {
                elsewhere.append(counter.item)
                continue
            }
            if isRefusing { return .failure(.refused("MISCONF")) }
            if isFull { isShort = true }
            if let old = store.version(place, at: time),
                old.token == generation.token || !safeguards.generationCheck, old.looksNewer(than: counter.version)
            {
                scheduler.coverage.note(.olderVersions)
                if safeguards.versionCheck {
                    let count = store.counter(place, at: time)
                    kept.append(
                        KeptCounter(
                            item: counter.item, counter: count.flatMap { old.read(counter.item, count: $0) },
                            word: Array(old.word.utf8)))
                    // Put back, for as long as the counter has to live.
                    let ofCounter = store.counters[place].flatMap { $0.expiresAt > time ? $0.expiresAt : nil }
                    if !isFull { store.versions[place] = Expiring(value: old, expiresAt: ofCounter ?? expiresAt) }
                    continue
                }
            }
            if isFull {
                taken.append(sealed)
                store.counters[place] = nil
                store.versions[place] = nil
                continue
            }
            store.counters[place] = Expiring(value: counter.count, expiresAt: expiresAt)
            var version = StoredVersion(
                token: generation.token, version: counter.version, seal: sealed.seal)
            let old = store.version(place, at: time).flatMap { $0.token == generation.token ? $0 : nil }
            let isEarly = old?.wasTold(within: plan.limits.tellMs, at: time) ?? false
            if publishes {
                (version.toldAt, version.isUntold) = (isEarly ? old?.toldAt : time, isEarly)
                if isEarly { untold.append(sealed) } else { taken.append(sealed) }
            } else if let old, isEarly || old.isUntold {
                (version.toldAt, version.isUntold) = (old.toldAt, old.isUntold)
            }
            if version.isUntold { scheduler.coverage.note(.untoldCounters) }
            store.versions[place] = Expiring(value: version, expiresAt: expiresAt)
            overheard.genuine.insert(sealed)
            overheard.keep((place, counter.count, version), in: \.counters, &scheduler.chance)
        }
        if publishes, !taken.isEmpty {
            publish(token: generation.token, taken)
            overheard.keep((generation.token, taken), in: \.messages, &scheduler.chance)
        }
        // What was just written is what LFU and random eviction may take first.
        if evictingUntil > scheduler.now, let last = counters.last,
            scheduler.chance.hits(percent: plan.evictsNewPercent)
        {
            let place = Int32(item(last.counter.item))
            scheduler.after(scheduler.chance.skewed(.ms(1), .ms(200)), .redisEvicts, place + 1, UInt32(number))
        }
        return .success(
            isShort: isShort, kept: isShort ? [] : kept, untold: isShort ? [] : untold, elsewhere: elsewhere)
    }

    private func tell(
        _ generation: Generation, _ counters: [SealedCounter], _ found: Generation?, paceMs: Int64
    ) -> RedisAnswer {
        guard !safeguards.generationCheck || found == generation else { return .failed(.otherGeneration) }
        var outcomes: [TellingOutcome] = []
        var told: [SealedCounter] = []
        for sealed in counters {
            let place = item(sealed.counter.item)
            guard hasReach(item: place), let version = store.version(place, at: time),
                version.token == generation.token || !safeguards.generationCheck,
                let present = present(version, sealed, place)
            else {
                outcomes.append(.gone)
                continue
            }
            if version.toldAt != nil, !version.isUntold {
                outcomes.append(.told)
            } else if version.wasTold(within: paceMs, at: time) {
                outcomes.append(.early)
            } else {
                if isRefusing { return .failed(.refused("MISCONF")) }
                if !isFull {
                    store.versions[place]?.value.version = present.counter.version
                    store.versions[place]?.value.seal = present.seal
                    store.versions[place]?.value.toldAt = time
                    store.versions[place]?.value.isUntold = false
                }
                told.append(present)
                outcomes.append(.told)
                scheduler.coverage.note(.tellings)
            }
        }
        if !told.isEmpty {
            publish(token: generation.token, told)
            overheard.keep((generation.token, told), in: \.messages, &scheduler.chance)
        }
        return .told(outcomes)
    }

    /// What to tell of the item: the counter, if this is its version, or the newer one that is there.
    private func present(_ version: StoredVersion, _ sealed: SealedCounter, _ place: Int) -> SealedCounter? {
        if version.zeros == 0, version.version == sealed.counter.version { return sealed }
        guard version.looksNewer(than: sealed.counter.version), let count = store.counter(place, at: time) else {
            return nil
        }
        return version.read(sealed.counter.item, count: count)
    }

    private func drop(_ kept: [KeptCounter], _ generation: Generation) -> RedisAnswer {
        for kept in kept {
            let place = item(kept.item)
            guard hasReach(item: place), let version = store.version(place, at: time),
                version.token == generation.token, version.word.utf8.elementsEqual(kept.word)
            else { continue }
            if isRefusing { return .failed(.refused("MISCONF")) }
            evict(item: place)
        }
        return .dropped
    }

    private func keep(_ recent: [RecentLike]) -> Written {
        if recent.isEmpty { return .success(isShort: false, kept: []) }
        if isRefusing { return .failure(.refused("MISCONF")) }
        // What is to be added comes first, and fails first.
        if isFull, recent.contains(where: \.add) { return .success(isShort: true, kept: []) }
        for change in recent.filter(\.add) + recent.filter({ !$0.add }) {
            let user = Int(change.pair.user - 1)
            guard reach(.recent(user)).isHere else { continue }
            let bit = UInt32(1) << UInt32(item(change.pair.item))
            var members = store.recent[user].flatMap { $0.expiresAt > time ? $0.value : nil } ?? 0
            if change.add {
                members |= bit
                while members.nonzeroBitCount > Int(plan.configuration.recentLikesMax) {
                    let others = (0..<UInt32(plan.items.count)).filter { members & ~bit & (1 << $0) != 0 }
                    members &= ~(1 << others[scheduler.chance.below(others.count)])
                }
                store.recent[user] = Expiring(
                    value: members, expiresAt: time + .seconds(plan.configuration.recentLikesTTLSeconds))
            } else {
                store.recent[user]?.value = members & ~bit
            }
        }
        return .success(isShort: false, kept: [])
    }

    private func admit(_ entries: [AdmissionEntry], isAsking: Bool) -> RedisAnswer {
        let limit = plan.configuration.rateLimitRequests
        if limit > 0, isFull || isRefusing { return .failed(.refused("no writes")) }
        return .admitted(
            entries.map { entry in
                let user = Int(entry.pair.user - 1)
                if limit > 0, entry.part != .hint {
                    if case .elsewhere(let redirect) = reach(.rate(user), isAsking: isAsking) {
                        return .elsewhere(redirect)
                    }
                    var rate =
                        store.rates[user].flatMap { $0.expiresAt > time ? $0 : nil }
                        ?? Expiring(
                            value: 0, expiresAt: time + .seconds(plan.configuration.rateLimitWindowSeconds))
                    rate.value += 1
                    store.rates[user] = rate
                    if rate.value <= limit { admitted[user] += 1 }
                    if rate.value > limit {
                        return .limited(retrySeconds: max(1, (rate.expiresAt - time + 999_999) / 1_000_000))
                    }
                }
                guard entry.kind == .like, entry.part != .rate, reach(.recent(user)).isHere else {
                    return .admitted(recent: false)
                }
                let members = store.recent[user].flatMap { $0.expiresAt > time ? $0.value : nil } ?? 0
                return .admitted(recent: members & (1 << UInt32(item(entry.pair.item))) != 0)
            })
    }
}

extension RedisRequest {
    /// The rest are plain commands.
    var runsScript: Bool {
        switch self {
        case .identify, .admit, .writeThrough, .fill, .drop, .tell: true
        case .readCounters: false
        }
    }
}
