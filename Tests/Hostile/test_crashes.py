"""A crash says what was being read, and ends as any crash; what is in the way makes no loop of restarts."""

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support.compiler import compiler
from support.daemon import binary
from support.processes import clean_environment, die_with_parent
from support.service_manager import RECORD, ServiceManager
from support.waiting import eventually
from support.wire import WireError

SOURCES = Path(__file__).resolve().parents[2] / "Sources/CCrash"
# Limits.crashesInARowMax, crashPauseMs and crashRunMsMax.
CRASHES_IN_A_ROW_MAX = 5
PAUSE_SECONDS = 30
RUN_SECONDS_MAX = 120
# A signal comes while the daemon reads, rather than while it waits: of this many some do.
TRIES_MAX = 60
# The record's fields: format, whether it runs, crashes, what is read, nothing, the start in microseconds.
RECORD_FORM = struct.Struct("8sIIIIq")
HANDOVER = 2
HANDED_OVER = "what the previous process handed over"
SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGFPE)


@pytest.fixture
def manager(postgres, redis_server, place):
    with ServiceManager(place, postgres.url(), redis_server.url) as manager:
        yield manager.start()


def crash_lines(text):
    return [line for line in text.splitlines() if "likesd crashed with" in line]


@pytest.fixture(scope="module")
def crash(folder):
    """Runs the program of crash.c: how it ended, and its line."""
    program = folder / "crash"
    sources = [Path(__file__).with_name("crash.c"), SOURCES / "crash.c"]
    subprocess.run(
        [compiler(), "-O1", "-Wall", "-Werror", "-Wno-infinite-recursion", "-I", SOURCES / "include", "-o", program]
        + sources,
        check=True,
        timeout=60,
    )

    def run(how):
        done = subprocess.run([program, how], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize(
    ("how", "end", "said"),
    [
        ("nothing", signal.SIGSEGV, "with SIGSEGV while reading no foreign input"),
        ("request", signal.SIGSEGV, r'with SIGSEGV while reading a request: "LIKE 1 \x22\x5c\x0d\x0a\x80"'),
        (
            "long",
            signal.SIGSEGV,
            r'with SIGSEGV while reading a message from Redis, which begins: "LIKE 1 \x22\x5c\x0d\x0a\x80'
            + "x" * 244
            + '" (1000 bytes)',
        ),
        ("unmapped", signal.SIGSEGV, "with SIGSEGV while reading a reply from Redis: its bytes cannot be read"),
        ("stack", signal.SIGSEGV, 'with SIGSEGV while reading an answer from PostgreSQL: "LIKE 1"'),
        ("abort", signal.SIGABRT, "with SIGABRT while reading what the previous process handed over"),
        ("settings", signal.SIGSEGV, "with SIGSEGV while reading its settings, line 12 of /etc/likesd/likesd.conf"),
    ],
)
def test_a_crash_says_what_was_read_and_ends_as_without(crash, how, end, said):
    assert crash(how) == (-end, f"<2>likesd crashed {said}\n")


def test_a_trap_of_swift_is_told_too(crash):
    status, said = crash("trap")
    assert status in (-signal.SIGILL, -signal.SIGTRAP)
    assert said == f"<2>likesd crashed with {signal.Signals(-status).name} while reading {HANDED_OVER}\n"


@pytest.mark.parametrize("end", SIGNALS)
def test_the_daemon_says_it_with_one_line_and_ends_by_the_signal(start_daemon, end):
    daemon = start_daemon()
    daemon.server.send(end)
    assert daemon.server.wait() == -end
    said = f"<2>likesd crashed with {end.name}, sent by process {os.getpid()}, while reading no foreign input"
    assert crash_lines(daemon.log()) == [said]


def test_the_daemon_names_the_request_that_it_reads_and_who_sent_it(start_daemon):
    """Requests come without end, so it reads one at most moments."""
    for _ in range(TRIES_MAX):
        daemon = start_daemon()
        with daemon.connect() as client:
            requests = client.form("MCOUNT", *(f"post:{number}" for number in range(1, 900))) * 40

            def send(socket=client.socket, requests=requests):
                while True:
                    try:
                        socket.sendall(requests)
                    except OSError:
                        return

            def read(socket=client.socket):
                while True:
                    try:
                        if not socket.recv(1 << 20):
                            return
                    except OSError:
                        return

            threads = [threading.Thread(target=work, daemon=True) for work in (send, read)]
            for thread in threads:
                thread.start()
            eventually(lambda daemon=daemon: int(daemon.info()["local_hits"]) > 10_000, "requests to come")
            daemon.server.send(signal.SIGABRT)
            assert daemon.server.wait() == -signal.SIGABRT
            client.socket.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(60)
        [line] = crash_lines(daemon.log())
        if "while reading a request" in line:
            who = f"from the client with process id {os.getpid()}, user id {os.getuid()}"
            assert re.search(rf'{who}, which begins: "\S.*" \(\d+ bytes\)$', line), line
            return
    pytest.fail(f"no signal of {TRIES_MAX} came while a request was read: {line}")


def test_of_its_settings_it_names_the_line_and_shows_nothing(place):
    """A large file takes long to read; signals come at moments all over that time."""
    path = place / "likesd.conf"
    path.write_text("# DATABASE_URL=postgresql://likes:s3cret@db/likes\n" * 20_000)

    def start():
        return subprocess.Popen(
            [binary("likesd"), "--config", path, "--check-config"],
            env=clean_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )

    began = time.monotonic()
    whole = start()
    assert whole.communicate(timeout=60) == (None, "")
    took = time.monotonic() - began
    for attempt in range(TRIES_MAX):
        process = start()
        moment = time.monotonic() + took * attempt / TRIES_MAX
        while time.monotonic() < moment and process.poll() is None:
            pass
        process.send_signal(signal.SIGABRT)
        _, said = process.communicate(timeout=60)
        assert "s3cret" not in said
        place_said = rf"line (\d+) of {re.escape(str(path))}\n"
        if found := re.search(rf"with SIGABRT, .* while reading its settings, {place_said}", said):
            assert 0 < int(found.group(1)) <= 20_001
            return
    pytest.fail(f"no signal of {TRIES_MAX} came while the file was read: {said}")


# MARK: Restarts


def pause_of(manager):
    """What a daemon says that waits before it serves; none of it is read from others."""
    return [text for text in manager.messages if "times in a row" in text]


def crash_in_a_row(manager, count):
    for _ in range(count - 1):
        manager.crash(signal.SIGABRT)
        manager.start()
        assert pause_of(manager) == []
    manager.crash(signal.SIGABRT)


def test_after_crashes_in_a_row_it_waits_and_tells_clients_at_once(manager):
    crash_in_a_row(manager, CRASHES_IN_A_ROW_MAX)
    began = time.monotonic()
    manager.start(until="STATUS=")
    assert f"STATUS=likesd crashed {CRASHES_IN_A_ROW_MAX} times in a row" in pause_of(manager)[0]
    assert int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", pause_of(manager)[0]).group(1)) > PAUSE_SECONDS * 1_000_000
    with manager.connect() as client:
        refused = client.read()
        assert isinstance(refused, WireError)
        assert (refused.code, "times in a row: try again in" in str(refused)) == ("BUSY", True)
        assert client.at_end()
    manager.wait_for("READY=1")
    assert time.monotonic() - began >= PAUSE_SECONDS - 1
    with manager.connect() as client:
        assert client.call("PING") == "PONG"
    # It goes on like this until one lasts.
    manager.crash(signal.SIGABRT)
    manager.start(until="STATUS=")
    assert f"crashed {CRASHES_IN_A_ROW_MAX + 1} times in a row" in pause_of(manager)[0]


def test_a_restart_by_hand_ends_the_pause_and_the_row(manager):
    crash_in_a_row(manager, CRASHES_IN_A_ROW_MAX)
    manager.start(until="STATUS=")
    assert manager.stop() == 0
    manager.start()
    assert pause_of(manager) == []
    with manager.connect() as client:
        assert client.call("PING") == "PONG"
    crash_in_a_row(manager, CRASHES_IN_A_ROW_MAX - 1)
    manager.start()
    assert pause_of(manager) == []


def test_a_kill_counts_and_a_run_that_lasted_ends_the_row(manager):
    """As the watchdog's last resort, or who ends what takes too much memory. How long it ran is put into the record."""
    for _ in range(CRASHES_IN_A_ROW_MAX - 1):
        manager.crash(signal.SIGKILL)
        manager.start()
    form, running, crashes, kind, unused, started = RECORD_FORM.unpack(os.pread(manager.record(), 64, 0))
    assert (running, crashes) == (1, CRASHES_IN_A_ROW_MAX - 1)
    long_ago = started - RUN_SECONDS_MAX * 1_000_000
    os.pwrite(manager.record(), RECORD_FORM.pack(form, running, crashes, kind, unused, long_ago), 0)
    manager.crash(signal.SIGKILL)
    manager.start()
    assert pause_of(manager) == []
    assert "ended unexpectedly after 12" in manager.log()


def test_restarts_in_order_are_never_waited_for(manager):
    for _ in range(CRASHES_IN_A_ROW_MAX + 3):
        manager.restart()
    assert pause_of(manager) == []


@pytest.mark.parametrize("record", [b"", b"x" * 7, b"x" * RECORD_FORM.size, b"likesd1\0" + b"\xff" * 24])
def test_a_record_that_is_none_of_ours_stops_nobody(manager, record):
    manager.stop()
    fd = os.memfd_create("record")
    os.write(fd, record)
    manager.store = [(RECORD, fd)]
    manager.start()
    assert pause_of(manager) == []
    eventually(lambda: len(manager.store) == 1, "one record in the store")


def test_what_was_handed_over_is_read_at_most_once(manager):
    """The likesd before died over it, and for some reason it is in the store all the same."""
    with manager.connect() as client:
        assert client.call("PING") == "PONG"
        manager.stop()
        record = os.memfd_create("record")
        started = time.monotonic_ns() // 1_000
        os.write(record, RECORD_FORM.pack(b"likesd1", 1, 0, HANDOVER, 0, started))
        manager.store.append((RECORD, record))
        manager.start()
        assert client.at_end()
    said = manager.log()
    assert "while reading what its predecessor handed over, crash 1 in a row" in said
    assert "not reading again" in said
    assert manager.kept() == []
    with manager.connect() as other:
        assert other.call("PING") == "PONG"


def test_clients_are_out_of_the_store_before_they_are_read(manager):
    """So that who crashes over one of them leaves none to the next."""
    with manager.connect() as client:
        client.send(b"LIKE 1 po")
        with manager.connect() as other:
            assert other.call("PING") == "PONG"
        manager.restart()
        assert manager.kept() == []
        manager.crash(signal.SIGABRT)
        assert client.at_end()
        manager.start()
        assert "took over" not in manager.log().rsplit("ended unexpectedly", 1)[1]
