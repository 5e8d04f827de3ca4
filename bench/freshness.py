"""How soon a count changed on one host is seen on another.

Two daemons on a private PostgreSQL and Redis, under a moderate load of likes and counts on both. Again and again an
item is liked on one host, and the other is asked for its count until it has it. The time from the reply to the LIKE
until the count was seen is what is told; 0 where it was seen before the reply came.

    PYTHONPATH=Tests/Integration python bench/freshness.py [--rounds N] [--load LIKES_PER_SECOND_AND_HOST]
"""

import argparse
import itertools
import random
import statistics
import tempfile
import threading
import time
from concurrent import futures
from pathlib import Path

from support.daemon import Daemon, run
from support.postgres import Postgres
from support.redis_server import RedisServer

WIDE_ITEMS = 100_000
# Without a message it would take the ten minutes for which a cached count is believed.
SEEN_SECONDS_MAX = 60


def load(daemon, rate, stopped):
    """LIKEs at a fixed rate, each with four COUNTs, as far as one connection keeps up; how many a second there were."""
    chance = random.Random(daemon.socket.name)
    with daemon.connect() as client:
        began = due = time.monotonic()
        done = 0
        while not stopped.is_set():
            items = [f"post:{chance.randrange(WIDE_ITEMS)}" for _ in range(5)]
            client.pipeline([("LIKE", chance.randrange(10**9), items[0]), *(("COUNT", item) for item in items[1:])])
            done += 1
            due += 1 / rate
            time.sleep(max(0, due - time.monotonic()))
        return done / (time.monotonic() - began)


def measure(here, there, rounds):
    """Seconds, one for each round."""
    seen = []
    with here.connect() as writer, there.connect() as reader:
        for number in range(rounds):
            item = f"reel:{number % 50}"
            before = reader.call("COUNT", item)
            changed, count = writer.call("LIKE", 10**10 + number, item)
            assert changed == 1
            assert count > before
            acknowledged = time.monotonic()
            while reader.call("COUNT", item) < count:
                if time.monotonic() - acknowledged > SEEN_SECONDS_MAX:
                    raise RuntimeError(f"the count of {item} was not seen within {SEEN_SECONDS_MAX} s")
            seen.append(time.monotonic() - acknowledged)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--load", type=float, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likesd-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = Postgres.create(folder / "pg")
        redis = RedisServer(folder / "redis")
        # Cached counts are believed for ten minutes: what is seen earlier was told.
        settings = {"LOCAL_CACHE_TTL_MS": 600_000}
        daemons = []
        stopped = threading.Event()
        try:
            postgres.start()
            redis.start()
            postgres.create_database("likes")
            done = run("likesctl", "migrate", DATABASE_URL=postgres.url())
            assert done.returncode == 0, done.stderr
            for number in range(2):
                daemons.append(Daemon(folder / f"d{number}", postgres.url(), redis.url, **settings).start())
            with futures.ThreadPoolExecutor(len(daemons)) as pool:
                loads = [pool.submit(load, daemon, options.load, stopped) for daemon in daemons]
                try:
                    measured = [one * 1000 for one in measure(*daemons, options.rounds)]
                finally:
                    stopped.set()
                # A load that failed fails the measurement.
                reached = min(one.result() for one in loads)
        finally:
            stopped.set()
            for server in itertools.chain(daemons, [redis, postgres]):
                server.stop()
    cuts = statistics.quantiles(measured, n=1000)
    print(
        f"{len(measured)} rounds, at least {reached:.0f} LIKE/s and {4 * reached:.0f} COUNT/s on each host: "
        f"median {statistics.median(measured):.2f} ms, p99 {cuts[989]:.2f} ms, max {max(measured):.2f} ms"
    )


if __name__ == "__main__":
    main()
