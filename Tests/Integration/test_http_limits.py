"""Whatever clients do, likes-http stays within its limits, and says which one was met."""

import contextlib
import json
import re
import threading

import pytest
from support.http_gateway import Gateway, request
from support.waiting import eventually

MIB = 1 << 20
CONNECTIONS_MAX = 1024
REQUEST_SECONDS_MAX = 120


@pytest.fixture(scope="module")
def gateway(daemon, folder, number):
    server = Gateway(folder / f"h{number()}", daemon.socket).start()
    yield server
    assert server.server.running, server.log()
    assert server.peak_bytes() < 256 * MIB
    assert server.stop() == 0


LIKE = json.dumps({"user_id": 1, "item_id": 2})


@pytest.mark.parametrize(
    ("what", "headers", "body"),
    [
        ("no host", {"Host": None}, LIKE),
        ("two hosts", {"Host": ["a", "b"]}, LIKE),
        ("two lengths", {"Content-Length": [str(len(LIKE)), "5"]}, LIKE),
        ("two equal lengths", {"Content-Length": [str(len(LIKE))] * 2}, LIKE),
        ("length and encoding", {"Content-Length": "5", "Transfer-Encoding": "chunked"}, "0\r\n\r\n"),
        ("another encoding", {"Content-Length": None, "Transfer-Encoding": "gzip, chunked"}, "0\r\n\r\n"),
        ("two encodings", {"Content-Length": None, "Transfer-Encoding": ["chunked", "chunked"]}, "0\r\n\r\n"),
        ("a length that is no number", {"Content-Length": "-5"}, LIKE),
        ("a length with a list", {"Content-Length": "5, 5"}, LIKE),
        ("a blank behind a name", {"Content-Length": None, "Content-Length ": str(len(LIKE))}, LIKE),
        ("a form feed behind a name", {"Content-Length": None, "Content-Length\x0c": str(len(LIKE))}, LIKE),
        ("a byte that no name has", {"Content-Length": None, "Content-Length\xa0": str(len(LIKE))}, LIKE),
        ("a tab behind a name", {"Content-Length": None, "Transfer-Encoding\t": "chunked"}, "0\r\n\r\n"),
    ],
)
def test_what_two_readers_may_read_in_two_ways_is_refused(gateway, what, headers, body):
    with gateway.connect() as connection:
        connection.send(request("POST", "/v1/like", body, headers) + request("GET", "/live"))
        assert connection.read().status == 400, what
        # The next request is not read: nobody knows where it begins. libmicrohttpd sends the head of some answers of
        # its own twice.
        assert set(re.findall(rb"HTTP/1.1 (\d+)", connection.rest())) <= {b"400"}, what


@pytest.mark.parametrize("headers", [{"Host": None}, {"Host": ["a", "b"]}, {"Content-Length ": "32"}, {"X\t": "y"}])
def test_without_a_body_it_is_refused_and_the_connection_closed_too(gateway, headers):
    """What follows may be the body that a proxy saw."""
    with gateway.connect() as connection:
        connection.send(request("GET", "/live", None, headers) + request("GET", "/live"))
        answer = connection.read()
        assert (answer.status, answer.headers["connection"].lower()) == (400, "close")
        assert connection.rest() == b""


