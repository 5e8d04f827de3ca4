import LikesProtocol

// METRICS.
extension Core {
    func metricsText(now: Instant) -> String {
        var text = MetricsText()
        requestMetrics(&text)
        waitMetrics(&text, now: now)
        countMetrics(&text)
        backendMetrics(&text)
        standbyMetrics(&text, now: now)
        clusterMetrics(&text)
        coherenceMetrics(&text)
        clientMetrics(&text)
        processMetrics(&text)
        return text.text
    }

    // MARK: Requests

    private func requestMetrics(_ text: inout MetricsText) {
        let s = reports.statistics
        text.add(
            "likesd_requests_total", "counter", "Requests by command.",
            Command.allCases.map { ("{command=\"\($0)\"}", String(s.requests[$0].received)) })
        text.add(
            "likesd_requests_failed_total", "counter", "Requests answered with an error, by command.",
            Command.allCases.map { ("{command=\"\($0)\"}", String(s.requests[$0].failed)) })
        text.add(
            "likesd_errors_total", "counter", "Errors sent to clients, by code.",
            ErrorCode.allCases.map { ("{code=\"\($0.rawValue)\"}", String(s.errors[$0])) })
        text.counter(
            "likesd_deadlines_missed_total", "Requests not answered within REQUEST_TIMEOUT_MS.", s.deadlinesMissed)
        text.durations(
            "likesd_request_duration_seconds", "From a request to its reply, by command.",
            bounds: MetricsText.requestBounds,
            Command.timed.map { ("command=\"\($0)\"", s.requests[$0].took) })
        text.durations(
            "likesd_change_stage_duration_seconds", "How long changes were in each stage.",
            bounds: MetricsText.callBounds,
            StageTimes.Stage.allCases.map { ("stage=\"\($0.name)\"", s.stages[$0.rawValue]) })
        text.counter("likesd_changed_total", "Likes and unlikes that changed something.", s.changed)
        text.counter("likesd_unchanged_total", "Likes and unlikes that found nothing to change.", s.unchanged)
        text.counter(
            "likesd_hinted_duplicates_total", "Likes that a hint called duplicates, and PostgreSQL confirmed.",
            s.hintedDuplicates)
    }

    private func waitMetrics(_ text: inout MetricsText, now: Instant) {
        func values(_ value: (Stalls.Work) -> String) -> [(labels: String, value: String)] {
            Stalls.Work.allCases.map { ("{work=\"\($0.name)\"}", value($0)) }
        }
        text.add(
            "likesd_oldest_wait_seconds", "gauge", "How long the request has waited that waits longest for PostgreSQL.",
            values { Self.seconds((reports.stalls.oldestMs($0, now: now) ?? 0) * 1_000) })
        text.add(
            "likesd_stalled", "gauge",
            "1 when requests wait and PostgreSQL does nothing for them, though it is connected.",
            values { reports.stalls[$0] == nil ? "0" : "1" })
        text.gauge("likesd_requests_waiting", "Requests not yet answered.", clients.sessions.waitingCount)
        text.gauge("likesd_changes_waiting", "Likes and unlikes not yet answered or not yet done with.", writes.count)
        text.gauge(
            "likesd_changes_waiting_max", "How many may wait at present.",
            lane.rate.waitingMax(requestTimeoutMs: configuration.requestTimeoutMs))
        text.gauge("likesd_reads_waiting", "Items and pages that clients wait for.", clients.sessions.readWeightWaiting)
        text.gauge("likesd_reads_waiting_max", "How many may wait.", limits.readsWaitingMax)
    }

    private func countMetrics(_ text: inout MetricsText) {
        let s = reports.statistics
        let reads: [(String, Int64)] = [
            ("local", s.localHits), ("redis", s.redisHits), ("database", s.databaseReads),
            ("standby", reader.standbys.answered), ("stale", s.staleServed),
        ]
        text.add(
            "likesd_counts_served_total", "counter", "Counts by where they came from.",
            reads.map { ("{source=\"\($0)\"}", String($1)) })
        text.gauge("likesd_cache_entries", "Counts in the local cache.", known.cache.count)
        text.gauge("likesd_cache_entries_max", "LOCAL_CACHE_ENTRIES.", configuration.localCacheEntries)
        text.counter(
            "likesd_cache_evictions_total", "Counts dropped from the local cache for lack of room.",
            Int64(known.cache.evictions))
        text.counter("likesd_redis_misses_total", "Counts that Redis did not have.", s.redisMisses)
        text.counter("likesd_redis_aged_total", "Counts in Redis so old that PostgreSQL was asked.", s.agedCounters)
    }

    // MARK: PostgreSQL and Redis

