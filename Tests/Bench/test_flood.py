"""flood.c: what it asks, what it takes for a reply, what it refuses; and what is read of its output."""

import contextlib
import dataclasses
import re
import socket
import threading

import pytest

from bench.flood import build, flood, parse
from bench.load import LoadError
from bench.rows.counts import PLAN, limited

# A server that has not heard from its client for so long gives up, so that no test hangs.
SILENCE_SECONDS = 10
BYTES_MAX = 65_536


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("flood"))


@contextlib.contextmanager
def server(path, replies, size=None):
    """Answers what one client sends with these bytes, at once or in pieces, and ends; what came, as a list."""
    came = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(SILENCE_SECONDS)
        listener.bind(str(path))
        listener.listen()

        def serve():
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(SILENCE_SECONDS)
                came.append(client.recv(BYTES_MAX))
                for start in range(0, len(replies), size or len(replies)):
                    client.sendall(replies[start : start + (size or len(replies))])
                client.shutdown(socket.SHUT_WR)
                client.recv(BYTES_MAX)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield came
        finally:
            thread.join(SILENCE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture
def ask(program, tmp_path):
    """One batch of one connection, answered with these bytes: the Load, and what was asked."""

    def run(replies, items=1, depth=1, size=None):
        with server(tmp_path / "s", replies, size) as came:
            load = flood(
                program, tmp_path / "s", "MCOUNT", "post:", requests=depth, items=items, connections=1,
                pipeline=depth, keys=100,
            )  # fmt: skip
        return load, came[0]

    return run


def test_requests_are_arrays_of_drawn_keys(ask):
    load, asked = ask(b"*2\r\n:0\r\n:1\r\n" * 3, items=2, depth=3)
    key = rb"\$17\r\npost:0000000000\d\d\r\n"
    assert re.fullmatch(rb"(\*3\r\n\$6\r\nMCOUNT\r\n" + key * 2 + rb"){3}", asked)
    assert load.requests == 3
    assert load.per_second > 0
    assert load.client_busy >= 0


@pytest.mark.parametrize("size", [None, 1, 2, 3, 5])
def test_counts_may_have_any_length_and_come_in_any_pieces(ask, size):
    ask(b":0\r\n:9223372036854775807\r\n$3\r\n417\r\n", depth=3, size=size)


@pytest.mark.parametrize("size", [None, 1, 4])
def test_arrays_hold_integers_or_strings(program, tmp_path, ask, size):
    ask(b"*3\r\n:0\r\n:12\r\n:345\r\n*3\r\n$1\r\n0\r\n$2\r\n12\r\n:7\r\n", items=3, depth=2, size=size)


@pytest.mark.parametrize(
    ("replies", "items", "named"),
    [
        (b"-BUSY too many\r\n", 1, "-BUSY too many"),
        (b"*2\r\n:1\r\n-ERR no\r\n", 2, "-ERR no"),
        (b"-UNAVAILABLE try again\r\n", 2, "-UNAVAILABLE"),
        (b"*3\r\n:1\r\n:1\r\n:1\r\n", 2, "array of 3 instead of 2"),
        (b"*1\r\n:1\r\n", 1, "instead of a count"),
        (b":1\r\n", 2, "instead of an array"),
        (b"$-1\r\n", 1, "instead of a number"),
        (b":\r\n", 1, "instead of a number"),
        (b":1x\r\n", 1, "instead of a number"),
        (b":12345678901234567890\r\n", 1, "instead of a number"),
        (b":1\n", 1, "instead of a number"),
        (b"$0\r\n\r\n", 1, "instead of a count"),
        (b"$2\r\n1x\r\n", 1, "a digit of a count"),
        (b"$1\r\n12\r\n", 1, "the end of a count"),
        (b"+OK\r\n", 1, "instead of a count"),
        (b":1\r\n:2\r\n", 1, "nothing more"),
        (b":1", 1, "closed"),
    ],
)
def test_a_reply_that_is_not_what_was_asked_for_fails_the_run(ask, replies, items, named):
    with pytest.raises(LoadError, match=re.escape(named)):
        ask(replies, items=items)


def test_without_a_server_it_says_so(program, tmp_path):
    with pytest.raises(LoadError, match="connecting to"):
        flood(program, tmp_path / "nobody", "COUNT", "post:", requests=1, keys=1)


@pytest.mark.parametrize("wrong", [{"items": 0}, {"pipeline": -1}, {"keys": "x"}, {"connections": 1_001}])
def test_numbers_out_of_range_are_refused(program, tmp_path, wrong):
    with pytest.raises(LoadError, match="not '"):
        flood(program, tmp_path / "nobody", "COUNT", "post:", **{"requests": 1, "keys": 1, **wrong})


def test_its_line_is_read():
    load = parse('{"requests": 100, "seconds": 2.0, "per_second": 50.0, "cpu_seconds": 1.5}\n')
    assert load.sample() == {"per_second": 50, "client_busy": 0.75}


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"requests": 1, "seconds": 0, "cpu_seconds": 0}'])
def test_anything_else_is_no_result(text):
    with pytest.raises(LoadError, match="no result"):
        parse(text)


def test_what_redis_benchmark_limits_has_no_target():
    row = limited(PLAN["count16"])
    assert "by redis-benchmark" in row.title
    for target in (row.per_second, row.cpu):
        assert set(dataclasses.asdict(target).values()) <= {None, True}
    assert not PLAN["count"].floods
