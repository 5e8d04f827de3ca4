import LikesProtocol

// INFO.
extension Core {
    /// Laid out like Redis' INFO. As there, an unknown section gives an empty text.
    func infoText(section: String, now: Instant) -> String {
        let all = section.isEmpty || InfoSection.namesOfAll.contains(section)
        return infoSections(now: now).filter { all || $0.0.rawValue == section }
            .map { name, fields in "# \(name.title)\r\n" + fields.map { "\($0):\($1)\r\n" }.joined() }
            .joined(separator: "\r\n")
    }

    private func infoSections(now: Instant) -> [(InfoSection, [(String, String)])] {
        let s = reports.statistics
        let tokens = redis.inUse.map { coherence[$0].trust.generation?.token ?? "" }.joined(separator: ",")
        return [
            (
                .server,
                [
                    ("likesd_version", VersionFacts.likesd), ("swift_version", reports.versions.swift),
                    ("libpq_version", reports.versions.libpq), ("hiredis_version", reports.versions.hiredis),
                    ("process_id", String(reports.versions.processID)),
                    ("uptime_in_seconds", String(now.ms(since: reports.startedAt) / 1_000)),
                    ("item_types", configuration.itemTypes.names.joined(separator: ",")),
                    ("restart_needed", settings.restartNeeded.map(\.rawValue).joined(separator: ",")),
                ]
            ),
            (
                .clients,
                [
                    ("connected_clients", String(clients.sessions.openCount)),
                    ("maxclients", String(configuration.connectionsMax)),
                    ("maxclients_per_user", String(configuration.connectionsPerUser)),
                    ("connected_clients_of_one_user", String(clients.sessions.shares.largest)),
                ]
            ),
            (
                .memory,
                [
                    ("used_memory_rss", String(reports.process.residentBytes)),
                    ("client_memory", String(clients.sessions.memory.footprintBytes)),
                    ("client_memory_max", String(clients.sessions.memory.limitBytes)),
                    ("clients_closed_for_memory", String(s.connectionsAbandoned)),
                    ("memory_given_back", String(clients.sessions.memory.givenBackTotal)),
                ]
            ),
            // Clients check these before they send anything: not loading, and a master.
            (.persistence, [("loading", "0")]),
            (.replication, [("role", "master")]),
            (
                .stats,
                [
                    ("total_connections_received", String(clients.sessions.openedTotal)),
                    ("rejected_connections", String(s.connectionsRefused)),
                    ("rejected_connections_of_one_user", String(s.connectionsOverShare)),
                    ("connections_taken_over", String(s.connectionsTakenOver)),
                    ("total_commands_processed", String(s.requests.received)),
                    ("protocol_errors", String(s.protocolErrors)),
                    ("requests_unfinished", String(s.requestsUnfinished)),
                    ("invalid_requests", String(s.requests[.invalid].received)),
                    ("requests_waiting", String(clients.sessions.waitingCount)),
                    ("likes", String(s.requests[.like].received)), ("unlikes", String(s.requests[.unlike].received)),
                    ("changed", String(s.changed)),
                    ("unchanged", String(s.unchanged)), ("rate_limited", String(s.errors[.rateLimited])),
                    ("busy", String(s.errors[.busy])), ("unavailable", String(s.errors[.unavailable])),
                    ("uncertain", String(s.errors[.uncertain])), ("deadlines_missed", String(s.deadlinesMissed)),
                ]
            ),
            (
                .cache,
                [
                    ("local_entries", String(known.cache.count)), ("local_hits", String(s.localHits)),
                    ("local_misses", String(s.localMisses)), ("local_evictions", String(known.cache.evictions)),
                    ("redis_hits", String(s.redisHits)), ("redis_misses", String(s.redisMisses)),
                    ("redis_aged", String(s.agedCounters)),
                    ("database_reads", String(s.databaseReads)), ("stale_served", String(s.staleServed)),
                ]
            ),
            (
                .backends,
                [
                    ("redis", isRedisHealthy ? "healthy" : "unhealthy"),
                    ("database", isDatabaseHealthy ? "healthy" : "unhealthy"),
                    ("fills_left_out", String(s.fillsLeftOut)), ("redis_errors", String(s.redisErrors)),
                    ("database_errors", String(s.databaseErrors)),
                    ("redis_unexpected_answers", String(s.redisUnexpected)),
                    ("database_unexpected_answers", String(s.databaseUnexpected)),
                    ("batches", String(s.batches)), ("batched_changes", String(s.batchedChanges)),
                    ("batch_retries", String(s.batchRetries)), ("hinted_duplicates", String(s.hintedDuplicates)),
                    ("batches_taken_apart", String(s.batchesTakenApart)),
                    ("batches_found_committed", String(s.batchesFoundCommitted)),
                    ("batches_found_lost", String(s.batchesFoundLost)),
                    ("changes_waiting", String(writes.count)),
                ] + stallFields(now: now) + redisServers + standbyFields(now: now)
            ),
            (
                .coherence,
                [
                    ("redis_generation", tokens),
                    ("redis_counters", redis.inUse.allSatisfy { readableGeneration($0) != nil } ? "read" : "unread"),
                    ("counters_heard", String(s.countersHeard)), ("tellings", String(s.tellings)),
                    ("tellings_owed", String(coherence.places.reduce(0) { $0 + coherence[$1].tellings.owedCount })),
                    ("repairs_waiting", String(repairs.count)),
                    ("repairs_untold", String(repairs.untoldCount)), ("repairs_done", String(repairs.totals.done)),
                    ("repairs_spared", String(repairs.totals.spared)), ("repairs_told", String(repairs.toldTotal)),
                    ("counters_remembered", String(known.recent.count)),
                    ("lane", String(lane.row.lane)), ("lane_epoch", String(lane.row.epoch ?? 0)),
                    ("lanes_fenced_off", String(s.lanesFencedOff)), ("lanes_retired", String(s.silentLanesFenced)),
                    ("databases_gone_back", String(s.databasesGoneBack)),
                    ("redis_disputes", String(s.redisDisputes)),
                    ("forged_counters", String(s.forgedCounters)), ("forged_messages", String(s.forgedMessages)),
                    ("forged_markers", String(s.forgedMarkers)),
                    ("eras_begun", String(s.erasBegun)),
                ]
            ),
            (
                .cpu,
                [
                    ("used_cpu_sys", Self.seconds(reports.process.systemCPUMicroseconds)),
                    ("used_cpu_user", Self.seconds(reports.process.userCPUMicroseconds)),
                ]
            ),
            (.commandstats, commandFields), (.errorstats, errorFields), (.latencystats, latencyFields),
        ]
    }

