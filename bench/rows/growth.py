"""How cost grows: connections, sizes of batches, cached entries, skewed items. Not part of the ten minutes."""

from bench.ceiling import Ceiling
from bench.load import LoadError, changes, likes_bench, redis_benchmark
from bench.measure import Watch
from bench.rows import cold
from bench.servers import load_counts, load_redis, seconds_of

ROWS = ("growth",)
TTL_MS = 3_600_000
ITEMS = 100_000
CONNECTIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
CONNECTIONS_QUICK = (1, 50, 500)
BATCH_ROWS = (1, 4, 16, 64, 256, 1_024, 2_048, 4_096)
BATCH_ROWS_QUICK = (1, 64, 2_048)
ENTRIES = (10_000, 100_000, 1_000_000, 10_000_000)
ENTRIES_QUICK = (10_000, 100_000)
MIB = 2**20
DATABASE = "growth"


def point(x, server, load):
    """One point of a curve: x, requests a second, CPU seconds per million, p99 in milliseconds."""
    with Watch(measured=seconds_of(server)) as watch:
        done = load()
    return [x, done.per_second, watch.per_million(done.requests)["cpu_per_million"], done.p99_ms]


def count_by_connections(bench):
    requests = bench.options.requests(200_000)
    redis = bench.reference_redis
    load_redis(redis, ITEMS)
    found = {"COUNT": [], "Redis GET": []}
    with bench.daemon(LOCAL_CACHE_TTL_MS=TTL_MS) as daemon:
        load_counts(daemon, ITEMS)
        pair = (
            ("COUNT", daemon, ["COUNT", "post:__rand_int__"]),
            ("Redis GET", redis, ["GET", "counter:post:__rand_int__"]),
        )
        for connections in CONNECTIONS_QUICK if bench.options.quick else CONNECTIONS:
            for name, server, request in pair:

                def load(server=server, request=request, connections=connections):
                    return redis_benchmark(
                        server.socket, request, requests=requests, connections=connections, keys=ITEMS
                    )

                found[name].append(point(connections, server, load))
            bench.say(f"growth: COUNT with {connections} connections")
    bench.series["connections"] = found


def like_by_connections(bench):
    """A batch grows with the connections that wait."""
    found = []
    with bench.daemon() as daemon:
        for place, connections in enumerate(CONNECTIONS_QUICK if bench.options.quick else CONNECTIONS):
            # With few connections each request waits for a commit of its own.
            requests = bench.options.requests(min(100_000, 5_000 + 500 * connections))
            bench.checkpoint()

            def load(connections=connections, requests=requests, place=place):
                return changes(daemon.socket, "like", requests=requests, connections=connections, seed=8000 + place)

            found.append(point(connections, daemon, load))
            bench.say(f"growth: LIKE with {connections} connections")
    bench.series["like connections"] = {"LIKE": found}


def statement_by_rows(bench):
    """The batch statement alone, rows a second."""
    ceiling, found = Ceiling(bench), []
    for rows in BATCH_ROWS_QUICK if bench.options.quick else BATCH_ROWS:
        count = max(5, bench.options.requests(200_000) // max(rows, 100))
        ceiling.prepare("uniform", count, rows)
        bench.checkpoint()
        seconds = ceiling.run("uniform", count, rows)
        found.append([rows, rows * count / seconds, seconds / count * 1000])
        bench.say(f"growth: statement of {rows} rows")
    bench.series["batch rows"] = {"statement": found}


def count_by_entries(bench):
    """x, COUNT hits a second, CPU seconds per million, p99, resident MiB; Redis holds none of them meanwhile."""
    found = []
    for entries in ENTRIES_QUICK if bench.options.quick else ENTRIES:
        with bench.redis.client() as client:
            client.flushall()
        # Items never liked are cached like others: PostgreSQL need not hold ten million rows.
        with bench.daemon(LOCAL_CACHE_TTL_MS=TTL_MS, LOCAL_CACHE_ENTRIES=entries) as daemon:
            load_counts(daemon, entries)

            def load(daemon=daemon, entries=entries):
                return redis_benchmark(
                    daemon.socket, ["COUNT", "post:__rand_int__"],
                    requests=bench.options.requests(1_000_000), pipeline=16, keys=entries,
                )  # fmt: skip

            found.append([*point(entries, daemon, load), daemon.resident_bytes() / MIB])
            held = int(cold.info(daemon)["local_entries"])
        if held < entries:
            raise LoadError(f"the daemon holds {held:,} of {entries:,} counts: not all of them were hits")
        bench.say(f"growth: {entries:,} entries")
    bench.series["entries"] = {"COUNT": found}


def count_by_keys(bench):
    """Items uniform and skewed, cached for long and for the default second."""
    found = {}
    for name, settings in (("cached long", {"LOCAL_CACHE_TTL_MS": TTL_MS}), ("defaults", {})):
        with bench.daemon(**settings) as daemon:
            load_counts(daemon, ITEMS, first=1)
            for place, keys in enumerate(("uniform", "zipf", "hot")):

                def load(daemon=daemon, keys=keys):
                    return likes_bench(
                        daemon.socket, "count=1", requests=bench.options.requests(2_000_000), connections=50,
                        duration=600, keys=keys, items=ITEMS, seed=9000,
                    )  # fmt: skip

                found.setdefault(name, []).append([place, *point(keys, daemon, load)])
        bench.say(f"growth: skew, {name}")
    bench.series["keys"] = found


def run(bench, wanted):
    """Gives no lines of the table: series for the plots, and for the JSON."""
    for measure in (count_by_connections, like_by_connections, statement_by_rows, count_by_entries, count_by_keys):
        measure(bench)
    return []
