"""The proxy does what networks do, and nothing else."""

import contextlib
import socket
import threading
import time

import pytest
from support.waiting import eventually

from Chaos.proxy import ANSWER, REQUEST, Proxy

SECONDS_MAX = 20
# Long enough for a byte to have come if it were to come; a slow machine makes this test weaker, never wrong.
SILENCE_SECONDS = 0.2


class Echo:
    """A server that sends back what it gets, and remembers it."""

    def __init__(self, path):
        self.got = b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(1 << 16):
                self.got += data
                connection.sendall(data)

    def close(self):
        self.listener.close()


@pytest.fixture
def echo(folder):
    server = Echo(folder / "echo.sock")
    yield server
    server.close()


@pytest.fixture
def proxy(folder, echo):
    board = Proxy()
    board.add("link", folder / "echo.sock", folder / "link.sock")
    yield board
    board.close()


@pytest.fixture
def connect(folder):
    with contextlib.ExitStack() as opened:

        def connect():
            client = opened.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(SECONDS_MAX)
            client.connect(str(folder / "link.sock"))
            return client

        yield connect


def says(client, data):
    client.sendall(data)
    return hears(client, len(data)) == data


def hears(client, length):
    got = b""
    while len(got) < length:
        more = client.recv(length - len(got))
        assert more, "closed"
        got += more
    return got


def is_closed(client):
    """Whether the connection ends, and nothing comes before that."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def is_silent(client):
    client.settimeout(SILENCE_SECONDS)
    try:
        client.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        client.settimeout(SECONDS_MAX)


def test_bytes_pass_both_ways_unchanged(proxy, connect):
    client = connect()
    assert says(client, b"hello")
    large = bytes(range(256)) * 4000
    sender = threading.Thread(target=client.sendall, args=(large,), daemon=True)
    sender.start()
    assert hears(client, len(large)) == large
    sender.join()


def test_a_close_passes(proxy, connect, echo, folder):
    client = connect()
    assert says(client, b"hello")
    client.shutdown(socket.SHUT_WR)
    assert is_closed(client)


def test_a_cut_ends_what_is_connected_and_new_connections_work(proxy, connect):
    one, two = connect(), connect()
    assert says(one, b"1")
    assert says(two, b"2")
    proxy.cut("link")
    assert is_closed(one)
    assert is_closed(two)
    assert says(connect(), b"3")


def test_refused_means_cut_and_nobody_there_until_it_passes_again(proxy, connect):
    client = connect()
    assert says(client, b"1")
    proxy.set("link", "refuse")
    assert is_closed(client)
    with pytest.raises(OSError, match=r"refused|No such file"):
        connect()
    proxy.set("link", "pass")
    assert says(connect(), b"2")


def test_frozen_forwards_nothing_and_later_all_that_was_held_back(proxy, connect, echo):
    client = connect()
    assert says(client, b"1")
    proxy.set("link", "freeze")
    client.sendall(b"2")
    late = connect()
    late.sendall(b"3")
    assert is_silent(client)
    assert is_silent(late)
    assert echo.got == b"1"
    proxy.set("link", "pass")
    assert hears(client, 1) == b"2"
    assert hears(late, 1) == b"3"


def test_held_connections_are_frozen_while_new_ones_work(proxy, connect, echo):
    client = connect()
    assert says(client, b"1")
    proxy.hold("link")
    client.sendall(b"2")
    assert says(connect(), b"3")
    client.close()
    assert says(connect(), b"4")
    assert echo.got == b"134"
    proxy.set("link", "pass")
    eventually(lambda: echo.got == b"1342", "what was held back")


def test_what_was_on_its_way_when_a_connection_was_severed_arrives_later(proxy, connect, echo):
    client = connect()
    assert says(client, b"1")
    proxy.hold("link")
    client.sendall(b"2")
    proxy.sever("link")
    assert is_closed(client)
    assert says(connect(), b"3")
    assert echo.got == b"13"
    proxy.set("link", "pass")
    eventually(lambda: echo.got == b"132", "what was held back")
    assert says(connect(), b"4")


def test_held_connections_can_be_cut(proxy, connect, echo):
    client = connect()
    assert says(client, b"1")
    proxy.hold("link")
    client.sendall(b"2")
    proxy.cut("link")
    assert is_closed(client)
    proxy.set("link", "pass")
    assert says(connect(), b"3")
    assert echo.got == b"13"


def test_what_a_client_sent_before_it_went_arrives_after_the_freeze(proxy, connect, echo):
    """As a statement does whose sender has given up: the server executes it, unheard."""
    client = connect()
    assert says(client, b"1")
    proxy.set("link", "freeze")
    client.sendall(b"2")
    client.close()
    proxy.set("link", "pass")
    eventually(lambda: echo.got == b"12", "what was held back")


def test_what_was_frozen_and_cut_is_lost(proxy, connect, echo):
    client = connect()
    assert says(client, b"1")
    proxy.set("link", "freeze")
    client.sendall(b"2")
    proxy.cut("link")
    assert is_closed(client)
    proxy.set("link", "pass")
    assert says(connect(), b"3")
    assert echo.got == b"13"


def test_a_lost_request_never_arrives(proxy, connect, echo):
    client, other = connect(), connect()
    assert says(client, b"name=lane")
    assert says(other, b"name=reader")
    proxy.lose("link", REQUEST, "lane")
    assert says(other, b"2")
    assert proxy.is_losing("link")
    client.sendall(b"3")
    assert is_closed(client)
    assert not proxy.is_losing("link")
    assert says(connect(), b"4")
    assert b"3" not in echo.got


def test_a_lost_answer_was_executed(proxy, connect, echo):
    client = connect()
    assert says(client, b"name=lane")
    proxy.lose("link", ANSWER, "lane")
    client.sendall(b"2")
    assert is_closed(client)
    assert echo.got == b"name=lane2"


def test_a_delay_delays_and_keeps_the_order(proxy, connect):
    client = connect()
    proxy.set("link", "pass", delay=0.1)
    began = time.monotonic()
    assert says(client, b"1")
    assert time.monotonic() - began >= 0.2
    proxy.set("link", "pass")
    assert says(client, b"2")


def test_another_upstream_takes_the_new_connections(proxy, connect, folder):
    other = Echo(folder / "other.sock")
    client = connect()
    assert says(client, b"1")
    proxy.point("link", folder / "other.sock")
    assert says(client, b"2")
    assert says(connect(), b"3")
    assert other.got == b"3"
    other.close()


def test_a_link_can_listen_on_a_port(proxy, folder, echo):
    port = proxy.add("port", folder / "echo.sock")
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as client:
        assert says(client, b"1")
        proxy.cut("port")
        assert is_closed(client)


def test_without_a_server_behind_it_connections_end(proxy, folder):
    proxy.add("nowhere", folder / "nobody.sock", folder / "nowhere.sock")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS_MAX)
        client.connect(str(folder / "nowhere.sock"))
        assert is_closed(client)
