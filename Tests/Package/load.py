"""Real likes, from clients of several kinds, in a process of its own; every reply is kept with its times.

Each client has users of its own, so it knows what `changed` has to be. The likes of further users are sent by all of
them, so that equal requests meet: exactly one of those may change anything.
"""

import collections
import contextlib
import errno
import itertools
import multiprocessing
import os
import random
import threading
import time
from dataclasses import dataclass

from support.waiting import eventually
from support.wire import Wire, WireError

# How a client uses its connections, and how many of them do.
KINDS = {"kept": 4, "new": 3, "pipelines": 3, "reading": 1}
PIPELINE = 16
PAUSE_SECONDS = 0.003
RETRY_SECONDS = 0.02
# Longer than a hang until the watchdog has ended it, and the start after it.
REPLY_SECONDS_MAX = 90
SETTLE_SECONDS_MAX = 45
END_SECONDS_MAX = 120
REQUESTS_TO_SETTLE = 3

# Who may use the socket.
CLIENTS_GROUP = "likesd-clients"
# Debian's www-data: somebody who got in by the group, as applications do.
APPLICATION_USER = 33

ITEMS = [f"post:{number}" for number in range(1, 41)]
OWN_USERS, USERS_PER_CLIENT = 1_000_000_000, 10_000_000
SHARED_USERS = 5_000_000_000
UNKNOWN = {"EOF", "TIMEOUT", "UNCERTAIN"}

Reply = collections.namedtuple("Reply", "client kind verb user item started ended outcome")


class Client:
    """One client: what it asks, and what it knows of its pairs."""

    def __init__(self, number, kind, socket_path, stopped, seed):
        self.number = number
        self.kind = kind
        self.socket_path = socket_path
        self.stopped = stopped
        self.source = random.Random(f"{seed} {number}")
        self.users = itertools.count(OWN_USERS + number * USERS_PER_CLIENT)
        self.shared = itertools.count()
        self.liked = {}
        self.ever = []
        self.again = []
        self.wire = None
        self.replies = []
        self.problems = []
        self.settled_at = [0.0] * REQUESTS_TO_SETTLE

    def work(self):
        try:
            while not self.stopped.is_set() or self.again:
                self.exchange(self.requests())
                self.stopped.wait(PAUSE_SECONDS)
        except BaseException as problem:
            self.problems.append(f"client {self.number}, {self.kind}: {problem!r}")
            raise
        finally:
            self.hang_up()

    def requests(self):
        if self.again:
            requests, self.again = self.again, []
            return requests
        return [self.request() for _ in range(PIPELINE if self.kind == "pipelines" else 1)]

    def request(self):
        if self.kind == "reading":
            return "COUNT", None, self.source.choice(ITEMS)
        draw = self.source.random()
        if draw < 0.10:
            number = next(self.shared)
            return "LIKE", SHARED_USERS + number, ITEMS[number % len(ITEMS)]
        if draw < 0.75 or not self.ever:
            pair = next(self.users), self.source.choice(ITEMS)
            self.ever.append(pair)
            return "LIKE", *pair
        # A pair of before: a duplicate, or one taken back.
        verb = "UNLIKE" if draw < 0.92 else "LIKE"
        return verb, *self.source.choice(self.ever)

    def exchange(self, requests):
        """Asks, in one go, and takes every reply into the books."""
        if self.wire is None and not self.connect():
            self.again = requests + self.again
            return
        started = time.monotonic()
        outcomes = []
        try:
            self.wire.send(b"".join(self.wire.form(verb, *arguments(user, item)) for verb, user, item in requests))
            for _ in requests:
                reply = self.wire.read()
                outcomes.append((outcome(reply), time.monotonic()))
        except OSError as problem:
            lost = "TIMEOUT" if isinstance(problem, TimeoutError) else "EOF"
            outcomes += [(lost, time.monotonic())] * (len(requests) - len(outcomes))
            self.hang_up()
        for request, (what, ended) in zip(requests, outcomes, strict=True):
            self.replies.append(Reply(self.number, self.kind, *request, started, ended, what))
            self.note(request, what)
        if all(isinstance(what, int) for what, _ in outcomes):
            self.settled_at = [*self.settled_at[1:], started]
        if self.kind == "new":
            self.hang_up()

    def connect(self):
        started = time.monotonic()
        try:
            self.wire = Wire(self.socket_path, timeout=REPLY_SECONDS_MAX)
        except OSError as problem:
            name = errno.errorcode.get(problem.errno, repr(problem))
            self.replies.append(Reply(self.number, self.kind, "connect", None, None, started, time.monotonic(), name))
            # Not the event: a client that was told to stop has to get its last replies all the same.
            threading.Event().wait(RETRY_SECONDS)
            return False
        return True

    def hang_up(self):
        if self.wire is not None:
            self.wire.close()
        self.wire = None

    def note(self, request, what):
        """Compares `changed` with what it has to be; what is not known is asked again."""
        verb, user, item = request
        if verb == "COUNT":
            return
        wanted = verb == "LIKE"
        if what in UNKNOWN:
            if user < SHARED_USERS:
                self.liked[user, item] = None
            self.again.append(request)
        elif not isinstance(what, int):
            self.again.append(request)
        elif user < SHARED_USERS:
            before = self.liked.get((user, item), False)
            if before is not None and what != int(before != wanted):
                self.problems.append(f"{verb} {user} {item} said changed={what}, before it was liked={before}")
            self.liked[user, item] = wanted


