"""LIKE and UNLIKE, beside PostgreSQL's own ceiling and beside one another, and over a Redis Cluster."""

import contextlib

from bench.ceiling import ROWS_PER_BATCH, Ceiling
from bench.load import LoadError, changes, finish_all, start_changes
from bench.measure import Watch, alternate
from bench.results import Target, absolute, compared
from bench.servers import ITEMS, USERS, seconds_of, seconds_of_nodes, seconds_of_tree

ROWS = ("like", "likezipf", "hot", "hosts", "duplicates", "unlike", "likenodes")
# Of the runs over a cluster: a database belongs to one Redis.
DATABASE_OF_NODES = "nodes"
REQUESTS = 200_000
CONNECTIONS = 512
HOSTS = 4
# One item is liked by ever new users: of a million, many would have liked it already after a few rounds.
HOT_USERS = 10**9
# Of all requests: how many more or fewer than wanted may change something.
CHANGED_OFF_MAX = 0.05
# Which runs a row needs, in the order in which they are measured.
NEEDS = {
    "like": ("ceiling uniform", "uniform"),
    "likezipf": ("ceiling zipf", "zipf"),
    "hot": ("uniform", "hot"),
    "hosts": ("hot", "hosts"),
    "duplicates": ("uniform",),
    "unlike": ("uniform",),
    "likenodes": ("uniform", "nodes"),
}


