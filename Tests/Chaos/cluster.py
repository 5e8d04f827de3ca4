"""One PostgreSQL, one Redis with a spare, several hosts with a likesd each, and a proxy on every link."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

from support.daemon import Daemon, run
from support.postgres import Postgres
from support.redis_server import RedisServer

from .proxy import Proxy

REQUEST_TIMEOUT_MS = 2000
# A host that remembers every item could mend Redis by what it remembers, which no guarantee may rest on.
SETTINGS = {"REQUEST_TIMEOUT_MS": REQUEST_TIMEOUT_MS, "LOG_LEVEL": "info", "LOCAL_CACHE_ENTRIES": 1000}
HOSTS = 3
BACKENDS = ("postgres", "redis")
# Two faults at once, those that wait for them, and the watch.
WORKERS = 8


class SmallPostgres(Postgres):
    """Few connections, so that using them up is quick."""

    SETTINGS = {**Postgres.SETTINGS, "max_connections": 40}


class Host:
    """One likesd, its links and its lives."""

    def __init__(self, number, folder, cluster, settings):
        self.number = number
        self.folder = folder / f"h{number}"
        self.folder.mkdir()
        self.links = {backend: f"{backend}{number}" for backend in BACKENDS}
        database, cache = self.folder / ".s.PGSQL.5432", self.folder / "redis.sock"
        cluster.proxy.add(self.links["postgres"], cluster.postgres.folder / database.name, database)
        cluster.proxy.add(self.links["redis"], cluster.redis.socket, cache)
        self.daemon = Daemon(
            self.folder,
            f"postgresql://postgres@/likes?host={self.folder}",
            f"unix://{cache}?db=0",
            **{**SETTINGS, **settings},
        )
        # Held while it is killed and started, so that nobody takes that for a crash.
        self.lock = threading.Lock()
        self.crashes = []
        self.resident_bytes_max = 0

    def start(self, until="listening"):
        self.daemon.start(until)

    def kill_and_start(self, wait):
        """Dead for as long as `wait` takes."""
        with self.lock:
            self.daemon.kill()
            wait()
            self.start()

    def look_after(self):
        """Notes a death that we did not cause, and starts it anew; else how much memory it has."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            if self.daemon.server.running:
                self.resident_bytes_max = max(self.resident_bytes_max, self.daemon.resident_bytes())
                return
            self.crashes.append(f"host {self.number}: likesd ended by itself with {self.daemon.server.wait()}")
            self.start()
        finally:
            self.lock.release()


class Cluster:
    """All the servers of a run. Redis changes places with its spare when it fails over."""

    def __init__(self, folder, hosts=HOSTS, **settings):
        self.folder = folder
        self.count = hosts
        self.settings = settings
        self.hosts = []

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        # A server of the tests dies with the *thread* that started it: these threads outlive all of them.
        self.workers = self.stack.enter_context(ThreadPoolExecutor(WORKERS))
        try:
            self.start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        self.postgres = SmallPostgres.create(self.folder / "pg").start()
        self.stack.callback(self.postgres.stop)
        self.postgres.create_database("likes")
        done = run("likesctl", "migrate", DATABASE_URL=self.postgres.url())
        if done.returncode != 0:
            raise RuntimeError(f"likesctl migrate failed: {done.stderr}")
        self.redis = RedisServer(self.folder / "ra", "--repl-diskless-sync-delay", "0").start()
        self.spare = RedisServer(self.folder / "rb", "--repl-diskless-sync-delay", "0")
        self.stack.callback(lambda: self.redis.stop())
        self.stack.callback(lambda: self.spare.stop())
        self.proxy = Proxy()
        self.stack.callback(self.proxy.close)
        self.replication_port = self.proxy.add("replication", self.redis.socket)
        for number in range(self.count):
            host = Host(number, self.folder, self, self.settings)
            self.hosts.append(host)
            self.stack.callback(host.daemon.stop)
            host.start("ok")

    def sql(self):
        """A connection of our own to PostgreSQL, past the proxy."""
        return self.postgres.connect()

    def cache(self):
        """A client of our own of the Redis in use, past the proxy."""
        return self.redis.client()

    def links_to(self, backend):
        return [host.links[backend] for host in self.hosts]

    def fail_over(self):
        """The spare takes the place of Redis, behind the same addresses."""
        self.redis, self.spare = self.spare, self.redis
        for link in self.links_to("redis"):
            self.proxy.point(link, self.redis.socket)
            self.proxy.cut(link)
        self.proxy.point("replication", self.redis.socket)