def arguments(user, item):
    return (item,) if user is None else (user, item)


def outcome(reply):
    """`changed` or a count, or the code of an error."""
    if isinstance(reply, WireError):
        return reply.code
    return reply[0] if isinstance(reply, list) else reply


def serve(pipe, folder, group, seed):
    """The process: clients in threads, and questions of the tests answered."""
    # The folder is reached as root, what is in it as an application.
    os.chdir(folder)
    os.setgroups([group])
    os.setgid(APPLICATION_USER)
    os.setuid(APPLICATION_USER)
    stopped = threading.Event()
    kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
    clients = [Client(number, kind, "likesd/likesd.sock", stopped, seed) for number, kind in enumerate(kinds)]
    threads = [threading.Thread(target=client.work, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    taken = [0] * len(clients)
    # The end of the pipe is the end of the tests.
    with contextlib.suppress(EOFError):
        while (question := pipe.recv()) != "end":
            if question == "settled":
                pipe.send((min(client.settled_at[0] for client in clients), problems(clients)))
            else:
                upto = [len(client.replies) for client in clients]
                pipe.send(
                    [reply for client, a, b in zip(clients, taken, upto, strict=True) for reply in client.replies[a:b]]
                )
                taken = upto
        stopped.set()
        for thread in threads:
            thread.join(END_SECONDS_MAX)
        found = problems(clients) + ["a client did not end" for thread in threads if thread.is_alive()]
        liked = {pair: state for client in clients for pair, state in client.liked.items()}
        pipe.send((liked, [reply for client in clients for reply in client.replies], found))


def problems(clients):
    return [problem for client in clients for problem in client.problems]


@dataclass
class Seen:
    """What the clients saw in a stretch of time."""

    replies: list
    name: str = ""

    def count(self, *outcomes, kinds=tuple(KINDS)):
        return sum(reply.outcome in outcomes and reply.kind in kinds for reply in self.replies)

    @property
    def answered(self):
        return sum(isinstance(reply.outcome, int) for reply in self.replies)

    @property
    def refused(self):
        return self.count("ECONNREFUSED", "EAGAIN")

    @property
    def missing(self):
        return self.count("ENOENT")

    @property
    def ended(self):
        """Requests that a closed connection left without a reply."""
        return self.count("EOF")

    @property
    def errors(self):
        """Everything else that is not a plain answer, with its number."""
        known = ("ECONNREFUSED", "EAGAIN", "ENOENT", "EOF")
        others = (reply.outcome for reply in self.replies if not isinstance(reply.outcome, int))
        return dict(collections.Counter(other for other in others if other not in known))

    @property
    def slowest_ms(self):
        return max((reply.ended - reply.started) * 1000 for reply in self.replies)

    def __str__(self):
        # Those that nobody wants to see are told also when there are none.
        found = {"UNCERTAIN": 0, "UNAVAILABLE": 0, **self.errors}
        errors = "".join(f", {number} {code}" for code, number in sorted(found.items()))
        return (
            f"{self.answered} answered, slowest {self.slowest_ms:.0f} ms, {self.refused} refused, "
            f"{self.missing} ENOENT, {self.ended} EOF{errors}"
        )


class Load:
    """The process, as a test sees it."""

    def __init__(self, container, seed):
        group = group_number(container)
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        # The parent of the socket's folder: that one comes and goes with the socket unit.
        arguments = (other, container.root / "run", group, seed)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        self.process.start()
        other.close()

    def ask(self, question, seconds=SETTLE_SECONDS_MAX):
        self.pipe.send(question)
        assert self.pipe.poll(seconds), f"the load did not answer '{question}' within {seconds} s"
        return self.pipe.recv()

    def settle(self):
        """Until every client has had a few good answers to what it asked from now on."""
        now = time.monotonic()

        def all_served():
            since, found = self.ask("settled")
            if found:
                raise RuntimeError(f"the books are wrong: {found[:5]}")
            return since >= now

        eventually(all_served, "all clients to be served", SETTLE_SECONDS_MAX)

    @contextlib.contextmanager
    def during(self, name):
        """What is within happens under load; gives what the clients saw of it, complete afterwards."""
        self.settle()
        self.ask("take")
        seen = Seen([], name)
        yield seen
        self.settle()
        seen.replies += self.ask("take")

    def end(self):
        """(what each pair has to be, all replies, problems), after the last reply."""
        result = self.ask("end", END_SECONDS_MAX + 30)
        self.process.join(30)
        return result

    def kill(self):
        if self.process.is_alive():
            self.process.kill()
            self.process.join(30)
        self.pipe.close()


def group_number(container, name=CLIENTS_GROUP):
    return int(container.run("getent", "group", name).output.split(":")[2])


def connect_as_application(container, group, path="likesd/likesd.sock"):
    """A connection whose peer is an application's user, not root: by who we are at this moment."""
    before, groups = os.open(".", os.O_RDONLY), os.getgroups()
    try:
        os.chdir(container.root / "run")
        os.setgroups([group])
        os.setegid(APPLICATION_USER)
        os.seteuid(APPLICATION_USER)
        return Wire(path, timeout=30)
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.fchdir(before)
        os.close(before)
