"""Several hosts on one PostgreSQL and one Redis."""

import itertools

import pytest
from support.database import drift, likes
from support.relay import Relay
from support.waiting import eventually
from support.wire import array

# Long enough that only a message, or a repair, can bring a count up to date in time.
FOR_EVER_MS = 600_000
HOUR_SECONDS = 3600


@pytest.fixture
def hosts(start_daemon, own_postgres, own_redis):
    """Two hosts that believe their local caches for ever."""
    return [start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=FOR_EVER_MS) for _ in range(2)]


def test_a_count_changed_on_one_host_is_seen_on_the_other(hosts, number):
    here, there = hosts
    item = f"post:{number()}"
    assert there.call("COUNT", item) == 0
    for count in range(1, 6):
        assert here.call("LIKE", number(), item) == [1, count]
        eventually(lambda count=count: there.call("COUNT", item) == count, "the other host to hear of it")
    assert int(there.info()["database_reads"]) <= 1


def test_many_hosts_agree_on_who_changed_what(start_daemon, own_postgres, own_redis, number):
    """The same pairs on all hosts at once: exactly one of them liked each."""
    hosts = [start_daemon(own_postgres, own_redis) for _ in range(3)]
    item, users = f"post:{number()}", [number() for _ in range(200)]
    clients = [host.connect() for host in hosts]
    for client in clients:
        client.send(b"".join(array("LIKE", user, item) for user in users))
    changed = [[client.read()[0] for _ in users] for client in clients]
    for client in clients:
        client.close()
    assert [sum(one) for one in zip(*changed, strict=True)] == [1] * len(users)
    with own_postgres.connect() as sql:
        assert likes(sql, item) == set(users)
        assert drift(sql) == []
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == len(users), "all to count the same")


def test_what_a_killed_host_left_undone_is_done_by_another(start_daemon, own_postgres, own_redis, number):
    """It is killed between its commit and its write-through, which Redis comes to too late."""
    dying = start_daemon(own_postgres, own_redis, REDIS_TIMEOUT_MS=2_000, REQUEST_TIMEOUT_MS=20_000)
    other = start_daemon(own_postgres, own_redis)
    item = f"post:{number()}"
    assert dying.call("LIKE", number(), item) == [1, 1]
    with own_redis.client() as cache, own_postgres.connect() as sql, own_postgres.connect() as locker:
        # Admission has asked Redis before it hangs, the write-through finds it hanging.
        locker.execute("BEGIN; LOCK TABLE counters IN EXCLUSIVE MODE")
        with dying.connect() as client:
            client.send(array("LIKE", number(), item))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            eventually(lambda: sql.execute(waiting).fetchone() == (1,), "the batch to wait for the lock")
            own_redis.pause()
            locker.execute("COMMIT")
            eventually(lambda: len(likes(sql, item)) == 2, "the batch to be committed")
            dying.kill()
        late = """
            SELECT max(seen_at) < now() - interval '2.5 s'
            FROM likesd_hosts JOIN lanes USING (lane) WHERE item_ids <> '{}'"""
        eventually(lambda: sql.execute(late).fetchone() == (True,), "the write-through to be late")
        own_redis.resume()
        # Nobody has told Redis, and nobody asks.
        eventually(lambda: cache.get(f"counter:{item}") == "2", "another host to set the counter")
        assert other.call("COUNT", item) == 2


def test_counts_of_an_old_snapshot_are_not_believed(start_daemon, own_postgres, own_redis, number):
    hosts = [start_daemon(own_postgres, own_redis, CACHE_TTL_SECONDS=HOUR_SECONDS) for _ in range(2)]
    item = f"post:{number()}"
    assert hosts[0].call("LIKE", number(), item) == [1, 1]
    with own_redis.client() as cache:
        cache.set("probe", "old")
        cache.save()
        cache.set("probe", "new")
    assert hosts[0].call("LIKE", number(), item) == [1, 2]
    own_redis.kill()
    own_redis.start()
    with own_redis.client() as cache:
        assert cache.get("probe") == "old"
        for host in hosts:
            host.wait_healthy()
        for host, _ in itertools.product(hosts, range(20)):
            assert host.call("COUNT", item) == 2
        eventually(lambda: cache.get(f"counter:{item}") == "2", "Redis to have the new count")


def test_a_host_that_was_taken_for_dead_goes_on(hosts, own_postgres, number):
    """Its lane's row says that it is silent, and another host closes the lane."""
    here, there = hosts
    item = f"post:{number()}"
    assert here.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect() as sql:
        sql.execute("UPDATE lanes SET epoch = epoch + 1")
        assert here.call("LIKE", number(), item) == [1, 2]
        assert there.call("LIKE", number(), item) == [1, 3]
        assert drift(sql) == []
    assert here.info()["lanes_fenced_off"] == "1"


def test_a_host_at_rest_leaves_no_journal(hosts, own_postgres, number):
    here, _ = hosts
    assert here.call("LIKE", number(), f"post:{number()}") == [1, 1]
    with own_postgres.connect() as sql:

        def rests():
            return sql.execute("SELECT count(*) FROM lanes WHERE item_ids <> '{}'").fetchone() == (0,)

        eventually(rests, "the journal to be emptied")
        rows = sql.execute("SELECT xmin, lane, batch FROM lanes ORDER BY lane").fetchall()
        assert here.stop() == 0
        assert sql.execute("SELECT xmin, lane, batch FROM lanes ORDER BY lane").fetchall() == rows


def test_a_count_behind_a_like_does_not_go_back_behind_what_its_host_has_told(
    start_daemon, own_postgres, own_redis, place, number
):
    """PostgreSQL's answer to the like stands still; meanwhile others like the item, and its host tells so."""
    item = f"post:{number()}"
    with Relay(place / ".s.PGSQL.5432", own_postgres.folder / ".s.PGSQL.5432") as relay:
        here = start_daemon(
            own_postgres,
            own_redis,
            database_url=f"postgresql://postgres@/likes?host={place}",
            LOCAL_CACHE_TTL_MS=FOR_EVER_MS,
            REQUEST_TIMEOUT_MS=60_000,
        )
        there = start_daemon(own_postgres, own_redis)
        with here.connect() as client, here.connect() as other, own_postgres.connect() as sql:
            assert other.call("COUNT", item) == 0
            relay.replies.close(lambda piece: b"likesd lane" in piece.opening)
            client.send(array("LIKE", number(), item))
            eventually(lambda: likes(sql, item), "the like to be stored")
            assert there.call("LIKE", number(), item) == [1, 2]
            eventually(lambda: other.call("COUNT", item) == 2, "the host to hear of it")
            client.send(array("COUNT", item))
            eventually(lambda: here.info()["requests_waiting"] == "2", "the COUNT to wait behind the like")
            relay.replies.open()
            assert client.read() == [1, 1]
            assert client.read() == 2
