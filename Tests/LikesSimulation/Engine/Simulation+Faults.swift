import LikesCore

extension Simulation {
    /// A fault's moment has come, or that from which it waits for a commit.
    func prepare(_ fault: Fault, _ place: Int) {
        if fault.isArmed { armed.append(place) } else { begin(fault) }
    }

    /// A host has committed: what waited for that strikes while nobody knows of it yet. The items are left alone for a
    /// while, so that what is wrong with them is not made good by the next change.
    func strike(after commit: (host: Int, items: UInt32)) {
        guard let waiting = armed.firstIndex(where: { plan.faults[$0].armedBy == commit.host }) else { return }
        let fault = armed.remove(at: waiting)
        scheduler.after(scheduler.chance.skewed(0, .ms(4)), .faultBegins, Int32(fault), 1)
        for item in plan.items.indices where commit.items & (1 << UInt32(item)) != 0 {
            if scheduler.chance.hits(percent: plan.dormantPercent) { dormantUntil[item] = now + .seconds(45) }
        }
    }

    func begin(_ planned: Fault) {
        // What waited too long is over before the quiet begins.
        var fault = planned
        fault.duration = max(0, min(fault.duration, plan.calmFrom - now))
        guard now < plan.calmFrom else { return }
        if cluster != nil, fault.kind.isOfOneRedis { return }
        if cluster == nil, fault.kind.isOfCluster { return }
        note(.fault(fault))
        let until = now + fault.duration
        let number = node(for: fault)
        if let scope = fault.kind.scope {
            let items = fault.kind.isOfOneNode ? items(of: number) : .max
            troubles.append(Trouble(scope: scope, from: now, to: until, items: items))
        }
        let (host, redis) = (fault.host, redises[number])
        let postgres = postgres(of: host)
        switch fault.kind {
        case .redisHang:
            redis.hang(until: until)
            scheduler.at(until, .redisResumes, Int32(number))
        case .redisRestartsEmpty: redis.restart(.empty, until: until)
        case .redisRestartsOld: redis.restart(.oldSnapshot, until: until)
        case .redisFailsOver: redis.restart(.lastSnapshot, until: until)
        case .redisSwapped: redis.swap()
        case .redisFlushed: redis.flush()
        case .redisFull: redis.fullUntil = max(redis.fullUntil, until)
        case .redisEvicts:
            redis.evictingUntil = max(redis.evictingUntil, until)
            scheduler.after(1, .redisEvicts, 0, UInt32(number))
        case .redisStranger:
            redis.strangerUntil = max(redis.strangerUntil, until)
            scheduler.after(1, .strangerActs, 0)
        case .redisReadOnly: redis.readOnlyUntil = max(redis.readOnlyUntil, until)
        case .redisRefusesWrites: redis.refusingUntil = max(redis.refusingUntil, until)
        case .redisScriptsLost: redis.scriptsLostUntil = until
        case .redisSplit:
            point(host, toRedis: 1)
            scheduler.at(until, .redisJoins, Int32(host))
        case .redisCut:
            let cut = cluster == nil ? [0, 1] : [number]
            for server in cut { cutOff(host, from: server, until: until) }
        case .redisReset: resetOne(host, linksToRedis(host, number))
        case .redisFrozen: freeze(host, linksToRedis(host, number), until: until)
        case .subscriberSilent:
            for backend in linksToRedis(host, number) {
                guard case .subscriber = backend, hosts[host][backend] >= 0 else { continue }
                wires[Int(hosts[host][backend])].isCutToHost = true
            }
        case .subscriberReset:
            resetOne(host, linksToRedis(host, number).filter { if case .subscriber = $0 { true } else { false } })
        case .postgresCrash: postgres.crash(until: until, isRecovered: true)
        case .postgresFailsOver: postgres.failOver(until: until)
        case .postgresStandbyLost: postgres.loseStandby(until: until)
        case .postgresLongTransaction: postgres.beginLongTransaction(until: until)
        case .postgresRestored: postgres.restore(intoNewTables: true)
        case .postgresReloaded: postgres.restore(intoNewTables: false)
        case .postgresWentBack:
            troubles.append(Trouble(scope: .repairs, from: now, to: until))
            postgres.goBack(until: until)
        case .referenceWrites:
            referenceUntil = max(referenceUntil, until)
            scheduler.after(1, .referenceWrites, 0)
        case .databasesShareRedis: return
        case .postgresTerminates:
            let busy = postgres.busyConnections
            let all = busy.isEmpty ? postgres.connections : busy
            if !all.isEmpty { postgres.terminate(all[scheduler.chance.below(all.count)]) }
        case .postgresHang: postgres.hungUntil = max(postgres.hungUntil, until)
        case .postgresHangsOne:
            let all = postgres.connections
            if !all.isEmpty { postgres.hang(all[scheduler.chance.below(all.count)], until: until) }
        case .postgresReadOnly: postgres.readOnlyUntil = max(postgres.readOnlyUntil, until)
        case .postgresSchema: postgres.schemaUntil = max(postgres.schemaUntil, until)
        case .postgresRetryable: postgres.retryableUntil = max(postgres.retryableUntil, until)
        case .postgresFull: postgres.fullUntil = max(postgres.fullUntil, until)
        case .postgresCut:
            hosts[host].postgresCutUntil = max(hosts[host].postgresCutUntil, until)
            cut(host, Backend.ofPostgres)
        case .postgresReset: resetOne(host, Backend.ofPostgres)
        case .postgresFrozen: freeze(host, Backend.ofPostgres, until: until)
        case .hostKilled:
            end(host)
            scheduler.at(until, .hostStarts, Int32(host))
        case .hostPaused:
            hosts[host].pausedUntil = max(hosts[host].pausedUntil, until)
            hosts[host].resumedAt = hosts[host].pausedUntil
        case .hostStopped:
            guard hosts[host].isUp else { return }
            hosts[host].isStopping = true
            tell(host) { core, turn in core.stop(&turn) }
            wake(host)
            scheduler.at(until, .hostStarts, Int32(host))
        case .standbyLags: standby(of: host) { $0.lagsUntil = max($0.lagsUntil, until) }
        case .standbyPaused: standby(of: host) { $0.pause(until: until) }
        case .standbyHangs: standby(of: host) { $0.hungUntil = max($0.hungUntil, until) }
        case .standbyGone: standby(of: host) { postgres.end($0, until: until) }
        case .standbyPromoted: standby(of: host, clonedAt: until) { $0.promote() }
        case .standbyLeftBehind:
            standby(of: host) { $0.staysUntil = until }
            postgres.failOver(until: until)
        case .standbyConflicts: standby(of: host) { $0.conflictsUntil = max($0.conflictsUntil, until) }
        case .standbyRefuses: standby(of: host) { $0.refusesUntil = max($0.refusesUntil, until) }
        case .standbyMisfits: standby(of: host) { $0.misfitsUntil = max($0.misfitsUntil, until) }
        case .clusterSlotsMove, .clusterSlotsStop, .clusterSlotsReturn, .clusterNodeJoins, .clusterNodeDies,
            .clusterNodeDeposed:
            beginOfCluster(fault, until: until)
        case .standbyCut: if plan.standbysCount > 0 { cut(host, [.standby(host % plan.standbysCount)]) }
        }
    }

