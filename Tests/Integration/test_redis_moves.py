"""Redis is restarted, replaced, or changed by a hand, while hosts come and go."""

import pytest
from support.redis_server import RedisServer
from support.waiting import eventually

# The row of a host that is gone counts for so long.
SILENT = "SELECT count(*) FROM likesd_hosts WHERE seen_at >= now() - interval '15 s'"


def version_key(item):
    return "{counter:" + item + "}:version"


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_host_that_is_gone_disputes_no_redis_that_restarts(start_daemon, own_postgres, own_redis, number, way):
    item = f"post:{number()}"
    stays, goes = (start_daemon(own_postgres, own_redis) for _ in range(2))
    assert stays.call("LIKE", number(), item) == [1, 1]
    assert goes.call("COUNT", item) == 1
    if way == "stopped":
        goes.stop()
    else:
        goes.kill()
    own_redis.stop()
    own_redis.start()
    eventually(lambda: stays.info()["redis_counters"] == "read", "Redis to be read again", 10)
    with own_postgres.connect() as sql:
        eventually(lambda: sql.execute(SILENT).fetchone() == (1,), "the other one to count as dead", 30)
    assert stays.info()["redis_disputes"] == "0"
    assert stays.info()["redis_counters"] == "read"
    assert stays.health() == {"status": "ok", "database": "healthy", "redis": "healthy"}
    assert stays.call("COUNT", item) == 1


def test_hosts_that_move_to_another_redis_one_after_the_other_are_right(
    start_daemon, own_postgres, own_redis, folder, number
):
    """What one writes to the old Redis while the other fills the new one is missing there."""
    item = f"post:{number()}"
    new_redis = RedisServer(folder / f"redis{number()}").start()
    try:
        first, second = (start_daemon(own_postgres, own_redis, CACHE_TTL_SECONDS=3_600) for _ in range(2))
        assert first.call("LIKE", number(), item) == [1, 1]
        first.stop()
        first = start_daemon(own_postgres, new_redis, CACHE_TTL_SECONDS=3_600)
        eventually(lambda: first.call("COUNT", item) == 1 and new_redis.client().exists(f"counter:{item}"), "a fill")
        assert second.call("LIKE", number(), item) == [1, 2]
        second.stop()
        second = start_daemon(own_postgres, new_redis, CACHE_TTL_SECONDS=3_600)
        for host in (first, second):
            eventually(lambda host=host: host.call("COUNT", item) == 2, "both to be right", 30)
            eventually(lambda host=host: host.info()["redis_counters"] == "read", "Redis to be read", 30)
            assert host.call("COUNT", item) == 2
    finally:
        new_redis.stop()


@pytest.mark.parametrize("era", ["9223372036854775807", "99999999999999999999", "1000000000", "01", "+1", "\xff"])
def test_a_marker_that_no_host_wrote_is_replaced(start_daemon, own_postgres, own_redis, number, era):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis)
    assert daemon.call("LIKE", number(), item) == [1, 1]
    redis = own_redis.client()
    server, database, _, since, token = redis.get("likesd:generation").split()
    planted = " ".join([server, database, era, since, "aaaaaaaaaaaa"])
    redis.set("likesd:generation", planted)
    redis.set(f"counter:{item}", 666)
    redis.set(version_key(item), "aaaaaaaaaaaa:666")
    eventually(lambda: redis.get("likesd:generation") not in (planted, None), "the marker to be replaced", 20)
    eventually(lambda: daemon.info()["redis_counters"] == "read", "Redis to be read", 20)
    assert daemon.call("LIKE", number(), item) == [1, 2]
    assert daemon.call("COUNT", item) == 2
    assert redis.get("likesd:generation").split()[4] != token


def test_a_marker_of_the_last_era_ends_no_daemon(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis)
    redis = own_redis.client()
    server, database, _, since, _ = redis.get("likesd:generation").split()
    redis.set("likesd:generation", " ".join([server, database, "999999999", since, "aaaaaaaaaaaa"]))
    redis.set(f"counter:{item}", 666)
    redis.set(version_key(item), "aaaaaaaaaaaa:666")
    # PostgreSQL contradicts what stands there.
    eventually(
        lambda: daemon.call("LIKE", number(), item)[0] == 1 and daemon.info()["databases_gone_back"] != "0", "it", 20
    )
    eventually(lambda: daemon.info()["redis_counters"] == "read", "Redis to be read", 20)
    _, count = daemon.call("LIKE", number(), item)
    assert daemon.call("COUNT", item) == count


def test_a_version_that_no_counter_can_have_is_overwritten(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis)
    redis = own_redis.client()
    token = redis.get("likesd:generation").split()[4]
    redis.set(f"counter:{item}", 666)
    redis.set(version_key(item), f"{token}:9999999999999999999")
    assert daemon.call("LIKE", number(), item) == [1, 1]
    assert redis.get(f"counter:{item}") == "1"
    assert " lost: " not in daemon.log()
