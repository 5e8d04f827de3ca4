"""Whatever bytes come from Redis, in place of its replies or beside them: they end a connection and nothing else."""

import contextlib
import random
import threading
from dataclasses import dataclass

import pytest
from between import Between
from support.daemon import Daemon
from support.redis_server import RedisServer
from support.relay import RedisRelay
from support.waiting import eventually

CALLS, MESSAGES = "calls", "messages"
MUTATIONS = 60


@dataclass
class BeforeRedis(Between):
    client: object = None

    def connection(self, kind):
        """The living connection of this kind."""

        def found():
            living = [one for one in self.relay.passings if one.opening and not one.is_over.is_set()]
            fitting = [one for one in living if (b"SUBSCRIBE" in one.opening) == (kind == MESSAGES)]
            return fitting[-1] if fitting else None

        return eventually(found, f"a connection for {kind}")

    def ends_for_what_it_said(self):
        return int(self.daemon.info()["redis_unexpected_answers"])

    def check(self):
        """It lives, works, and has not grown."""
        self.daemon.wait_healthy()
        self.look()


@pytest.fixture(scope="module")
def servers(migrated_cluster, folder, number):
    postgres = migrated_cluster.copy(folder / f"pg{number()}").start()
    redis_server = RedisServer(folder / f"redis{number()}").start()
    path = folder / f"between{number()}"
    with RedisRelay(path, redis_server.folder / "redis.sock") as relay:
        daemon = Daemon(folder / f"d{number()}", postgres.url(), f"unix://{path}")
        yield BeforeRedis(relay, daemon, client=redis_server.client)
        daemon.stop()
    redis_server.stop()
    postgres.stop()


UNASKED = {
    "an integer": b":1\r\n",
    "a status": b"+OK\r\n",
    "an error": b"-ERR nobody asked\r\n",
    "nothing": b"$-1\r\n",
    "no array": b"*-1\r\n",
    "an empty array": b"*0\r\n",
    "an array of an integer": b"*1\r\n:1\r\n",
    "an array of integers": b"*3\r\n:1\r\n:2\r\n:3\r\n",
    "a message without a channel": b"*3\r\n$7\r\nmessage\r\n$-1\r\n$1\r\nx\r\n",
    "a message of two words": b"*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n",
    "a message of another channel": b"*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$1\r\nx\r\n",
    "a message of an integer": b"*3\r\n$7\r\nmessage\r\n$17\r\nlikesd:counters:0\r\n:1\r\n",
    "an unsubscription": b"*3\r\n$11\r\nunsubscribe\r\n$17\r\nlikesd:counters:0\r\n:0\r\n",
    "a subscription": b"*3\r\n$9\r\nsubscribe\r\n$5\r\nother\r\n:3\r\n",
    "a message by pattern": b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nx\r\n$1\r\ny\r\n",
    "arrays without end": b"*1\r\n" * 100_000,
    "a large array": b"*300000000\r\n",
    "an array of more than there is": b"*9223372036854775807\r\n",
    "a large string": b"$2000000000\r\n",
    "a string of more than there is": b"$9223372036854775807\r\n",
    "a string of less than nothing": b"$-2\r\n",
    "a number of many digits": b":" + b"9" * 100 + b"\r\n",
    "a push of RESP3": b">2\r\n+invalidate\r\n_\r\n",
    "no RESP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("what", UNASKED)
@pytest.mark.parametrize("kind", [CALLS, MESSAGES])
def test_what_nobody_asked_for_ends_that_connection_alone(between, kind, what):
    connection = between.connection(kind)
    counted = between.ends_for_what_it_said()
    # It may have ended before all was said.
    with contextlib.suppress(OSError):
        connection.say(UNASKED[what])
    eventually(connection.is_over.is_set, "the connection to be given up")
    # An error may be why Redis hangs up.
    if UNASKED[what][:1] != b"-":
        assert between.ends_for_what_it_said() > counted
    between.check()


@pytest.mark.parametrize("begin", [b"$536870913\r\n", b"+", b"-ERR ", b"*1000000000\r\n", b"*4\r\n$100000\r\n"])
@pytest.mark.parametrize("kind", [CALLS, MESSAGES])
def test_a_reply_without_end_is_not_kept(between, kind, begin):
    connection = between.connection(kind)
    counted = between.ends_for_what_it_said()
    piece = b"a" * (1 << 20)
    with contextlib.suppress(OSError):
        connection.say(begin)
        for _ in range(256):
            connection.say(piece)
            between.look()
    eventually(connection.is_over.is_set, "the connection to be given up")
    assert between.ends_for_what_it_said() > counted
    between.check()


@pytest.mark.parametrize("megabytes", [0.3, 3])
def test_values_of_megabytes_under_our_keys_and_on_our_channel_harm_nobody(between, number, megabytes):
    long = "7" * int(megabytes * (1 << 20))
    items = [f"post:{number()}" for _ in range(5)]
    between.daemon.wait_healthy()
    calls, messages = between.connection(CALLS), between.connection(MESSAGES)
    with between.client() as client:
        for item in items:
            client.set(f"counter:{item}", long)
            client.set(f"{{counter:{item}}}:version", long)
        client.publish("likesd:counters:0", long)
        assert between.daemon.call("MCOUNT", *items) == [0] * len(items)
        assert between.daemon.call("LIKE", number(), items[0]) == [1, 1]
        eventually(lambda: client.get(f"counter:{items[0]}") == "1", "the counter to be set again")
        eventually(lambda: client.get(f"counter:{items[1]}") == "0", "the counter to be filled in")
    assert not calls.is_over.is_set()
    assert not messages.is_over.is_set()
    between.check()


def mutated(source, reply):
    """The reply with something of it changed."""
    reply = bytearray(reply)
    for _ in range(source.randint(1, 3)):
        place = source.randrange(len(reply) + 1)
        kind = source.randrange(5)
        if kind == 0:
            reply[place:place] = source.choice(list(UNASKED.values()))[:64]
        elif kind == 1:
            del reply[place : place + source.randint(1, 9)]
        elif kind == 2 and place < len(reply):
            reply[place] ^= 1 << source.randrange(8)
        elif kind == 3:
            reply[place:place] = source.choice([b"9" * 19, b"-", b"\r\n", b"$", b"*2\r\n"])
        else:
            reply = bytearray(
                source.choice([b":0\r\n", b"$0\r\n\r\n", b"*0\r\n", b"+\r\n", b"-\r\n", b"*2\r\n:1\r\n:1\r\n"])
            )
    return bytes(reply)


def test_replies_with_anything_in_them_changed_harm_nobody(between, seed, number):
    source = random.Random(seed)
    lock = threading.Lock()
    left = MUTATIONS

    def change(piece):
        nonlocal left
        with lock:
            if left == 0 or source.random() < 0.7:
                return piece.data
            left -= 1
            return mutated(source, piece.data)

    between.relay.change = change
    try:

        def all_done():
            item = f"post:{number()}"
            # Redis may lie about the rate; what PostgreSQL says stands.
            assert between.daemon.call("LIKE", number(), item) == [1, 1]
            assert between.daemon.call("LIKED", 1, item) == 0
            return left == 0

        eventually(all_done, f"{MUTATIONS} replies to be changed")
    finally:
        between.relay.change = lambda piece: piece.data
    between.check()
