import LikesProtocol
import LikesctlCommands

/// What a run found, as text and as JSON.
struct BenchReport {
    let options: BenchOptions
    let tally: BenchTally
    /// Seconds measured.
    let seconds: Double
    /// The time from when the last request was due to the last answer.
    let behindNs: Int64
    /// The smallest number of connections that were open at one time.
    let connectionsLeast: Int
    let cpuSeconds: Double
    let ending: BenchRun.Ending

    private static let columns = ["requests", "per second", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"]
    private static let columnWidth = 12

    /// 1 if nothing was answered, or the daemon went away for good.
    var status: ExitStatus {
        switch ending {
        case .gone, .silent: .refused
        case .finished, .interrupted: tally.answered == 0 && tally.failed > 0 ? .refused : .ok
        }
    }

    private var verbs: [BenchVerb] { options.mix.filter { $0.weight > 0 }.map(\.verb) }

    private func perSecond(_ count: Int64) -> Double {
        seconds > 0 ? Decimals.rounded(Double(count) / seconds, places: 1) : 0
    }

    // MARK: Text

    var text: String {
        var lines = [headline, ""]
        lines.append(row("", Self.columns))
        for verb in verbs { lines.append(row(verb.name, figures(tally.latencies[verb.rawValue]))) }
        if verbs.count > 1 { lines.append(row("all", figures(tally.allLatencies))) }
        lines.append("")
        for verb in verbs where verb.isChange {
            let answered = tally.latencies[verb.rawValue].count
            lines.append("\(verb.name) changed something in \(tally.changed[verb.rawValue]) of \(answered)")
        }
        let errors = tally.errors.map { "\($0.code.text) \($0.count)" }
        lines.append("errors: " + (errors.isEmpty ? "none" : errors.joined(separator: ", ")))
        lines.append("CPU of this load generator: \(Decimals.text(cpuSeconds, places: 2)) s")
        lines += remarks
        return lines.joined(separator: "\n") + "\n"
    }

    private var headline: String {
        let loop = options.rate.map { "open loop, \($0) requests/s" } ?? "closed loop, \(options.pipeline) deep"
        let connections = Counted.text(options.connections, "connection")
        return "\(loop), \(connections), \(Decimals.text(seconds, places: 1)) s, seed \(options.seed)"
    }

    /// Whether the daemon answered more slowly than requests were due.
    private var isBehind: Bool {
        behindNs > BenchLimits.behindNsMax && Double(behindNs) / 1e9 > BenchLimits.behindShareMax * seconds
    }

    private var remarks: [String] {
        var remarks: [String] = []
        if tally.lateSends > 0 {
            let lag = Decimals.text(Double(tally.sendLagMaxNs) / 1e6, places: 1)
            remarks.append(
                "\(Counted.text(tally.lateSends, "request")) left more than "
                    + "\(BenchLimits.lateNs / 1_000_000) ms late, up to \(lag) ms"
                    + (tally.isScheduleKept
                        ? "" : ": the generator could not keep the rate. Don't trust these latencies."))
        }
        if connectionsLeast < options.connections {
            remarks.append(
                "At times only \(connectionsLeast) of \(options.connections) connections were open: the daemon refused "
                    + "or closed the others. MAX_CONNECTIONS is how many it takes.")
        }
        if isBehind {
            remarks.append(
                "The last answer came \(Decimals.text(Double(behindNs) / 1e9, places: 1)) s after the last request was "
                    + "due: requests queued up at this rate.")
        }
        switch ending {
        case .finished: break
        case .interrupted: remarks.append("Ended early.")
        case .gone: remarks.append("Ended early: the daemon went away and did not come back.")
        case .silent: remarks.append("Ended early: the daemon did not answer any more.")
        }
        return remarks
    }

    private func figures(_ histogram: LatencyHistogram) -> [String] {
        let latencies =
            histogram.count == 0
            ? [String](repeating: "-", count: 5)
            : ([0.5, 0.9, 0.99, 0.999].map(histogram.quantile) + [histogram.maximum]).map {
                Decimals.text(Double($0) / 1_000, places: 3)
            }
        return [String(histogram.count), Decimals.text(perSecond(Int64(histogram.count)), places: 1)] + latencies
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        let padding = String(repeating: " ", count: max(0, "MCOUNT".count - name.count))
        return cells.reduce(name + padding) { line, cell in
            line + String(repeating: " ", count: max(1, Self.columnWidth - cell.count)) + cell
        }
    }

    // MARK: JSON

    var json: JSON {
        .object([
            ("ended", .string(ending.rawValue)),
            ("seconds", .number(Decimals.rounded(seconds, places: 6))),
            ("connections", .integer(Int64(options.connections))),
            ("connections_least", .integer(Int64(connectionsLeast))),
            ("pipeline", .integer(Int64(options.pipeline))),
            ("rate", options.rate.map { .integer($0) } ?? .null),
            ("seed", .integer(options.seed)),
            ("requests", .integer(tally.answered)),
            ("per_second", .number(perSecond(tally.answered))),
            ("errors", .object(tally.errors.map { ($0.code.text, .integer($0.count)) })),
            ("cpu_seconds", .number(Decimals.rounded(cpuSeconds, places: 3))),
            ("schedule_kept", options.rate == nil ? .null : .bool(tally.isScheduleKept)),
            ("behind_us", options.rate == nil ? .null : .integer(behindNs / 1_000)),
            ("sends", options.rate == nil ? .null : .integer(tally.sends)),
            ("late_sends", .integer(tally.lateSends)),
            ("send_lag_us_max", .integer(tally.sendLagMaxNs / 1_000)),
            ("verbs", .object(verbs.map { ($0.name, json($0)) })),
        ])
    }

    private func json(_ verb: BenchVerb) -> JSON {
        let histogram = tally.latencies[verb.rawValue]
        var members: [(name: String, value: JSON)] = [("requests", .integer(Int64(histogram.count)))]
        if verb.isChange { members.append(("changed", .integer(tally.changed[verb.rawValue]))) }
        members.append(("per_second", .number(perSecond(Int64(histogram.count)))))
        members.append(("us", histogram.count == 0 ? .null : summary(histogram)))
        members.append(
            (
                "histogram",
                .array(histogram.filled.map { .array([.integer($0.upperBound), .integer(Int64($0.count))]) })
            ))
        return .object(members)
    }

    private func summary(_ histogram: LatencyHistogram) -> JSON {
        .object([
            ("min", .integer(histogram.minimum)),
            ("mean", .number(Decimals.rounded(histogram.mean, places: 1))),
            ("p50", .integer(histogram.quantile(0.5))),
            ("p90", .integer(histogram.quantile(0.9))),
            ("p99", .integer(histogram.quantile(0.99))),
            ("p99.9", .integer(histogram.quantile(0.999))),
            ("max", .integer(histogram.maximum)),
        ])
    }
}
