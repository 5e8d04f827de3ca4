"""What clients of likes-http are told when likesd is away, hangs, is killed, or comes back."""

import json
import signal
import threading
import time

import pytest
from support.http_gateway import request
from support.waiting import eventually

# What likes-http waits for likesd, and some more.
ANSWER_SECONDS_MAX = 20
# Prometheus gives up after 10 s unless told otherwise.
WATCH_SECONDS_MAX = 8


@pytest.fixture
def daemon(start_daemon, own_postgres):
    """One to be broken."""
    return start_daemon(own_postgres)


def error_of(answer):
    return answer.json()["detail"]["error"]


def test_without_likesd_everything_says_so_at_once(start_gateway, place):
    gateway = start_gateway(place / "nobody.sock")
    began = time.monotonic()
    for method, target, body in [
        ("POST", "/v1/like", {"user_id": 1, "item_id": 2}),
        ("GET", "/v1/count?item_id=1", None),
        ("POST", "/v1/counts", {"items": [{"item_id": 1}]}),
        ("POST", "/v1/has_liked", {"user_id": 1, "item_ids": [1]}),
    ]:
        answer = gateway.request(method, target, body)
        assert (answer.status, error_of(answer)) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
    degraded = {"status": "degraded", "database": "unhealthy", "redis": "unhealthy"}
    assert gateway.request("GET", "/health").json() == degraded
    assert gateway.request("GET", "/ready").status == 503
    assert gateway.request("GET", "/live").status == 200
    assert gateway.metrics()["likes_http_daemon_connections"] == 0
    assert gateway.request("POST", "/v1/like", {"user_id": "x"}).status == 422
    assert time.monotonic() - began < ANSWER_SECONDS_MAX
    assert gateway.log().count("no connection to likesd") == 1


def test_a_likesd_that_comes_later_is_found(start_daemon, start_gateway, place, user, number):
    gateway = start_gateway(place / "later.sock")
    assert gateway.like(user, number()).status == 503
    start_daemon(LIKESD_SOCKET=place / "later.sock")
    eventually(lambda: gateway.request("GET", "/ready").status == 200, "likes-http to be ready")
    assert gateway.like(user, number()).status == 200
    assert "connected to likesd" in gateway.log()


def test_a_like_whose_likesd_is_killed_is_uncertain(daemon, start_gateway, own_postgres, user, number):
    gateway = start_gateway(daemon.socket)
    gateway.like(user, number())
    own_postgres.pause()
    try:
        with gateway.connect() as connection:
            connection.send(request("POST", "/v1/like", json.dumps({"user_id": user, "item_id": number()})))
            eventually(lambda: gateway.metrics()["likes_http_requests_under_way"] >= 1, "the like to be under way")
            daemon.kill()
            answer = connection.read()
    finally:
        own_postgres.resume()
    assert (answer.status, error_of(answer)) == (503, "uncertain")
    assert answer.headers["retry-after"] == "1"
    answer = gateway.like(user, number())
    assert (answer.status, error_of(answer)) == (503, "unavailable"), "nobody was there to send it to"


def test_a_read_whose_likesd_is_restarted_is_repeated(daemon, start_gateway, user, number):
    gateway = start_gateway(daemon.socket)
    item = number()
    gateway.like(user, item)
    over = threading.Event()
    statuses = []

    def count():
        with gateway.connect() as connection:
            while not over.is_set():
                statuses.append(connection.request("GET", f"/v1/count?item_id={item}").status)

    counter = threading.Thread(target=count)
    counter.start()
    eventually(lambda: len(statuses) > 100, "counts to flow")
    daemon.kill()
    daemon.start()
    served = statuses.count(200)
    eventually(lambda: statuses.count(200) > served + 100, "counts to flow again")
    over.set()
    counter.join()
    # While nobody listens there is nobody to ask.
    assert set(statuses) <= {200, 503}


