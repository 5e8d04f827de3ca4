"""What likes-http promises beyond the recorded answers."""

import json
import os
import signal
import socket
import stat

import pytest
from support.daemon import binary, run
from support.http_gateway import Connection, Gateway, request
from support.processes import ServerProcess, clean_environment
from support.waiting import eventually


@pytest.fixture(scope="module")
def gateway(daemon, folder, number):
    server = Gateway(folder / f"h{number()}", daemon.socket).start()
    yield server
    assert server.server.running, server.log()
    assert server.stop() == 0


def test_a_like_over_http_is_a_like_over_the_socket(gateway, daemon, user, number):
    item = number()
    assert gateway.like(user, item).json() == {"status": "liked", "count": 1, "user_liked": True}
    assert daemon.call("LIKED", user, f"post:{item}") == 1
    assert daemon.call("LIKE", user + 1, f"post:{item}") == [1, 2]
    assert gateway.count(item) == 2


def test_requests_on_one_connection_come_in_order(gateway, user, number):
    item = number()
    body = json.dumps({"user_id": user, "item_id": item})
    with gateway.connect() as connection:
        connection.send(
            b"".join(
                (
                    request("POST", "/v1/like", body),
                    request("GET", f"/v1/count?item_id={item}"),
                    request("DELETE", "/v1/like", body),
                    request("GET", f"/v1/count?item_id={item}"),
                )
            )
        )
        answers = [connection.read().json() for _ in range(4)]
    assert [answer["count"] for answer in answers] == [1, 1, 0, 0]


def test_cached_is_true(gateway, number):
    item = number()
    first, second = (gateway.request("GET", f"/v1/count?item_id={item}").json() for _ in range(2))
    assert (first["cached"], second["cached"]) == (False, True)
    items = [{"item_id": item}, {"item_id": number()}]
    counts = gateway.request("POST", "/v1/counts", {"items": items}).json()
    assert (counts["cache_hits"], counts["cache_misses"]) == (1, 1)


def test_tens_of_thousands_of_items_are_answered(gateway, user, number):
    item = number()
    gateway.like(user, item)
    ids = [*range(20_000_000, 20_030_000), item]
    liked = gateway.request("POST", "/v1/has_liked", {"user_id": user, "item_ids": ids}).json()["liked"]
    assert len(liked) == len(ids)
    assert [name for name, value in liked.items() if value] == [str(item)]
    counts = gateway.request("POST", "/v1/counts", {"items": [{"item_id": one} for one in ids[:25_000]]}).json()
    assert len(counts["counts"]) == 25_000
    assert counts["cache_hits"] + counts["cache_misses"] == 25_000


def test_live_and_ready(gateway):
    assert gateway.request("GET", "/live").json() == {"status": "alive"}
    assert gateway.request("GET", "/ready").json() == {"status": "ready"}


def test_metrics_are_likesds_and_its_own(gateway):
    gateway.request("GET", "/v1/nothing")
    metrics = gateway.metrics()
    assert metrics['likes_http_responses_total{status="404"}'] >= 1
    assert metrics["likes_http_daemon_connections"] == 4
    assert any(name.startswith("likesd_") for name in metrics)