@pytest.mark.parametrize("size", [MIB + 1, 10 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_gets_413_and_the_connection_goes_on(gateway, size, chunked):
    body = b"x" * size
    data = request("POST", "/v1/counts", body)
    if chunked:
        parts = [body[start : start + 60_000] for start in range(0, size, 60_000)]
        data = request("POST", "/v1/counts", None, {"Transfer-Encoding": "chunked"})
        data += b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    with gateway.connect() as connection:
        connection.send(data)
        assert connection.read().status == 413
        assert connection.request("GET", "/live").status == 200


def test_a_body_of_the_greatest_size_is_read(gateway):
    body = json.dumps({"items": [], "x": ""})
    body = body[:-2] + "x" * (MIB - len(body)) + body[-2:]
    assert gateway.request("POST", "/v1/counts", body).status == 200


def test_an_enormous_body_is_refused_before_it_comes(gateway):
    with gateway.connect() as connection:
        connection.send(request("POST", "/v1/counts", None, {"Content-Length": str(1 << 40)}))
        assert connection.read().status == 413
        # A client that sends all the same can still read its answer.
        connection.send(b"x" * MIB)
        assert connection.at_end()


def test_who_asks_first_is_told_before_the_body(gateway):
    with gateway.connect() as connection:
        headers = {"Content-Length": str(2 * MIB), "Expect": "100-continue"}
        connection.send(request("POST", "/v1/counts", None, headers))
        assert connection.read().status == 413


def test_chunks_without_end_are_ended(gateway):
    with gateway.connect() as connection:
        connection.send(request("POST", "/v1/counts", None, {"Transfer-Encoding": "chunked"}))
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(40 * MIB // len(chunk)):
                connection.send(chunk)
            raise AssertionError("it reads for ever")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /live HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 65_536 + b"\r\n\r\n", 431),
        (b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 431),
        (b"GET /" + b"x" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ],
)
def test_a_large_header_is_refused(gateway, data, status):
    with gateway.connect() as connection:
        with contextlib.suppress(OSError):
            connection.send(data)
        assert connection.read().status == status


def test_a_header_of_8_kib_is_read(gateway):
    assert gateway.request("GET", "/live", headers={"X": "x" * 8_192}).status == 200


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
    ],
)
def test_what_is_not_http_is_refused_or_closed(gateway, data):
    with gateway.connect() as connection:
        connection.send(data + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert connection.read().status in (400, 505)
    assert gateway.request("GET", "/live").status == 200


def test_a_half_sent_request_is_let_go_and_others_are_served_meanwhile(gateway, number):
    body = json.dumps({"user_id": number(), "item_id": number()})
    whole = request("POST", "/v1/like", body, {"X": "x" * 100})
    with (
        gateway.connect(timeout=REQUEST_SECONDS_MAX) as silent,
        gateway.connect(timeout=REQUEST_SECONDS_MAX) as half,
        gateway.connect(timeout=REQUEST_SECONDS_MAX) as dripping,
    ):
        half.send(whole[:-5])
        over = threading.Event()

        def drip():
            # A byte now and then keeps no request alive.
            with contextlib.suppress(OSError):
                for place in range(len(whole)):
                    dripping.send(whole[place : place + 1])
                    if over.wait(0.3):
                        return

        dripper = threading.Thread(target=drip, daemon=True)
        dripper.start()
        assert gateway.request("GET", "/live").status == 200
        answer = half.read()
        assert answer.status == 408
        assert half.at_end()
        assert silent.at_end()
        assert dripping.read().status == 408
        over.set()
        dripper.join()
    assert gateway.metrics()["likes_http_requests_too_slow_total"] >= 2


def test_a_connection_too_many_is_told_so_and_the_others_go_on(gateway):
    with contextlib.ExitStack() as ends:
        held = [ends.enter_context(gateway.connect()) for _ in range(CONNECTIONS_MAX)]
        assert held[0].request("GET", "/live").status == 200
        eventually(lambda: gateway_connections(held[0]) == CONNECTIONS_MAX, "all to be accepted")
        with gateway.connect() as further:
            further.send(request("GET", "/live"))
            answer = further.read()
            assert answer.status == 503
            assert answer.json()["detail"]["error"] == "busy"
            assert answer.headers["retry-after"] == "1"
        assert "a client was refused: too many connections" in gateway.log()
        assert held[-1].request("GET", "/live").status == 200
    eventually(lambda: gateway.request("GET", "/live").status == 200, "room for new ones")


def gateway_connections(connection):
    text = connection.request("GET", "/metrics").body.decode()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("likes_http_connections "))


def test_clients_that_read_nothing_grow_nothing(gateway):
    """Each asks for large answers and reads none."""
    items = json.dumps({"user_id": 1, "item_ids": list(range(100_000, 180_000))})
    data = request("POST", "/v1/has_liked", items, {"Content-Type": "application/json"})
    with contextlib.ExitStack() as ends:
        for _ in range(60):
            connection = ends.enter_context(gateway.connect())
            connection.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.socket.send(data)
        senders = [threading.Thread(target=lambda: gateway.request("POST", "/v1/has_liked", items)) for _ in range(30)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert gateway.request("GET", "/live").status == 200
    assert gateway.peak_bytes() < 256 * MIB


def test_large_bodies_at_once_grow_nothing(gateway):
    body = b"[" + b"[]," * ((MIB - 100) // 3) + b"[]]"
    data = request("POST", "/v1/like", body, {"Content-Type": "application/json"})
    statuses = []

    def send():
        with gateway.connect() as connection:
            connection.send(data)
            statuses.append(connection.read().status)

    senders = [threading.Thread(target=send) for _ in range(100)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(statuses) == 100
    assert set(statuses) <= {422, 503}
    assert gateway.peak_bytes() < 256 * MIB