def test_a_likesd_that_hangs_is_told_within_the_limit(daemon, start_gateway, user, number):
    gateway = start_gateway(daemon.socket)
    gateway.like(user, number())
    daemon.server.pause()
    answers, seconds = {}, {}

    def ask(name, *arguments):
        began = time.monotonic()
        answers[name] = gateway.request(*arguments)
        seconds[name] = time.monotonic() - began

    item = number()
    requests = {
        "like": ("POST", "/v1/like", {"user_id": user, "item_id": item}),
        "count": ("GET", f"/v1/count?item_id={item}"),
        "ready": ("GET", "/ready"),
        "health": ("GET", "/health"),
        "metrics": ("GET", "/metrics"),
    }
    askers = [threading.Thread(target=ask, args=(name, *parts)) for name, parts in requests.items()]
    began = time.monotonic()
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert time.monotonic() - began < ANSWER_SECONDS_MAX
    daemon.server.resume()
    assert (answers["like"].status, error_of(answers["like"])) == (503, "uncertain")
    assert (answers["count"].status, error_of(answers["count"])) == (503, "unavailable")
    assert answers["ready"].status == 503
    assert answers["health"].json()["status"] == "degraded"
    assert b"likes_http_connections_total" in answers["metrics"].body
    assert max(seconds[name] for name in ("ready", "health", "metrics")) < WATCH_SECONDS_MAX < seconds["count"]
    assert gateway.log().count("has not answered in time: see 'systemctl status likesd'") == 1
    # Once it goes on, so does all the rest, on the same connections.
    eventually(lambda: gateway.like(user, item).status == 200, "likes to be taken")
    assert gateway.count(item) == 1
    assert gateway.log().count("answers again") == 1


def test_a_likesd_without_room_for_all_connections_is_used_all_the_same(
    start_daemon, start_gateway, own_postgres, user, number
):
    gateway = start_gateway(start_daemon(own_postgres, MAX_CONNECTIONS=2).socket)
    for _ in range(20):
        item = number()
        assert gateway.like(user, item).status == 200
        assert gateway.count(item) == 1
        liked = gateway.request("POST", "/v1/has_liked", {"user_id": user, "item_ids": list(range(item, item + 200))})
        assert liked.json()["liked"][str(item)] is True
    assert gateway.log().count("was lost: BUSY") <= 2, "it is no flood of the log"


def test_a_clients_end_in_the_middle_harms_nobody(daemon, start_gateway, own_postgres, user, number):
    gateway = start_gateway(daemon.socket)
    item = number()
    own_postgres.pause()
    with gateway.connect() as connection:
        connection.send(request("POST", "/v1/like", json.dumps({"user_id": user, "item_id": item})))
        eventually(lambda: gateway.metrics()["likes_http_requests_under_way"] >= 1, "the like to be under way")
    own_postgres.resume()
    eventually(lambda: gateway.count(item) == 1, "the like, which was sent")
    eventually(lambda: gateway.metrics()["likes_http_requests_under_way"] == 0, "nothing to be under way")


def test_postgresql_away_is_unavailable(daemon, start_gateway, own_postgres, user, number):
    gateway = start_gateway(daemon.socket)
    own_postgres.stop()
    answer = gateway.like(user, number())
    assert (answer.status, error_of(answer)) in [(503, "unavailable"), (503, "uncertain")]
    assert gateway.request("GET", "/ready").status == 503
    assert gateway.request("GET", "/health").json()["database"] == "unhealthy"


def test_a_rate_limit_is_429(start_daemon, start_gateway, user, number):
    gateway = start_gateway(start_daemon(RATE_LIMIT_REQUESTS=1).socket)
    assert gateway.like(user, number()).status == 200
    answer = gateway.like(user, number())
    assert answer.status == 429
    detail = answer.json()["detail"]
    assert detail["error"] == "rate_limited"
    assert int(answer.headers["retry-after"]) == detail["retry_after"]


def test_a_second_term_ends_it_at_once(daemon, start_gateway, own_postgres, user, number):
    gateway = start_gateway(daemon.socket)
    own_postgres.pause()
    try:
        with gateway.connect() as connection:
            connection.send(request("POST", "/v1/like", json.dumps({"user_id": user, "item_id": number()})))
            eventually(lambda: gateway.metrics()["likes_http_requests_under_way"] >= 1, "the like to be under way")
            gateway.server.send(signal.SIGTERM)
            eventually(lambda: "stopping" in gateway.log(), "it to stop")
            gateway.server.send(signal.SIGTERM)
            assert gateway.server.wait() == 1
    finally:
        own_postgres.resume()


def test_what_is_no_likesd_is_not_understood(start_gateway, place):
    """A server of another kind at the socket's place."""
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "other.sock"))
        listener.listen()
        listener.settimeout(60)
        over = threading.Event()

        def serve():
            held = []
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                connection.sendall(b"220 smtp\r\n")

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        gateway = start_gateway(place / "other.sock")
        answer = gateway.request("GET", "/v1/count?item_id=1")
        assert answer.status == 503
        assert gateway.server.running
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        server.join()
