"""http_flood.c: what it asks, what it takes for a response, what it refuses."""

import socket
import threading

import pytest

from bench.flood import HTTP_SOURCE, build, http_flood
from bench.load import LoadError

SILENCE_SECONDS = 10
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nContent-Length: 3\r\n\r\nabc"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("flood"), HTTP_SOURCE)


@pytest.fixture
def ask(program):
    """Requests on one connection, each answered with these bytes, in pieces: the Load, and what was asked."""

    def run(response, requests=1, size=None, **options):
        came = []
        with socket.socket() as listener:
            listener.settimeout(SILENCE_SECONDS)
            listener.bind(("127.0.0.1", 0))
            listener.listen()

            def serve():
                client, _ = listener.accept()
                with client:
                    client.settimeout(SILENCE_SECONDS)
                    while data := client.recv(65_536):
                        came.append(data)
                        for start in range(0, len(response), size or len(response)):
                            client.sendall(response[start : start + (size or len(response))])

            thread = threading.Thread(target=serve)
            thread.start()
            try:
                load = http_flood(
                    program, listener.getsockname()[1], "/x?i=", requests=requests, connections=1, **options
                )
            finally:
                thread.join(SILENCE_SECONDS)
                assert not thread.is_alive()
        return load, came

    return run


def test_each_request_is_answered_before_the_next(ask):
    load, came = ask(RESPONSE, requests=3)
    assert load.requests == 3
    assert came == [b"GET /x?i= HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"] * 3


def test_a_response_may_come_in_pieces(ask):
    assert ask(RESPONSE, requests=2, size=1)[0].requests == 2


def test_keys_are_below_their_number(ask):
    _, came = ask(RESPONSE, requests=20, keys=5)
    keys = {int(data.split(b" ")[1].removeprefix(b"/x?i=")) for data in came}
    assert len(keys) > 1
    assert keys <= set(range(5))


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (RESPONSE.replace(b"200 OK", b"503 Busy"), "answered with"),
        (RESPONSE.replace(b"Content-Length", b"X-Length"), "without Content-Length"),
        (RESPONSE + b"more", "more than one"),
    ],
)
def test_another_response_ends_the_run(ask, response, words):
    with pytest.raises(LoadError, match=words):
        ask(response)