    private func backendMetrics(_ text: inout MetricsText) {
        let s = reports.statistics
        text.gauge("likesd_database_up", "1 when PostgreSQL can be read and written.", isDatabaseHealthy ? 1 : 0)
        text.gauge("likesd_redis_up", "1 when Redis is usable.", isRedisHealthy ? 1 : 0)
        text.add(
            "likesd_connected", "gauge", "1 when the connection is up; of several, how many are.",
            connections { $0.isUp ? 1 : 0 })
        text.add("likesd_connects_total", "counter", "Connections made.", connections(\.connectedTotal))
        text.durations(
            "likesd_call_duration_seconds", "From a call to its answer, by connection and kind.",
            bounds: MetricsText.callBounds, TimedCall.allCases.map { (Self.label($0), s.calls[$0].took) })
        text.sizes(
            "likesd_call_items", "Changes, counters, pairs or lists of a call.",
            TimedCall.allCases.filter(\.hasItems).map { (Self.label($0), s.calls[$0].items) })
        text.counter("likesd_batches_total", "Batches sent to PostgreSQL.", s.batches)
        text.counter("likesd_batched_changes_total", "Changes in those batches.", s.batchedChanges)
        text.counter("likesd_batch_retries_total", "Batches rolled back and sent again.", s.batchRetries)
        text.counter(
            "likesd_batches_taken_apart_total", "Batches of which PostgreSQL refused a row.", s.batchesTakenApart)
        text.counter(
            "likesd_database_errors_total", "Statements that PostgreSQL answered with an error.", s.databaseErrors)
        text.counter("likesd_redis_errors_total", "Calls that Redis answered with an error.", s.redisErrors)
        text.counter(
            "likesd_redis_unexpected_answers_total", "Connections to Redis ended because of an unexpected answer.",
            s.redisUnexpected
        )
        text.counter(
            "likesd_database_unexpected_answers_total",
            "Connections to PostgreSQL ended because of an unexpected answer.",
            s.databaseUnexpected)
        text.counter(
            "likesd_redis_moves_total", "How often the Sentinels named another Redis server than before.",
            reports.sentinels.movesTotal)
        text.gauge("likesd_redis_sentinels", "Sentinels in REDIS_URL.", reports.sentinels.last?.sentinels.count ?? 0)
        text.gauge(
            "likesd_redis_sentinels_answering", "Sentinels that name a primary.", reports.sentinels.last?.answering ?? 0
        )
    }

    private static func label(_ call: TimedCall) -> String { "backend=\"\(call.backend)\",call=\"\(call.call)\"" }

    /// Of each kind of connection, the sum over all of them.
    private func connections(_ value: (Link) -> Int64) -> [(labels: String, value: String)] {
        let places = reader.standbys.places
        let sums: [(String, Int64)] = [
            ("writing", value(lane.link)), ("reading", value(reader.link)),
            ("redis", redis.inUse.reduce(0) { $0 + value(redis[$1].link) }),
            ("subscription", redis.inUse.reduce(0) { $0 + value(redis[$1].subscriber) }),
        ]
        let standbys = places.isEmpty ? [] : [("standby", places.reduce(0) { $0 + value(reader.standbys[$1].link) })]
        return (sums + standbys).map { ("{backend=\"\($0)\"}", String($1)) }
    }

    private func standbyMetrics(_ text: inout MetricsText, now: Instant) {
        guard !reader.standbys.isEmpty else { return }
        text.add(
            "likesd_standby_up", "gauge", "1 when the standby is connected.", standbyValues { $0.link.isUp ? "1" : "0" }
        )
        text.add(
            "likesd_standby_fresh", "gauge",
            "1 when the standby answers counts, or would if they were asked for; absent once it is promoted.",
            reader.standbys.places.compactMap { place in
                standbyIsFresh(place, now: now).map { ("{standby=\"\(place + 1)\"}", $0 ? "1" : "0") }
            })
        text.add(
            "likesd_standby_lag_seconds", "gauge", "How far the standby is behind, at most.",
            standbyValues { $0.lagMs(now: now).map { Self.seconds($0 * 1_000) } })
        text.add(
            "likesd_standby_counts_total", "counter", "Counts that the standby answered.",
            standbyValues { String($0.answered) })
        text.add(
            "likesd_standby_counts_refused_total", "counter",
            "Counts that were read from the primary because the standby did not answer them, or not freshly.",
            standbyValues { String($0.refused) })
    }

    private func clusterMetrics(_ text: inout MetricsText) {
        guard redis.isCluster else { return }
        func values(_ value: (NodePlace) -> Int) -> [(labels: String, value: String)] {
            redis.inUse.map { ("{node=\"\(redis.clusterNode($0)?.name ?? "")\"}", String(value($0))) }
        }
        text.gauge(
            "likesd_redis_slots", "Slots of the cluster that have a node: 16384 if all is well.", redis.slotsCount)
        text.add(
            "likesd_redis_node_up", "gauge", "1 when the node of the cluster is usable.",
            values { isHealthy($0) ? 1 : 0 })
        text.add("likesd_redis_node_slots", "gauge", "Slots of the node.", values(redis.slotsCount))
    }

