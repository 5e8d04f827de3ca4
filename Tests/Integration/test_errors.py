"""What a caller is told: error codes, and messages that name what is allowed."""

import re
from pathlib import Path

import pytest
from support.database import counter, likes
from support.waiting import eventually
from support.wire import array, inline

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (("FOO", "1"), ["FOO", "LIKE", "COUNT"]),
        (("GET", "counter:post:1"), ["GET"]),
        (("LIKE",), ["LIKE user item"]),
        (("LIKE", "1"), ["LIKE user item"]),
        (("LIKE", "1", "post:1", "post:2"), ["LIKE user item"]),
        (("UNLIKE", "1"), ["UNLIKE user item"]),
        (("COUNT",), ["COUNT item"]),
        (("COUNT", "post:1", "post:2"), ["COUNT item"]),
        (("LIKED", "post:1"), ["LIKED user item"]),
        (("MCOUNT",), ["mcount"]),
        (("MLIKED", "1"), ["mliked"]),
        (("LIKE", "abc", "post:1"), ["abc", str(LARGEST)]),
        (("LIKE", "-1", "post:1"), ["-1", str(LARGEST)]),
        (("LIKE", "+1", "post:1"), ["+1", str(LARGEST)]),
        (("LIKE", str(LARGEST + 1), "post:1"), [str(LARGEST)]),
        (("LIKE", "9" * 40, "post:1"), [str(LARGEST)]),
        (("LIKED", "1.0", "post:1"), ["1.0"]),
        (("COUNT", "post"), ["post:456"]),
        (("COUNT", "post:"), ["post:"]),
        (("COUNT", ":1"), ["post"]),
        (("COUNT", "post:x"), ["post:x", "post:456"]),
        (("COUNT", "post:-1"), ["post:-1"]),
        (("COUNT", f"post:{LARGEST + 1}"), [str(LARGEST + 1)]),
        (("COUNT", "story:1"), ["story", "post", "reel", "comment"]),
        (("COUNT", "POST:1"), ["POST", "post"]),
        (("MCOUNT", "post:1", "story:1"), ["story"]),
        (("MLIKED", "1", "post:1", "post:y"), ["post:y"]),
        (("SELECT", "1"), ["range"]),
    ],
)
def test_a_wrong_request_is_told_what_was_wrong_and_what_is_allowed(wire, request_, named):
    reply = wire.call(*request_)
    assert reply.code == "ERR"
    for words in named:
        assert words.lower() in reply.lower(), reply
    assert wire.call("PING") == "PONG"


@pytest.mark.parametrize("verb", [("MCOUNT",), ("MLIKED", 1)])
def test_more_than_a_thousand_items_are_refused(wire, verb):
    items = [f"post:{number}" for number in range(1001)]
    reply = wire.call(*verb, *items)
    assert reply.code == "ERR"
    assert "1000" in reply.replace(",", "")
    assert wire.call("PING") == "PONG"


def test_a_message_never_carries_the_clients_control_bytes(wire):
    wire.send(array(b"FO\r\n+OK\r\n\x00\x1b[31m", "1") + array("PING"))
    reply = wire.read()
    assert reply.code == "ERR"
    assert all(" " <= letter for letter in reply)
    assert wire.read() == "PONG"


def test_a_wrong_request_stores_nothing(wire, sql, user, item):
    for request in [("LIKE", user, item, item), ("LIKE", user, f"{item}x"), ("LIKE", f"{user}x", item)]:
        assert wire.call(*request).code == "ERR"
    assert likes(sql, item) == set()
    assert counter(sql, item) is None


@pytest.mark.parametrize(
    "data",
    [
        b"*x\r\n",
        b"*99999999999999999999\r\n",
        b"*2147483648\r\n",
        b"*1\r\n!4\r\nPING\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$-5\r\nPING\r\n",
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n$4\r\nPINGxx\r\n",
        b"*1\r\n$1000000\r\n",
        b"A" * (64 * 1024 + 1),
        b"COUNT " + b"A" * (64 * 1024) + b"\r\n",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_broken_framing_is_said_and_closes_after_earlier_replies(daemon, data):
    with daemon.connect() as client:
        client.send(inline("ECHO", "before") + data)
        assert client.read() == b"before"
        assert client.read().startswith("ERR Protocol error: ")
        assert client.at_end()


def test_a_line_at_the_limit_is_served(wire):
    text = "a" * (64 * 1024 - len("ECHO "))
    wire.send(inline("ECHO", text))
    assert wire.read() == text.encode()


def test_over_the_rate_says_the_seconds_to_wait(start_daemon, number, item, sql):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=3, RATE_LIMIT_WINDOW_SECONDS=600)
    busy, other = number(), number()
    with daemon.connect() as client:
        assert client.call("LIKE", busy, item) == [1, 1]
        assert client.call("LIKE", busy, item) == [0, 1]
        assert client.call("UNLIKE", busy, item) == [1, 0]
        for verb in ("LIKE", "UNLIKE"):
            reply = client.call(verb, busy, item)
            assert reply.code == "RATELIMITED"
            seconds = [int(digits) for digits in re.findall(r"\d+", reply)]
            assert any(1 <= value <= 600 and value != 3 for value in seconds), reply
        assert client.call("LIKE", other, item) == [1, 1]
        assert client.call("LIKED", busy, item) == 0
        assert client.call("COUNT", item) == 1
    assert likes(sql, item) == {other}


def test_the_rate_is_kept_within_one_pipeline(start_daemon, number, user):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=10)
    items = [f"post:{number()}" for _ in range(30)]
    with daemon.connect() as client:
        replies = client.pipeline([("LIKE", user, item) for item in items])
    assert [getattr(reply, "code", reply) for reply in replies] == [[1, 1]] * 10 + ["RATELIMITED"] * 20


