"""Several hosts on one Redis and one PostgreSQL: what one changes, the others see."""

import time

import pytest
from support.waiting import eventually

# Longer than any test: what is seen sooner was not seen because an entry expired.
LONG_MS = 60_000


@pytest.fixture
def hosts(own_postgres, own_redis, start_daemon):
    return [start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=LONG_MS) for _ in range(3)]


def test_a_like_on_one_host_is_seen_on_the_others_at_once(hosts, number):
    item = f"post:{number()}"
    assert [host.call("COUNT", item) for host in hosts] == [0, 0, 0]
    for count, writer in enumerate(hosts * 3, 1):
        assert writer.call("LIKE", number(), item) == [1, count]
        began = time.monotonic()
        for host in hosts:
            eventually(lambda host=host, count=count: host.call("COUNT", item) == count, "the message to be heard")
        assert time.monotonic() - began < LONG_MS / 1_000 / 4


def test_a_lost_subscription_empties_the_local_cache(hosts, own_redis, number):
    item = f"post:{number()}"
    assert [host.call("COUNT", item) for host in hosts] == [0, 0, 0]
    with own_redis.client() as client:
        # As if written by another host whose message is lost.
        client.client_kill_filter(_type="pubsub")
        assert hosts[0].call("LIKE", number(), item) == [1, 1]
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == 1, "the count to be read again")
        host.wait_healthy()


def test_what_a_killed_host_left_in_its_journal_is_repaired(hosts, own_postgres, own_redis, number):
    user, item = number(), f"post:{number()}"
    assert hosts[0].call("LIKE", user, item) == [1, 1]
    hosts[0].kill()
    with own_postgres.connect() as connection, own_redis.client() as client:
        # As if it had been killed between the commit and the write-through.
        connection.execute("UPDATE counters SET like_count = 2, version = version + 1")
        connection.execute("INSERT INTO user_likes SELECT user_id + 1, item_id, now(), item_type FROM user_likes")
        lanes = connection.execute(
            "UPDATE lanes SET item_ids = ARRAY[%s::bigint], item_types = '{1}', seen_at = now() - interval '1 minute'"
            " WHERE batch > 0 RETURNING lane",
            (int(item.removeprefix("post:")),),
        ).fetchall()
        assert len(lanes) == 1
        eventually(lambda: client.get(f"counter:{item}") == "2", "the counter to be repaired")
        eventually(lambda: hosts[1].call("COUNT", item) == 2, "the other hosts to hear of it")
        eventually(
            lambda: not connection.execute("SELECT FROM cache_repairs").fetchall(), "the repair to be struck off"
        )


def test_a_replica_is_refused_with_what_to_do(own_postgres, own_redis, start_daemon):
    with own_redis.client() as client:
        client.replicaof("192.0.2.1", "6379")
        daemon = start_daemon(own_postgres, own_redis, until="listening")
        health = eventually(
            lambda: (found := daemon.health())["database"] == "healthy"
            and "replica" in found.get("message", "")
            and found,
            "the replica to be refused",
        )
        assert health["status"] == "degraded"
        assert "point REDIS_URL at the primary" in health["message"]
        client.replicaof("NO", "ONE")
    daemon.wait_healthy()
