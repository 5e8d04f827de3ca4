"""Every request, in both forms and both versions of the protocol."""

import re

import pytest
from support.database import put_likes
from support.wire import FORMS, Map, array

BOTH_FORMS = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
BOTH_PROTOCOLS = pytest.mark.parametrize("protocol", [2, 3])
LARGEST = 2**63 - 1


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(request, daemon):
    """A connection of each version, and in each the array form."""
    with daemon.connect(request.param) as connection:
        yield connection


@BOTH_FORMS
@BOTH_PROTOCOLS
def test_a_like_changes_once_and_an_unlike_takes_it_back(daemon, form, protocol, user, item):
    with daemon.connect(protocol, form=form) as client:
        assert client.call("LIKE", user, item) == [1, 1]
        assert client.call("LIKE", user, item) == [0, 1]
        assert client.call("COUNT", item) == 1
        assert client.call("LIKED", user, item) == 1
        assert client.call("UNLIKE", user, item) == [1, 0]
        assert client.call("UNLIKE", user, item) == [0, 0]
        assert client.call("COUNT", item) == 0
        assert client.call("LIKED", user, item) == 0


@BOTH_FORMS
@BOTH_PROTOCOLS
def test_many_counts_and_likes_are_answered_in_the_order_asked(daemon, form, protocol, number):
    first, second, third = f"post:{number()}", f"reel:{number()}", f"comment:{number()}"
    one, two = number(), number()
    with daemon.connect(protocol, form=form) as client:
        for who, what in [(one, first), (two, first), (one, third)]:
            assert client.call("LIKE", who, what)[0] == 1
        assert client.call("MCOUNT", third, second, first, first) == [1, 0, 2, 2]
        assert client.call("MLIKED", two, third, second, first, first) == [0, 0, 1, 1]


def test_the_same_id_of_another_type_is_another_item(wire, number, user):
    same = number()
    assert wire.call("LIKE", user, f"post:{same}") == [1, 1]
    assert wire.call("MCOUNT", f"post:{same}", f"reel:{same}", f"comment:{same}") == [1, 0, 0]


def test_likes_of_several_users_add_up(wire, item, number):
    for expected in range(1, 6):
        assert wire.call("LIKE", number(), item) == [1, expected]


def test_replies_are_byte_for_byte_what_the_protocol_says(daemon, user, item):
    for protocol, map_start in [(2, b"*"), (3, b"%")]:
        with daemon.connect(protocol) as client:
            for request, reply in [
                (("LIKE", user, item), b"*2\r\n:1\r\n:1\r\n"),
                (("COUNT", item), b":1\r\n"),
                (("MCOUNT", item, item), b"*2\r\n:1\r\n:1\r\n"),
                (("MCOUNT", item, "WITHCACHED"), b"*2\r\n:1\r\n:1\r\n"),
                (("LIKED", user, item), b":1\r\n"),
                (("MLIKED", user, item), b"*1\r\n:1\r\n"),
                (("UNLIKE", user, item), b"*2\r\n:1\r\n:0\r\n"),
                (("PING",), b"+PONG\r\n"),
                (("PING", "hey"), b"$3\r\nhey\r\n"),
                (("ECHO", "hey"), b"$3\r\nhey\r\n"),
                (("HEALTH",), map_start),
            ]:
                client.send(array(*request))
                assert client.read_raw(len(reply)) == reply, (protocol, request)


def test_leading_zeros_name_the_same_user_and_item(wire, number):
    user, item = number(), number()
    assert wire.call("LIKE", f"{user:012}", f"post:{item:020}") == [1, 1]
    assert wire.call("LIKE", user, f"post:{item}") == [0, 1]
    assert wire.call("COUNT", f"post:{'0' * 30}{item}") == 1
    assert wire.call("LIKED", f"{user:05}", f"post:{item:06}") == 1


def test_the_smallest_and_the_largest_ids_are_ids(wire):
    for user in (0, LARGEST):
        for item in ("reel:0", f"reel:{LARGEST}"):
            assert wire.call("LIKE", user, item)[0] == 1
            assert wire.call("LIKED", user, item) == 1
            assert wire.call("UNLIKE", user, item)[0] == 1


@pytest.mark.parametrize("verb", ["count", "Count", "cOuNt"])
def test_verbs_may_be_written_in_any_case(wire, verb, item):
    assert wire.call(verb, item) == 0


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_ends_with_lf_or_crlf_and_blanks_may_repeat(wire, end, user, item):
    wire.send(f"  LIKE   {user}  {item} {end}{end}{end}COUNT {item}{end}".encode())
    assert wire.read() == [1, 1]
    assert wire.read() == 1


def test_a_thousand_items_are_answered(wire, number, user):
    items = [f"post:{number()}" for _ in range(1000)]
    liked = items[::7]
    for reply in wire.pipeline([("LIKE", user, item) for item in liked]):
        assert reply == [1, 1]
    expected = [int(item in liked) for item in items]
    assert wire.call("MCOUNT", *items) == expected
    assert wire.call("MLIKED", user, *items) == expected


