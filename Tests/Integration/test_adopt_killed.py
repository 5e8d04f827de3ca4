"""A take-over that is killed: the reference goes on, and the next run ends what was begun."""

import itertools
import re
import signal
import socket
import subprocess

import psycopg
import pytest
from support.daemon import binary, run
from support.database import drift
from support.processes import clean_environment
from support.reference import TABLES, Reference, likes_of
from support.relay import Relay
from support.waiting import eventually

# What changes something that stays, each of them alone on its way to the server.
STEPS = re.compile(rb"COMMIT|VALIDATE CONSTRAINT|SET like_count = 0|WITH wanted AS|DROP INDEX|CREATE INDEX")


class Way:
    """Between likesctl and PostgreSQL: holds the n-th step. To hold the answer to it would be the same: what the server
    has then is what it has before the next one.
    """

    def __init__(self, folder, postgres):
        self.relay = Relay(folder / ".s.PGSQL.5432", postgres.folder / ".s.PGSQL.5432")
        self.folder = folder

    def hold(self, step):
        seen = itertools.count(1)
        reached = []

        def is_it(piece):
            if STEPS.search(piece.data) and next(seen) == step:
                reached.append(piece)
                return True
            return False

        self.relay.requests.close(is_it)
        return reached

    def cut(self):
        """Whatever has not passed is lost."""
        for one in self.relay.sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.relay.close()


def killed(way, name, step, *options):
    """Whether the run came to its step, and was killed there."""
    reached = way.hold(step)
    url = f"postgresql://postgres@/{name}?host={way.folder}"
    with subprocess.Popen(
        [binary("likesctl"), "migrate", *options],
        env=clean_environment(DATABASE_URL=url), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        eventually(lambda: reached or process.poll() is not None, "likesctl to come to its step")
        process.send_signal(signal.SIGKILL)
        way.cut()
        process.wait()
    return bool(reached)


@pytest.fixture
def template(postgres, number, own_redis):
    """A database of the reference's with all that a take-over has to do."""
    name = f"template{number()}"
    url = postgres.create_database(name)
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(TABLES)
    service = Reference(url, own_redis)
    for item in range(10):
        service.like(1, item)
    service.close()
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("UPDATE counters SET like_count = 7 WHERE item_id < 3")
        sql.execute("UPDATE counters SET like_count = NULL WHERE item_id = 4")
        sql.execute("DELETE FROM counters WHERE item_id = 5")
    return name


def test_killed_at_any_step_the_reference_goes_on_and_the_next_run_ends_it(
    postgres, template, own_redis, folder, number
):
    steps = 0
    for step in itertools.count(1):
        name = f"killed{number()}"
        with postgres.connect("postgres") as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        place = folder / f"t{number()}"
        place.mkdir()
        came = killed(Way(place, postgres), name, step, "--adopt", "--drop-indexes")
        url = postgres.url(name)
        service = Reference(url, own_redis)
        assert service.like(100 + step, 6)
        assert service.like(100 + step, 20 + step)
        assert service.unlike(1, 7)
        if not came:
            service.close()
            break
        steps += 1
        # Indexes stay while it is connected.
        service.close()
        done = run("likesctl", "migrate", "--adopt", "--drop-indexes", DATABASE_URL=url)
        assert done.returncode == 0, (step, done.stderr)
        service = Reference(url, own_redis)
        assert service.like(200 + step, 6)
        service.close()
        with psycopg.connect(url, autocommit=True) as sql:
            assert drift(sql) == [], step
            assert {(1, item) for item in range(10) if item != 7} <= likes_of(sql)
            # Nothing is left over of the steps on the way.
            assert sql.execute("SELECT conname FROM pg_constraint WHERE conname LIKE 'likesd%null'").fetchall() == []
            assert sql.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)
    assert steps >= 14


def test_killed_on_the_way_back_it_goes_back_with_the_next_run(postgres, template, folder, number):
    adopted = f"adopted{number()}"
    with postgres.connect("postgres") as server:
        server.execute(f"CREATE DATABASE {adopted} TEMPLATE {template}")
    layout = postgres.dump(adopted, "--schema-only")
    assert run("likesctl", "migrate", "--adopt", "--drop-indexes", DATABASE_URL=postgres.url(adopted)).returncode == 0
    for step in itertools.count(1):
        name = f"killed{number()}"
        with postgres.connect("postgres") as server:
            server.execute(f"CREATE DATABASE {name} TEMPLATE {adopted}")
        place = folder / f"t{number()}"
        place.mkdir()
        came = killed(Way(place, postgres), name, step, "--adopt-undo")
        done = run("likesctl", "migrate", "--adopt-undo", DATABASE_URL=postgres.url(name))
        assert done.returncode == 0, (step, done.stderr)
        assert postgres.dump(name, "--schema-only") == layout
        if not came:
            break
    assert step >= 4