    // MARK: Coherence

    private func coherenceMetrics(_ text: inout MetricsText) {
        let s = reports.statistics
        text.counter("likesd_counters_heard_total", "Counters that other hosts told of.", s.countersHeard)
        text.counter("likesd_tellings_total", "Calls that told hosts of counters later than they were set.", s.tellings)
        text.counter(
            "likesd_fills_left_out_total", "Counters not filled into Redis because it was still taking earlier ones.",
            s.fillsLeftOut
        )
        text.gauge("likesd_repairs_waiting", "Counters still to be set in Redis again.", repairs.count)
        text.counter(
            "likesd_repairs_done_total", "Counters set in Redis again because they may have been old there.",
            repairs.totals.done)
        text.counter(
            "likesd_repairs_spared_total",
            "Repairs that became unnecessary: another host set the counter, or Redis got new data.",
            repairs.totals.spared)
        text.counter("likesd_repairs_told_total", "Repairs told to all hosts.", repairs.toldTotal)
        text.counter(
            "likesd_databases_gone_back_total", "How often PostgreSQL was found to be at an earlier state than before.",
            s.databasesGoneBack)
        text.counter(
            "likesd_redis_disputes_total", "How often other hosts were found to use another Redis.", s.redisDisputes)
        text.counter(
            "likesd_eras_begun_total", "How often this host had all hosts drop what they had cached.", s.erasBegun)
        text.counter("likesd_lanes_fenced_off_total", "How often another host fenced this host off.", s.lanesFencedOff)
        text.counter("likesd_lanes_retired_total", "Silent hosts whose lanes this host fenced.", s.silentLanesFenced)
        text.add(
            "likesd_forged_total", "counter", "Forged values found in Redis, by kind.",
            [
                ("{kind=\"counter\"}", String(s.forgedCounters)), ("{kind=\"message\"}", String(s.forgedMessages)),
                ("{kind=\"marker\"}", String(s.forgedMarkers)),
            ])
    }

    // MARK: Clients and the process

    private func clientMetrics(_ text: inout MetricsText) {
        let s = reports.statistics
        text.gauge("likesd_connections", "Client connections.", clients.sessions.openCount)
        text.gauge("likesd_connections_max", "MAX_CONNECTIONS.", configuration.connectionsMax)
        text.counter("likesd_connections_received_total", "Client connections accepted.", clients.sessions.openedTotal)
        text.counter(
            "likesd_connections_refused_total", "Client connections refused because there were too many.",
            s.connectionsRefused)
        text.counter(
            "likesd_connections_over_share_total", "Connections refused because their user had too many.",
            s.connectionsOverShare)
        text.counter(
            "likesd_clients_closed_for_memory_total", "Clients closed because all together held too much memory.",
            s.connectionsAbandoned)
        text.counter("likesd_protocol_errors_total", "Connections closed for broken framing.", s.protocolErrors)
        text.counter(
            "likesd_requests_unfinished_total", "Requests begun and not finished in time.", s.requestsUnfinished)
        text.gauge(
            "likesd_client_memory_bytes", "Bytes that clients make the process hold.",
            clients.sessions.memory.footprintBytes)
        text.gauge("likesd_client_memory_max_bytes", "Limit of these bytes.", clients.sessions.memory.limitBytes)
    }

    private func processMetrics(_ text: inout MetricsText) {
        let (versions, process) = (reports.versions, reports.process)
        let labels = [
            ("version", VersionFacts.likesd), ("swift", versions.swift), ("libpq", versions.libpq),
            ("hiredis", versions.hiredis), ("systemd", versions.systemd),
        ]
        let label = labels.map { "\($0)=\"\(MetricsText.escaped($1))\"" }.joined(separator: ",")
        text.add(
            "likesd_build_info", "gauge", "1, with the versions of likesd and its libraries.", [("{\(label)}", "1")])
        func one(_ name: String, _ type: String, _ help: String, _ value: String) {
            text.add(name, type, help, [("", value)])
        }
        let cpu = process.userCPUMicroseconds + process.systemCPUMicroseconds
        one("process_cpu_seconds_total", "counter", "User and system CPU time.", Self.seconds(cpu))
        one("process_resident_memory_bytes", "gauge", "Resident memory.", String(process.residentBytes))
        one("process_virtual_memory_bytes", "gauge", "Virtual memory.", String(process.virtualBytes))
        one("process_open_fds", "gauge", "Open file descriptors.", String(process.descriptors))
        one("process_max_fds", "gauge", "How many file descriptors may be open.", String(process.descriptorsMax))
        one(
            "process_start_time_seconds", "gauge", "When the process was started, since 1970.",
            String(process.startedAtSeconds)
        )
    }
}
