"""What most requests are, a COUNT or MCOUNT of what is cached, allocates nothing: not in the core, not at the edge.
Nor does the load generator that measures it. What goes to the servers and back allocates little."""

import re
import subprocess
from pathlib import Path

import pytest
from support.compiler import compiler
from support.daemon import run
from support.waiting import eventually

# What a rested daemon does meanwhile (beats, passes over repairs, the clients' coming and going) allocates a little.
HOUSEKEEPING_SHARE = 0.01
REQUESTS = 200_000
ITEMS = 1_000
# With the share of their batch or call a like takes little more than one, and a count from Redis seven: who waits for
# it is noted. Code that is generic where it need not be takes some 50 and 30.
OF_A_LIKE_MAX = 4
OF_A_COUNT_MAX = 14


@pytest.fixture(scope="module")
def counter(folder):
    """The library that counts, built by the compiler that comes with Swift."""
    library = folder / "allocations.so"
    source = Path(__file__).parent / "support" / "allocations.c"
    subprocess.run([compiler(), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def start_counted(counter, folder, number, start_daemon):
    """Starts a daemon that has been asked for all items; returns it, and how many allocations it has made."""

    def start(**settings):
        file = folder / f"allocations{number()}"
        file.write_bytes(bytes(8))
        daemon = start_daemon(LD_PRELOAD=counter, ALLOCATIONS_FILE=file, **settings)
        for first in range(0, ITEMS, 50):
            daemon.call("MCOUNT", *(f"post:{item}" for item in range(first, first + 50)))
        return daemon, lambda: int.from_bytes(file.read_bytes(), "little")

    return start


@pytest.fixture
def counted(start_counted):
    """With all of them cached."""
    return start_counted(LOCAL_CACHE_TTL_MS=3_600_000)


def ask(daemon, depth, requests, *words, numbers=ITEMS):
    """As many requests from 10 clients, so many under way on each; the numbers in them are below `numbers`."""
    done = subprocess.run(
        ["redis-benchmark", "-s", daemon.socket, "-c", "10", "-P", str(depth), "-n", str(requests), "-r", str(numbers)]
        + ["--csv", *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.search(r'"\d+\.\d+"', done.stdout), done.stdout + done.stderr


def hits(daemon):
    return int(daemon.info()["local_hits"])


@pytest.mark.parametrize("depth", [1, 16])
def test_a_cached_count_allocates_nothing(counted, depth):
    daemon, allocations = counted
    ask(daemon, depth, REQUESTS // 10, "COUNT", "post:__rand_int__")
    before, hits_before = allocations(), hits(daemon)
    ask(daemon, depth, REQUESTS, "COUNT", "post:__rand_int__")
    assert hits(daemon) - hits_before >= REQUESTS
    assert 0 < allocations() - before < REQUESTS * HOUSEKEEPING_SHARE


def test_cached_counts_of_many_items_allocate_nothing(counted):
    daemon, allocations = counted
    words = ["MCOUNT", *["post:__rand_int__"] * 50]
    requests = REQUESTS // 10
    ask(daemon, 1, requests // 10, *words)
    before, hits_before = allocations(), hits(daemon)
    ask(daemon, 1, requests, *words)
    assert hits(daemon) - hits_before >= 50 * requests
    assert allocations() - before < requests * 10 * HOUSEKEEPING_SHARE


def test_a_like_allocates_little(start_counted):
    """In its batch, in the write to Redis, and in the message that this host hears as well."""
    daemon, allocations = start_counted()
    likes = 20_000
    before = allocations()
    ask(daemon, 64, likes, "LIKE", "__rand_int__", "post:__rand_int__", numbers=1_000_000_000)
    eventually(lambda: int(daemon.info()["counters_heard"]) >= likes, "the messages to have come")
    assert int(daemon.info()["changed"]) >= likes
    assert 0 < allocations() - before < likes * OF_A_LIKE_MAX


def test_a_count_from_redis_allocates_little(start_counted):
    daemon, allocations = start_counted(LOCAL_CACHE_TTL_MS=0)
    before = allocations()
    ask(daemon, 4, 1_000, "MCOUNT", *["post:__rand_int__"] * 50)
    assert int(daemon.info()["redis_hits"]) >= 10_000
    assert 0 < allocations() - before < 50_000 * OF_A_COUNT_MAX


def test_a_request_of_the_load_generator_allocates_nothing(counter, folder, number, daemon):
    def allocations(requests):
        file = folder / f"allocations{number()}"
        file.write_bytes(bytes(8))
        load = ("--connections", 8, "--pipeline", 4, "--mix", "count=5,liked,mcount", "--keys", "zipf", "--batch", 10)
        done = run(
            "likesctl", "bench", "--socket", daemon.socket, "--requests", requests, *load,
            LD_PRELOAD=counter, ALLOCATIONS_FILE=file,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return int.from_bytes(file.read_bytes(), "little")

    requests = REQUESTS // 10
    few = allocations(requests // 10)
    assert few > 0
    assert allocations(requests) - few < requests * HOUSEKEEPING_SHARE