def test_counts_come_from_postgresql_when_nothing_else_has_them(wire, sql, item, number):
    users = [number() for _ in range(3)]
    put_likes(sql, item, users)
    assert wire.call("COUNT", item) == 3
    assert wire.call("LIKED", users[0], item) == 1
    assert wire.call("LIKE", users[1], item) == [0, 3]


def test_configured_types_are_likeable_and_others_are_not(start_daemon, own_postgres, user, number):
    daemon = start_daemon(postgres=own_postgres, ITEM_TYPES="story,post,live-video_2")
    same = number()
    with daemon.connect() as client:
        assert client.call("LIKE", user, f"story:{same}") == [1, 1]
        assert client.call("LIKE", user, f"live-video_2:{same}") == [1, 1]
        assert client.call("COUNT", f"post:{same}") == 0
        assert client.call("COUNT", f"reel:{same}").code == "ERR"
    with own_postgres.connect() as sql:
        types = dict(sql.execute("SELECT name, id FROM item_types").fetchall())
    assert types["post"] == 1
    assert min(types["story"], types["live-video_2"]) > 3


def test_hosts_with_other_orders_of_types_mean_the_same_items(start_daemon, own_postgres, own_redis, user, number):
    same = number()
    one = start_daemon(own_postgres, own_redis, ITEM_TYPES="story,poll,post")
    two = start_daemon(own_postgres, own_redis, ITEM_TYPES="post,poll,story")
    assert one.call("LIKE", user, f"poll:{same}") == [1, 1]
    assert two.call("LIKE", user, f"poll:{same}") == [0, 1]
    assert two.call("LIKE", user, f"story:{same}") == [1, 1]
    assert one.call("MLIKED", user, f"post:{same}", f"poll:{same}", f"story:{same}") == [0, 1, 1]


def test_health_is_a_map_that_says_ok(daemon, client):
    reply = client.call("HEALTH")
    pairs = dict(reply) if isinstance(reply, Map) else dict(zip(reply[::2], reply[1::2], strict=True))
    assert pairs[b"status"] == b"ok"
    assert pairs[b"database"] == b"healthy"
    assert pairs[b"redis"] == b"healthy"


def test_info_has_sections_of_names_and_values(client):
    text = client.call("INFO").decode()
    sections = re.findall(r"^# (\w+)\r$", text, re.M)
    assert "Server" in sections
    for line in text.split("\r\n"):
        assert line == "" or line.startswith("# ") or re.fullmatch(r"[a-z0-9_]+:.*", line), line
    only = client.call("INFO", "server").decode()
    assert re.findall(r"^# (\w+)\r$", only, re.M) == ["Server"]
    assert client.call("INFO", "SERVER").decode().split("\r\n")[0] == "# Server"


def test_metrics_are_prometheus_text(client):
    text = client.call("METRICS").decode()
    assert text.endswith("\n")
    typed, samples = set(), 0
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert kind in ("counter", "gauge", "histogram", "summary")
            typed.add(name)
        elif not line.startswith("# HELP "):
            found = re.fullmatch(
                r'([a-z_][a-z0-9_]*)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? (-?[0-9.e+-]+|[+-]Inf|NaN)', line
            )
            assert found, line
            assert re.sub(r"_(bucket|sum|count)$", "", found[1]) in typed or found[1] in typed, line
            samples += 1
    assert samples > 0


def test_ping_and_echo_answer_as_redis_does(client):
    assert client.call("PING") == "PONG"
    assert client.call("PING", "two words") == b"two words"
    assert client.call("ECHO", b"\x00\r\n\xff") == b"\x00\r\n\xff"
    assert client.call("ECHO", "") == b""


def test_quit_says_ok_and_closes(wire):
    assert wire.call("QUIT") == "OK"
    assert wire.at_end()


def test_reset_goes_back_to_resp2(daemon):
    with daemon.connect(protocol=3) as client:
        assert isinstance(client.call("HEALTH"), Map)
        assert client.call("RESET") == "RESET"
        assert isinstance(client.call("HEALTH"), list)
        assert not isinstance(client.call("HEALTH"), Map)


def test_hello_switches_the_protocol_and_refuses_unknown_versions(wire):
    flat = wire.call("HELLO")
    assert dict(zip(flat[::2], flat[1::2], strict=True))[b"proto"] == 2
    assert dict(wire.call("HELLO", 3))[b"proto"] == 3
    assert wire.call("HELLO", 4).code == "NOPROTO"
    assert isinstance(wire.call("HEALTH"), Map)
    assert not isinstance(wire.call("HELLO", 2), Map)


def test_what_clients_send_on_their_own_never_fails(client):
    assert client.call("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == "OK"
    assert client.call("CLIENT", "SETINFO", "LIB-VER", "8.1.0") == "OK"
    assert client.call("CLIENT", "SETNAME", "feed") == "OK"
    assert client.call("CLIENT", "GETNAME") == b"feed"
    assert client.call("CLIENT", "ID") > 0
    assert client.call("SELECT", 0) == "OK"
    assert client.call("SELECT", 1).code == "ERR"
    for request in [("COMMAND",), ("COMMAND", "DOCS"), ("CONFIG", "GET", "save"), ("CONFIG", "GET", "appendonly")]:
        assert getattr(client.call(*request), "code", None) is None, request
