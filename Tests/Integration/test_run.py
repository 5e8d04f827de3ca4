"""What `make run` refuses is said before anything is built or started."""

import contextlib
import fcntl
import os
import socket
import subprocess

import pytest
from support.manual import ROOT


def run(name, *options, **environment):
    return subprocess.run(
        [ROOT / "scripts" / name, *options],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("options", [["--check", "--http"], ["--http"]], ids=["check", "run"])
@pytest.mark.parametrize(
    ("family", "host", "shown"),
    [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")],
    ids=["IPv4", "IPv6"],
)
def test_an_address_of_another_program_is_not_taken_for_that_of_likes_http(family, host, shown, options):
    with socket.create_server((host, 0), family=family) as other:
        address = f"{shown}:{other.getsockname()[1]}"
        done = run("run", *options, LIKES_HTTP_LISTEN=address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"run: another program listens at {address}: stop it, or name another address: "
        "LIKES_HTTP_LISTEN=127.0.0.1:8001 make run HTTP=1\n"
    )


@pytest.mark.parametrize(("name", "folder"), [("run", ".run"), ("run-cluster", ".run/cluster")])
def test_a_second_run_is_refused_by_the_check(name, folder):
    place = ROOT / folder
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("a") as lock:
        # Whoever works in this checkout may have it running: then it is locked already.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = run(name, "--check")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{name}: already running here as process ")
    assert done.stderr.endswith(f"its sockets are in {place}\n")


def test_the_makefile_asks_for_the_check_before_it_builds():
    said = subprocess.run(
        ["make", "-n", "run", "HTTP=1"], cwd=ROOT, capture_output=True, check=True, text=True, timeout=60
    ).stdout
    assert 0 < said.index("scripts/run --check --http") < said.index("swift build") < said.rindex("scripts/run --http")
