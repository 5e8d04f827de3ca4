"""Clients that take more than their share, of memory, of places or of time, take it from nobody else."""

import contextlib
import ctypes
import os
import platform
import pwd
import resource
import selectors
import socket
import statistics
import threading
import time

import pytest
from support.processes import LIBC
from support.waiting import eventually
from support.wire import Closed, WireError, array

MIB = 1 << 20
# Beyond what clients may hold: buffers are larger than what is in them, and grow before they are looked at.
GROWTH_FACTOR = 1.5
UNFINISHED = b"*5\r\n" + (b"$65000\r\n" + b"x" * 65_000 + b"\r\n") * 3
UNREAD = array("ECHO", b"y" * 60_000) * 4


def push(connections, data, seconds=20):
    """Sends the data on all connections as far as it is taken, until nothing more is for a while; those left."""
    selector = selectors.DefaultSelector()
    for connection in connections:
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_WRITE, memoryview(data))
    gone = set()
    end = time.monotonic() + seconds
    while selector.get_map() and time.monotonic() < end and (ready := selector.select(1)):
        for key, _ in ready:
            try:
                left = key.data[key.fileobj.send(key.data[: 1 << 17]) :]
                if left:
                    selector.modify(key.fileobj, selectors.EVENT_WRITE, left)
                else:
                    selector.unregister(key.fileobj)
            except BlockingIOError:
                continue
            except OSError:
                selector.unregister(key.fileobj)
                gone.add(key.fileobj)
    selector.close()
    return [connection for connection in connections if connection not in gone]


def connections(daemon, count):
    made = []
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX)
        made.append(connection)
        connection.connect(str(daemon.socket))
    return made


def close(made):
    for connection in made:
        connection.close()


@contextlib.contextmanager
def descriptors(count):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], count), max(before[1], count)))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def figure(daemon, name):
    """A number of INFO's; 0 where there is none of that name."""
    return int(daemon.info().get(name, 0))


def test_the_largest_go_first_and_small_ones_stay(start_daemon):
    daemon = start_daemon(CLIENT_MEMORY_MAX_BYTES=16 * MIB)
    with contextlib.ExitStack() as opened:
        small = [opened.enter_context(daemon.connect()) for _ in range(30)]
        for client in small:
            client.send(b"*2\r\n$4\r\nECHO\r\n$5000\r\n" + b"z" * 2_500)
        before = daemon.resident_bytes()
        large = connections(daemon, 200)
        try:
            push(large, UNREAD + UNFINISHED)
            closed = eventually(lambda: figure(daemon, "clients_closed_for_memory"), "clients to be closed", 10)
            assert closed > 100
            assert figure(daemon, "client_memory") <= 16 * MIB
            assert daemon.resident_bytes() - before < 16 * MIB * GROWTH_FACTOR + 16 * MIB
        finally:
            close(large)
        for client in small:
            client.send(b"z" * 2_500 + b"\r\n")
            assert client.read() == b"z" * 5_000
    assert "CLIENT_MEMORY_MAX_BYTES" in daemon.log()


def test_one_that_holds_too_much_is_told_so_where_it_can_be(start_daemon):
    daemon = start_daemon(CLIENT_MEMORY_MAX_BYTES=MIB)
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(daemon.connect(timeout=20)) for _ in range(8)]
        told = []
        for client in clients:
            client.socket.settimeout(2)
            # One of those before may be the one that is closed.
            with contextlib.suppress(OSError):
                client.send(UNFINISHED)
        eventually(lambda: figure(daemon, "clients_closed_for_memory"), "clients to be closed", 10)
        for client in clients:
            with contextlib.suppress(Closed, OSError):
                told.append(client.read())
        assert told
        assert {reply.code for reply in told} == {"BUSY"}


def test_after_thousands_that_did_not_read_memory_is_as_before(start_daemon):
    """4,000 connections, each with replies that it does not read and half a request."""
    count = 4_000
    with descriptors(count + 200):
        daemon = start_daemon(MAX_CONNECTIONS=count + 50)
        daemon.call("PING")
        before = daemon.resident_bytes()
        limit = figure(daemon, "client_memory_max") or 256 * MIB
        most = before
        stopped = threading.Event()

        def look():
            nonlocal most
            with daemon.connect() as other:
                while not stopped.wait(0.02):
                    assert other.call("PING") == "PONG"
                    most = max(most, daemon.resident_bytes())

        looking = threading.Thread(target=look)
        made = connections(daemon, count)
        looking.start()
        try:
            push(made, UNREAD + UNFINISHED, seconds=60)
        finally:
            stopped.set()
            looking.join()
            close(made)
        assert most - before < limit * GROWTH_FACTOR, f"{(most - before) // MIB} MiB"
        eventually(lambda: figure(daemon, "connected_clients") == 1, "all to have left")
        eventually(lambda: daemon.resident_bytes() - before < 24 * MIB, "memory to be given back", 15)


HALVES = {
    "half a line": b"COUNT post:1",
    "half an array": b"*2\r\n$5\r\nCOUNT\r\n",
    "half a length": b"*2\r\n$5\r\nCOUNT\r\n$1",
    "half a string": b"*2\r\n$4\r\nECHO\r\n$100\r\nabc",
    "behind whole ones": array("PING") * 3 + b"*1\r\n$4\r\nPI",
}


