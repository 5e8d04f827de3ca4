"""What stands between likesd and PostgreSQL, and says something else; a module's `servers` are those of `serving`."""

import contextlib
import itertools
import math
import struct
import threading
import time
from dataclasses import dataclass

from between import Between
from support.daemon import Daemon
from support.redis_server import RedisServer
from support.relay import Piece, Relay
from support.waiting import eventually

HEADER = struct.Struct("!cI")
ANSWERED_MAX_SECONDS = 20
FLOOD_GROWTH_MAX_BYTES = 8 << 20
SAID = "PostgreSQL: it sends"
# Of a request that needs no server, on a machine that does other things too.
PING_MAX_SECONDS = 1


def message(kind, body):
    return HEADER.pack(kind, len(body) + 4) + body


def columns(body):
    """A row's values; None for NULL."""
    values, place = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        (length,) = struct.unpack_from("!i", body, place)
        place += 4
        values.append(None if length < 0 else body[place : place + length])
        place += max(length, 0)
    return values


def row(values):
    parts = [struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values]
    return message(b"D", struct.pack("!h", len(values)) + b"".join(parts))


def field(code, text):
    return code + text + b"\0"


def error(text, state=b"XX000", severity=b"ERROR"):
    return field(b"S", severity) + field(b"V", severity) + field(b"C", state) + field(b"M", text) + b"\0"


class PostgresRelay(Relay):
    """Pieces are the server's messages, each of them whole; what the client says passes as it comes."""

    def pieces(self, stream, passing, is_request):
        if is_request:
            yield from super().pieces(stream, passing, is_request)
            return
        while kind := stream.read(1):
            if kind == b"N" and not passing.commands:
                # No to encryption: one letter.
                yield from super().pieces(stream, passing, False)
                return
            passing.commands = [True]
            length = stream.read(4)
            body = stream.read(struct.unpack("!I", length)[0] - 4)
            yield Piece(passing.opening, message(kind, body))


class Flood:
    """Bytes without end in place of an answer, or nearly so."""

    def __init__(self, parts):
        self.parts = parts
        self.is_spent = False

    def __iter__(self):
        yield from self.parts
        self.is_spent = True


class Watch:
    """Asks for what needs no server, over and over, and keeps what HEALTH says."""

    def __init__(self, daemon):
        self.daemon, self.said, self.slowest = daemon, set(), 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        try:
            self.ask_on()
        except BaseException:
            self.slowest = math.inf
            raise

    def ask_on(self):
        with self.daemon.connect() as client:
            while not self.is_over.wait(0.002):
                began = time.monotonic()
                assert client.call("PING") == "PONG"
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.said.add(str(client.call("HEALTH")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


@dataclass
class BeforePostgres(Between):
    number: object = None
    postgres: object = None
    redis: object = None

    def connection(self, name):
        """The living connection of this name."""

        def found():
            living = [one for one in self.relay.passings if name in one.opening and not one.is_over.is_set()]
            return living[-1] if living else None

        return eventually(found, f"a connection {name}")

    def ends_for_what_it_said(self):
        return int(self.daemon.info()["database_unexpected_answers"])

    @contextlib.contextmanager
    def withstands(self, name, kind, parts):
        """In connections of this name `parts()` follow each message of this kind, and then the first one of all later
        connections. They are not taken in, HEALTH says so, and all works again without them."""
        floods = []

        def change(piece):
            is_next = piece.data[:1] == (b"R" if floods else kind)
            if name not in piece.opening or not is_next:
                return piece.data
            floods.append(Flood(parts()))
            return itertools.chain([piece.data], floods[-1])

        self.daemon.wait_healthy()
        counted, before = self.ends_for_what_it_said(), self.daemon.resident_bytes()
        self.daemon.watch_peak()
        self.relay.change = change
        try:
            with Watch(self.daemon) as watch:
                yield floods
                eventually(lambda: any(SAID in text for text in watch.said), f"{SAID!r} in HEALTH: {watch.said}")
        finally:
            self.relay.change = lambda piece: piece.data
        grown = self.daemon.peak_bytes() - before
        assert grown < FLOOD_GROWTH_MAX_BYTES, f"grew by {grown >> 20} MiB"
        assert watch.slowest < PING_MAX_SECONDS
        assert not any(one.is_spent for one in floods), "all of it was taken"
        self.daemon.wait_healthy()
        assert self.ends_for_what_it_said() > counted
        item = f"post:{self.number()}"
        eventually(lambda: self.daemon.call("LIKE", self.number(), item)[0] == 1, "likes to be stored")

    def lie(self, change, until=lambda changed: changed >= 20):
        """Lets `change(kind, body)` give other bytes, or None, until so many were given; meanwhile all is asked."""
        changed = 0
        lock = threading.Lock()

        def changing(piece):
            nonlocal changed
            with lock:
                other = change(piece.data[:1], piece.data[5:])
                changed += other is not None
            return piece.data if other is None else other

        self.relay.change = changing
        end = time.monotonic() + ANSWERED_MAX_SECONDS
        try:
            while not until(changed) and time.monotonic() < end:
                item = f"post:{self.number()}"
                reads = [("LIKED", 1, item), ("COUNT", item), ("LIKES", 1), ("LIKERS", item)]
                for request in [("LIKE", 1, item), *reads, ("UNLIKE", 1, item)]:
                    with contextlib.suppress(OSError):
                        self.daemon.call(*request)
                self.look()
        finally:
            self.relay.change = lambda piece: piece.data
        assert changed, "nothing was changed"
        self.daemon.wait_healthy()
        item, user = f"post:{self.number()}", self.number()
        eventually(lambda: self.daemon.call("LIKE", user, item) in ([1, 1], [0, 1]), "likes to be stored")
        assert self.daemon.call("COUNT", item) == 1
        assert self.daemon.server.running


@contextlib.contextmanager
def serving(migrated_cluster, folder, number):
    """A PostgreSQL and a Redis with a daemon, and what stands in between."""
    postgres = migrated_cluster.copy(folder / f"pg{number()}").start()
    redis_server = RedisServer(folder / f"redis{number()}").start()
    place = folder / f"between{number()}"
    place.mkdir(mode=0o755)
    with PostgresRelay(place / ".s.PGSQL.5432", postgres.folder / ".s.PGSQL.5432") as relay:
        url = postgres.url().replace(str(postgres.folder), str(place))
        daemon = Daemon(folder / f"d{number()}", url, redis_server.url, REQUEST_TIMEOUT_MS=1_000)
        yield BeforePostgres(relay, daemon, 0, number, postgres, redis_server)
        daemon.stop()
    redis_server.stop()
    postgres.stop()
