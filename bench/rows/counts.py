"""COUNT and MCOUNT of what is cached, beside GET and MGET of Redis: the same client, the same kind of socket.

redis-benchmark has one thread, which 16 requests at once or 50 items in one keep busier than they do the server. So
rows where it is the limit are measured with `flood`, and with redis-benchmark beside it."""

import dataclasses

from bench.flood import flood
from bench.load import redis_benchmark
from bench.measure import Watch, alternate
from bench.results import Target, compared
from bench.servers import load_counts, load_redis, seconds_of

ITEMS = 100_000
# Cached counts are believed for as long as the whole run takes: what is measured is a hit.
TTL_MS = 3_600_000
PER_MCOUNT = 50
# What redis-benchmark puts a random number in place of.
RANDOM = "__rand_int__"
BY_REDIS_BENCHMARK = "-redis-benchmark"


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    requests: int
    pipeline: int
    # What one request counts for.
    items: int
    per_second: Target
    cpu: Target | None
    # Measured with `flood`, since redis-benchmark itself would be the limit.
    floods: bool = True


AT_MOST = {"at_least": False}
PLAN = {
    "count": Row(
        "COUNT hit, 50 connections", 500_000, 1, 1, Target(1.0, 1.3), Target(1.0, 0.6, **AT_MOST), floods=False
    ),
    "count16": Row("COUNT hit, 16 deep", 6_000_000, 16, 1, Target(1.2, 1.5), Target(0.7, 0.45, **AT_MOST)),
    "mcount": Row("MCOUNT of 50, items", 300_000, 1, PER_MCOUNT, Target(1.5, 3.0), None),
}
ROWS = tuple(PLAN)


def requests_of(row):
    """What likesd and what Redis is asked."""
    if row.items == 1:
        return ["COUNT", f"post:{RANDOM}"], ["GET", f"counter:post:{RANDOM}"]
    return ["MCOUNT", *[f"post:{RANDOM}"] * row.items], ["MGET", *[f"counter:post:{RANDOM}"] * row.items]


def by_redis_benchmark(bench, server, request, row):
    return redis_benchmark(
        server.socket, request, requests=bench.options.requests(row.requests), pipeline=row.pipeline, keys=ITEMS
    )


def by_flood(bench, server, request, row):
    prefix = request[1].removesuffix(RANDOM)
    return flood(
        bench.flood, server.socket, request[0], prefix,
        requests=bench.options.requests(row.requests), items=row.items, pipeline=row.pipeline, keys=ITEMS,
    )  # fmt: skip


def contender(bench, name, server, request, row, client):
    """One of the pair: {name: sample}, requests counted as items."""

    def measure(_):
        with Watch(measured=seconds_of(server)) as watch:
            load = client(bench, server, request, row)
        sample = load.sample()
        sample["per_second"] *= row.items
        return {name: {**sample, **watch.per_million(load.requests * row.items), "foreign": watch.foreign}}

    return measure


def pair_of(bench, daemon, row, client, suffix=""):
    counts, gets = requests_of(row)
    return [
        contender(bench, f"likesd{suffix}", daemon, counts, row, client),
        contender(bench, f"Redis{suffix}", bench.reference_redis, gets, row, client),
    ]


def compare(name, row, found, suffix=""):
    """The lines of one pair."""
    both = (found[f"likesd{suffix}"], found[f"Redis{suffix}"], "Redis MGET" if row.items > 1 else "Redis GET")
    results = [compared(name, row.title, "per_second", *both, row.per_second)]
    if row.cpu or row.items > 1:
        results.append(compared(name, row.title, "cpu_per_million", *both, row.cpu or Target()))
    return results


def limited(row):
    """The same row as redis-benchmark shows it: no target is held against what the client limits."""
    title = f"{row.title}, by redis-benchmark, itself the limit"
    return dataclasses.replace(row, title=title, per_second=Target(), cpu=row.cpu and Target())


def run(bench, wanted):
    load_redis(bench.reference_redis, ITEMS)
    results = []
    with bench.daemon(LOCAL_CACHE_TTL_MS=TTL_MS) as daemon:
        load_counts(daemon, ITEMS)
        for name in wanted:
            row = PLAN[name]
            pairs = pair_of(bench, daemon, row, by_flood if row.floods else by_redis_benchmark)
            if row.floods:
                pairs += pair_of(bench, daemon, row, by_redis_benchmark, BY_REDIS_BENCHMARK)
            found = alternate(pairs, bench.options.rounds, lambda text, name=name: bench.say(f"{name}: {text}"))
            bench.samples[name] = found
            results += compare(name, row, found)
            if row.floods:
                results += compare(f"{name}{BY_REDIS_BENCHMARK}", limited(row), found, BY_REDIS_BENCHMARK)
    return results
