"""A likesd that takes connections and says nothing: what likes-http sends to it, tells its clients, and keeps."""

import contextlib
import json
import socket
import threading
import time

import pytest
from support.http_gateway import request
from support.waiting import eventually

LINKS = 4


class Stand:
    """What stands at likesd's place. It answers the first question of each connection until it is mute."""

    def __init__(self, path):
        self.is_mute = False
        self.received = []
        self.connections = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.acceptor = threading.Thread(target=self.accept)
        self.acceptor.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                self.received.append(b"")
                threading.Thread(target=self.read, args=(connection, len(self.received) - 1), daemon=True).start()

    def read(self, connection, place):
        with contextlib.suppress(OSError):
            while data := connection.recv(1 << 16):
                self.received[place] += data
                if not self.is_mute:
                    info = b"# Server\r\nitem_types:post,reel,comment\r\n"
                    connection.sendall(b"$%d\r\n%s\r\n" % (len(info), info))

    def hang_up(self):
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def hang_up_in_turns(self, seconds):
        """Ends the newest connection, again and again, until the event that it returns is set."""
        is_over = threading.Event()

        def run():
            while not is_over.wait(seconds):
                with contextlib.suppress(OSError):
                    self.connections[-1].shutdown(socket.SHUT_RDWR)

        threading.Thread(target=run, daemon=True).start()
        return is_over

    def end(self):
        self.hang_up()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join()
        for one in (self.listener, *self.connections):
            one.close()


@pytest.fixture
def stand(place):
    server = Stand(place / "mute.sock")
    yield server
    server.end()


@pytest.fixture
def gateway(stand, start_gateway, place):
    """It knows the item types, and all its connections are mute."""
    server = start_gateway(place / "mute.sock")
    eventually(lambda: sum(b"INFO" in data for data in stand.received) >= LINKS, "its connections")
    assert server.request("POST", "/v1/like", {"user_id": "x"}).status == 422
    stand.is_mute = True
    stand.hang_up()
    eventually(lambda: sum(b"INFO" in data for data in stand.received) >= 2 * LINKS, "its connections")
    return server


def test_nothing_is_sent_before_likesd_has_answered(gateway, stand):
    """Who hangs up then may have read it or not. A like would be sent again without knowing, or be uncertain."""
    with gateway.connect() as connection:
        connection.send(request("POST", "/v1/like", json.dumps({"user_id": 1, "item_id": 2})))
        # Whatever came before the first of these has been dealt with before the second.
        for _ in range(2):
            assert gateway.request("GET", "/live").status == 200
        stand.hang_up()
        answer = connection.read()
    assert (answer.status, answer.json()["detail"]["error"]) == (503, "unavailable")
    assert not any(b"LIKE" in data for data in stand.received)


@pytest.mark.parametrize("stops", [False, True])
def test_before_likesd_has_said_its_types_a_request_waits_no_longer_either(stand, start_gateway, place, stops):
    """Also while its connections end one by one, and at a stop."""
    stand.is_mute = True
    gateway = start_gateway(place / "mute.sock")
    eventually(lambda: sum(b"INFO" in data for data in stand.received) >= LINKS, "its connections")
    with gateway.connect() as connection, contextlib.ExitStack() as ends:
        began = time.monotonic()
        connection.send(request("GET", "/v1/count?item_id=1"))
        if stops:
            eventually(lambda: gateway.metrics()["likes_http_connections"] >= 1, "the request to have begun")
            gateway.server.process.terminate()
        else:
            ends.callback(stand.hang_up_in_turns(1).set)
        answer = connection.read()
        assert (answer.status, answer.json()["detail"]["error"]) == (503, "unavailable")
        assert 9 < time.monotonic() - began < 14
    if stops:
        assert gateway.server.process.wait(timeout=15) == 0


def test_who_waited_in_vain_is_forgotten(gateway):
    """Clients come again and again while likesd hangs."""
    answers = []

    def ask():
        answers.append(gateway.request("GET", "/v1/count?item_id=1"))

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert [answer.json()["detail"]["error"] for answer in answers] == ["unavailable"] * 3
    # Of the asking request itself nothing waits yet.
    assert gateway.metrics()["likes_http_requests_waiting"] == 0
