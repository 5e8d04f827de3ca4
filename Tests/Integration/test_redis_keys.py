"""What stands in Redis: the reference's keys to the letter, and what becomes of strange contents."""

import re

import pytest
from support.database import counter, likes, put_likes
from support.seals import Sealer
from support.waiting import eventually

TTL_SLACK_SECONDS = 120


GENERATION = "likesd:generation"


def version_key(item):
    return f"{{counter:{item}}}:version"


def token(cache):
    """What begins the version of each counter that is believed."""
    return eventually(lambda: cache.get(GENERATION), "a daemon to mark Redis' data").split(" ")[4]


def test_a_like_leaves_the_reference_keys(wire, cache, number):
    user, item = number(), f"post:{number()}"
    assert wire.call("LIKE", user, item) == [1, 1]
    assert cache.get(f"counter:{item}") == "1"
    assert cache.type(f"recent_likes:{user}") == "set"
    assert cache.smembers(f"recent_likes:{user}") == {item}
    assert wire.call("UNLIKE", user, item) == [1, 0]
    assert cache.get(f"counter:{item}") == "0"
    assert not cache.sismember(f"recent_likes:{user}", item)


def test_keys_carry_no_leading_zeros(start_daemon, cache, number):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=100)
    user, same = number(), number()
    assert daemon.call("LIKE", f"{user:012}", f"post:{same:012}") == [1, 1]
    assert cache.get(f"counter:post:{same}") == "1"
    assert cache.smembers(f"recent_likes:{user}") == {f"post:{same}"}
    assert cache.get(f"rate:{user}:likes") == "1"
    assert not cache.exists(f"counter:post:{same:012}", f"recent_likes:{user:012}", f"rate:{user:012}:likes")


def test_keys_live_as_long_as_configured(start_daemon, cache, user, item):
    daemon = start_daemon(
        CACHE_TTL_SECONDS=1800, RECENT_LIKES_TTL=7200, RATE_LIMIT_REQUESTS=10, RATE_LIMIT_WINDOW_SECONDS=300
    )
    assert daemon.call("LIKE", user, item) == [1, 1]
    for key in (f"counter:{item}", version_key(item)):
        assert 1800 - TTL_SLACK_SECONDS <= cache.ttl(key) <= 1800 + TTL_SLACK_SECONDS, key
    assert 7200 - 200 <= cache.ttl(f"recent_likes:{user}") <= 7200
    assert 1 <= cache.ttl(f"rate:{user}:likes") <= 300


def test_the_version_beside_a_counter_is_postgresqls(wire, cache, sql, item, number):
    for _ in range(3):
        assert wire.call("LIKE", number(), item)[0] == 1
    found, _, rest = cache.get(version_key(item)).partition(".")
    version, seal, told = re.split("[:!]", rest)
    assert (found, version, len(seal)) == (token(cache), str(counter(sql, item)[1]), 17)
    assert re.fullmatch("[0-9]{6}", told)


def test_a_miss_fills_the_cache_items_without_likes_included(daemon, cache, sql, number):
    liked, never = f"post:{number()}", f"reel:{number()}"
    put_likes(sql, liked, [number(), number()])
    assert daemon.call("MCOUNT", liked, never) == [2, 0]
    eventually(lambda: cache.mget(f"counter:{liked}", f"counter:{never}") == ["2", "0"], "both counters in Redis")
    assert cache.ttl(f"counter:{never}") > 0


def test_a_counter_in_redis_spares_postgresql_the_question(daemon, cache, sql, number):
    def is_spared():
        item = f"post:{number()}"
        put_likes(sql, item, [number()])
        # A count that only Redis can have said.
        cache.set(f"counter:{item}", 41, ex=600)
        cache.set(version_key(item), Sealer(sql).version(token(cache), item, 41, 1), ex=600)
        return daemon.call("COUNT", item) == 41

    # Not before all that Redis may lack was looked up.
    eventually(is_spared, "a count to come from Redis")


