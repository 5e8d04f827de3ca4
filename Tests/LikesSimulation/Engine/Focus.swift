/// Narrows a seed to what brings one mechanism into play. The draws stay the same.
package struct Focus: Sendable {
    package var faults: [FaultKind]
    package var cacheTTLSeconds: Int64?
    package var localCacheTTLMs: Int64?
    package var localCacheEntries: Int?
    package var hasSlowReader = false
    /// Milliseconds the reader then takes, at most.
    package var readerMs: Int64 = 900
    package var hasSlowSteps = false
    package var isBusy = false
    /// Each change is admitted by a call of its own, several of which are on a slow wire.
    package var hasSmallAdmissions = false
    /// How long each fault lasts, instead of what its kind says.
    package var faultMs: (Int64, Int64)?
    /// Of 100 faults, so many are in a seed.
    package var faultsPercent = 100
    package var hasStandbys = false
    /// What the reference service writes raises versions and is noted as repairs.
    package var isReferenceNoted = true
    package var hasCluster = false
    /// Likes and unlikes in a window; 0: no limit.
    package var rateLimitRequests: Int64 = 0
    /// How long each standby takes to replay a commit.
    package var standbyPace: (low: Micros, high: Micros)?

    package init(_ faults: [FaultKind] = []) {
        self.faults = faults
        hasStandbys = faults.contains(where: \.isOfStandby)
        hasCluster = faults.contains(where: \.isOfCluster)
    }

    func drawnFaults(_ chance: inout Chance) -> [FaultKind] {
        faultsPercent == 100 ? faults : faults.filter { _ in chance.hits(percent: faultsPercent) }
    }

    /// The faults and settings that the mechanism is there for; nil: it has no such name.
    package static func on(_ safeguard: String) -> Focus? {
        switch safeguard {
        case "versionCheck":
            // An old count read slowly by a host that does not hear of the new.
            var focus = Focus([.subscriberSilent, .subscriberSilent])
            focus.cacheTTLSeconds = 2
            focus.localCacheTTLMs = 10
            focus.localCacheEntries = 0
            focus.hasSlowReader = true
            return focus
        case "callDeadline":
            // A wire stands still for longer than anything is remembered, and what was on it arrives after all.
            var focus = Focus([.redisFrozen])
            focus.cacheTTLSeconds = 15
            focus.localCacheTTLMs = 200
            focus.faultMs = (32_000, 48_000)
            return focus
        case "generationCheck": return Focus([.redisRestartsOld, .redisFailsOver, .redisSwapped])
        case "fence":
            var focus = Focus([.postgresReset, .postgresFrozen, .postgresHangsOne])
            focus.isBusy = true
            return focus
        case "journal":
            var focus = Focus([.hostKilled])
            focus.cacheTTLSeconds = 120
            return focus
        case "repairTable":
            var focus = Focus([.redisCut, .hostKilled])
            focus.cacheTTLSeconds = 120
            return focus
        case "repairs":
            var focus = Focus([.redisReset, .redisFrozen])
            focus.cacheTTLSeconds = 120
            return focus
        case "fetchJoining":
            var focus = Focus([.subscriberSilent, .subscriberSilent])
            focus.cacheTTLSeconds = 1
            focus.localCacheTTLMs = 10
            focus.localCacheEntries = 0
            focus.isBusy = true
            focus.hasSlowReader = true
            focus.readerMs = 1_500
            return focus
        case "fetchOvertaking":
            var focus = Focus([.redisEvicts])
            focus.cacheTTLSeconds = 1
            focus.localCacheTTLMs = 3_000
            focus.localCacheEntries = 1
            focus.hasSlowReader = true
            return focus
        case "counterMemory":
            // A host that does not hear fills in an old count where the new one was evicted.
            var focus = Focus([.subscriberSilent, .subscriberSilent, .redisEvicts])
            focus.cacheTTLSeconds = 120
            focus.localCacheTTLMs = 10
            focus.localCacheEntries = 0
            focus.hasSlowReader = true
            return focus
        case "rowOrder":
            var focus = Focus()
            focus.hasSlowSteps = true
            focus.isBusy = true
            return focus
        case "hintConfirmation": return Focus()
        case "contradictions":
            // PostgreSQL goes back while no host runs that would miss its sign of life: Redis alone has what it lost.
            var focus = Focus([.postgresWentBack, .hostKilled, .hostKilled, .hostKilled])
            focus.cacheTTLSeconds = 120
            focus.faultMs = (8_000, 25_000)
            return focus
        case "tellings":
            // Hosts change the same items at once, and hear of it from each other alone.
            var focus = Focus()
            focus.localCacheTTLMs = 20_000
            focus.localCacheEntries = 100
            focus.isBusy = true
            return focus
        case "seals":
            var focus = Focus([.redisStranger])
            focus.cacheTTLSeconds = 120
            focus.faultMs = (20_000, 50_000)
            return focus
        case "cacheExpiry":
            var focus = Focus([.subscriberReset])
            focus.localCacheTTLMs = 20_000
            focus.localCacheEntries = 100
            return focus
        case "ownOrder":
            var focus = Focus()
            focus.isBusy = true
            return focus
        case "scriptOrder":
            var focus = Focus([FaultKind](repeating: .redisScriptsLost, count: 8))
            focus.isBusy = true
            focus.hasSmallAdmissions = true
            focus.faultMs = (1, 20)
            return focus
        case "standbyWait": return Focus([.postgresStandbyLost, .postgresFailsOver])
        case "standbyProof":
            var focus = Focus([.standbyLags, .standbyPaused])
            focus.cacheTTLSeconds = 1
            focus.localCacheTTLMs = 200
            focus.localCacheEntries = 1
            return focus
        case "standbyMemory":
            // Standbys that lag less than a count may be old, and hosts that have forgotten what they heard of.
            var focus = Focus()
            focus.hasStandbys = true
            focus.standbyPace = (.ms(500), .seconds(4))
            focus.cacheTTLSeconds = 1
            focus.localCacheTTLMs = 20_000
            focus.localCacheEntries = 1
            return focus
        case "standbys":
            // Redis lacks most counts, and whatever concerns standbys fails.
            var focus = Focus(
                FaultKind.ofStandbys + [
                    .redisEvicts, .postgresFailsOver, .postgresWentBack, .postgresRestored, .postgresStandbyLost,
                    .postgresReset, .subscriberReset,
                ])
            focus.faultsPercent = 20
            focus.cacheTTLSeconds = 1
            return focus
        case "referenceWrites":
            // Nothing else puts right what Redis has.
            var focus = Focus([.referenceWrites])
            focus.cacheTTLSeconds = 120
            focus.localCacheTTLMs = 200
            return focus
        case "reference":
            // It writes for most of the time, and what hosts are told by it, or set for it, fails.
            var focus = Focus(
                [.referenceWrites, .referenceWrites] + FaultKind.drawn.filter(\.isOfReference))
            focus.cacheTTLSeconds = 120
            return focus
        case "cluster":
            // All that concerns a cluster or its nodes fails.
            var focus = Focus(
                FaultKind.ofClusters + FaultKind.ofClusters + FaultKind.allCases.filter(\.isOfOneNode))
            focus.faultsPercent = 15
            return focus
        case "clusterRates", "redirects":
            var focus = Focus([.clusterSlotsMove, .clusterSlotsReturn, .clusterSlotsStop])
            focus.faultsPercent = 60
            focus.rateLimitRequests = 10
            focus.isBusy = true
            return focus
        case "admissionOrder":
            var focus = Focus()
            focus.hasCluster = true
            focus.isBusy = true
            return focus
        case "regainedSlots":
            // A node gets slots, loses what was written there since, and gives back what came along with them. Hosts
            // that remember newer counts are gone.
            var focus = Focus(
                [FaultKind](repeating: .clusterSlotsReturn, count: 8) + [.hostKilled, .hostKilled, .hostKilled])
            focus.cacheTTLSeconds = 120
            focus.localCacheTTLMs = 10
            focus.localCacheEntries = 0
            return focus
        case "redisSplit":
            var focus = Focus([.redisSplit])
            focus.cacheTTLSeconds = 120
            focus.faultMs = (35_000, 50_000)
            return focus
        default: return FaultKind.named(safeguard).map { Focus([$0]) }
        }
    }

    /// Fixes in the plan what the focus does not leave to chance.
    func narrow(_ plan: inout Plan, _ chance: inout Chance) {
        plan.isReferenceNoted = isReferenceNoted
        if let cacheTTLSeconds { plan.configuration.cacheTTLSeconds = cacheTTLSeconds }
        if let localCacheTTLMs { plan.configuration.localCacheTTLMs = localCacheTTLMs }
        if let localCacheEntries { plan.configuration.localCacheEntries = localCacheEntries }
        if hasSlowReader {
            // Their audit would not come through.
            plan.limits = .standard
            plan.configuration.requestTimeoutMs = 5_000
            plan.readerDelay = .ms(readerMs)
            plan.areAnswersSlow = true
            plan.evictsNewPercent = 80
            plan.evictsMarker = false
            plan.subscriberDelay = .ms(300)
            plan.slowPercent = 100
            plan.isSkewed = false
            plan.evictionGap = .ms(200)
        }
        if hasSlowSteps {
            plan.stepDelay = (5, .ms(20))
            plan.pausePercent = 50
            plan.isSkewed = false
            plan.clientsCount = plan.hostsCount * 4
            plan.requestsCount = 900
            plan.alternates = true
        }
        if hasSmallAdmissions {
            plan.limits = .standard
            plan.limits.admissionEntriesMax = 1
            plan.redisDelay = .ms(10)
            plan.slowPercent = 100
            plan.isSkewed = false
            plan.clientsCount = plan.hostsCount * 4
            plan.requestsCount = 2_000
            plan.usersCount = 3
        }
        if let faultMs { plan.duration = Plan.quiet + .ms(faultMs.1) + .seconds(15) }
        if isBusy { plan.stampede = chance.between(.ms(50), .ms(500)) }
        if hasStandbys {
            // A standby is asked only if it was asked shortly before.
            plan.requestsCount *= 3
        }
        plan.configuration.rateLimitRequests = rateLimitRequests
        plan.poisonedPair = nil
    }
}
