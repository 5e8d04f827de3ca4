"""Redis is restarted, replaced, or changed by a hand, while hosts come and go."""

import contextlib
import socket

import pytest
from support.redis_server import RedisServer
from support.relay import Relay
from support.seals import Sealer
from support.waiting import eventually

# The row of a host that is gone counts for so long.
FOR_EVER = {"LOCAL_CACHE_TTL_MS": 600_000, "CACHE_TTL_SECONDS": 3_600}
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


class Switch(Relay):
    """A name for Redis that an operator can point elsewhere."""

    class Named:
        def __init__(self, path):
            self.url = f"unix://{path}"

    def __init__(self, path, upstream):
        super().__init__(path, upstream)
        self.server = Switch.Named(path)

    def point_to(self, upstream):
        self.upstream = str(upstream)
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("holds", [False, True])
def test_hosts_that_were_all_at_another_redis_for_a_while_are_right(
    start_daemon, own_postgres, own_redis, folder, number, holds
):
    """What was repaired there, and nowhere else, is missing in the first one. `holds`: a transaction goes on and on."""
    item = f"post:{number()}"
    with (
        own_postgres.connect(autocommit=False) as held,
        own_postgres.connect() as sql,
        Switch(folder / f"redis{number()}.sock", own_redis.socket) as switch,
    ):
        if holds:
            held.execute("SELECT pg_current_xact_id()")
        other = RedisServer(folder / f"redis{number()}").start()
        try:
            hosts = [start_daemon(own_postgres, switch.server) for _ in range(2)]
            assert hosts[0].call("LIKE", number(), item) == [1, 1]
            eventually(lambda: hosts[1].call("COUNT", item) == 1, "the other host to hear of it")
            switch.point_to("/nowhere")
            eventually(lambda: hosts[0].health()["redis"] != "healthy", "Redis to be missed")
            assert hosts[0].call("LIKE", number(), item) == [1, 2]
            repairs = "SELECT count(*) FROM cache_repairs"
            eventually(lambda: sql.execute(repairs).fetchone() == (1,), "the repair to be noted")
            switch.point_to(other.socket)
            eventually(lambda: sql.execute(repairs).fetchone() == (0,), "the repair to be made there", 60)
            # New processes remember nothing of it. Each COUNT reads Redis.
            for host in hosts:
                host.stop()
            hosts = [start_daemon(own_postgres, switch.server, LOCAL_CACHE_TTL_MS=0) for _ in range(2)]
            token = other.client().get("likesd:generation").split()[4]
            named = "SELECT count(*) FROM likesd_hosts WHERE generation = %s"
            eventually(lambda: sql.execute(named, [token]).fetchone() >= (2,), "hosts to say what they use", 30)
            switch.point_to("/nowhere")
            for host in hosts:
                eventually(lambda host=host: host.info()["redis_counters"] != "read", "Redis to be missed")
            switch.point_to(own_redis.socket)
            for host in hosts:
                eventually(lambda host=host: host.info()["redis_counters"] == "read", "the first to be used", 30)
                eventually(lambda host=host: host.call("COUNT", item) == 2, "it to be right", 30)
                host.wait_healthy()
        finally:
            other.stop()


def test_changes_made_right_after_redis_lost_its_data_are_seen_by_other_hosts(
    start_daemon, own_postgres, own_redis, number
):
    """The host that makes the new marker tells of them under its token, which others do not know yet."""
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    items = [f"post:{number()}" for _ in range(20)]
    for item in items:
        assert hosts[0].call("LIKE", number(), item) == [1, 1]
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", *items) == [1] * len(items), "both to have them cached")
    own_redis.client().flushall()
    for item in items:
        assert hosts[0].call("LIKE", number(), item) == [1, 2]
    eventually(lambda: hosts[1].call("MCOUNT", *items) == [2] * len(items), "the other host to be right", 30)


def test_other_hosts_hear_of_what_redis_refuses(start_daemon, own_postgres, own_redis, number):
    """Nothing that is written there is told, and `cache_repairs` is all that says what changed."""
    item = f"post:{number()}"
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    assert hosts[0].call("LIKE", number(), item) == [1, 1]
    assert hosts[1].call("COUNT", item) == 1
    own_redis.client().config_set("min-replicas-to-write", 1)
    for count in (2, 3, 4):
        assert hosts[0].call("LIKE", number(), item) == [1, count]
        eventually(lambda count=count: hosts[1].call("COUNT", item) == count, "the other host to be right", 30)


def test_without_redis_other_hosts_are_right_in_time(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    own_redis.stop()
    for count in (1, 2, 3):
        assert hosts[0].call("LIKE", number(), item) == [1, count]
        eventually(lambda count=count: hosts[1].call("COUNT", item) == count, "the other host to be right", 30)


@pytest.mark.parametrize("era", ["9223372036854775807", "99999999999999999999", "1000000000", "01", "+1", "\xff"])
def test_a_marker_that_no_host_wrote_is_replaced(start_daemon, own_postgres, own_redis, number, era):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis)
    assert daemon.call("LIKE", number(), item) == [1, 1]
    redis = own_redis.client()
    server, database, _, since, token, _ = redis.get("likesd:generation").split()
    planted = Sealer(own_postgres.connect()).marker(" ".join([server, database, era, since, "aaaaaaaaaaaa"]))
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
    server, database, _, since, _, _ = redis.get("likesd:generation").split()
    sealer = Sealer(own_postgres.connect())
    redis.set(f"counter:{item}", 666)
    redis.set(version_key(item), sealer.version("aaaaaaaaaaaa", item, 666, 666))
    text = " ".join([server, database, "999999999", since, "aaaaaaaaaaaa"])
    redis.set("likesd:generation", sealer.marker(text))
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
    redis.set(version_key(item), f"{token}:99999999999999999999")
    assert daemon.call("LIKE", number(), item) == [1, 1]
    eventually(lambda: redis.get(f"counter:{item}") == "1", "the counter to be set again")
    assert " lost: " not in daemon.log()
