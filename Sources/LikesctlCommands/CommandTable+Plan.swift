import LikesProtocol

extension CommandDescription {
    static let plan = CommandDescription(
        "calculate what an installation needs, from measured figures",
        options: [.json] + CommandOption.ofPlan, manualSection: "PLANNING",
        whyNoOthers: "it calculates and asks nobody",
        check: { (options) throws(Failure) in _ = try options.plan.load() },
        explanation: [
            .text(
                "Prints how many hosts, Redis servers, PostgreSQL servers and standbys carry a load, with their "
                    + "processors, memory, disk and network, then what reaches its limit first as the load grows, "
                    + "and what to do about it. It only calculates: it asks no server, and knows nothing of yours. "
                    + "The figures and how they were measured are in `/usr/share/doc/likesd/scaling.md`. Measure your "
                    + "own with `likesctl bench` before you buy."),
            .lines("likesctl plan --likes 30000 --counts 500000 --users 10000000 --likes-stored 1000000000"),
            .options,
            .text("`--likes`, `--counts`, `--users` and `--likes-stored` must be given."),
        ])
}

extension CommandOption {
    fileprivate static let ofPlan: [CommandOption] = [
        whole(
            "--likes", taking: "n", "likes and unlikes per second of all hosts together, at the peak",
            0...PlanOptions.rateMax, \.plan.likes),
        whole(
            "--counts", taking: "n", "counts asked for per second on all hosts together, at the peak",
            0...PlanOptions.rateMax, \.plan.counts),
        whole(
            "--users", taking: "n", "users who like something within a day", 1...PlanOptions.populationMax,
            \.plan.users),
        whole(
            "--likes-stored", taking: "n", "likes in PostgreSQL", 0...PlanOptions.populationMax,
            \.plan.likesStored),
        whole(
            "--hosts", taking: "n", "hosts that run likesd, instead of as few as carry the load",
            1...PlanOptions.hostsMax, \.plan.hosts),
        whole(
            "--items", taking: "n", "items that are asked for or change within an hour",
            1...PlanOptions.populationMax, \.plan.items),
        whole(
            "--batch", taking: "n", "counts in one request: more than 1 for MCOUNT",
            1...Int64(WireLimits.itemsPerRequestMax), \.plan.batch),
        whole(
            "--cold", taking: "percent", "of 100 counts, those that neither a host's memory nor Redis has", 0...100,
            \.plan.cold),
        whole(
            "--ttl-ms", taking: "n", "the hosts' `LOCAL_CACHE_TTL_MS`", 0...PlanOptions.ttlMsMax, \.plan.ttlMs),
        whole(
            "--peak", taking: "n", "how many times the average the peak is, for what grows in a year",
            1...PlanOptions.peakMax, \.plan.peak),
    ]
}
