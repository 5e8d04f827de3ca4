"""Private servers with the settings of a benchmark: everything is written to the disk for good."""

import contextlib
import dataclasses
import shutil
import tempfile
from functools import cached_property
from pathlib import Path

from support.daemon import Daemon, run
from support.http_gateway import Gateway
from support.postgres import Postgres
from support.redis_cluster import RedisCluster
from support.redis_server import RedisServer
from support.wire import Wire

from bench import flood
from bench.measure import process_seconds, tree_seconds

ITEMS = 100_000
USERS = 1_000_000
# Likes that stand in the table before anything is measured: an empty one would be faster than any in use.
LIKES_BEFORE = 500_000
LIKES_BEFORE_QUICK = 20_000
ITEMS_PER_MCOUNT = 1_000
DATABASE = "likes"


class BenchPostgres(Postgres):
    """fsync on, `synchronous_commit` on, autovacuum as it is; no checkpoint falls into a run: each begins with one."""

    SETTINGS = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": "2GB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "1h",
        "max_connections": "600",
    }


# Random likes, and counters that agree with them.
FILL_LIKES = """
    INSERT INTO user_likes (user_id, item_id, item_type)
    SELECT DISTINCT (random() * {users})::bigint + 1, (random() * {items})::bigint + 1, 1
    FROM generate_series(1, {likes})
"""
FILL_COUNTERS = """
    INSERT INTO counters (item_id, item_type, like_count)
    SELECT item_id, 1, count(likes.user_id)
    FROM generate_series(1, {items}) AS item_id
    LEFT JOIN (SELECT item_id, user_id FROM user_likes) AS likes USING (item_id)
    GROUP BY item_id
    ON CONFLICT DO NOTHING
"""


