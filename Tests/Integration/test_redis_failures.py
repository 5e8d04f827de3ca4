"""Redis is only a cache: down, hung, flushed or refusing, every command still works."""

import pytest
from support.database import drift, likes
from support.waiting import eventually


@pytest.fixture
def settled(start_daemon, own_postgres, own_redis):
    """A daemon on servers that the test may break."""
    return start_daemon(own_postgres, own_redis, REDIS_TIMEOUT_MS=50, LOCAL_CACHE_TTL_MS=50)


def every_command_works(daemon, number):
    user, item, other = number(), f"post:{number()}", f"reel:{number()}"
    with daemon.connect() as client:
        assert client.call("COUNT", item) == 0
        assert client.call("LIKE", user, item) == [1, 1]
        assert client.call("LIKE", user, item) == [0, 1]
        assert client.call("COUNT", item) == 1
        assert client.call("LIKED", user, item) == 1
        assert client.call("MCOUNT", item, other) == [1, 0]
        assert client.call("MLIKED", user, other, item) == [0, 1]
        assert client.call("UNLIKE", user, item) == [1, 0]
        assert client.call("COUNT", item) == 0
        pipelined = [("LIKE", user, item), ("COUNT", item), ("LIKED", user, item), ("UNLIKE", user, item)]
        assert client.pipeline(pipelined) == [[1, 1], 1, 1, [1, 0]]
        assert client.call("PING") == "PONG"


def redis_is_used_again(daemon, redis_server, number):
    """A new like shows up in Redis."""

    def used():
        user, item = number(), f"post:{number()}"
        assert daemon.call("LIKE", user, item) == [1, 1]
        with redis_server.client() as cache:
            return cache.get(f"counter:{item}") == "1" and cache.sismember(f"recent_likes:{user}", item)

    eventually(used, "Redis to be used again")
    eventually(lambda: daemon.health()["redis"] == "healthy", "HEALTH to say so")


def test_all_works_while_redis_is_gone_and_uses_it_when_it_is_back(settled, own_redis, number):
    own_redis.kill()
    every_command_works(settled, number)
    eventually(lambda: settled.health()["redis"] == "unhealthy", "HEALTH to say that Redis is gone")
    health = settled.health()
    assert health["status"] == "degraded"
    assert health["database"] == "healthy"
    assert health["message"]
    every_command_works(settled, number)
    own_redis.start()
    redis_is_used_again(settled, own_redis, number)
    every_command_works(settled, number)
    assert settled.health()["status"] == "ok"


def test_all_works_while_redis_hangs_and_uses_it_when_it_goes_on(settled, own_redis, number):
    own_redis.pause()
    every_command_works(settled, number)
    eventually(lambda: settled.health()["redis"] == "unhealthy", "HEALTH to say that Redis hangs")
    every_command_works(settled, number)
    own_redis.resume()
    redis_is_used_again(settled, own_redis, number)


def test_the_daemon_starts_without_redis(start_daemon, own_postgres, own_redis, number):
    own_redis.stop()
    daemon = start_daemon(own_postgres, own_redis, until="listening")
    eventually(lambda: daemon.health()["database"] == "healthy", "the database")
    every_command_works(daemon, number)
    own_redis.start()
    redis_is_used_again(daemon, own_redis, number)


def test_a_restarted_redis_is_used_again(settled, own_redis, number):
    every_command_works(settled, number)
    own_redis.stop()
    own_redis.start()
    redis_is_used_again(settled, own_redis, number)
    every_command_works(settled, number)


def test_a_flushed_redis_changes_no_answer(settled, own_redis, number):
    user, item = number(), f"post:{number()}"
    assert settled.call("LIKE", user, item) == [1, 1]
    with own_redis.client() as cache:
        cache.flushall()
        assert settled.call("LIKED", user, item) == 1
        assert settled.call("COUNT", item) == 1
        assert settled.call("LIKE", user, item) == [0, 1]
        assert settled.call("LIKE", number(), item) == [1, 2]
        # What is missing there is set once somebody asks.
        eventually(
            lambda: settled.call("COUNT", item) == 2 and cache.get(f"counter:{item}") == "2",
            "Redis to have the new count",
        )


def test_a_redis_that_takes_no_writes_changes_no_answer(settled, own_redis, number):
    with own_redis.client() as cache:
        cache.config_set("maxmemory-policy", "noeviction")
        cache.config_set("maxmemory", 1)
        every_command_works(settled, number)
        cache.config_set("maxmemory", 0)
    redis_is_used_again(settled, own_redis, number)


@pytest.mark.parametrize("reconnects", [False, True])
def test_a_count_that_redis_has_no_room_for_is_gone_from_it(settled, own_redis, number, reconnects):
    """Other hosts read it there: none is better than an old one. It is back with the next COUNT that asks for it."""
    item = f"post:{number()}"
    assert settled.call("LIKE", number(), item) == [1, 1]
    with own_redis.client() as cache:
        cache.config_set("maxmemory-policy", "noeviction")
        cache.config_set("maxmemory", 1)
        assert settled.call("LIKE", number(), item) == [1, 2]
        if reconnects:
            cache.client_kill_filter(_type="normal", skipme=True)
        assert settled.call("COUNT", item) == 2
        assert cache.get(f"counter:{item}") is None
        cache.config_set("maxmemory", 0)

        def is_back():
            assert settled.call("COUNT", item) == 2
            return cache.get(f"counter:{item}") == "2"

        eventually(is_back, "Redis to have the new count")


