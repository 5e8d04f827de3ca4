"""What a like, a count, a cached item, a user and a connection take: CPU, memory, and bytes on disk and wire.

These are the figures of `likesctl plan` and docs/scaling.md that no row of the table has. CPU is that of each server
for a million requests, from /proc/PID/stat; memory is Redis' `used_memory` and likesd's resident bytes, before and
after; WAL is `pg_stat_wal`; the bytes to and from Redis are its own counts, those to and from PostgreSQL are counted
by a relay. Everything runs on one machine, so rates are those of open loops well below its limits.

    PYTHONPATH=.:Tests/Integration LIKESD_BIN_DIR=.build/release python bench/sizing.py [PART …]
"""

import argparse
import resource
import time
from pathlib import Path

from support.postgres import programs
from support.relay import Relay
from support.wire import Wire

from bench import report
from bench.load import changes, likes_bench
from bench.measure import Watch, process_seconds
from bench.rows.resources import MIB, at_rest_mib
from bench.servers import Bench, BenchPostgres, Options, folder, load_counts, seconds_of, seconds_of_tree

RATES = (250, 1_000, 4_000, 16_000, 25_000)
SECONDS = 12
USERS = 200_000
ITEMS = 200_000
CONNECTIONS = 4_000
# Sessions tell of their WAL once a second at most: a reading that stays the same for so long is complete.
STEADY_SECONDS = 2
STEADY_SECONDS_MAX = 60


