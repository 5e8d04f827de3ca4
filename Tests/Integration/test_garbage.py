"""Nothing a client sends may crash the daemon, hold up others, or grow its memory without bound."""

import random
import socket

import pytest
from support.wire import array, inline

MEMORY_GROWTH_MAX_BYTES = 96 << 20
NO_VERBS = [b"FLUSHALL", b"", b"\xff\x00"]
WORDS = [
    *(b"1", b"0", b"-1", b"9223372036854775807", b"9223372036854775808", b"1e5", b"post:1", b"reel:0", b"story:1"),
    *(b"post:", b":", b"", b" ", b"\r\n", b"\n", b"\x00", b"%s%n", b"'; DROP TABLE user_likes; --", b"3", b"AUTH"),
    *(b"GET", b"SETNAME", b"DOCS", b"*", b"A" * 300, "löve:1".encode(), b"post:1:2", b"{post:1}", b"0x10", b"+5"),
]


def random_request(source, verbs):
    words = [source.choice(verbs), *(source.choice(WORDS) for _ in range(source.randint(0, 5)))]
    return array(*words) if source.random() < 0.7 else b" ".join(words) + source.choice([b"\n", b"\r\n"])


def mutated(source, data):
    data = bytearray(data)
    for _ in range(source.randint(1, 4)):
        position = source.randrange(len(data) + 1)
        kind = source.randrange(5)
        if kind == 0:
            data[position:position] = source.randbytes(source.randint(1, 20))
        elif kind == 1:
            del data[position : position + source.randint(1, 5)]
        elif kind == 2 and position < len(data):
            data[position] ^= 1 << source.randrange(8)
        elif kind == 3:
            data[position:position] = source.choice([b"*", b"$", b"\r\n", b"-1", b"999999999999", b"*1000000\r\n"])
        else:
            data = data[:position]
    return bytes(data)


def garbage(source, verbs):
    kind = source.random()
    if kind < 0.5:
        requests = [random_request(source, verbs) for _ in range(source.randint(1, 20))]
        return b"".join(mutated(source, data) if source.random() < 0.3 else data for data in requests)
    if kind < 0.7:
        return source.randbytes(source.randint(1, 5000))
    if kind < 0.8:
        return b"*%d\r\n" % source.choice([0, -1, 1, 64, 65536, 65537, 2**31, 2**63]) + b"$1\r\na\r\n" * 50
    if kind < 0.9:
        return b"A" * source.choice([65535, 65536, 65537, 200000])
    return array(b"MCOUNT", *[b"post:%d" % source.randrange(50) for _ in range(source.choice([999, 1000, 1001, 3000]))])


def send_all_that_is_taken(client, data):
    """Sends without ever reading; a daemon that closes or stops reading ends it."""
    client.setblocking(False)
    try:
        while data:
            data = data[client.send(data) :]
    except OSError:
        return


@pytest.mark.parametrize("round_", range(3))
def test_garbage_harms_nobody(start_daemon, own_redis, item, user, seed, round_):
    source = random.Random(f"{seed} {round_}")
    # Garbage may be a valid LIKE: a Redis of its own, and the database only gets few pairs.
    daemon = start_daemon(redis=own_redis)
    with daemon.connect() as other:
        # A reload takes nothing but the verb, and is not this test's matter.
        verbs = [name.upper() for name in other.call("COMMAND", "LIST") if name != b"reload"] + NO_VERBS
        assert other.call("LIKE", user, item) == [1, 1]
        before = daemon.resident_bytes()
        clients = []
        for _ in range(400):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(60)
            client.connect(str(daemon.socket))
            clients.append(client)
            send_all_that_is_taken(client, garbage(source, verbs))
            if len(clients) > 30:
                clients.pop(source.randrange(len(clients))).close()
            assert other.call("COUNT", item) == 1
            if source.random() < 0.1:
                assert other.call("LIKED", user, item) == 1
        grown = daemon.resident_bytes() - before
        for client in clients:
            client.close()
        assert other.call("UNLIKE", user, item) == [1, 0]
    assert grown < MEMORY_GROWTH_MAX_BYTES, f"grew by {grown >> 20} MiB"
    assert daemon.server.running


def test_the_largest_requests_of_many_clients_take_bounded_memory(start_daemon, item):
    daemon = start_daemon()
    before = daemon.resident_bytes()
    whole = array("MCOUNT", *[f"post:{position:060}" for position in range(1000)])
    clients = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for client in clients:
        client.connect(str(daemon.socket))
        send_all_that_is_taken(client, whole[:-1])
    with daemon.connect() as other:
        assert other.call("COUNT", item) == 0
        # Each holds at most one unfinished request.
        assert daemon.resident_bytes() - before < 200 * 3 * (256 << 10) + (32 << 20)
        for client in clients:
            client.close()
        assert other.call("COUNT", item) == 0


def test_the_same_connection_goes_on_after_wrong_requests(wire, item):
    for _ in range(500):
        wire.send(inline("COUNT", item) + b"NONSENSE \xff\xfe\n" + array(b"", b"") + array("COUNT", item, item))
        assert wire.read() == 0
        assert [wire.read().code for _ in range(3)] == ["ERR"] * 3
