"""What it takes: memory of what is cached, an idle daemon, bytes of a like."""

import contextlib
import re
import selectors
import socket
import time
from pathlib import Path

from bench.measure import Summary
from bench.results import Result, Target, absolute
from bench.rows import cold
from bench.servers import ITEMS, USERS, load_counts, load_redis

ROWS = ("memory", "idle", "bytes")
TTL_MS = 3_600_000
TTL_SECONDS = 3600
READY_SECONDS_MAX = 30
IDLE_SECONDS, IDLE_SECONDS_QUICK = 20, 5
# Connections to both servers, and the first heartbeats.
SETTLE_SECONDS = 2
# No more memory is given back after so long without any, and nobody waits longer than the second.
REST_SECONDS, REST_SECONDS_MAX = 5, 60
LIKES, LIKES_QUICK = 10_000_000, 200_000
BYTES_DATABASE = "bytes"
ROWS_PER_BATCH = 2_048
MIB = 2**20
# As batches come: random pairs, sorted within a batch, each batch a transaction.
FILL = """
    DO $$
    BEGIN
        FOR batch IN 1..{batches} LOOP
            INSERT INTO user_likes (user_id, item_id, item_type)
            SELECT (random() * {users})::bigint + 1, (random() * {items})::bigint + 1, 1
            FROM generate_series(1, {rows}) ORDER BY 1, 2
            ON CONFLICT DO NOTHING;
            COMMIT;
        END LOOP;
    END $$
"""


def memory(bench):
    """Resident bytes of a whole daemon that has a million counts, beside Redis' own account of a million counters."""
    items = bench.options.requests(1_000_000)
    cold.prepare_once(bench)
    with bench.daemon(database=cold.DATABASE, LOCAL_CACHE_TTL_MS=TTL_MS) as daemon:
        load_counts(daemon, items, first=1)
        held = int(cold.info(daemon)["local_entries"])
        if held < items:
            raise RuntimeError(f"the daemon holds {held} of {items} counts")
        loaded = daemon.resident_bytes() / MIB
        own = at_rest_mib(daemon)
    reference = bench.start_redis("memory")
    # As likesd names them, without zeros, and with the same lifetime.
    load_redis(reference, items, first=1, width=0, ttl_seconds=TTL_SECONDS)
    with reference.client() as client:
        used = client.info("memory")["used_memory"] / MIB
    reference.stop()
    bench.samples["memory"] = {"likesd": [{"mib": own, "loaded_mib": loaded}], "Redis": [{"mib": used}]}
    return [
        Result(
            "memory", f"Memory, {items:,} cached counts", "MiB", Summary(own, own, own), Summary(used, used, used),
            "Redis, used_memory", Summary.of([own / used]), Target(0.6, 0.4, at_least=False), "×",
        ),
        Result(
            "memory", "… right after they came in", "MiB", Summary(loaded, loaded, loaded),
            Summary(used, used, used), "Redis, used_memory", Summary.of([loaded / used]), Target(), "×",
        ),
    ]  # fmt: skip


def at_rest_mib(daemon):
    """Resident MiB once no more is given back: what was filled in is remembered for some seconds."""
    least, since = daemon.resident_bytes(), time.monotonic()
    ends = since + REST_SECONDS_MAX
    while time.monotonic() < min(since + REST_SECONDS, ends):
        time.sleep(REST_SECONDS / 10)
        if daemon.resident_bytes() < least:
            least, since = daemon.resident_bytes(), time.monotonic()
    return least / MIB


def switches(pid):
    """How often the process, all its threads, went to sleep, hence woke up."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            status = (task / "status").read_text()
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.MULTILINE).group(1))
    return total


def ready_ms(bench):
    """Milliseconds from the start of the process until it tells systemd that it is ready."""
    path = bench.folder / f"notify{bench.daemons_started}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, selectors.DefaultSelector() as selector:
        notify.bind(str(path))
        selector.register(notify, selectors.EVENT_READ)
        began = time.monotonic()
        daemon = bench.start_daemon(until=None, NOTIFY_SOCKET=path)
        try:
            while True:
                left = began + READY_SECONDS_MAX - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise RuntimeError(f"likesd is not ready after {READY_SECONDS_MAX} s:\n{daemon.log()}")
                if b"READY=1" in notify.recv(4096):
                    return (time.monotonic() - began) * 1000
        finally:
            daemon.stop()


def idle(bench):
    """Resident memory and wake-ups of a daemon that nobody asks, and how soon one is ready."""
    seconds = IDLE_SECONDS_QUICK if bench.options.quick else IDLE_SECONDS
    ready = [{"ready_ms": ready_ms(bench)} for _ in range(bench.options.rounds)]
    with bench.daemon() as daemon:
        time.sleep(SETTLE_SECONDS)
        before, began = switches(daemon.server.pid), time.monotonic()
        time.sleep(seconds)
        woken = (switches(daemon.server.pid) - before) / (time.monotonic() - began)
        resident = daemon.resident_bytes() / MIB
    at_rest = [{"rss_mib": resident, "wake_ups_per_second": woken}]
    bench.samples["idle"] = {"ready": ready, "at rest": at_rest}

    def at_most(metric, samples, bound, unit):
        return absolute("idle", "Idle", metric, samples, Target(bound, at_least=False), unit)

    return [
        at_most("rss_mib", at_rest, 16, " MiB"),
        at_most("wake_ups_per_second", at_rest, 2, "/s"),
        at_most("ready_ms", ready, 100, " ms"),
    ]


def size_per_like(sql):
    """Bytes of `user_likes` for each of its rows, in all and of its index."""
    count, total, index = sql.execute(
        "SELECT (SELECT count(*) FROM user_likes), pg_total_relation_size('user_likes'), pg_indexes_size('user_likes')"
    ).fetchone()
    return {"bytes_per_like": total / count, "index_bytes_per_like": index / count}


def bytes_per_like(bench):
    """The size of `user_likes` with its index, after random likes in the order in which batches bring them.

    Random inserts split the index' leaves in two and leave them about 69 % full. A second line says what is left once
    the index is built anew, which can be done while everything runs.
    """
    likes = LIKES_QUICK if bench.options.quick else LIKES
    bench.say(f"bytes: {likes:,} likes")
    bench.create_database(bench.postgres, BYTES_DATABASE, likes=0, items=1)
    with bench.postgres.connect(BYTES_DATABASE) as sql:
        sql.execute(FILL.format(batches=likes // ROWS_PER_BATCH, rows=ROWS_PER_BATCH, users=USERS - 1, items=ITEMS - 1))
        grown = size_per_like(sql)
        bench.say(f"bytes: {grown['bytes_per_like']:.1f} per like, building the index anew")
        sql.execute("REINDEX INDEX CONCURRENTLY user_likes_pkey")
        rebuilt = size_per_like(sql)
    bench.samples["bytes"] = {"user_likes": [grown], "index built anew": [rebuilt]}
    target = Target(105, 80, at_least=False)
    return [
        absolute("bytes", f"Bytes per like, {likes:,}", "bytes_per_like", [grown], target, " B", "untuned: 114"),
        absolute("bytes", "… after REINDEX CONCURRENTLY", "bytes_per_like", [rebuilt], Target(), " B"),
    ]


def run(bench, wanted):
    results = []
    for name, measure in (("memory", memory), ("idle", idle), ("bytes", bytes_per_like)):
        if name in wanted:
            results += measure(bench)
    return results
