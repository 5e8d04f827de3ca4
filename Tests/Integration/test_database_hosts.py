"""A DATABASE_URL that names several servers: the lane and the reader find the one they need, whatever fails."""

import contextlib
import os
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
