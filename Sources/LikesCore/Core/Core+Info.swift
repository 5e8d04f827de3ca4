import LikesProtocol

// INFO and METRICS.
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
                    ("total_commands_processed", String(s.requests.total)),
                    ("protocol_errors", String(s.protocolErrors)),
                    ("requests_unfinished", String(s.requestsUnfinished)),
                    ("invalid_requests", String(s.requests[.invalid])),
                    ("requests_waiting", String(clients.sessions.waitingCount)),
                    ("likes", String(s.requests[.like])), ("unlikes", String(s.requests[.unlike])),
                    ("changed", String(s.changed)),
                    ("unchanged", String(s.unchanged)), ("rate_limited", String(s.rateLimited)),
                    ("busy", String(s.busy)), ("unavailable", String(s.unavailable)),
                    ("uncertain", String(s.uncertain)), ("deadlines_missed", String(s.deadlinesMissed)),
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
                ] + redisServers + standbyFields(now: now)
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
        ]
    }

    /// Prometheus' text exposition format, version 0.0.4.
    func metricsText(now: Instant) -> String {
        let s = reports.statistics
        var text = ""
        func metric(_ name: String, _ type: String, _ help: String, _ values: [(labels: String, value: String)]) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for (labels, value) in values { text += "\(name)\(labels) \(value)\n" }
        }
        func counter(_ name: String, _ help: String, _ value: Int64) {
            metric("likesd_" + name + "_total", "counter", help, [("", String(value))])
        }
        func gauge(_ name: String, _ help: String, _ value: Int) {
            metric("likesd_" + name, "gauge", help, [("", String(value))])
        }
        metric(
            "likesd_requests_total", "counter", "Requests by command.",
            RequestCounts.Kind.allCases.map { ("{command=\"\($0)\"}", String(s.requests[$0])) })
        let refusals: [(String, Int64)] = [
            ("RATELIMITED", s.rateLimited), ("BUSY", s.busy), ("UNAVAILABLE", s.unavailable),
            ("UNCERTAIN", s.uncertain),
        ]
        metric(
            "likesd_changes_refused_total", "counter", "Requests refused, by error code.",
            refusals.map { ("{code=\"\($0)\"}", String($1)) })
        counter("changed", "Likes and unlikes that changed something.", s.changed)
        counter("unchanged", "Likes and unlikes that found nothing to change.", s.unchanged)
        let reads: [(String, Int64)] = [
            ("local", s.localHits), ("redis", s.redisHits), ("database", s.databaseReads),
            ("standby", reader.standbys.answered), ("stale", s.staleServed),
        ]
        metric(
            "likesd_counts_served_total", "counter", "Counts by where they came from.",
            reads.map { ("{source=\"\($0)\"}", String($1)) })
        counter("batches", "Batches sent to PostgreSQL.", s.batches)
        counter("batched_changes", "Changes in those batches.", s.batchedChanges)
        counter("batch_retries", "Batches rolled back and sent again.", s.batchRetries)
        counter(
            "fills_left_out", "Counters not filled into Redis because it was still taking earlier ones.", s.fillsLeftOut
        )
        counter(
            "repairs_done", "Counters set in Redis again because they may have been old there.", repairs.totals.done)
        counter(
            "repairs_spared", "Repairs that became unnecessary: another host set the counter, or Redis got new data.",
            repairs.totals.spared)
        counter("repairs_told", "Repairs told to all hosts.", repairs.toldTotal)
        counter("tellings", "Calls that told hosts of counters later than they were set.", s.tellings)
        metric(
            "likesd_forged_total", "counter", "Forged values found in Redis, by kind.",
            [
                ("{kind=\"counter\"}", String(s.forgedCounters)), ("{kind=\"message\"}", String(s.forgedMessages)),
                ("{kind=\"marker\"}", String(s.forgedMarkers)),
            ])
        counter("redis_errors", "Calls that Redis answered with an error.", s.redisErrors)
        counter("database_errors", "Statements that PostgreSQL answered with an error.", s.databaseErrors)
        counter(
            "redis_unexpected_answers", "Connections to Redis ended because of an unexpected answer.", s.redisUnexpected
        )
        counter(
            "database_unexpected_answers", "Connections to PostgreSQL ended because of an unexpected answer.",
            s.databaseUnexpected)
        counter(
            "clients_closed_for_memory", "Clients closed because all together held too much memory.",
            s.connectionsAbandoned)
        counter(
            "connections_over_share", "Connections refused because their user had too many.", s.connectionsOverShare)
        counter("requests_unfinished", "Requests begun and not finished in time.", s.requestsUnfinished)
        gauge(
            "client_memory_bytes", "Bytes that clients make the process hold.", clients.sessions.memory.footprintBytes)
        gauge("client_memory_max_bytes", "Limit of these bytes.", clients.sessions.memory.limitBytes)
        gauge("connections", "Client connections.", clients.sessions.openCount)
        gauge("requests_waiting", "Requests not yet answered.", clients.sessions.waitingCount)
        gauge("cache_entries", "Counts in the local cache.", known.cache.count)
        gauge("repairs_waiting", "Counters still to be set in Redis again.", repairs.count)
        gauge("database_up", "1 when PostgreSQL can be read and written.", isDatabaseHealthy ? 1 : 0)
        gauge("redis_up", "1 when Redis is usable.", isRedisHealthy ? 1 : 0)
        if !reader.standbys.isEmpty {
            metric(
                "likesd_standby_up", "gauge", "1 when the standby is connected.",
                standbyValues { $0.link.isUp ? "1" : "0" })
            metric(
                "likesd_standby_fresh", "gauge",
                "1 when the standby answers counts, or would if they were asked for; absent once it is promoted.",
                reader.standbys.places.compactMap { place in
                    standbyIsFresh(place, now: now).map { ("{standby=\"\(place + 1)\"}", $0 ? "1" : "0") }
                })
            metric(
                "likesd_standby_lag_seconds", "gauge", "How far the standby is behind, at most.",
                standbyValues { $0.lagMs(now: now).map { Self.seconds($0 * 1_000) } })
            metric(
                "likesd_standby_counts_total", "counter", "Counts that the standby answered.",
                standbyValues { String($0.answered) })
            metric(
                "likesd_standby_counts_refused_total", "counter",
                "Counts that were read from the primary because the standby did not answer them, or not freshly.",
                standbyValues { String($0.refused) })
        }
        if redis.isCluster {
            let nodes = redis.inUse
            func values(_ value: (NodePlace) -> Int) -> [(labels: String, value: String)] {
                nodes.map { ("{node=\"\(redis.clusterNode($0)?.name ?? "")\"}", String(value($0))) }
            }
            gauge("redis_slots", "Slots of the cluster that have a node: 16384 if all is well.", redis.slotsCount)
            metric(
                "likesd_redis_node_up", "gauge", "1 when the node of the cluster is usable.",
                values { isHealthy($0) ? 1 : 0 })
            metric("likesd_redis_node_slots", "gauge", "Slots of the node.", values(redis.slotsCount))
        }
        counter(
            "redis_moves", "How often the Sentinels named another Redis server than before.",
            reports.sentinels.movesTotal)
        gauge("redis_sentinels", "Sentinels in REDIS_URL.", reports.sentinels.last?.sentinels.count ?? 0)
        gauge("redis_sentinels_answering", "Sentinels that name a primary.", reports.sentinels.last?.answering ?? 0)
        var cumulative: Int64 = 0
        var buckets: [(labels: String, value: String)] = []
        for (place, bound) in Statistics.latencyBounds.enumerated() {
            cumulative += s.changeLatency[place]
            buckets.append(("_bucket{le=\"\(Self.seconds(bound))\"}", String(cumulative)))
        }
        cumulative += s.changeLatency[Statistics.latencyBounds.count]
        buckets.append(("_bucket{le=\"+Inf\"}", String(cumulative)))
        buckets.append(("_sum", Self.seconds(s.changeLatencySumMicroseconds)))
        buckets.append(("_count", String(cumulative)))
        metric("likesd_change_duration_seconds", "histogram", "From a like or unlike to its reply.", buckets)
        let cpu = reports.process.userCPUMicroseconds + reports.process.systemCPUMicroseconds
        metric(
            "process_cpu_seconds_total", "counter", "User and system CPU time.", [("", Self.seconds(cpu))])
        metric(
            "process_resident_memory_bytes", "gauge", "Resident memory.", [("", String(reports.process.residentBytes))])
        return text
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

    private static func seconds(_ microseconds: Int64) -> String {
        let fraction = String(microseconds % 1_000_000)
        return "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
