"""COUNT of what is cached nowhere, beside one prepared SELECT for each."""

from bench.ceiling import pgbench
from bench.load import LoadError, likes_bench
from bench.measure import Watch, alternate
from bench.results import Target, compared
from bench.servers import seconds_of, seconds_of_tree

ROWS = ("cold",)
DATABASE = "cold"
ITEMS = 1_000_000
REQUESTS = 250_000
CONNECTIONS = 512
# Connections of pgbench: as many as likesd's clients, and as a pool would have them, of 1, 8, 16 and 64 the fastest on
# two cores, twice of two times.
POOL = 8
SELECT = """\\set item random(1, {items})
SELECT like_count FROM counters WHERE item_id = :item AND item_type = 1;
"""
# Of so many items drawn at random some come twice; those of a run that did not ask PostgreSQL.
WARM_SHARE_MAX = 0.15


def info(daemon):
    """{name: value} of INFO."""
    lines = daemon.call("INFO").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def prepare_once(bench):
    """The database, for whichever row asks for it first."""
    if DATABASE not in bench.databases:
        bench.say(f"filling {ITEMS:,} counters")
        bench.create_database(bench.postgres, DATABASE, likes=0, items=ITEMS)


def counts(bench, number):
    """A daemon that has just started, and a Redis without anything."""
    with bench.redis.client() as client:
        client.flushall()
    with bench.daemon(database=DATABASE) as daemon:
        with Watch(
            measured=seconds_of(daemon), redis=seconds_of(bench.redis), postgres=seconds_of_tree(bench.postgres)
        ) as watch:
            load = likes_bench(
                daemon.socket,
                "count=1",
                requests=bench.options.requests(REQUESTS),
                connections=CONNECTIONS,
                items=ITEMS,
                seed=2000 + number,
            )
        asked = int(info(daemon)["database_reads"]) / load.requests
    if asked < 1 - WARM_SHARE_MAX:
        raise LoadError(f"only {asked:.0%} of the counts were asked of PostgreSQL")
    cpu = watch.per_million(load.requests)
    return {"likesd": {**load.sample(), **cpu, "cold": asked, "foreign": watch.foreign}}


def selects(bench, connections):
    """The same number, from pgbench."""
    requests = bench.options.requests(REQUESTS)
    path = bench.folder / "cold.sql"
    path.write_text(SELECT.format(items=ITEMS))
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-t", str(requests // connections)]
    with Watch(measured=seconds_of_tree(bench.postgres)) as watch:
        rate = pgbench([*command, "-f", str(path), bench.postgres.url(DATABASE)])
    return {f"pgbench {connections}": {"per_second": rate, **watch.per_million(requests), "foreign": watch.foreign}}


def run(bench, wanted):
    prepare_once(bench)
    found = alternate(
        [lambda number: counts(bench, number), lambda _: selects(bench, CONNECTIONS), lambda _: selects(bench, POOL)],
        bench.options.rounds,
        lambda text: bench.say(f"cold: {text}"),
    )
    bench.samples["cold"] = found
    title = "COUNT, cold, 512 connections"
    subject = found["likesd"]
    return [
        compared(
            "cold", title, "per_second", subject, found[f"pgbench {CONNECTIONS}"], "one SELECT each, 512 connections",
            Target(3.0, 6.0),
        ),
        compared(
            "cold", title, "per_second", subject, found[f"pgbench {POOL}"], f"the same from a pool of {POOL}", Target()
        ),
    ]  # fmt: skip
