"""PostgreSQL with a standby; Redis with a spare, two behind Sentinels, or the six of a Redis Cluster; several hosts
with a likesd each; and a proxy on the links."""

import contextlib
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

from support.daemon import Daemon, run
from support.postgres import Postgres
from support.redis_cluster import RedisCluster
from support.redis_server import RedisServer
from support.sentinels import SentinelTopology

from .proxy import Proxy

REQUEST_TIMEOUT_MS = 2000
# A host that remembers every item could mend Redis by what it remembers, which no guarantee may rest on.
SETTINGS = {"REQUEST_TIMEOUT_MS": REQUEST_TIMEOUT_MS, "LOG_LEVEL": "info", "LOCAL_CACHE_ENTRIES": 1000}
HOSTS = 3
# Two faults at once, those that wait for them, and the watch.
WORKERS = 8
SOCKET = ".s.PGSQL.5432"
STANDBY_COUNTS = re.compile(r"^standby1:.*\bcounts=(\d+)", re.MULTILINE)


class SmallPostgres(Postgres):
    """Few connections, so that using them up is quick."""

    # A standby that was cut off finds what it missed.
    SETTINGS = {**Postgres.SETTINGS, "max_connections": 40, "wal_keep_size": "1GB"}


class Host:
    """One likesd, its links and its lives."""

    def __init__(self, number, folder, cluster, settings):
        self.number = number
        self.folder = folder / f"h{number}"
        self.folder.mkdir()
        self.links = {"postgres": f"postgres{number}", "standby": f"standby{number}"}
        database, cache = self.folder / SOCKET, self.folder / "redis.sock"
        standby = self.folder / "s" / SOCKET
        standby.parent.mkdir()
        cluster.proxy.add(self.links["postgres"], cluster.postgres.folder / SOCKET, database)
        cluster.proxy.add(self.links["standby"], cluster.standby.folder / SOCKET, standby)
        url = f"unix://{cache}?db=0"
        if cluster.sentinels:
            # Sentinels name ports of the servers themselves, so no proxy is in between.
            url = cluster.sentinels.url
        elif cluster.nodes:
            # So do the nodes of a cluster.
            url = cluster.nodes.url
        else:
            self.links["redis"] = f"redis{number}"
            cluster.proxy.add(self.links["redis"], cluster.redis.socket, cache)
        self.daemon = Daemon(
            self.folder,
            f"postgresql://postgres@/likes?host={self.folder}",
            url,
            **{
                **SETTINGS,
                "DATABASE_REPLICA_URLS": f"postgresql://postgres@/likes?host={standby.parent}",
                **settings,
            },
        )
        # Held while it is killed and started, so that nobody takes that for a crash.
        self.lock = threading.Lock()
        self.crashes = []
        self.resident_bytes_max = 0
        # Of all its lives.
        self.standby_counts = 0
        self.standby_counts_now = 0

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
                self.note_standby_counts()
                return
            self.crashes.append(f"host {self.number}: likesd ended by itself with {self.daemon.server.wait()}")
            self.start()
        finally:
            self.lock.release()

    def note_standby_counts(self):
        """How many counts the standby has answered; each life begins at none."""
        # It may hang: that is a fault of its own.
        with contextlib.suppress(OSError), self.daemon.connect(timeout=1) as client:
            now = int(STANDBY_COUNTS.search(client.call("INFO").decode())[1])
            before = self.standby_counts_now if now >= self.standby_counts_now else 0
            self.standby_counts += now - before
            self.standby_counts_now = now


class Cluster:
    """All the servers of a run. Redis changes places with its spare when it fails over; behind Sentinels, as these
    decide."""

    def __init__(self, folder, hosts=HOSTS, topology="single", **settings):
        self.folder = folder
        self.count = hosts
        self.settings = settings
        self.sentinels = SentinelTopology(folder / "sentinel") if topology == "sentinels" else None
        self.nodes = RedisCluster(folder / "nodes", 3, 1) if topology == "cluster" else None
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
        self.proxy = Proxy()
        self.stack.callback(self.proxy.close)
        self.start_standby()
        self.stack.callback(lambda: self.standby.stop())
        if self.sentinels:
            self.stack.callback(self.sentinels.stop)
            self.sentinels.start().wait_ready()
        elif self.nodes:
            self.stack.callback(self.nodes.stop)
            self.nodes.start()
        else:
            self.start_redis()
        for number in range(self.count):
            host = Host(number, self.folder, self, self.settings)
            self.hosts.append(host)
            self.stack.callback(host.daemon.stop)
            host.start("ok")

    def start_standby(self):
        """It gets the log through the proxy, too."""
        wal = self.folder / "wal"
        if not wal.exists():
            wal.mkdir()
            self.proxy.add("wal", self.postgres.folder / SOCKET, wal / SOCKET)
        self.standby = self.postgres.standby(self.folder / "ps").start()
        self.standby.set("wal_retrieve_retry_interval", "100ms")
        self.standby.set("primary_conninfo", f"host={wal} user=postgres")

    def renew_standby(self):
        self.standby.stop()
        shutil.rmtree(self.standby.folder)
        self.start_standby()

    def start_redis(self):
        self.redis = RedisServer(self.folder / "ra", "--repl-diskless-sync-delay", "0").start()
        self.spare = RedisServer(self.folder / "rb", "--repl-diskless-sync-delay", "0")
        self.stack.callback(lambda: self.redis.stop())
        self.stack.callback(lambda: self.spare.stop())
        self.replication_port = self.proxy.add("replication", self.redis.socket)

    def sql(self):
        """A connection of our own to PostgreSQL, past the proxy."""
        return self.postgres.connect()

    def caches(self):
        """The Redis servers in use: one, or the primaries of a cluster."""
        if self.nodes:
            return [self.nodes.nodes[place] for place in sorted(self.nodes.owners())]
        return [self.sentinels.primary() if self.sentinels else self.redis]

    def cache_of(self, key):
        """A client of our own of the cluster's node that has the key."""
        return self.nodes.nodes[self.nodes.owner_of(key)].client()

    def believed(self, cache):
        """The tokens of the counters that hosts believe in there; None: any, since nothing says whose they are."""
        if not self.nodes:
            marker = cache.get("likesd:generation")
            return marker and {marker.split(" ")[4]}
        facts = cache.info()
        life = f"{facts['run_id']}:{facts['master_replid']}"
        markers = [marker.split(" ") for marker in map(cache.get, cache.scan_iter("likesd:generation:*", count=1000))]
        # A slot that moved may have left the marker of another node here, or an older one of its own.
        used = {token for host in self.hosts for token in host.daemon.info()["redis_generation"].split(",")}
        return {words[4] for words in markers if words[0] == life} & used

    def troubles(self):
        """What is wrong with a cluster in the end."""
        return self.nodes.troubles() if self.nodes else []

    def delay_redis(self, host, seconds):
        """What this host sends to Redis is late, where a proxy is in between."""
        if link := host.links.get("redis"):
            self.proxy.set(link, "pass", delay=seconds)

    def links_to(self, backend):
        return [host.links[backend] for host in self.hosts]

    def fail_over(self):
        """The spare takes the place of Redis, behind the same addresses."""
        self.redis, self.spare = self.spare, self.redis
        for link in self.links_to("redis"):
            self.proxy.point(link, self.redis.socket)
            self.proxy.cut(link)
        self.proxy.point("replication", self.redis.socket)