def test_a_count_that_redis_refused_is_set_there_once_it_takes_writes(settled, own_redis, number):
    """Refused for another reason than memory, without anybody asking again."""
    item = f"post:{number()}"
    assert settled.call("LIKE", number(), item) == [1, 1]
    with own_redis.client() as cache:
        cache.config_set("min-replicas-to-write", 1)
        assert settled.call("LIKE", number(), item) == [1, 2]
        assert settled.call("COUNT", item) == 2
        assert cache.get(f"counter:{item}") == "1"
        cache.config_set("min-replicas-to-write", 0)
        eventually(lambda: cache.get(f"counter:{item}") == "2", "Redis to have the new count")


def test_a_redis_that_became_a_replica_changes_no_answer(settled, own_redis, number):
    with own_redis.client() as cache:
        cache.replicaof("127.0.0.1", "1")
        every_command_works(settled, number)
        cache.replicaof("NO", "ONE")
    redis_is_used_again(settled, own_redis, number)


def test_old_recent_likes_make_no_like_wrong_or_lost(settled, own_postgres, own_redis, number):
    """Redis restored from a snapshot of another day: the sets say what is not so."""
    user, liked, not_liked = number(), f"post:{number()}", f"post:{number()}"
    assert settled.call("LIKE", user, liked) == [1, 1]
    with own_redis.client() as cache:
        cache.delete(f"recent_likes:{user}")
        cache.sadd(f"recent_likes:{user}", not_liked)
    assert settled.call("MLIKED", user, liked, not_liked) == [1, 0]
    assert settled.call("LIKE", user, liked) == [0, 1]
    assert settled.call("LIKE", user, not_liked) == [1, 1]
    with own_postgres.connect() as sql:
        assert likes(sql, not_liked) == {user}


def test_the_rate_is_kept_per_host_without_redis(start_daemon, own_redis, number, item):
    daemon = start_daemon(redis=own_redis, RATE_LIMIT_REQUESTS=3)
    own_redis.kill()
    busy, other = number(), number()
    with daemon.connect() as client:
        replies = [client.call("LIKE", busy, item) for _ in range(5)]
        assert [getattr(reply, "code", reply) for reply in replies] == [[1, 1], [0, 1], [0, 1], *["RATELIMITED"] * 2]
        assert client.call("LIKE", other, item) == [1, 2]


def test_the_rate_is_kept_by_the_process_until_redis_really_counts(start_daemon, own_postgres, own_redis, number, item):
    """A user of Redis that may connect and listen, and none of the keys: its data can't be identified."""
    limit, user = 20, number()
    with own_redis.client() as cache:
        cache.execute_command("ACL", "SETUSER", "app", "on", ">word", "+@all", "resetkeys", "&*")
        daemon = start_daemon(
            own_postgres,
            own_redis,
            until="listening",
            REDIS_URL=f"unix://app:word@{own_redis.socket}?db=0",
            RATE_LIMIT_REQUESTS=limit,
            RATE_LIMIT_WINDOW_SECONDS=3600,
        )
        eventually(lambda: daemon.health()["database"] == "healthy", "the database")
        with daemon.connect() as client:

            def accepted():
                replies = client.pipeline([("LIKE", user, item), ("UNLIKE", user, item)])
                return sum(isinstance(reply, list) for reply in replies)

            told = 0
            while daemon.log().count("Redis connected") < 5:
                told += accepted()
            assert told == limit
            # Between two attempts it says that it connects.
            eventually(lambda: "cannot be identified" in daemon.health()["message"], "HEALTH to say why")
            cache.execute_command("ACL", "SETUSER", "app", "~*")
            while not cache.get(f"rate:{user}:likes"):
                told += accepted()
            daemon.wait_healthy()
            told += sum(accepted() for _ in range(limit + 5))
            assert limit < told <= 2 * limit
            # Redis goes away once more: what the process counted has not been forgotten.
            own_redis.kill()
            eventually(lambda: daemon.health()["redis"] == "unhealthy", "Redis to be missed")
            assert accepted() == 0


def test_acknowledged_likes_survive_redis_failing_at_any_moment(settled, own_postgres, own_redis, number):
    """Redis goes and comes between the requests of one stream: nothing is lost and nothing drifts."""
    item = f"post:{number()}"
    users = []
    with settled.connect() as client:
        for disturb in (own_redis.pause, own_redis.resume, own_redis.kill, own_redis.start):
            disturb()
            batch = [number() for _ in range(30)]
            for reply in client.pipeline([("LIKE", user, item) for user in batch]):
                assert reply[0] == 1
            users += batch
            assert client.call("COUNT", item) == len(users)
    with own_postgres.connect() as sql:
        assert likes(sql, item) == set(users)
        assert drift(sql) == []


def test_a_password_in_the_url_is_used_and_a_wrong_one_is_said(start_daemon, own_postgres, own_redis, number):
    with own_redis.client() as cache:
        cache.config_set("requirepass", "let me in")
    right = f"unix://:let%20me%20in@{own_redis.socket}?db=0"
    daemon = start_daemon(own_postgres, own_redis, REDIS_URL=right)
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
    assert daemon.health()["redis"] == "healthy"
    refused = start_daemon(
        own_postgres, own_redis, until="listening", REDIS_URL=f"unix://:s3cret-wrong@{own_redis.socket}"
    )
    eventually(lambda: refused.health()["database"] == "healthy", "the database")
    every_command_works(refused, number)
    assert refused.health()["redis"] == "unhealthy"
    assert "s3cret-wrong" not in refused.log()


def test_the_database_number_of_the_url_is_used(start_daemon, own_redis, number):
    daemon = start_daemon(redis=own_redis, REDIS_URL=f"unix://{own_redis.socket}?db=5")
    item = f"post:{number()}"
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_redis.client(db=5) as five, own_redis.client(db=0) as zero:
        assert five.get(f"counter:{item}") == "1"
        assert zero.dbsize() == 0
