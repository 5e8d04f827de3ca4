"""PgBouncer between likesd and PostgreSQL: sessions of its own serve, lent ones are refused before anything is set."""

import threading

import pytest
from support.database import drift
from support.pgbouncer import PgBouncer
from support.waiting import eventually

LENDS = [
    {"pool_mode": "transaction", "default_pool_size": 1},
    {"pool_mode": "transaction", "default_pool_size": 8},
    {"pool_mode": "transaction", "default_pool_size": 8, "server_round_robin": 1},
    {"pool_mode": "statement", "default_pool_size": 8},
]


@pytest.fixture
def pooler(folder, number, own_postgres):
    """Starts poolers: pooler(pool_mode=…)."""
    started = []

    def start(**settings):
        started.append(PgBouncer(folder / f"b{number()}", own_postgres, **settings))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.mark.parametrize("settings", LENDS)
@pytest.mark.parametrize("is_busy", [False, True])
def test_a_pooler_that_lends_sessions_is_refused_before_anything_is_set(
    pooler, start_daemon, own_postgres, own_redis, settings, is_busy
):
    bouncer = pooler(**settings)
    is_over = threading.Event()

    def use():
        """As an application does that has the pool for itself otherwise."""
        with bouncer.connect("likes") as client:
            while not is_over.is_set():
                client.execute("SELECT count(*) FROM counters")

    users = [threading.Thread(target=use) for _ in range(2 if is_busy else 0)]
    for user in users:
        user.start()
    try:
        daemon = start_daemon(own_postgres, own_redis, "listening", database_url=bouncer.url("likes"), LOG_LEVEL="info")
        health = eventually(
            lambda: (found := daemon.health())["status"] == "down" and "pooler" in found["message"] and found,
            "the pooler to be refused",
        )
        assert (
            "next: use session pooling (in PgBouncer: pool_mode = session) or a direct connection" in health["message"]
        )
        assert daemon.call("LIKE", 1, "post:1").code == "UNAVAILABLE"
    finally:
        is_over.set()
        for user in users:
            user.join()
    daemon.stop()
    # All sessions of the pool, each held while the others are asked.
    with own_postgres.connect() as sql:
        sessions = sql.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'likes' AND pid <> pg_backend_pid()"
        ).fetchone()[0]
    assert 0 < sessions <= settings["default_pool_size"]
    clients = [bouncer.connect("likes") for _ in range(sessions)]
    is_statement = settings["pool_mode"] == "statement"
    for client in clients:
        if not is_statement:
            client.execute("BEGIN")
        changed = client.execute("SELECT name FROM pg_settings WHERE source = 'session'").fetchall()
        assert {name for (name,) in changed} <= {"application_name", "client_encoding"}
        assert client.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    for client in clients:
        client.close()
    refusals = [line for line in daemon.log().splitlines() if "a pooler stands between" in line]
    # One for each of the two connections, however often they are tried.
    assert len(refusals) == 2, daemon.log()


def test_a_pooler_with_sessions_of_their_own_serves(pooler, start_daemon, own_postgres, own_redis, number):
    bouncer = pooler(pool_mode="session", default_pool_size=4)
    daemon = start_daemon(own_postgres, own_redis, database_url=bouncer.url("likes"))
    users = [number() for _ in range(20)]
    assert [daemon.call("LIKE", user, "post:1") for user in users] == [[1, count] for count in range(1, 21)]
    assert daemon.call("LIKED", users[0], "post:1") == 1
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_a_pooler_without_a_second_session_to_spare_serves(pooler, start_daemon, own_postgres, own_redis, number):
    """Two are for the daemon, so that none is left for a look at another one."""
    bouncer = pooler(pool_mode="session", default_pool_size=2)
    daemon = start_daemon(own_postgres, own_redis, database_url=bouncer.url("likes"))
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
    assert daemon.call("LIKED", number(), f"post:{number()}") == 0