@pytest.mark.parametrize("what", HALVES)
def test_a_request_that_is_not_finished_ends_the_connection(start_daemon, what):
    # Six times as long is waited for the rest of a request.
    daemon = start_daemon(REQUEST_TIMEOUT_MS=200)
    with daemon.connect(timeout=15) as client, daemon.connect() as idle:
        assert idle.call("PING") == "PONG"
        client.send(HALVES[what])
        replies = []
        while not replies or replies[-1] == "PONG":
            replies.append(client.read())
        assert isinstance(replies[-1], WireError)
        assert replies[-1].startswith("ERR Protocol error: a request was begun and not finished")
        assert replies[:-1] == ["PONG"] * HALVES[what].count(b"$4\r\nPING")
        assert client.at_end()
        # Who has begun nothing stays.
        assert idle.call("PING") == "PONG"
        assert figure(daemon, "requests_unfinished") == 1


def test_a_request_that_comes_byte_by_byte_is_not_waited_for_longer(start_daemon):
    daemon = start_daemon(REQUEST_TIMEOUT_MS=200)
    with daemon.connect(timeout=15) as client:
        ended = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                client.send(b"*2\r\n$4\r\nECHO\r\n$60000\r\n")
                while not ended.wait(0.05):
                    client.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert client.read().startswith("ERR Protocol error: a request was begun")
        finally:
            ended.set()
            dripping.join()


SETRESUID = {"x86_64": 117, "aarch64": 147}


@contextlib.contextmanager
def as_user(uid):
    """This thread alone, for whom it connects: the C library's own function would take all threads along."""
    number = SETRESUID[platform.machine()]
    keep = ctypes.c_int(-1)
    assert LIBC.syscall(number, keep, ctypes.c_int(uid), keep) == 0
    try:
        yield
    finally:
        assert LIBC.syscall(number, keep, ctypes.c_int(0), keep) == 0


def test_one_user_does_not_take_all_places(start_daemon):
    daemon = start_daemon(MAX_CONNECTIONS=12, LIKESD_SOCKET_MODE="0666")
    eventually(lambda: figure(daemon, "connected_clients") == 1, "those who waited for the start to be gone")
    if os.geteuid() != 0:
        # Only root can become somebody else here; the daemon's own user, at least, is bound by no share.
        with contextlib.ExitStack() as opened:
            clients = [opened.enter_context(daemon.connect()) for _ in range(12)]
            assert [client.call("PING") for client in clients] == ["PONG"] * 12
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    with contextlib.ExitStack() as opened:
        with as_user(nobody):
            clients = [opened.enter_context(daemon.connect()) for _ in range(9)]
            assert [client.call("PING") for client in clients] == ["PONG"] * 9
            refused = opened.enter_context(daemon.connect(timeout=10))
            # To the former build it was one like the others, and has to be asked.
            with contextlib.suppress(OSError):
                refused.send(array("PING"))
            reply = refused.read()
            assert isinstance(reply, WireError)
            assert reply.code == "BUSY"
            assert "MAX_CONNECTIONS_PER_USER" in reply
        with as_user(nobody - 1):
            others = [opened.enter_context(daemon.connect()) for _ in range(2)]
            assert [client.call("PING") for client in others] == ["PONG"] * 2
        info = daemon.info()
        assert info["maxclients_per_user"] == "9"
        assert info["connected_clients_of_one_user"] == "9"
        assert info["rejected_connections_of_one_user"] == "1"
        clients.pop().close()

        def is_let_in():
            with as_user(nobody), daemon.connect() as client:
                return client.call("PING") == "PONG"

        eventually(is_let_in, "the place that was left")


class Load:
    """Connections with MCOUNT of 1,000 items, one behind the other without pause."""

    def __init__(self, daemon, count):
        request = array("MCOUNT", *(f"post:{number}" for number in range(1, 1_001)))
        self.data = memoryview(request * 4)
        self.made = connections(daemon, count)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        close(self.made)

    def work(self):
        selector = selectors.DefaultSelector()
        for connection in self.made:
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, [0])
        while not self.stopped.is_set():
            for key, events in selector.select(0.1):
                if events & selectors.EVENT_READ:
                    key.fileobj.recv(1 << 16)
                if events & selectors.EVENT_WRITE:
                    with contextlib.suppress(BlockingIOError):
                        sent = key.fileobj.send(self.data[key.data[0] :][: 1 << 16])
                        key.data[0] = (key.data[0] + sent) % len(self.data)


@pytest.mark.parametrize("where", ["in the local cache", "to be fetched"])
def test_beside_many_large_requests_another_is_served_soon(start_daemon, where):
    """How many large requests are answered from one reply of another connection to its next: some milliseconds' worth,
    however long the line. (The time itself is the machine's as well.)"""
    daemon = start_daemon(LOCAL_CACHE_TTL_MS=600_000 if where == "in the local cache" else 0)
    rounds = 40
    with daemon.connect() as other, Load(daemon, 250):

        def answered():
            fields = other.call("INFO", "stats").decode().split("\r\n")
            return int(next(line for line in fields if line.startswith("total_commands_processed:")).split(":")[1])

        begun = answered()
        eventually(lambda: answered() > begun + 500, "the load to be served")
        between = []
        before = answered()
        for _ in range(rounds):
            # So that it costs little: INFO is put together for each.
            time.sleep(0.01)
            asked = answered()
            after = answered()
            between.append(after - asked)
            before = after
        assert before > begun
    assert statistics.median(between) < 150, between
