"""Many counters that Redis may have old, repaired by one host and by several."""

import pytest
from support.waiting import eventually

ITEMS = 20_000


def note(sql, items=ITEMS):
    """As a host does that is cut off from Redis."""
    sql.execute(
        "INSERT INTO counters (item_id, item_type, like_count, version)"
        " SELECT id, 1, id %% 100, 7 FROM generate_series(1, %s) AS id",
        (items,),
    )
    sql.execute(
        "INSERT INTO cache_repairs (item_id, item_type, version) SELECT id, 1, 7 FROM generate_series(1, %s) AS id",
        (items,),
    )


@pytest.mark.parametrize(("hosts", "sets_max"), [(1, 1.0), (4, 1.3)])
def test_each_counter_is_set_about_once_by_all_hosts_together(start_daemon, own_postgres, own_redis, hosts, sets_max):
    daemons = [start_daemon(own_postgres, own_redis) for _ in range(hosts)]
    with own_redis.client() as cache, own_postgres.connect() as sql:
        cache.config_resetstat()
        note(sql)

        def is_empty():
            return sql.execute("SELECT count(*) FROM cache_repairs").fetchone() == (0,)

        eventually(is_empty, "all repairs to be struck off", deadline=60)
        for daemon in daemons:
            eventually(lambda daemon=daemon: daemon.info()["repairs_waiting"] == "0", "every host to know of it")
            assert daemon.info()["redis_counters"] == "read"
        done = sum(int(daemon.info()["repairs_done"]) for daemon in daemons)
        assert done / ITEMS <= sets_max
        # Each counter has a version beside it. If two hosts set a counter within 20 ms, the second of them marks it as
        # untold, and tells of it later.
        sets = cache.info("commandstats")["cmdstat_set"]["calls"]
        assert 2 * ITEMS <= 2 * done <= sets <= 2 * (2 * done - ITEMS)
        keys = [f"counter:post:{item}" for item in range(1, ITEMS + 1)]
        assert cache.mget(keys) == [str(item % 100) for item in range(1, ITEMS + 1)]


def test_health_says_how_many_are_left_while_redis_takes_none(start_daemon, own_postgres, own_redis):
    daemon = start_daemon(own_postgres, own_redis)
    with own_redis.client() as cache, own_postgres.connect() as sql:
        # It takes no writes, and answers all the rest.
        cache.config_set("min-replicas-to-write", 1)
        note(sql)
        eventually(lambda: daemon.health()["status"] == "degraded", "the repairs to be seen")
        eventually(lambda: "20,000 counters left" in daemon.health()["message"], "all to be known")
        assert daemon.info()["repairs_waiting"] == str(ITEMS)
        cache.config_set("min-replicas-to-write", 0)
        daemon.wait_healthy()
        eventually(lambda: daemon.info()["repairs_waiting"] == "0", "all to be repaired")