def test_problems_are_for_those_who_accept_them(gateway):
    answer = gateway.request("POST", "/v1/like", {}, {"Accept": "application/problem+json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    assert len(answer.json()["errors"]) == 2


def test_a_type_that_likesd_has_is_a_type(start_daemon, start_gateway, own_postgres, user, number):
    types = "post,video"
    assert run("likesctl", "migrate", DATABASE_URL=own_postgres.url(), ITEM_TYPES=types).returncode == 0
    gateway = start_gateway(start_daemon(own_postgres, ITEM_TYPES=types).socket)
    body = {"user_id": user, "item_id": number(), "item_type": "video"}
    assert gateway.request("POST", "/v1/like", body).json()["status"] == "liked"
    answer = gateway.request("POST", "/v1/like", {**body, "item_type": "reel"})
    assert answer.json()["detail"][0]["msg"] == "Input should be 'post' or 'video'"


# Listening


def test_it_listens_at_several_addresses(start_gateway, daemon, place):
    path = f"{place}/http.sock"
    gateway = start_gateway(daemon.socket, listen=("127.0.0.1:0", "[::1]:0", f"{path},mode=0600"))
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert len(gateway.addresses) == 3
    for address in gateway.addresses:
        with Connection(address) as connection:
            assert connection.request("GET", "/live").status == 200


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000", "[::ffff:192.0.2.1]:8000"])
def test_other_hosts_are_let_in_only_if_that_is_said(address, daemon):
    done = run("likes-http", "--listen", address, "--socket", daemon.socket)
    assert done.returncode == 64
    assert "--allow-remote" in done.stderr


def test_other_hosts_are_let_in_if_that_is_said(start_gateway, daemon):
    gateway = start_gateway(daemon.socket, listen=("0.0.0.0:0",), arguments=("--allow-remote",))
    assert gateway.request("GET", "/live").status == 200


@pytest.mark.parametrize(
    "arguments", [["--listen", "8000"], ["--listen", "localhost"], ["--listen"], ["--listen", "/x,mode=9"], ["--what"]]
)
def test_a_wrong_command_line_is_refused(arguments):
    done = run("likes-http", *arguments)
    assert done.returncode == 64
    assert "Try 'likes-http --help'" in done.stderr


def test_it_says_what_it_is():
    assert run("likes-http", "--version").stdout.startswith("likes-http ")
    assert "--allow-remote" in run("likes-http", "--help").stdout


def test_a_stale_socket_file_is_replaced_and_a_live_one_is_not(start_gateway, daemon, place):
    path = f"{place}/http.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    first = start_gateway(daemon.socket, listen=(path,))
    done = run("likes-http", "--listen", path, "--socket", daemon.socket)
    assert done.returncode == 1
    assert "another process listens" in done.stderr
    assert first.request("GET", "/live").status == 200
    assert first.stop() == 0
    assert not os.path.exists(path)
    with open(path, "w", encoding="utf-8"):
        pass
    assert run("likes-http", "--listen", path, "--socket", daemon.socket).returncode == 1
    assert os.path.exists(path)


def test_a_used_port_is_told(start_gateway, daemon):
    port = start_gateway(daemon.socket).addresses[0][1]
    done = run("likes-http", "--listen", f"127.0.0.1:{port}", "--socket", daemon.socket)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr


def test_sockets_of_systemd_are_used_and_told_when_it_is_ready_and_stops(daemon, place):
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix, notifications(place) as notify:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(f"{place}/http.sock")
        for listening in (tcp, unix):
            listening.listen()
        server = ServerProcess(
            ["bash", "-c", SYSTEMD, tcp.fileno(), unix.fileno(), binary("likes-http"), "--socket", daemon.socket],
            place / "log",
            clean_environment(NOTIFY_SOCKET=f"{place}/notify", LISTEN_FDS=2),
            pass_fds=(tcp.fileno(), unix.fileno()),
        )
        try:
            assert notify.recv(100) == b"READY=1"
            for address in (tcp.getsockname(), unix.getsockname()):
                with Connection(address) as connection:
                    assert connection.request("GET", "/live").status == 200
            server.send(signal.SIGTERM)
            assert notify.recv(100) == b"STOPPING=1"
            assert server.wait() == 0
        finally:
            server.stop()
    assert os.path.exists(f"{place}/http.sock"), "it is systemd's"


# systemd numbers them from 3 on, and names the process.
SYSTEMD = 'exec 8<&$0 9<&$1 3<&8 4<&9 8<&- 9<&-; shift; LISTEN_PID=$$ exec "$@"'


def notifications(place):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(f"{place}/notify")
    listener.settimeout(60)
    return listener


# Ending


def test_term_answers_what_is_under_way(start_daemon, start_gateway, own_postgres, user, number):
    gateway = start_gateway(start_daemon(own_postgres).socket)
    body = json.dumps({"user_id": user, "item_id": number()})
    with gateway.connect() as idle, gateway.connect() as half, gateway.connect() as busy:
        whole = request("POST", "/v1/like", body)
        half.send(whole[:-5])
        own_postgres.pause()
        busy.send(whole)
        eventually(lambda: gateway.metrics()["likes_http_requests_under_way"] >= 1, "the like to be under way")
        gateway.server.send(signal.SIGTERM)
        assert idle.at_end()
        own_postgres.resume()
        answer = busy.read()
        assert answer.json()["status"] == "liked"
        assert answer.headers["connection"].lower() == "close"
        half.send(whole[-5:])
        assert half.read().json()["status"] == "already_liked"
    assert gateway.server.wait() == 0
