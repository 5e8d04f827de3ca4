"""What most requests are, a COUNT or MCOUNT of what is cached, allocates nothing: not in the core, not at the edge.
Nor does the load generator that measures it."""

import re
import subprocess
from pathlib import Path

import pytest
from support.compiler import compiler
from support.daemon import run

# What a rested daemon does meanwhile (beats, looks for repairs, the clients' coming and going) allocates a little.
HOUSEKEEPING_SHARE = 0.01
REQUESTS = 200_000
ITEMS = 1_000


@pytest.fixture(scope="module")
def counter(folder):
    """The library that counts, built by the compiler that comes with Swift."""
    library = folder / "allocations.so"
    source = Path(__file__).parent / "support" / "allocations.c"
    subprocess.run([compiler(), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def counted(counter, folder, number, start_daemon):
    """A daemon with all items cached, and how many allocations it has made."""
    file = folder / f"allocations{number()}"
    file.write_bytes(bytes(8))
    daemon = start_daemon(LD_PRELOAD=counter, ALLOCATIONS_FILE=file, LOCAL_CACHE_TTL_MS=3_600_000)
    for first in range(0, ITEMS, 50):
        daemon.call("MCOUNT", *(f"post:{item}" for item in range(first, first + 50)))
    return daemon, lambda: int.from_bytes(file.read_bytes(), "little")


def ask(daemon, depth, requests, *words):
    """As many requests from 10 clients, so many under way on each."""
    done = subprocess.run(
        ["redis-benchmark", "-s", daemon.socket, "-c", "10", "-P", str(depth), "-n", str(requests), "-r", str(ITEMS)]
        + ["--csv", *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert re.search(r'"\d+\.\d+"', done.stdout), done.stdout + done.stderr


def hits(daemon):
    return int(re.search(r"local_hits:(\d+)", daemon.call("INFO").decode())[1])


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
