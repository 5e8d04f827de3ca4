"""How long hosts take to set again what Redis may have old, and how often each counter is set.

Daemons on a private PostgreSQL and Redis, at rest. Then rows for many items are put into `cache_repairs`, as a host
does that is cut off from Redis. What is told: when the table was empty and every host read Redis again, the SETs that
Redis counted for each item, and what the hosts say they did.

    PYTHONPATH=Tests/Integration python bench/repairs.py [--hosts N …] [--items N]
"""

import argparse
import tempfile
import time
from pathlib import Path

from support.daemon import Daemon, run
from support.postgres import Postgres
from support.redis_server import RedisServer

# Of one transaction, as a full batch has them.
ROWS_PER_TRANSACTION = 2_000
SECONDS_MAX = 120


def measure(folder, hosts, items):
    postgres = Postgres.create(folder / "pg").start()
    redis = RedisServer(folder / "redis").start()
    daemons = []
    try:
        postgres.create_database("likes")
        done = run("likesctl", "migrate", DATABASE_URL=postgres.url())
        assert done.returncode == 0, done.stderr
        with postgres.connect() as sql, redis.client() as cache:
            sql.execute(
                "INSERT INTO counters (item_id, item_type, like_count, version)"
                " SELECT id, 1, id %% 100, 7 FROM generate_series(1, %s) AS id",
                (items,),
            )
            sql.execute("VACUUM ANALYZE counters")
            for place in range(hosts):
                daemon = Daemon(folder / f"host{place}", postgres.url(), redis.url)
                daemons.append(daemon)
                daemon.start()
            cache.config_resetstat()
            for first in range(1, items + 1, ROWS_PER_TRANSACTION):
                sql.execute(
                    "INSERT INTO cache_repairs (item_id, item_type, version)"
                    " SELECT id, 1, 7 FROM generate_series(%s::bigint, %s) AS id",
                    (first, min(items, first + ROWS_PER_TRANSACTION - 1)),
                )
            began = time.monotonic()
            emptied = None
            while True:
                states = [daemon.info() for daemon in daemons]
                seconds = time.monotonic() - began
                if emptied is None and sql.execute("SELECT count(*) FROM cache_repairs").fetchone() == (0,):
                    emptied = seconds
                idle = all(state["redis_counters"] == "read" and state["repairs_waiting"] == "0" for state in states)
                if emptied is not None and idle:
                    break
                if seconds > SECONDS_MAX:
                    raise RuntimeError(f"not repaired within {SECONDS_MAX} s: {states}")
                time.sleep(0.02)
            sets = cache.info("commandstats")["cmdstat_set"]["calls"] / 2
            right = all(
                cache.get(f"counter:post:{item}") == str(item % 100) for item in range(1, items + 1, items // 1_000)
            )
            told = {name: [int(state[name]) for state in states] for name in ("repairs_done", "repairs_spared")}
            told["lost"] = sum(daemon.log().count(" lost: ") for daemon in daemons)
            print(
                f"{hosts} hosts, {items} items: struck off after {emptied:.2f} s, all read Redis after {seconds:.2f} s,"
                f" {sets / items:.3f} SETs an item, {'right' if right else 'WRONG'}, {told}"
            )
    finally:
        for daemon in daemons:
            daemon.stop()
        redis.stop()
        postgres.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 3, 8])
    parser.add_argument("--items", type=int, default=250_000)
    arguments = parser.parse_args()
    for hosts in arguments.hosts:
        with tempfile.TemporaryDirectory(prefix="likesd-", dir="/tmp") as folder:
            Path(folder).chmod(0o755)
            measure(Path(folder), hosts, arguments.items)


if __name__ == "__main__":
    main()