def say(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


def watched(bench, daemon):
    return Watch(measured=seconds_of(daemon), redis=seconds_of(bench.redis), postgres=seconds_of_tree(bench.postgres))


def told(found, names):
    return ", ".join(f"{name} {found[key]:.2f}" for name, key in names.items())


CPU = {"likesd": "cpu_per_million", "Redis": "redis_cpu_per_million", "PostgreSQL": "postgres_cpu_per_million"}


def wal(sql):
    return sql.execute("SELECT wal_bytes::bigint, wal_fpi FROM pg_stat_wal").fetchone()


def steady(what, read):
    """What is read once it stays the same."""
    before, ends = read(), time.monotonic() + STEADY_SECONDS_MAX
    while time.monotonic() < ends:
        time.sleep(STEADY_SECONDS)
        now = read()
        if now == before:
            return now
        before = now
    raise RuntimeError(f"{what} did not come to rest within {STEADY_SECONDS_MAX} s")


def settled(sql):
    return steady("the WAL", lambda: wal(sql))


def cpu_by_rate(bench):
    """LIKEs at a fixed rate on one host: how large batches are, and what a like takes then."""
    with bench.daemon(RATE_LIMIT_REQUESTS=100) as daemon, bench.postgres.connect() as sql:
        # The last one without a rate: as many as it takes.
        for place, rate in enumerate((*RATES, None)):
            how = {"rate": rate, "duration": SECONDS, "connections": 200}
            if rate is None:
                how = {"requests": 200_000, "connections": 512}
            bench.checkpoint()
            before, wal_before = daemon.info(), settled(sql)
            with bench.redis.client() as client:
                net = client.info("stats")
            with watched(bench, daemon) as watch:
                load = likes_bench(
                    daemon.socket, "like=1", users=1_000_000, items=100_000, write=True, seed=100 + place, **how
                )  # fmt: skip
            with bench.redis.client() as client:
                net_after = client.info("stats")
            after, wal_after = daemon.info(), settled(sql)
            batches = int(after["batches"]) - int(before["batches"])
            sent = net_after["total_net_input_bytes"] - net["total_net_input_bytes"]
            received = net_after["total_net_output_bytes"] - net["total_net_output_bytes"]
            say(
                f"LIKE {load.per_second:,.0f}/s: {told(watch.per_million(load.requests), CPU)} CPU s a million;"
                f" {load.requests / batches:.1f} likes a batch, {batches / load.seconds:.0f} batches/s;"
                f" Redis in {sent / load.requests:.0f} out {received / load.requests:.0f} bytes a like;"
                f" WAL {(wal_after[0] - wal_before[0]) / load.requests:.0f} bytes and"
                f" {(wal_after[1] - wal_before[1]) / load.requests:.2f} page images a like right after a checkpoint;"
                f" p99 {load.p99_ms:.1f} ms"
            )


class WithoutImages(BenchPostgres):
    """What it logs of a change, and no pages."""

    SETTINGS = {**BenchPostgres.SETTINGS, "full_page_writes": "off"}


def wal_bytes(bench):
    """WAL of a like, with and without page images, in large batches and in batches of one."""
    plain = WithoutImages.create(bench.folder / "plain").start()
    bench.ends.callback(plain.stop)
    bench.create_database(plain, "likes")
    redis = bench.start_redis("plain")
    for place, server in enumerate((plain, bench.postgres)):
        images = server.SETTINGS["full_page_writes"]
        with bench.daemon(postgres=server, redis=redis if server is plain else None) as daemon:
            with server.connect() as sql:
                for connections, requests in ((512, 100_000), (1, 4_000)):
                    sql.execute("CHECKPOINT")
                    before, batches = settled(sql), int(daemon.info()["batches"])
                    load = changes(
                        daemon.socket, "like", requests=requests, connections=connections,
                        seed=50 + 2 * place + requests,
                    )  # fmt: skip
                    after, batches = settled(sql), int(daemon.info()["batches"]) - batches
                    say(
                        f"WAL with full_page_writes={images}, {load.requests / batches:.1f} likes a batch:"
                        f" {(after[0] - before[0]) / load.requests:.0f} bytes and"
                        f" {(after[1] - before[1]) / load.requests:.3f} page images a like"
                    )
    plain.stop()
    redis.stop()


def counts(bench):
    """COUNT of what is cached nowhere, of what Redis has, and of what the host has: CPU and bytes."""
    url = "sizing"
    bench.create_database(bench.postgres, url, likes=0, items=ITEMS)
    with bench.postgres.connect(url) as sql:
        size = sql.execute("SELECT pg_total_relation_size('counters')::float / count(*) FROM counters").fetchone()
        say(f"counters: {size[0]:.0f} bytes an item on disk")
    redis = bench.start_redis("sizing")
    with redis.client() as client:
        empty = client.info("memory")["used_memory"]

    def ask(title, daemon, mix="count=1", **options):
        with redis.client() as client:
            net = client.info("stats")
        before = int(daemon.info()["database_reads"])
        watch = Watch(measured=seconds_of(daemon), redis=seconds_of(redis), postgres=seconds_of_tree(bench.postgres))
        with watch:
            load = likes_bench(daemon.socket, mix, items=ITEMS, **options)
        with redis.client() as client:
            net_after = client.info("stats")
        sent, received = (
            (net_after[name] - net[name]) / load.requests
            for name in ("total_net_input_bytes", "total_net_output_bytes")
        )
        asked = (int(daemon.info()["database_reads"]) - before) / load.requests
        say(
            f"{title}: {told(watch.per_million(load.requests), CPU)} CPU s a million;"
            f" Redis in {sent:.0f} out {received:.0f} bytes each; PostgreSQL asked {asked:.2f};"
            f" {load.per_second:,.0f}/s"
        )

    with bench.daemon(database=url, redis=redis) as daemon:
        ask("COUNT cold", daemon, requests=ITEMS, connections=512, seed=77)
        load_counts(daemon, ITEMS, first=1)
        with redis.client() as client:
            # What it fills in leaves in turns of its own.
            keys = steady("the number of keys in Redis", client.dbsize)
            used = client.info("memory")["used_memory"]
        say(f"Redis: {(used - empty) / ITEMS:.0f} bytes a counter, its version included, {keys / ITEMS:.2f} keys")
    with bench.daemon(database=url, redis=redis, LOCAL_CACHE_ENTRIES=0) as daemon:
        ask("COUNT from Redis", daemon, requests=ITEMS, connections=512, seed=78)
    with bench.daemon(database=url, redis=redis, LOCAL_CACHE_TTL_MS=3_600_000) as daemon:
        load_counts(daemon, ITEMS, first=1)
        ask("COUNT from the host", daemon, requests=3 * ITEMS, connections=50, seed=79)
        ask("MCOUNT of 50 from the host", daemon, "mcount=1", requests=ITEMS // 2, connections=50, seed=79)
    redis.stop()


def users(bench):
    """What Redis holds of a user: the rate, the recent likes, and each further one."""
    url = "users"
    bench.create_database(bench.postgres, url, likes=0, items=10)
    for limit in (0, 100):
        redis = bench.start_redis(f"users{limit}")
        # All in one window, which outlasts the run.
        settings = {"RATE_LIMIT_REQUESTS": limit, "RATE_LIMIT_WINDOW_SECONDS": 3_600}
        with bench.daemon(database=url, redis=redis, **settings) as daemon:
            with redis.client() as client:
                used = [client.info("memory")["used_memory"]]
                for place in range(1, 6):
                    like_once_each(daemon, USERS, place)
                    used.append(client.info("memory")["used_memory"])
                    keys = client.dbsize()
            grown = [(b - a) / USERS for a, b in zip(used, used[1:], strict=False)]
            say(
                f"Redis with RATE_LIMIT_REQUESTS={limit}: bytes a user for the first like, and for each further one: "
                + ", ".join(f"{one:.0f}" for one in grown)
                + f"; {keys / USERS:.2f} keys a user"
            )
        redis.stop()


def like_once_each(daemon, count, item, depth=200):
    """Each user likes the same item."""
    with Wire(daemon.socket) as wire:
        for start in range(1, count + 1, depth):
            users = range(start, min(start + depth, count + 1))
            for reply in wire.pipeline([("LIKE", user, f"post:{item}") for user in users]):
                if not isinstance(reply, list):
                    raise RuntimeError(f"LIKE: {reply}")


def connections(bench):
    """likesd's memory for a client that has asked something and waits."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8_192, 8_192))
    with bench.daemon(MAX_CONNECTIONS=CONNECTIONS + 10) as daemon:
        before = at_rest_mib(daemon)
        held = []
        for place in range(CONNECTIONS):
            one = daemon.connect()
            one.call("COUNT", f"post:{place + 1}")
            held.append(one)
        say(f"likesd: {(at_rest_mib(daemon) - before) * MIB / CONNECTIONS:.0f} bytes a connection at rest")
        for one in held:
            one.close()


def wire_bytes(bench):
    """Bytes to and from PostgreSQL, for a like in batches and for a cold count."""
    place = bench.folder / "relay"
    place.mkdir()
    place.chmod(0o755)
    passed = {"sent": 0, "received": 0}
    with Relay(place / ".s.PGSQL.5432", bench.postgres.folder / ".s.PGSQL.5432") as relay:

        def sent(piece):
            passed["sent"] += len(piece.data)
            return False

        def received(piece):
            passed["received"] += len(piece.data)
            return piece.data

        relay.requests.close(holds=sent)
        relay.change = received
        bench.postgres.url()
        daemon = bench.start_daemon(postgres=Through(bench.postgres, place))
        for verb, options in (
            ("like=1", {"write": True, "rate": 8_000, "duration": 8, "users": 1_000_000}),
            ("count=1", {"requests": 50_000, "items": 1_000_000}),
        ):
            before = dict(passed)
            load = likes_bench(daemon.socket, verb, connections=200, seed=9, **options)
            now = {name: (passed[name] - before[name]) / load.requests for name in passed}
            say(f"PostgreSQL, {verb}: {now['sent']:.0f} bytes sent and {now['received']:.0f} received each")
        daemon.stop()


class Through:
    """A server as it is reached through a relay."""

    def __init__(self, postgres, place):
        self.server = postgres.server
        self.place = place

    def url(self, database="likes"):
        return f"postgresql://postgres@/{database}?host={self.place}"


def replaying_seconds(server):
    """CPU seconds of the one process of a standby that replays."""
    titles = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in server.server.pids()}
    return process_seconds(next(pid for pid, title in titles.items() if b"startup" in title))


def standby(bench):
    """What a standby takes: CPU for a like to receive and to replay, and for a cold count."""
    server = bench.postgres.standby(bench.folder / "standby").start()
    bench.ends.callback(server.stop)
    bench.create_database(bench.postgres, "cold", likes=0, items=1_000_000)
    try:
        for how in (
            {"rate": 8_000, "duration": SECONDS, "connections": 200},
            {"requests": 200_000, "connections": 512},
        ):
            watch = Watch(
                measured=seconds_of_tree(server),
                replay=lambda: replaying_seconds(server),
                primary=seconds_of_tree(bench.postgres),
            )
            with bench.daemon() as daemon, watch:
                load = likes_bench(daemon.socket, "like=1", users=1_000_000, write=True, seed=31 + len(how), **how)
                server.wait_for(bench.postgres)
            found = watch.per_million(load.requests)
            say(
                f"LIKE {load.per_second:,.0f}/s on a standby: {found['cpu_per_million']:.1f} CPU s a million,"
                f" of which the process that replays {found['replay_cpu_per_million']:.1f};"
                f" on the primary {found['primary_cpu_per_million']:.1f}"
            )
        server.wait_for(bench.postgres)
        with bench.redis.client() as client:
            client.flushall()
        with bench.daemon(database="cold", DATABASE_REPLICA_URLS=server.url("cold")) as daemon:
            watch = Watch(measured=seconds_of_tree(server), primary=seconds_of_tree(bench.postgres))
            with watch:
                load = likes_bench(
                    daemon.socket, "count=1", requests=200_000, connections=512, items=1_000_000, seed=32
                )  # fmt: skip
            found, info = watch.per_million(load.requests), daemon.info()
            say(
                f"COUNT cold on a standby: {found['cpu_per_million']:.2f} CPU s a million, on the primary"
                f" {found['primary_cpu_per_million']:.2f}; {load.per_second:,.0f}/s; {info['standby1']}"
            )
    finally:
        server.stop()


def positions(bench):
    """What the primary takes to say its position, which each host with standbys asks for."""
    asked = 20_000
    with bench.postgres.connect() as sql:
        with Watch(measured=seconds_of_tree(bench.postgres)) as watch:
            for _ in range(asked):
                sql.execute("SELECT pg_current_wal_flush_lsn()", prepare=True)
        say(f"a position: {watch.per_million(asked)['cpu_per_million']:.0f} CPU s a million")


PARTS = {
    "rates": cpu_by_rate, "wal": wal_bytes, "counts": counts, "users": users, "connections": connections,
    "wire": wire_bytes, "standby": standby, "positions": positions,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; without any, all of them")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with folder() as place, Bench(place, Options(1, False), say) as bench:
        print(report.machine_line(report.machine(place, programs() / "postgres")), flush=True)
        for name in given.parts or PARTS:
            PARTS[name](bench)


if __name__ == "__main__":
    main()