@pytest.mark.parametrize("with_version", ["none", "garbage", "list", "number", "other"])
def test_a_counter_without_its_version_is_not_believed(start_daemon, cache, sql, number, item, with_version):
    put_likes(sql, item, [number(), number()])
    cache.set(f"counter:{item}", 999, ex=600)
    if with_version == "garbage":
        cache.set(version_key(item), "-x1", ex=600)
    elif with_version == "list":
        cache.rpush(version_key(item), "1")
    elif with_version == "number":
        cache.set(version_key(item), "1", ex=600)
    elif with_version == "other":
        cache.set(version_key(item), "0123456789ab.1", ex=600)
    assert start_daemon().call("COUNT", item) == 2


def test_a_newer_counter_is_not_overwritten_by_an_older_one(start_daemon, cache, sql, number, item):
    put_likes(sql, item, [number()])
    daemon = start_daemon()
    cache.set(f"counter:{item}", 777, ex=600)
    version = Sealer(sql).version(token(cache), item, 777, 10**6)
    cache.set(version_key(item), version, ex=600)
    assert daemon.call("LIKE", number(), item) == [1, 2]
    assert cache.get(f"counter:{item}") == "777"
    assert cache.get(version_key(item)) == version


def test_a_version_that_no_history_reaches_is_not_put_into_redis(start_daemon, cache, sql, number, item):
    put_likes(sql, item, [number()])
    daemon = start_daemon()
    assert daemon.call("COUNT", item) == 1
    sql.execute("UPDATE counters SET version = %s WHERE item_id = %s", (2**53 - 2, int(item.split(":")[1])))
    assert daemon.call("LIKE", number(), item) == [1, 2]
    assert cache.get(version_key(item)).startswith(f"{token(cache)}.{2**53 - 1}:")
    assert daemon.call("LIKE", number(), item) == [1, 3]
    assert cache.get(version_key(item)).startswith(f"{token(cache)}.{2**53 - 1}:")
    assert daemon.call("COUNT", item) == 3


def test_strange_contents_under_a_counters_name_are_replaced(start_daemon, cache, number):
    daemon = start_daemon()
    for put in (lambda key: cache.set(key, "many"), lambda key: cache.rpush(key, "1"), lambda key: cache.set(key, "")):
        item = f"post:{number()}"
        put(f"counter:{item}")
        assert daemon.call("COUNT", item) == 0
        assert daemon.call("LIKE", number(), item) == [1, 1]
        assert cache.get(f"counter:{item}") == "1"
        assert cache.ttl(f"counter:{item}") > 0


def test_recent_likes_stay_within_their_limit(start_daemon, cache, number, user):
    daemon = start_daemon(RECENT_LIKES_MAX=5)
    items = [f"post:{number()}" for _ in range(20)]
    with daemon.connect() as client:
        for item in items[:10]:
            assert client.call("LIKE", user, item) == [1, 1]
            assert cache.scard(f"recent_likes:{user}") <= 5
        client.pipeline([("LIKE", user, item) for item in items[10:]])
        assert 1 <= cache.scard(f"recent_likes:{user}") <= 5
        # What fell out of the set is still liked.
        assert client.call("MLIKED", user, *items) == [1] * 20
        assert client.call("LIKE", user, items[0]) == [0, 1]


def test_strange_contents_under_the_recent_likes_are_replaced(wire, cache, user, item):
    key = f"recent_likes:{user}"
    cache.set(key, "not a set")
    assert wire.call("LIKE", user, item) == [1, 1]

    def is_replaced():
        """On a busy machine a like may be answered before Redis was."""
        if cache.type(key) == "set":
            return True
        wire.call("UNLIKE", user, item)
        wire.call("LIKE", user, item)
        return False

    eventually(is_replaced, "what is no set to be replaced")
    assert cache.smembers(key) == {item}
    assert cache.ttl(key) > 0


def test_the_recent_likes_are_a_hint_and_never_the_truth(wire, cache, sql, user, item):
    cache.sadd(f"recent_likes:{user}", item)
    assert wire.call("LIKED", user, item) == 0
    assert wire.call("LIKE", user, item) == [1, 1]
    assert likes(sql, item) == {user}
    cache.delete(f"recent_likes:{user}")
    assert wire.call("LIKED", user, item) == 1
    assert wire.call("LIKE", user, item) == [0, 1]
    cache.sadd(f"recent_likes:{user}", item)
    assert wire.call("LIKE", user, item) == [0, 1]