class Likes:
    """The contenders. Each gives samples by name, and begins with a checkpoint."""

    def __init__(self, bench, daemon, wanted):
        self.bench = bench
        self.daemon = daemon
        self.wanted = wanted
        self.requests = bench.options.requests(REQUESTS)
        self.batches = max(2, self.requests // ROWS_PER_BATCH)
        runs = [run for row in wanted for run in NEEDS[row]]
        self.runs = [run for needs in NEEDS.values() for run in needs if run in runs]
        self.runs = list(dict.fromkeys(self.runs))
        self.ceiling = None
        for run in self.runs:
            if run.startswith("ceiling"):
                self.ceiling = self.ceiling or Ceiling(bench)
                self.ceiling.prepare(run.split()[1], self.batches * bench.options.rounds)

    def contenders(self):
        by_name = {
            "ceiling uniform": lambda _: self.at_ceiling("uniform"),
            "ceiling zipf": lambda _: self.at_ceiling("zipf"),
            "uniform": self.sequence,
            "zipf": lambda number: {"zipf": self.change("like", 3000 + number, keys="zipf")},
            "hot": lambda number: {"hot": self.change("like", 4000 + number, keys="hot", users=HOT_USERS)},
            "hosts": self.hosts,
            "nodes": self.nodes,
        }
        return [by_name[run] for run in self.runs]

    def watch(self, daemons, redis=None):
        """CPU of the daemons, as the measured, and of what works for them."""

        def of_daemons():
            return sum(seconds_of(daemon)() for daemon in daemons)

        return Watch(
            measured=of_daemons,
            redis=seconds_of_nodes(redis or self.bench.redis),
            postgres=seconds_of_tree(self.bench.postgres),
        )

    def change(self, verb, seed, changed=1.0, daemon=None, redis=None, **options):
        """One run against one daemon. `changed`: the share of requests that has to change something, nearly."""
        daemon = daemon or self.daemon
        self.bench.checkpoint()
        with self.watch([daemon], redis) as watch:
            load = changes(
                daemon.socket, verb, requests=self.requests, connections=CONNECTIONS, seed=seed,
                **{"users": USERS, "items": ITEMS, **options},
            )  # fmt: skip
        sample = {**load.sample(), **watch.per_million(load.requests), "foreign": watch.foreign}
        check_changed(verb, load, changed)
        return sample

    def sequence(self, number):
        """All new; the same again, all duplicates; the same taken back."""
        found = {"uniform": self.change("like", 1000 + number)}
        # Where that is not asked for, the table grows by as much as the ceiling's does.
        if "duplicates" in self.wanted:
            found["duplicates"] = self.change("like", 1000 + number, changed=0.0)
        if "unlike" in self.wanted:
            found["unlike"] = self.change("unlike", 1000 + number)
        return found

    def hosts(self, number):
        """As many connections and requests in all as with one daemon.

        The other daemons are there for this run only: idle ones would still hear of every change.
        """
        with contextlib.ExitStack() as others:
            more = [others.enter_context(self.bench.daemon()) for _ in range(HOSTS - 1)]
            return {"hosts": self.change_on_all([self.daemon, *more], number)}

    def nodes(self, number):
        """Over three nodes of Redis, and with a standby that replays all of it, on the same cores."""
        if DATABASE_OF_NODES not in self.bench.databases:
            self.bench.create_database(self.bench.postgres, DATABASE_OF_NODES)
        with contextlib.ExitStack() as ends:
            nodes = ends.enter_context(self.bench.cluster())
            standby = ends.enter_context(self.bench.standby())
            daemon = ends.enter_context(
                self.bench.daemon(
                    database=DATABASE_OF_NODES, redis=nodes, DATABASE_REPLICA_URLS=standby.url(DATABASE_OF_NODES)
                )
            )
            return {"nodes": self.change("like", 1000 + number, daemon=daemon, redis=nodes)}

    def change_on_all(self, daemons, number):
        """One run against several daemons at once. Its latency is that of the slowest."""
        self.bench.checkpoint()
        with self.watch(daemons) as watch:
            started = [
                start_changes(
                    daemon.socket,
                    "like",
                    requests=self.requests // HOSTS,
                    connections=CONNECTIONS // HOSTS,
                    seed=5000 + 10 * number + place,
                    keys="hot",
                    users=HOT_USERS,
                )
                for place, daemon in enumerate(daemons)
            ]  # fmt: skip
            loads = finish_all(started)
        for load in loads:
            check_changed("like", load, 1.0)
        requests = sum(load.requests for load in loads)
        sample = {
            "per_second": requests / max(load.seconds for load in loads),
            "p50_ms": max(load.p50_ms for load in loads),
            "p99_ms": max(load.p99_ms for load in loads),
        }
        return {**sample, **watch.per_million(requests), "foreign": watch.foreign}

    def at_ceiling(self, keys):
        self.bench.checkpoint()
        with Watch(measured=seconds_of_tree(self.bench.postgres)) as watch:
            seconds = self.ceiling.run(keys, self.batches)
        rows = self.batches * ROWS_PER_BATCH
        sample = {"per_second": rows / seconds, **watch.per_million(rows), "foreign": watch.foreign}
        return {f"ceiling {keys}": sample}


def check_changed(verb, load, share):
    """Fails where not nearly this share of the requests changed something."""
    if abs(load.changed / load.requests - share) > CHANGED_OFF_MAX:
        raise LoadError(f"{load.changed / load.requests:.0%} of {verb} changed something, {share:.0%} should have")


def against_ceiling(row, title, subject, reference):
    return [
        compared(row, title, "per_second", subject, reference, "same statement, pgbench", Target(0.6)),
        absolute(row, title, "per_second", subject, Target(40_000, 100_000)),
        absolute(row, title, "p99_ms", subject, Target(30, at_least=False), " ms"),
        absolute(row, title, "cpu_per_million", subject, Target()),
    ]


def run(bench, wanted):
    with bench.daemon() as daemon:
        likes = Likes(bench, daemon, wanted)
        found = alternate(likes.contenders(), bench.options.rounds, lambda text: bench.say(f"likes: {text}"))
    bench.samples["likes"] = found
    results = []
    if "like" in wanted:
        results += against_ceiling("like", "LIKE new, uniform", found["uniform"], found["ceiling uniform"])
    if "likezipf" in wanted:
        results += against_ceiling("likezipf", "LIKE new, Zipf", found["zipf"], found["ceiling zipf"])
    beside = (
        ("hot", "LIKE, one hot item", "uniform", "LIKE new, uniform", Target(1.0, 1.5)),
        ("hosts", "LIKE, 4 daemons, one hot item", "hot", "one daemon", Target(0.8, 1.0)),
        ("duplicates", "LIKE, all duplicates", "uniform", "LIKE new, uniform", Target(1.5, 3.0)),
        ("unlike", "UNLIKE, all present", "uniform", "LIKE new, uniform", Target(0.8, 1.0)),
    )
    for row, title, reference, name, target in beside:
        if row in wanted:
            results.append(compared(row, title, "per_second", found[row], found[reference], name, target))
    if "likenodes" in wanted:
        title, one = "LIKE new, over three nodes and a standby", found["uniform"]
        targets = {
            "per_second": Target(0.7),
            "cpu_per_million": Target(1.5, at_least=False),
            "redis_cpu_per_million": Target(),
        }
        results += [
            compared("likenodes", title, metric, found["nodes"], one, "LIKE new, uniform", target)
            for metric, target in targets.items()
        ]
    return results
