extension CommandDescription {
    static let bench = CommandDescription(
        "measure how fast likesd answers under a load of your choice",
        options: [.socket, .json] + CommandOption.ofBench, manualSection: "MEASURING",
        check: { (options) throws(Failure) in
            let change = options.bench.mix.first { $0.verb.isChange && $0.weight > 0 }
            guard let change, !options.bench.mayWrite else { return }
            throw Failure(
                .usage, "\(change.verb.name) changes what is stored",
                next: "add --write if this daemon's data may change")
        },
        explanation: [
            .text(
                "Sends requests over many connections and prints requests per second and latencies by verb. With "
                    + "`--rate` it is an open loop: the moments at which requests leave are fixed beforehand, and "
                    + "latency counts from there, so a daemon that stalls cannot hide it. Without it, the loop is "
                    + "closed: each connection sends its next request when an answer comes. `--json` prints one "
                    + "object, with the histograms."),
            .options,
            .text(
                "The same seed and options give the same requests in the same order: `like=1` again finds all liked "
                    + "already, `unlike=1` takes them back. Give `--rate`, or `--requests` without `--warmup`: how "
                    + "far a closed loop gets in a time differs from run to run."),
            .text(
                "Requests that failed are counted by their code, and in no other figure. Ctrl-C ends the run and "
                    + "prints what was measured; a second one does not wait for answers under way. The exit status is "
                    + "1 when every request failed, or the daemon did not come back. The daemon's rate limit applies: "
                    + "`RATE_LIMIT_REQUESTS=0` turns it off."),
        ])
}

extension CommandOption {
    fileprivate static let ofBench: [CommandOption] = [
        whole(
            "--rate", taking: "n", "requests per second of all connections together", 1...BenchOptions.rateMax,
            excluding: ["--pipeline"], \.bench.rate),
        whole(
            "--connections", taking: "n", "connections", 1...BenchOptions.connectionsMax, \.bench.connections),
        whole(
            "--pipeline", taking: "n", "closed loop: requests under way on each connection",
            1...BenchOptions.pipelineMax, excluding: ["--rate"], \.bench.pipeline),
        seconds(
            "--duration", "how long to measure", from: BenchOptions.durationMin,
            preset: OptionValue.text(BenchOptions.durationDefault),
            details: "With `--requests` alone there is no limit."
        ) { $0.bench.duration = $1 },
        whole(
            "--requests", taking: "n", "end after this many, or at the end of the duration",
            1...BenchOptions.requestsMax, \.bench.requests),
        seconds(
            "--warmup", "first run for this long without counting", from: 0,
            preset: OptionValue.text(BenchOptions().warmup)
        ) { $0.bench.warmup = $1 },
        CommandOption(
            "--mix", taking: "mix",
            BenchVerb.allCases.map { "`\($0.option)`" }.joined(separator: ", ")
                + " with their weights, as in `count=80,like=20`",
            preset: BenchOptions().mix.map { "\($0.verb.option)=\($0.weight)" }.joined(separator: ","),
            completion: .weights(
                BenchVerb.allCases.map { Completion.Weight(word: $0.option, hint: $0.isChange ? "needs --write" : nil) }
            )
        ) { (value, options) throws(Failure) in options.bench.mix = try BenchOptions.mix(value) },
        whole("--users", taking: "n", "users 1 to *n*, each as likely", 1...BenchOptions.populationMax, \.bench.users),
        whole("--items", taking: "n", "items 1 to *n*", 1...BenchOptions.populationMax, \.bench.items),
        CommandOption(
            "--type", taking: "type", "the items' type", preset: BenchOptions().type, completion: .itemType
        ) { (value, options) throws(Failure) in options.bench.type = try BenchOptions.type(value) },
        CommandOption(
            "--keys", taking: "keys",
            "how items are drawn: `uniform`; `zipf` or `zipf:S`, item 1 most often; `hot`, "
                + "always item 1", preset: "uniform",
            details: "The exponent *s* of Zipf's law is more than 0 and at most "
                + "\(OptionValue.text(BenchOptions.zipfExponentMax)), \(BenchOptions.zipfExponentDefault) for `zipf`.",
            completion: .words(["uniform", "zipf", "zipf:", "hot"])
        ) { (value, options) throws(Failure) in options.bench.keys = try BenchOptions.keys(value) },
        whole(
            "--batch", taking: "n", "items of one `mcount` or `mliked`", 1...BenchOptions.batchMax, \.bench.batch),
        whole("--seed", taking: "n", "what is drawn follows from it", 0...Int64.max, \.bench.seed),
        flag("--write", "allow `like` and `unlike`, which change what is stored", \.bench.mayWrite),
    ]

    private static func seconds(
        _ name: String, _ summary: String, from least: Double, preset: String, details: String? = nil,
        _ set: @escaping @Sendable (inout CommandOptions, Double) -> Void
    ) -> CommandOption {
        let range = least...BenchOptions.secondsMax
        return CommandOption(
            name, taking: "seconds", summary,
            range: "\(OptionValue.text(least)) to \(OptionValue.text(range.upperBound))", preset: preset,
            details: details
        ) { (value, options) throws(Failure) in set(&options, try OptionValue.seconds(name, value, range)) }
    }
}

extension BenchVerb {
    /// As `--mix` names it.
    fileprivate var option: String { name.lowercased() }
}