def test_the_rate_counts_every_well_formed_change_whatever_its_outcome(start_daemon, cache, user, item):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=4)
    with daemon.connect() as client:
        client.call("LIKE", user, item)
        client.call("LIKE", user, item)
        client.call("UNLIKE", user, item)
        client.call("UNLIKE", user, item)
        for request in [("COUNT", item), ("LIKED", user, item), ("LIKE", user, "story:1"), ("LIKE", user)]:
            client.call(*request)
        assert cache.get(f"rate:{user}:likes") == "4"
        assert client.call("LIKE", user, item).code == "RATELIMITED"


def test_the_window_is_fixed_and_never_extended(start_daemon, cache, user, item):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=2, RATE_LIMIT_WINDOW_SECONDS=3600)
    key = f"rate:{user}:likes"
    with daemon.connect() as client:
        client.call("LIKE", user, item)
        assert 3500 < cache.ttl(key) <= 3600
        cache.expire(key, 1000)
        client.call("UNLIKE", user, item)
        assert client.call("LIKE", user, item).code == "RATELIMITED"
        assert cache.ttl(key) <= 1000
        # The end of the window: the next request opens a new one.
        cache.delete(key)
        assert client.call("LIKE", user, item) == [1, 1]
        assert cache.get(key) == "1"
        assert 3500 < cache.ttl(key) <= 3600


@pytest.mark.parametrize("contents", ["50", "1"])
def test_a_rate_without_an_end_gets_one(start_daemon, cache, user, item, contents):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=3, RATE_LIMIT_WINDOW_SECONDS=300)
    cache.set(f"rate:{user}:likes", contents)
    reply = daemon.call("LIKE", user, item)
    assert getattr(reply, "code", reply) == ("RATELIMITED" if contents == "50" else [1, 1])
    assert 1 <= cache.ttl(f"rate:{user}:likes") <= 300


@pytest.mark.parametrize("kind", ["text", "list"])
def test_strange_contents_under_the_rate_do_not_block_a_user(start_daemon, cache, user, item, kind):
    daemon = start_daemon(RATE_LIMIT_REQUESTS=3, RATE_LIMIT_WINDOW_SECONDS=300)
    if kind == "text":
        cache.set(f"rate:{user}:likes", "abc")
    else:
        cache.rpush(f"rate:{user}:likes", "abc")
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert cache.get(f"rate:{user}:likes") == "1"
    assert 1 <= cache.ttl(f"rate:{user}:likes") <= 300


def test_without_a_limit_no_rate_is_kept(wire, cache, user, item):
    for _ in range(150):
        assert wire.call("LIKE", user, item)[1] == 1
    assert not cache.exists(f"rate:{user}:likes")


def test_the_rate_is_shared_by_all_hosts(start_daemon, user, item):
    one, two = start_daemon(RATE_LIMIT_REQUESTS=3), start_daemon(RATE_LIMIT_REQUESTS=3)
    assert one.call("LIKE", user, item) == [1, 1]
    assert two.call("UNLIKE", user, item) == [1, 0]
    assert one.call("LIKE", user, item) == [1, 1]
    assert two.call("UNLIKE", user, item).code == "RATELIMITED"
    assert one.call("UNLIKE", user, item).code == "RATELIMITED"


def test_flushed_scripts_are_loaded_again(start_daemon, own_redis, number):
    daemon = start_daemon(redis=own_redis, RATE_LIMIT_REQUESTS=5)
    item = f"post:{number()}"
    with own_redis.client() as cache, daemon.connect() as client:
        assert client.call("LIKE", number(), item) == [1, 1]
        cache.script_flush()
        user = number()
        assert client.call("LIKE", user, item) == [1, 2]
        eventually(lambda: cache.get(f"counter:{item}") == "2", "Redis to have the count")
        daemon.wait_healthy()
        assert client.call("UNLIKE", user, item) == [1, 1]
        assert cache.get(f"rate:{user}:likes") == "1"
