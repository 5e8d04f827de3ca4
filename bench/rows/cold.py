"""COUNT of what is cached nowhere, beside one prepared SELECT for each, and over a standby and a Redis Cluster."""

import contextlib

from bench.ceiling import pgbench
from bench.load import LoadError, likes_bench
from bench.measure import Watch, alternate
from bench.results import Target, compared
from bench.servers import seconds_of, seconds_of_nodes, seconds_of_tree

ROWS = ("cold", "standby", "coldnodes")
DATABASE = "cold"
OVER_STANDBY = "likesd, standby"
OVER_NODES = "likesd, 3 nodes, standby"
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
# Of the counts that PostgreSQL was asked, those that the standby answered, at least: until it has proven to be fresh,
# the primary is asked.
STANDBY_SHARE_MIN = 0.8


def info(daemon):
    """{name: value} of INFO."""
    lines = daemon.call("INFO").decode().split("\r\n")
    return dict(line.split(":", 1) for line in lines if ":" in line)


def prepare_once(bench):
    """The database, for whichever row asks for it first."""
    if DATABASE not in bench.databases:
        bench.say(f"filling {ITEMS:,} counters")
        bench.create_database(bench.postgres, DATABASE, likes=0, items=ITEMS)


def counts(bench, number, name="likesd", redis=None, **settings):
    """A daemon that has just started, and a Redis, or several nodes of a cluster, without anything."""
    redis = redis or bench.redis
    redis.flush()
    with bench.daemon(database=DATABASE, redis=redis, **settings) as daemon:
        with Watch(
            measured=seconds_of(daemon), redis=seconds_of_nodes(redis), postgres=seconds_of_tree(bench.postgres)
        ) as watch:
            load = likes_bench(
                daemon.socket,
                "count=1",
                requests=bench.options.requests(REQUESTS),
                connections=CONNECTIONS,
                items=ITEMS,
                seed=2000 + number,
            )
        facts = info(daemon)
    by_standby = answered_by_standby(facts)
    asked = (int(facts["database_reads"]) + by_standby) / load.requests
    if asked < 1 - WARM_SHARE_MAX:
        raise LoadError(f"only {asked:.0%} of the counts were asked of PostgreSQL")
    sample = {**load.sample(), **watch.per_million(load.requests), "cold": asked, "foreign": watch.foreign}
    if settings.get("DATABASE_REPLICA_URLS"):
        sample["of_standby"] = by_standby / load.requests / asked
        if sample["of_standby"] < STANDBY_SHARE_MIN:
            raise LoadError(f"the standby answered only {sample['of_standby']:.0%} of the counts: {facts['standby1']}")
    return {name: sample}


def answered_by_standby(facts):
    """Counts that the standby answered, of INFO's line about it; 0 without one."""
    told = dict(part.split("=", 1) for part in facts.get("standby1", "counts=0").split(","))
    return int(told["counts"])


def selects(bench, connections):
    """The same number, from pgbench."""
    requests = bench.options.requests(REQUESTS)
    path = bench.folder / "cold.sql"
    path.write_text(SELECT.format(items=ITEMS))
    command = ["pgbench", "-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-t", str(requests // connections)]
    with Watch(measured=seconds_of_tree(bench.postgres)) as watch:
        rate = pgbench([*command, "-f", str(path), bench.postgres.url(DATABASE)])
    return {f"pgbench {connections}": {"per_second": rate, **watch.per_million(requests), "foreign": watch.foreign}}


def contenders(bench, wanted, standby, nodes):
    """What the wanted rows compare. Counts of one primary and one Redis are in all."""
    runs = [lambda number: counts(bench, number)]
    if "standby" in wanted:
        runs.append(lambda number: counts(bench, number, OVER_STANDBY, DATABASE_REPLICA_URLS=standby.url(DATABASE)))
    if nodes:
        runs.append(
            lambda number: counts(bench, number, OVER_NODES, nodes, DATABASE_REPLICA_URLS=standby.url(DATABASE))
        )
    if "cold" in wanted:
        runs += [lambda _: selects(bench, CONNECTIONS), lambda _: selects(bench, POOL)]
    return runs


def run(bench, wanted):
    prepare_once(bench)
    with contextlib.ExitStack() as ends:
        standby = nodes = None
        if {"standby", "coldnodes"} & set(wanted):
            standby = ends.enter_context(bench.standby())
        if "coldnodes" in wanted:
            nodes = ends.enter_context(bench.cluster())
        found = alternate(
            contenders(bench, wanted, standby, nodes), bench.options.rounds, lambda text: bench.say(f"cold: {text}")
        )
    bench.samples["cold"] = found
    title = "COUNT, cold, 512 connections"
    subject = found["likesd"]
    results = []
    if "cold" in wanted:
        results += [
            compared(
                "cold", title, "per_second", subject, found[f"pgbench {CONNECTIONS}"],
                "one SELECT each, 512 connections", Target(3.0, 6.0),
            ),
            compared(
                "cold", title, "per_second", subject, found[f"pgbench {POOL}"], f"the same from a pool of {POOL}",
                Target(),
            ),
        ]  # fmt: skip
    if "standby" in wanted:
        results += against_one_primary("standby", "COUNT, cold, over one standby", found[OVER_STANDBY], subject)
    if "coldnodes" in wanted:
        title = "COUNT, cold, over three nodes and a standby"
        results += against_one_primary("coldnodes", title, found[OVER_NODES], subject)
    return results


def against_one_primary(row, title, subject, reference):
    """A topology beside one primary and one Redis, on the same cores: what it costs, and what the primary is spared."""
    targets = {
        "per_second": Target(0.8),
        "cpu_per_million": Target(1.25, at_least=False),
        "postgres_cpu_per_million": Target(),
    }
    return [
        compared(row, title, metric, subject, reference, "COUNT, cold, of the primary", target)
        for metric, target in targets.items()
    ]