    func point(_ host: Int, toRedis number: Int) {
        guard hosts[host].redis != number else { return }
        hosts[host].redis = number
        for backend in Backend.ofRedis {
            let link = hosts[host][backend]
            if link >= 0 { reset(link) }
        }
    }

    /// A process that was asked to stop ends first.
    func startOrWait(_ host: Int) {
        if hosts[host].isUp {
            if hosts[host].isStopping { scheduler.after(.ms(300), .hostStarts, Int32(host)) }
            return
        }
        // What its former life left; the first has none.
        if hosts[host].life > 0 { troubles.append(Trouble(scope: .repairs, from: now, to: now)) }
        start(host)
    }

    private func resetOne(_ host: Int, _ backends: [Backend]) {
        guard !backends.isEmpty else { return }
        let chosen = backends[scheduler.chance.below(backends.count)]
        for backend in backends where backend == chosen || scheduler.chance.hits(percent: 50) {
            let link = hosts[host][backend]
            if link >= 0 { reset(link) }
        }
    }

    private func freeze(_ host: Int, _ backends: [Backend], until: Micros) {
        guard !backends.isEmpty else { return }
        let chosen = backends[scheduler.chance.below(backends.count)]
        for backend in backends where backend == chosen || scheduler.chance.hits(percent: 30) {
            let link = Int(hosts[host][backend])
            guard link >= 0 else { continue }
            let direction = scheduler.chance.below(3)
            if direction != 0 { wires[link].toServerFrozenUntil = max(wires[link].toServerFrozenUntil, until) }
            if direction != 1 { wires[link].toHostFrozenUntil = max(wires[link].toHostFrozenUntil, until) }
        }
    }

    func actAsStranger() {
        guard redis.strangerUntil > now else { return }
        redis.strangerActs()
        scheduler.after(scheduler.chance.skewed(.ms(5), .seconds(2)), .strangerActs, 0)
    }

    func takeSnapshots() {
        for redis in redises where cluster != nil || redis.number == 0 { redis.takeSnapshot() }
        let delay =
            cluster == nil
            ? scheduler.chance.between(.ms(200), .seconds(4)) : scheduler.chance.skewed(.ms(10), .seconds(2))
        scheduler.after(delay, .redisSnapshot, 0)
    }

    func evict(_ redis: Redis) {
        guard redis.evictingUntil > now else { return }
        let hadMarker = redis.hasMarker
        redis.evictOne()
        if hadMarker, !redis.hasMarker {
            troubles.append(Trouble(scope: .repairs, from: now, to: now, items: items(of: redis.number)))
        }
        scheduler.after(scheduler.chance.skewed(.ms(1), plan.evictionGap), .redisEvicts, 0, UInt32(redis.number))
    }
}

extension Simulation {
    /// One number for all that clients were told: the same seed gives the same, whatever the process.
    package var digest: UInt64 {
        var digest: UInt64 = seed
        func mix(_ value: Int64) { digest = (digest ^ UInt64(bitPattern: value)) &* 0x0000_0100_0000_01B3 }
        for operation in operations {
            mix(operation.calledAt)
            mix(operation.repliedAt)
            mix(operation.value)
            mix(Int64(operation.outcome.rawValue))
        }
        mix(Int64(eventsCount))
        return digest
    }
}
