"""Order within a connection: of the replies, and of the effects."""

import random

import pytest
from support.database import put_likes
from support.model import Model, random_request
from support.relay import RedisRelay
from support.wire import FORMS, array, inline


def test_each_effect_of_a_pipeline_is_seen_by_what_follows(daemon, user, item):
    with daemon.connect() as client:
        assert client.pipeline(
            [
                ("LIKE", user, item),
                ("COUNT", item),
                ("LIKED", user, item),
                ("UNLIKE", user, item),
                ("COUNT", item),
                ("LIKED", user, item),
            ]
        ) == [[1, 1], 1, 1, [1, 0], 0, 0]


def test_a_count_before_a_like_does_not_see_it_and_one_after_does(daemon, user, item):
    with daemon.connect() as client:
        assert client.pipeline([("COUNT", item), ("LIKE", user, item), ("COUNT", item)]) == [0, [1, 1], 1]


def test_a_liked_before_a_like_does_not_see_it_and_one_after_does(daemon, user, item):
    with daemon.connect() as client:
        assert client.pipeline([("LIKED", user, item), ("LIKE", user, item), ("LIKED", user, item)]) == [0, [1, 1], 1]


def test_many_counts_around_changes_see_those_before_them(daemon, number):
    one, two, first, second = number(), number(), f"post:{number()}", f"reel:{number()}"
    with daemon.connect() as client:
        assert client.pipeline(
            [
                ("MCOUNT", first, second),
                ("LIKE", one, first),
                ("MCOUNT", first, second),
                ("LIKE", two, second),
                ("UNLIKE", one, first),
                ("MCOUNT", second, first),
            ]
        ) == [[0, 0], [1, 1], [1, 0], [1, 1], [1, 0], [1, 0]]


