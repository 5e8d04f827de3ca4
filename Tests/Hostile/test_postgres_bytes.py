"""Whatever PostgreSQL answers, likesd lives, holds no more memory, and works again once the answers are right."""

import contextlib
import random
import struct
import threading
import time
from dataclasses import dataclass

import pytest
from between import Between
from support.daemon import Daemon
from support.redis_server import RedisServer
from support.relay import Piece, Relay
from support.waiting import eventually

HEADER = struct.Struct("!cI")
ANSWERED_MAX_SECONDS = 20
MUTATIONS = 100


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


@dataclass
class BeforePostgres(Between):
    number: object = None

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
                for request in [("LIKE", 1, item), ("LIKED", 1, item), ("COUNT", item), ("UNLIKE", 1, item)]:
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


@pytest.fixture(scope="module")
def servers(migrated_cluster, folder, number):
    postgres = migrated_cluster.copy(folder / f"pg{number()}").start()
    redis_server = RedisServer(folder / f"redis{number()}").start()
    place = folder / f"between{number()}"
    place.mkdir(mode=0o755)
    with PostgresRelay(place / ".s.PGSQL.5432", postgres.folder / ".s.PGSQL.5432") as relay:
        url = postgres.url().replace(str(postgres.folder), str(place))
        daemon = Daemon(folder / f"d{number()}", url, redis_server.url, REQUEST_TIMEOUT_MS=1_000)
        yield BeforePostgres(relay, daemon, number=number)
        daemon.stop()
    redis_server.stop()
    postgres.stop()


VALUES = {
    "NULL": None,
    "empty": b"",
    "one byte": b"\x01",
    "a long one": b"\xff" * 100_000,
    "the greatest": struct.pack("!q", 2**63 - 1),
    "the least": struct.pack("!q", -(2**63)),
    "a short": b"\x7f\xff",
    "digits": b"999999999999999999999999",
    "text": b"t\x1b[2J\xff\n",
}


@pytest.mark.parametrize("what", VALUES)
def test_a_row_with_another_value_in_one_column(between, seed, what):
    source = random.Random(f"{seed} {what}")

    def change(kind, body):
        if kind != b"D" or source.random() < 0.3 or not (values := columns(body)):
            return None
        values[source.randrange(len(values))] = VALUES[what]
        return row(values)

    between.lie(change)


@pytest.mark.parametrize("count", [-1, 0, 1, 100])
def test_rows_of_another_number_of_columns(between, count):
    def change(kind, body):
        if kind != b"D":
            return None
        values = columns(body)
        return row((values + [b"\x00" * 8] * 100)[: max(0, len(values) + count if count < 0 else count)])

    between.lie(change)


@pytest.mark.parametrize("times", [0, 2, 50])
def test_more_or_fewer_rows_than_there_are(between, times):
    between.lie(lambda kind, body: message(kind, body) * times if kind == b"D" else None)


def field(code, text):
    return code + text + b"\0"


def error(text, state=b"XX000", severity=b"ERROR"):
    return field(b"S", severity) + field(b"V", severity) + field(b"C", state) + field(b"M", text) + b"\0"


def test_an_error_of_megabytes_is_cut_in_replies_and_the_log(between):
    long = b"\xc2\x9b\x1b[31m\xe2\x80\xae" + b"x" * 3_000_000
    replies = []

    def change(kind, _):
        return message(b"E", error(long, b"P0001")) if kind == b"D" else None

    logged = len(between.daemon.log())
    between.relay.change = lambda piece: piece.data
    original = between.daemon.call

    def call(*words):
        reply = original(*words)
        replies.append(reply)
        return reply

    between.daemon.call = call
    try:
        between.lie(change)
    finally:
        between.daemon.call = original
    texts = [str(reply) for reply in replies]
    assert max(map(len, texts)) < 2_000
    log = between.daemon.log()[logged:]
    assert max(map(len, log.splitlines())) < 2_000
    for text in [*texts, log]:
        assert not set("\x9b\x1b\u202e") & set(text)


@pytest.mark.parametrize("kind", [b"G", b"H", b"W"])
def test_a_copy_that_nobody_asked_for(between, kind):
    copying = message(kind, b"\0\0\0")
    between.lie(lambda found, body: copying if found == b"C" else None)


def test_messages_with_anything_in_them_changed(between, seed):
    source = random.Random(seed)

    def change(kind, body):
        if source.random() < 0.8 or not body:
            return None
        changed = bytearray(kind + body)
        for _ in range(source.randint(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        if source.random() < 0.3:
            del changed[source.randrange(1, len(changed)) :]
        return message(bytes(changed[:1]), bytes(changed[1:]))

    between.lie(change, lambda changed: changed >= MUTATIONS)