    // MARK: Requests, as Redis reports them

    private var requested: [(name: String, figures: RequestFigures.Figures)] {
        Command.allCases.map { ("\($0)", reports.statistics.requests[$0]) }.filter { $0.figures.received > 0 }
    }

    private var commandFields: [(String, String)] {
        requested.map { name, figures in
            let (took, calls) = (figures.took.sum, figures.received)
            let each = "\(took / calls).\(String(took * 100 / calls % 100 + 100).dropFirst())"
            let facts =
                "calls=\(calls),usec=\(took),usec_per_call=\(each),rejected_calls=0,failed_calls=\(figures.failed)"
            return ("cmdstat_\(name)", facts)
        }
    }

    private var errorFields: [(String, String)] {
        ErrorCode.allCases.compactMap { code in
            let count = reports.statistics.errors[code]
            return count == 0 ? nil : ("errorstat_\(code.rawValue)", "count=\(count)")
        }
    }

    /// Also of the stages of changes, and of calls to PostgreSQL and Redis.
    private var latencyFields: [(String, String)] {
        let requests = requested.map { ("latency_percentiles_usec_\($0.name)", $0.figures.took) }
        let stages = StageTimes.Stage.allCases.map {
            ("stage_percentiles_usec_\($0.name)", reports.statistics.stages[$0.rawValue])
        }
        let calls = TimedCall.allCases.map {
            ("call_percentiles_usec_\($0.backend)_\($0.call)", reports.statistics.calls[$0].took)
        }
        return (requests + stages + calls).filter { $0.1.count > 0 }.map { name, histogram in
            let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)]
            let values = shares.map { "\($0)=\(histogram.quantile($1) ?? Histogram.limit)" }
            return (name, values.joined(separator: ","))
        }
    }

    private func stallFields(now: Instant) -> [(String, String)] {
        func stalledMs(_ work: Stalls.Work) -> String {
            String(reports.stalls[work].map { now.ms(since: $0.since) } ?? 0)
        }
        func oldestMs(_ work: Stalls.Work) -> String { String(reports.stalls.oldestMs(work, now: now) ?? 0) }
        return [
            ("storing_stalled_ms", stalledMs(.storing)), ("storing_oldest_wait_ms", oldestMs(.storing)),
            ("reading_stalled_ms", stalledMs(.reading)), ("reading_oldest_wait_ms", oldestMs(.reading)),
        ]
    }

    /// Which Redis is used, and what the Sentinels say.
    private var redisServers: [(String, String)] {
        if redis.isCluster { return clusterFields }
        if case .server(let address) = configuration.redis.topology { return [("redis_server", address.name)] }
        guard let report = reports.sentinels.last else { return [("redis_server", "")] }
        var fields = [
            ("redis_server", report.used?.address.name ?? ""),
            ("redis_epoch", report.used.map { String($0.epoch) } ?? ""),
            ("redis_moves", String(reports.sentinels.movesTotal)),
            ("redis_sentinels", String(report.sentinels.count)),
            ("redis_sentinels_answering", String(report.answering)),
        ]
        for (place, state) in report.sentinels.enumerated() {
            let says = state.names.map { "names=\($0.address.name),epoch=\($0.epoch)" } ?? "names="
            fields.append(("sentinel\(place)", "name=\(state.sentinel),\(says)"))
        }
        return fields
    }

    static func seconds(_ microseconds: Int64) -> String {
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
