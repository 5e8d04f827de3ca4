"""Clients of all hosts, on the same few users and items, and the record of what they were told."""

import contextlib
import itertools
import random
import socket
import struct
import threading
import time

from support.wire import Wire, WireError

from .history import Operation

CLIENTS_PER_HOST = 16
# Longer than any fault and any answer: what takes this long is given up, and is a finding.
CLIENT_TIMEOUT_SECONDS = 40.0
RECONNECT_SECONDS = 0.05
HEALTH_EVERY_SECONDS = 0.5
PIPELINE_MAX = 12

# Pairs that collide all the time, pairs that do now and then, many that hardly do, and items so many that most are left
# alone for minutes: what went stale in Redis stays there for all to see.
HOT_USERS, HOT_ITEMS = range(1, 5), [f"post:{number}" for number in range(1, 4)]
WARM_USERS, WARM_ITEMS = range(100, 120), [f"reel:{number}" for number in range(1, 13)]
WIDE_USERS, WIDE_ITEMS = range(1000, 4000), [f"comment:{number}" for number in range(1, 401)]
COLD_USERS, COLD_ITEMS = range(10000, 10100), [f"post:{number}" for number in range(10000, 13000)]
POOLS = {
    (HOT_USERS, tuple(HOT_ITEMS)): 28,
    (WARM_USERS, tuple(WARM_ITEMS)): 36,
    (WIDE_USERS, tuple(WIDE_ITEMS)): 26,
    (COLD_USERS, tuple(COLD_ITEMS)): 10,
}
VERBS = {"LIKE": 32, "UNLIKE": 24, "LIKED": 16, "COUNT": 20, "MCOUNT": 8}


def random_request(source):
    """(verb, user or None, items)."""
    users, items = source.choices(list(POOLS), list(POOLS.values()))[0]
    verb = source.choices(list(VERBS), list(VERBS.values()))[0]
    if verb == "COUNT":
        return verb, None, (source.choice(items),)
    if verb == "MCOUNT":
        return verb, None, tuple(source.choices(items, k=source.randint(1, 6)))
    return verb, source.choice(users), (source.choice(items),)


class Load:
    """Threads that send and record until told to stop."""

    def __init__(self, cluster, history, clock, seed, rate, clients_per_host=CLIENTS_PER_HOST):
        self.cluster = cluster
        self.history = history
        self.clock = clock
        self.seed = seed
        self.stopped = threading.Event()
        self.pause_seconds = clients_per_host * len(cluster.hosts) / rate
        self.pipelines = itertools.count(1)
        self.problems = []
        numbers = itertools.count()
        self.threads = [
            threading.Thread(target=self.guarded, args=(work, host, next(numbers)), daemon=True)
            for host in cluster.hosts
            for work in [self.ask_health] + [self.change_and_read] * clients_per_host
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Ends when every client has its last reply."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(CLIENT_TIMEOUT_SECONDS + 10)
            if thread.is_alive():
                self.problems.append("a client of the load did not end")

    def guarded(self, work, host, number):
        try:
            while not self.stopped.is_set():
                with contextlib.suppress(ConnectionError, FileNotFoundError):
                    with Wire(host.daemon.socket, timeout=CLIENT_TIMEOUT_SECONDS) as wire:
                        work(Client(self, host, number, wire))
                self.stopped.wait(RECONNECT_SECONDS)
        except BaseException as problem:
            self.problems.append(f"client {number} of host {host.number}: {problem!r}")
            raise

    def change_and_read(self, client):
        """Mixed requests, one at a time or several in one go, at random moments."""
        source = random.Random(f"{self.seed} {client.number} {self.clock()}")
        while True:
            length = source.choice([1] * 6 + [2, 3, PIPELINE_MAX])
            if self.stopped.wait(source.expovariate(1 / (self.pause_seconds * length))):
                return
            if not client.ask([random_request(source) for _ in range(length)]):
                return

    def ask_health(self, client):
        """Whoever supervises the daemon asks this, whatever else is going on."""
        while not self.stopped.wait(HEALTH_EVERY_SECONDS):
            if not client.ask([("HEALTH", None, ())]):
                return


class Client:
    """One connection, every request recorded whatever becomes of it."""

    def __init__(self, load, host, number, wire):
        self.load = load
        self.host = host
        self.number = number
        self.wire = wire
        # Who listens there, known to the kernel: after a restart it is another process.
        credentials = wire.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.life = struct.unpack("3i", credentials)[0]

    def ask(self, requests):
        """Whether the connection is still good."""
        pipeline = next(self.load.pipelines) if len(requests) > 1 else 0
        data = b"".join(
            self.wire.form(*[part for part in (verb, user) if part is not None], *items)
            for verb, user, items in requests
        )
        invoked = self.load.clock()
        operations = []
        with contextlib.suppress(OSError):
            self.wire.send(data)
            for place, request in enumerate(requests):
                reply = self.wire.read()
                operations.append(self.operation(request, invoked, pipeline, place, reply))
        is_good = len(operations) == len(requests)
        # What has no reply: a change of these may have been stored, or may yet be.
        operations += [
            self.operation(requests[place], invoked, pipeline, place, None)
            for place in range(len(operations), len(requests))
        ]
        self.load.history.add(operations)
        return is_good

    def operation(self, request, invoked, pipeline, place, reply):
        verb, user, items = request
        if isinstance(reply, WireError):
            reply = str(reply)
        elif isinstance(reply, list) and verb == "HEALTH":
            reply = [part.decode() for part in reply]
        return Operation(
            self.host.number,
            self.life,
            self.number,
            verb,
            user,
            items,
            invoked,
            self.load.clock(),
            reply,
            pipeline,
            place,
        )


def clock():
    """Seconds since now."""
    started = time.monotonic()
    return lambda: time.monotonic() - started
