"""COUNT and MCOUNT of what is cached, beside GET and MGET of Redis: the same client, the same kind of socket."""

import dataclasses

from bench.load import redis_benchmark
from bench.measure import Watch, alternate
from bench.results import Target, compared
from bench.servers import load_counts, load_redis, seconds_of

ITEMS = 100_000
# Cached counts are believed for as long as the whole run takes: what is measured is a hit.
TTL_MS = 3_600_000
PER_MCOUNT = 50


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    requests: int
    pipeline: int
    # What one request counts for.
    items: int
    per_second: Target
    cpu: Target | None


AT_MOST = {"at_least": False}
PLAN = {
    "count": Row("COUNT hit, 50 connections", 500_000, 1, 1, Target(1.0, 1.3), Target(1.0, 0.6, **AT_MOST)),
    "count16": Row("COUNT hit, 16 deep", 3_000_000, 16, 1, Target(1.2, 1.5), Target(0.7, 0.45, **AT_MOST)),
    "mcount": Row("MCOUNT of 50, items", 100_000, 1, PER_MCOUNT, Target(1.5, 3.0), None),
}
ROWS = tuple(PLAN)


def requests_of(row):
    """What likesd and what Redis is asked."""
    if row.items == 1:
        return ["COUNT", "post:__rand_int__"], ["GET", "counter:post:__rand_int__"]
    return ["MCOUNT", *["post:__rand_int__"] * row.items], ["MGET", *["counter:post:__rand_int__"] * row.items]


def contender(bench, name, server, request, row):
    """One of the pair: {name: sample}, requests counted as items."""

    def measure(_):
        with Watch(measured=seconds_of(server)) as watch:
            load = redis_benchmark(
                server.socket, request, requests=bench.options.requests(row.requests), pipeline=row.pipeline, keys=ITEMS
            )
        sample = load.sample()
        sample["per_second"] *= row.items
        return {name: {**sample, **watch.per_million(load.requests * row.items), "foreign": watch.foreign}}

    return measure


def run(bench, wanted):
    redis = bench.reference_redis
    load_redis(redis, ITEMS)
    results = []
    with bench.daemon(LOCAL_CACHE_TTL_MS=TTL_MS) as daemon:
        load_counts(daemon, ITEMS)
        for name in wanted:
            row = PLAN[name]
            counts, gets = requests_of(row)
            pair = [
                contender(bench, "likesd", daemon, counts, row),
                contender(bench, "Redis", redis, gets, row),
            ]
            found = alternate(pair, bench.options.rounds, lambda text, name=name: bench.say(f"{name}: {text}"))
            bench.samples[name] = found
            against = "Redis MGET" if row.items > 1 else "Redis GET"
            both = (found["likesd"], found["Redis"], against)
            results.append(compared(name, row.title, "per_second", *both, row.per_second))
            if row.cpu or row.items > 1:
                results.append(compared(name, row.title, "cpu_per_million", *both, row.cpu or Target()))
    return results
