"""Latencies at a fixed rate, counted from the moment at which a request should have been sent."""

from bench.load import LoadError, likes_bench
from bench.measure import Watch, brief
from bench.results import Target, absolute
from bench.rows import cold
from bench.servers import ITEMS, USERS, load_counts, seconds_of

ROWS = ("open",)
CONNECTIONS = 100
SECONDS = 10
SECONDS_QUICK = 2
# In all; a fifth of them likes: 5,000 LIKE/s and 20,000 COUNT/s.
RATE = 25_000
MIX = "count=80,like=20"
# Beside the promises for misses and batches, which are of no given rate.
MISS_RATE, MCOUNT_RATE = 2_000, 500
RATE_MISSED_MAX = 0.02
# Standard deviations: one run in 30,000 would fail by chance.
CHANCE = 4
PROMISE = "promised: "


def seconds(bench):
    return SECONDS_QUICK if bench.options.quick else SECONDS


def is_kept(rate, load):
    """Whether as much was answered as was due. Random gaps give the square root of their number more or less."""
    expected = rate * load.seconds
    return load.requests >= expected * (1 - RATE_MISSED_MAX) - CHANCE * expected**0.5


def measure(bench, daemon, mix, rate, seed, items=ITEMS):
    """p50, p99 and p99.9 of each verb in milliseconds, and whether the generator kept its schedule."""
    with Watch(measured=seconds_of(daemon)) as watch:
        load = likes_bench(
            daemon.socket, mix, rate=rate, connections=CONNECTIONS, duration=seconds(bench), seed=seed,
            users=USERS, items=items, write="like" in mix or None,
        )  # fmt: skip
    sample = {
        "per_second": load.per_second,
        "late_share": load.late_share,
        "schedule_kept": load.schedule_kept,
        **watch.per_million(load.requests),
    }
    for verb, told in load.verbs.items():
        for quantile in ("p50", "p99", "p99.9"):
            sample[f"{verb}_{quantile}_ms"] = told["us"][quantile] / 1000
        bench.series.setdefault(f"histogram {verb} {mix}", told["histogram"])
    if not is_kept(rate, load):
        raise LoadError(f"{load.per_second:,.0f} of {rate:,} requests a second: the rate was not kept")
    return {**sample, "foreign": watch.foreign}


def misses(bench, number):
    """Each round from a database that no cache knows."""
    with bench.redis.client() as client:
        client.flushall()
    with bench.daemon(database=cold.DATABASE) as daemon:
        return measure(bench, daemon, "count=1", MISS_RATE, 7000 + number, cold.ITEMS)


def run(bench, wanted):
    main, batches, missed = [], [], []
    with bench.daemon() as daemon:
        load_counts(daemon, ITEMS, first=1)
        for number in range(bench.options.rounds):
            bench.checkpoint()
            main.append(measure(bench, daemon, MIX, RATE, 6000 + number))
            batches.append(measure(bench, daemon, "mcount=1", MCOUNT_RATE, 6500 + number))
            bench.say(f"open: round {number + 1}: {brief(main[-1])}")
    cold.prepare_once(bench)
    for number in range(bench.options.rounds):
        missed.append(misses(bench, number))
    bench.samples["open"] = {"main": main, "mcount": batches, "miss": missed}
    return [
        promise("Open loop, 25,000/s: LIKE", "LIKE_p99_ms", main, 8, 3, "30 ms"),
        promise("Open loop, 25,000/s: COUNT", "COUNT_p99_ms", main, 1, 0.3, "5 ms"),
        promise("Open loop, 2,000/s: COUNT, missed", "COUNT_p99_ms", missed, 20, None, "20 ms"),
        promise("Open loop, 500/s: MCOUNT of 50", "MCOUNT_p99_ms", batches, 15, None, "15 ms"),
    ]


def promise(title, metric, samples, reach, stretch, promised):
    target = Target(reach, stretch, at_least=False)
    return absolute("open", title, metric, samples, target, " ms", PROMISE + promised)
