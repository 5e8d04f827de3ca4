"""A DATABASE_URL that names several servers: the lane and the reader find the one they need, whatever fails."""

import contextlib
import os
import select
import subprocess

import pytest
from support.postgres import Postgres, programs
from support.processes import clean_environment, unprivileged_user
from support.waiting import eventually


@pytest.fixture
def standby(own_postgres, folder, number):
    """A standby of `own_postgres`."""
    server = Postgres(folder / f"pg{number()}")
    server.folder.mkdir(mode=0o755)
    user = unprivileged_user()
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    if user:
        os.chown(server.folder, user.pw_uid, user.pw_gid)
    subprocess.run(
        [
            programs() / "pg_basebackup",
            "-h",
            own_postgres.folder,
            "-U",
            "postgres",
            "-D",
            server.data,
            "-R",
            "-c",
            "fast",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        env=clean_environment(),
        cwd="/",
        **as_user,
    )
    server.start()
    yield server
    server.stop()


def url(*servers):
    return f"postgresql://postgres@/likes?host={','.join(str(server.folder) for server in servers)}"


def caught_up(primary, standby):
    with primary.connect() as source, standby.connect() as target:
        position = source.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
        eventually(
            lambda: target.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,)).fetchone()[0],
            "the standby to follow",
        )


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_the_primary_is_found_and_the_standby_serves_counts_until_it_is_promoted(
    own_postgres, standby, own_redis, start_daemon, number, fault
):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby), LOCAL_CACHE_TTL_MS=10)
    user, item, other = number(), f"post:{number()}", f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1
    caught_up(own_postgres, standby)

    getattr(own_postgres, fault)()
    with contextlib.ExitStack() as cleanup:
        if fault == "pause":
            cleanup.callback(own_postgres.resume)
        own_redis.client().flushall()
        eventually(lambda: daemon.call("COUNT", item) == 1, "the standby to serve counts")
        assert str(daemon.call("LIKE", user, other)).startswith(("UNAVAILABLE", "UNCERTAIN"))

        with standby.connect() as connection:
            connection.execute("SELECT pg_promote()")
        eventually(lambda: daemon.call("LIKE", user + 1, item) == [1, 2], "the promoted server to take likes")
        eventually(lambda: daemon.call("LIKED", user, item) == 1, "the reader to follow the lane")
        assert daemon.call("COUNT", item) == 2
        daemon.wait_healthy()


def test_the_order_of_the_servers_does_not_matter(own_postgres, standby, own_redis, start_daemon, number):
    daemon = start_daemon(redis=own_redis, database_url=url(standby, own_postgres))
    user, item = number(), f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1


WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'likesd lane' AND wait_event = 'SyncRep' AND pid <> %s"
)


def synchronous(primary, standby):
    """From now on each commit of the primary waits until the standby has it."""
    caught_up(primary, standby)
    primary.set("synchronous_standby_names", "*")
    with primary.connect() as sql:
        state = "SELECT sync_state FROM pg_stat_replication"
        eventually(lambda: sql.execute(state).fetchall() == [("sync",)], "the standby to be synchronous")


def cancel(sql, other_than=0):
    """Cancels the wait of the lane's backend for the standby, once it is another one's than that; its process."""
    waiting = eventually(lambda: sql.execute(WAITING, (other_than,)).fetchone(), "the lane to wait for the standby")
    assert sql.execute("SELECT pg_cancel_backend(%s)", waiting).fetchone() == (True,)
    return waiting[0]


def nothing_came(client):
    return not select.select([client.socket], [], [], 0)[0]


def test_a_cancelled_wait_for_the_standby_acknowledges_nothing_until_the_standby_has_it(
    own_postgres, standby, own_redis, start_daemon, number
):
    daemon = start_daemon(redis=own_redis, database_url=own_postgres.url(), REQUEST_TIMEOUT_MS=60_000)
    item = f"post:{number()}"
    synchronous(own_postgres, standby)
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect() as sql, daemon.connect() as client:
        standby.pause()
        try:
            client.send(client.form("LIKE", number(), item))
            commit = cancel(sql)
            # The fence of the next connection commits, and waits, too.
            fence = cancel(sql, commit)
            eventually(lambda: sql.execute(WAITING, (fence,)).fetchone(), "another fence to wait")
            assert nothing_came(client)
            health = daemon.health()
            assert health["database"] == "unhealthy"
            assert "waits for a synchronous standby" in health["message"]
            assert "waits for a synchronous standby" in daemon.log()
        finally:
            standby.resume()
        assert client.read() == [1, 2]
    daemon.wait_healthy()


def test_no_acknowledged_like_is_lost_when_a_wait_was_cancelled_and_the_standby_takes_over(
    own_postgres, standby, own_redis, start_daemon, number
):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby), REQUEST_TIMEOUT_MS=2_000)
    known, user, item = number(), number(), f"post:{number()}"
    synchronous(own_postgres, standby)
    assert daemon.call("LIKE", known, item) == [1, 1]
    with own_postgres.connect() as sql, daemon.connect() as client:
        journals = "SELECT count(*) FROM lanes WHERE item_ids <> '{}'"
        eventually(lambda: sql.execute(journals).fetchone() == (0,), "the lane to rest: only the like is to wait")
        standby.kill()
        client.send(client.form("LIKE", user, item))
        cancel(sql)
        # It is there, on the one server.
        assert sql.execute("SELECT count(*) FROM user_likes WHERE user_id = %s", (user,)).fetchone() == (1,)
        reply = client.read()
    own_postgres.kill()
    standby.start()
    with standby.connect() as connection:
        connection.execute("SELECT pg_promote()")
    daemon.wait_healthy()
    acknowledged = {known} | ({user} if isinstance(reply, list) else set())
    assert {one for one in (known, user) if daemon.call("LIKED", one, item)} >= acknowledged
    assert reply.code == "UNCERTAIN"
    eventually(lambda: daemon.call("LIKE", user, item) == [1, 2], "the like to be stored on the new primary")