def test_many_liked_around_changes_see_those_before_them(daemon, user, number):
    first, second = f"post:{number()}", f"reel:{number()}"
    with daemon.connect() as client:
        assert client.pipeline(
            [
                ("MLIKED", user, first, second),
                ("LIKE", user, second),
                ("MLIKED", user, first, second),
                ("UNLIKE", user, second),
                ("MLIKED", user, first, second),
            ]
        ) == [[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]


def test_order_holds_for_likes_that_nothing_has_cached(daemon, sql, number):
    item, known, new = f"post:{number()}", number(), number()
    put_likes(sql, item, [known])
    with daemon.connect() as client:
        assert client.pipeline(
            [
                ("COUNT", item),
                ("LIKED", known, item),
                ("LIKE", new, item),
                ("COUNT", item),
                ("UNLIKE", known, item),
                ("LIKED", known, item),
                ("COUNT", item),
            ]
        ) == [1, 1, [1, 2], 2, [1, 1], 0, 1]


def test_likes_and_unlikes_of_one_pair_alternate(daemon, user, item):
    with daemon.connect() as client:
        replies = client.pipeline([("LIKE", user, item), ("UNLIKE", user, item)] * 50)
        assert replies == [[1, 1], [1, 0]] * 50


def test_duplicates_in_one_pipeline_change_once(daemon, user, item):
    with daemon.connect() as client:
        assert client.pipeline([("LIKE", user, item)] * 100) == [[1, 1]] + [[0, 1]] * 99


def test_both_forms_mix_on_one_connection(daemon, user, item):
    with daemon.connect() as client:
        client.send(
            inline("LIKE", user, item)
            + array("COUNT", item)
            + inline("LIKED", user, item, end="\r\n")
            + array("PING")
            + b"\r\n"
            + inline("ECHO", "text")
            + array("UNLIKE", user, item)
        )
        assert [client.read() for _ in range(6)] == [[1, 1], 1, 1, "PONG", b"text", [1, 0]]


def test_errors_take_their_turn_between_replies(daemon, user, item):
    with daemon.connect() as client:
        replies = client.pipeline(
            [("LIKE", user, item), ("NOPE",), ("COUNT", item), ("COUNT", "story:1"), ("LIKE", user, item), ("PING",)]
        )
        assert [getattr(reply, "code", reply) for reply in replies] == [[1, 1], "ERR", 1, "ERR", [0, 1], "PONG"]


def test_a_request_may_come_byte_by_byte(daemon, user, item):
    with daemon.connect() as client:
        for data in (inline("LIKE", user, item), array("COUNT", item)):
            for position in range(len(data)):
                client.send(data[position : position + 1])
        assert client.read() == [1, 1]
        assert client.read() == 1


def test_a_client_that_half_closes_gets_all_its_answers(daemon, number):
    items = [f"post:{number()}" for _ in range(200)]
    user = number()
    with daemon.connect() as client:
        client.send(b"".join(inline("LIKE", user, item) for item in items) + b"COUNT unfinished")
        client.end()
        assert [client.read() for _ in items] == [[1, 1]] * len(items)
        assert client.at_end()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("protocol", [2, 3])
def test_any_pipeline_answers_as_executing_it_in_order_would(daemon, number, form, protocol, seed):
    source = random.Random(f"{seed} {protocol} {form.__name__}")
    model = Model()
    users = [number() for _ in range(6)]
    items = [f"{kind}:{number()}" for kind in ("post", "post", "reel", "comment")]
    with daemon.connect(protocol, form=form) as client:
        for _ in range(40):
            requests = [random_request(source, users, items) for _ in range(source.choice([1, 2, 5, 60]))]
            expected = [model.apply(request) for request in requests]
            assert_in_order(requests, client.pipeline(requests), expected)


def assert_in_order(requests, replies, expected):
    """The count in a change's reply is one of a moment between request and reply: of then, or of a later change."""
    for place, (request, reply, wanted) in enumerate(zip(requests, replies, expected, strict=True)):
        context = (place, request, reply, wanted, requests)
        if request[0] in ("LIKE", "UNLIKE"):
            assert reply[0] == wanted[0], context
            later = [
                answer[1]
                for other, answer in zip(requests[place:], expected[place:], strict=True)
                if other[0] in ("LIKE", "UNLIKE") and other[2] == request[2]
            ]
            assert reply[1] in later, context
        else:
            assert reply == wanted, context


def test_a_pipeline_larger_than_every_buffer_is_answered_in_order(daemon, number, seed):
    source = random.Random(seed)
    model = Model()
    users, items = [number() for _ in range(50)], [f"post:{number()}" for _ in range(50)]
    requests = [random_request(source, users, items) for _ in range(5000)]
    expected = [model.apply(request) for request in requests]
    with daemon.connect() as client:
        assert_in_order(requests, client.pipeline(requests), expected)


def test_a_like_and_an_unlike_keep_their_order_when_redis_loses_its_scripts(start_daemon, own_redis, place, user, item):
    """Two admissions are on the wire; Redis does not know the script of the first, and that of the second again."""
    scripts = []

    def note(piece):
        if piece.words and piece.words[:2] == [b"SCRIPT", b"LOAD"]:
            scripts.append(piece.words[2])
        return piece.data

    def is_admission(piece):
        return b"rate:%d:likes" % user in (piece.words or [])

    with RedisRelay(place / "redis.sock", own_redis.socket) as relay:
        relay.change = note
        daemon = start_daemon(redis=own_redis, REDIS_URL=f"unix://{place}/redis.sock", REDIS_TIMEOUT_MS=20_000)
        with own_redis.client() as cache, daemon.connect() as client:
            relay.requests.close(is_admission)
            relay.replies.close(is_admission)
            for count, verb in enumerate(["LIKE", "UNLIKE"], 1):
                client.send(client.form(verb, user, item))
                relay.requests.wait_for(count, f"the admission of the {verb}")
            cache.script_flush()
            relay.requests.let(1)
            relay.replies.wait_for(1, "Redis to miss the script")
            for script in scripts:
                cache.script_load(script)
            relay.requests.open()
            relay.replies.wait_for(2, "Redis to have done the second")
            relay.replies.open()
            assert client.read() == [1, 1]
            assert client.read() == [1, 0]
            assert client.call("LIKED", user, item) == 0
        daemon.wait_healthy()