def test_too_many_connections_are_told_busy_and_closed(start_daemon):
    daemon = start_daemon(MAX_CONNECTIONS=4)

    def four_connections():
        # The connection that waited for the start may still count.
        clients = [daemon.connect() for _ in range(4)]
        try:
            assert [client.call("PING") for client in clients] == ["PONG"] * 4
        except (AssertionError, OSError):
            for client in clients:
                client.close()
            raise
        return clients

    clients = eventually(four_connections, "four connections")
    with daemon.connect() as refused:
        reply = refused.read()
        assert reply.code == "BUSY"
        assert "MAX_CONNECTIONS" in reply
        assert refused.at_end()
    assert [client.call("PING") for client in clients] == ["PONG"] * 4
    clients.pop().close()

    def accepted_again():
        with daemon.connect() as client:
            return client.call("PING") == "PONG"

    eventually(accepted_again, "room for one more connection")
    for client in clients:
        client.close()


def test_a_client_that_never_reads_is_held_back_while_others_are_served(start_daemon):
    daemon = start_daemon()
    payload = b"x" * 32768
    request = array("ECHO", payload)
    before = daemon.resident_bytes()
    with daemon.connect() as greedy, daemon.connect() as other:
        greedy.socket.setblocking(False)
        sent = refused = 0
        # The daemon has stopped reading when nothing can be sent, though others are answered in between.
        while refused < 20:
            assert sent < 256 << 20, "the daemon goes on reading from a client that takes no replies"
            try:
                sent += greedy.socket.send(request[sent % len(request) :])
                refused = 0
            except BlockingIOError:
                refused += 1
                assert other.call("PING") == "PONG"
        assert daemon.resident_bytes() - before < 64 << 20
        greedy.socket.settimeout(60)
        whole, part = divmod(sent, len(request))
        for position in range(whole):
            assert greedy.read() == payload, position
        if part:
            greedy.send(request[part:])
            assert greedy.read() == payload


def test_half_a_request_waits_without_holding_up_anyone(daemon, item):
    halves = [daemon.connect() for _ in range(20)]
    for client, half in zip(
        halves, [b"COU", b"*2\r\n$5\r\nCOUNT\r\n$30\r\npost", b"*2\r", b"*2\r\n$"] * 5, strict=True
    ):
        client.send(half)
    with daemon.connect() as other:
        assert other.call("COUNT", item) == 0
    halves[0].send(b"NT " + item.encode() + b"\n")
    assert halves[0].read() == 0
    for client in halves:
        client.close()


def test_clients_that_leave_with_requests_under_way_harm_nobody(daemon, number, sql):
    item = f"post:{number()}"
    for _ in range(100):
        with daemon.connect() as client:
            client.send(inline("LIKE", number(), item) * 3)
    with daemon.connect() as other:
        # What came whole may have been carried out; what is counted is what is stored.
        assert other.call("LIKE", number(), item)[0] == 1
    eventually(lambda: counter(sql, item)[0] == len(likes(sql, item)) == daemon.call("COUNT", item), "a settled count")


def test_refused_and_closed_connections_leave_no_descriptor_behind(start_daemon):
    daemon = start_daemon(MAX_CONNECTIONS=2)

    def descriptors():
        return len(list(Path(f"/proc/{daemon.server.pid}/fd").iterdir()))

    before = eventually(descriptors, "the descriptors of an idle daemon")
    for _ in range(100):
        clients = [daemon.connect() for _ in range(5)]
        for client in clients:
            client.close()
    eventually(lambda: descriptors() <= before, f"no more than {before} descriptors")
    eventually(daemon.answers, "the daemon to take connections again")