@dataclasses.dataclass
class Options:
    """How much is measured. `requests` scales what rows ask for."""

    rounds: int
    quick: bool

    def requests(self, full):
        """As many as the row says; in a quick run a twentieth."""
        return max(2_000, full // 20) if self.quick else full


class Bench:
    """The servers of one run, each started when the first row asks for it, and stopped in the end."""

    def __init__(self, folder, options, say):
        self.folder = Path(folder)
        self.options = options
        self.say = say
        self.ends = contextlib.ExitStack()
        self.daemons_started = 0
        self.standbys_started = 0
        self.clusters_started = 0
        self.databases = set()
        # What lands in the JSON and the plots: samples by row, and series by name.
        self.samples = {}
        self.series = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.close()

    @cached_property
    def postgres(self):
        """PostgreSQL with the schema and likes of its own in the database `likes`."""
        self.say("starting PostgreSQL, filling it")
        server = BenchPostgres.create(self.folder / "pg")
        self.ends.callback(server.stop)
        server.start()
        self.create_database(server, DATABASE)
        return server

    def create_database(self, server, name, likes=None, items=ITEMS):
        """A migrated database with random likes, and the counters of items 1…items, vacuumed and analysed."""
        url = server.create_database(name)
        done = run("likesctl", "migrate", DATABASE_URL=url)
        if done.returncode != 0:
            raise RuntimeError(f"likesctl migrate: {done.stderr}")
        likes = likes if likes is not None else LIKES_BEFORE_QUICK if self.options.quick else LIKES_BEFORE
        with server.connect(name) as sql:
            sql.execute(FILL_LIKES.format(users=USERS - 1, items=items - 1, likes=likes))
            sql.execute(FILL_COUNTERS.format(items=items))
            sql.execute("VACUUM ANALYZE")
        self.databases.add(name)
        return url

    @cached_property
    def redis(self):
        """The Redis that daemons use."""
        return self.start_redis("redis")

    @cached_property
    def reference_redis(self):
        """The Redis that is measured, with nothing else in it or at it."""
        return self.start_redis("reference")

    @contextlib.contextmanager
    def standby(self):
        """A standby of PostgreSQL for a while: all the time, it would replay the likes of rows that know of none."""
        self.say("starting a standby")
        server = self.postgres.standby(self.folder / f"standby{self.standbys_started}")
        self.standbys_started += 1
        self.ends.callback(server.stop)
        try:
            server.start().wait_for(self.postgres)
            yield server
        finally:
            server.stop()

    @contextlib.contextmanager
    def cluster(self, primaries=3):
        """A Redis Cluster for a while. It takes the place of a Redis wherever a daemon is started."""
        self.say(f"starting a Redis Cluster of {primaries} primaries")
        cluster = RedisCluster(self.folder / f"cluster{self.clusters_started}", primaries)
        self.clusters_started += 1
        self.ends.callback(cluster.stop)
        try:
            yield cluster.start()
        finally:
            cluster.stop()

    @cached_property
    def flood(self):
        """The program of `bench.flood`, built."""
        return flood.build(self.folder)

    @cached_property
    def http_flood(self):
        """The other program of `bench.flood`, built."""
        return flood.build(self.folder, flood.HTTP_SOURCE)

    @contextlib.contextmanager
    def gateway(self, daemon):
        """likes-http in front of a daemon, for a while."""
        gateway = Gateway(self.folder / f"h{self.daemons_started}", daemon.socket)
        try:
            yield gateway.start()
        finally:
            gateway.stop()

    def start_redis(self, name):
        server = RedisServer(self.folder / name)
        self.ends.callback(server.stop)
        return server.start()

    def start_daemon(self, postgres=None, redis=None, until="ok", database=DATABASE, **settings):
        """An optimised likesd with the defaults of production, the rate limit among them."""
        self.daemons_started += 1
        defaults = {"RATE_LIMIT_REQUESTS": 100, "LOG_LEVEL": "warning"}
        url = (postgres or self.postgres).url(database)
        daemon = Daemon(
            self.folder / f"d{self.daemons_started}", url, (redis or self.redis).url, **{**defaults, **settings}
        )
        self.ends.callback(daemon.stop)
        return daemon.start(until)

    @contextlib.contextmanager
    def daemon(self, **options):
        """A daemon for a while."""
        daemon = self.start_daemon(**options)
        try:
            yield daemon
        finally:
            daemon.stop()

    def checkpoint(self):
        """What is dirty goes to the disk before the clock starts, so that no run pays for the one before it."""
        with self.postgres.connect("postgres") as sql:
            sql.execute("CHECKPOINT")


def seconds_of(server):
    """A function that gives the CPU seconds of a daemon or Redis."""
    return lambda: process_seconds(server.server.pid)


def seconds_of_nodes(redis):
    """The same of a Redis, or of all nodes of a cluster."""
    return lambda: sum(process_seconds(node.server.pid) for node in redis.nodes)


def seconds_of_tree(server):
    """A function that gives the CPU seconds of PostgreSQL, all its processes."""
    return lambda: tree_seconds(server.server.pid)


def load_counts(daemon, items, first=0):
    """Asks for every count once, so that the next COUNT of each is a hit."""
    with Wire(daemon.socket) as wire:
        for start in range(first, first + items, ITEMS_PER_MCOUNT):
            end = min(start + ITEMS_PER_MCOUNT, first + items)
            reply = wire.call("MCOUNT", *(f"post:{item}" for item in range(start, end)))
            if not isinstance(reply, list):
                raise RuntimeError(f"MCOUNT: {reply}")


def load_redis(server, items, *, first=0, width=12, ttl_seconds=None, per_call=10_000):
    """The same counters as plain strings, named as redis-benchmark names them."""
    with server.client() as client:
        for start in range(first, first + items, per_call):
            pipe = client.pipeline(transaction=False)
            for item in range(start, min(start + per_call, first + items)):
                pipe.set(f"counter:post:{item:0{width}d}", item % 1000, ex=ttl_seconds)
            pipe.execute()


@contextlib.contextmanager
def folder():
    """A folder with a short path, for sockets; on the disk, since fsync is to cost what it costs."""
    path = Path(tempfile.mkdtemp(prefix="likesd-bench-", dir="/var/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
