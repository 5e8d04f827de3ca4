"""How fast `likesctl import` takes likes in, beside a plain COPY of the same rows, and how fast they go out and away.

A private PostgreSQL, empty tables, rows in random order. In each round a COPY of the rows into `user_likes`, and of
their counters into `counters`, and an import of them, in turns. What is told: the seconds of each, those of the
processors in all processes too, and how fast the import was beside the COPY: of each round, and at the end the median
with the least and the most. Then an export, and a user's likes forgotten.

After `make build`:

    PYTHONPATH=Tests/Integration:. LIKESD_BIN_DIR=.build/release .venv/bin/python bench/bulk.py [--likes N] [--rounds N]
"""

import argparse
import collections
import os
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from support.daemon import binary, run
from support.processes import clean_environment

from bench.measure import tree_seconds
from bench.servers import BenchPostgres

USERS = 1_000_000
FORGOTTEN_LIKES = 20_000
# How fast an import has to be beside a plain COPY into the same tables.
TARGET = 0.5


def write_rows(folder, likes, items):
    """The same likes twice: as COPY needs them for the tables, and as import reads them."""
    source = random.Random(17)
    with (folder / "copy.csv").open("w") as copied, (folder / "import.csv").open("w") as imported:
        drawn = set()
        while len(drawn) < likes:
            drawn.add((source.randrange(USERS), source.randrange(items)))
        rows = list(drawn)
        source.shuffle(rows)
        for user, item in rows:
            copied.write(f"{user},{item},2026-01-01 00:00:00+00,1\n")
            imported.write(f"{user},post:{item},2026-01-01 00:00:00+00\n")
    counts = collections.Counter(item for _, item in rows)
    (folder / "counters.csv").write_text("".join(f"{item},1,{count},1\n" for item, count in counts.items()))


def psql(postgres, *commands):
    arguments = [word for command in commands for word in ("-c", command)]
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", postgres.url(), *arguments], check=True)


def timed(work):
    """Seconds of the clock, and of the processors in all processes of this program's."""
    began, busy = time.monotonic(), tree_seconds(os.getpid())
    work()
    return time.monotonic() - began, tree_seconds(os.getpid()) - busy


def ctl(postgres, *arguments):
    process = subprocess.run(
        [str(binary("likesctl")), *(str(argument) for argument in arguments)],
        env=clean_environment(DATABASE_URL=postgres.url(), REDIS_URL="unix:///nowhere"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert process.returncode in (0, 10), process.stderr
    print(f"    {' '.join(process.stdout.split())}")


def measure(folder, likes, items, rounds):
    write_rows(folder, likes, items)
    postgres = BenchPostgres.create(folder / "pg").start()
    try:
        postgres.create_database("likes")
        assert run("likesctl", "migrate", DATABASE_URL=postgres.url()).returncode == 0
        ratios = []
        for number in range(rounds):
            took = {}
            for name in ("copy", "import") if number % 2 == 0 else ("import", "copy"):
                psql(postgres, "TRUNCATE user_likes, counters, cache_repairs", "CHECKPOINT")
                if name == "copy":
                    copies = (
                        f"\\copy user_likes (user_id, item_id, created_at, item_type) FROM '{folder}/copy.csv' CSV",
                        f"\\copy counters (item_id, item_type, like_count, version) FROM '{folder}/counters.csv' CSV",
                    )
                    took[name] = timed(lambda copies=copies: psql(postgres, *copies))
                else:
                    took[name] = timed(lambda: ctl(postgres, "import", folder / "import.csv"))
            ratios.append([before / after for before, after in zip(took["copy"], took["import"], strict=True)])
            words = [f"{name} {wall:.1f} s, {busy:.1f} s of the processors" for name, (wall, busy) in took.items()]
            print(f"{'; '.join(words)}; {ratios[-1][0]:.2f} times as fast, {ratios[-1][1]:.2f} by the processors")
        for what, column in zip(("by the clock", "by the processors"), zip(*ratios, strict=True), strict=True):
            middle = statistics.median(column)
            print(
                f"import beside COPY, {what}: {middle:.2f} times as fast ({min(column):.2f}–{max(column):.2f});"
                f" at least {TARGET} is wanted: {'reached' if middle >= TARGET else 'not reached'}"
            )
        seconds, _ = timed(lambda: ctl(postgres, "export", folder / "out.csv"))
        print(f"export: {likes / seconds:,.0f} likes/s")
        psql(
            postgres,
            "INSERT INTO user_likes (user_id, item_id, item_type)"
            f" SELECT {USERS}, n, 1 FROM generate_series(1, {FORGOTTEN_LIKES}) AS n",
            f"UPDATE counters SET like_count = like_count + 1 WHERE item_id BETWEEN 1 AND {FORGOTTEN_LIKES}",
        )
        seconds, _ = timed(lambda: ctl(postgres, "forget", USERS))
        print(f"forget: {FORGOTTEN_LIKES / seconds:,.0f} likes/s")
    finally:
        postgres.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--likes", type=int, default=5_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likesd-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        measure(Path(folder), arguments.likes, arguments.items, arguments.rounds)


if __name__ == "__main__":
    main()
