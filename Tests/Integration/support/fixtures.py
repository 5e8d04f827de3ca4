"""Fixtures: servers shared by the tests of a worker, and servers of a test's own to break."""

import contextlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from .books import Books
from .daemon import Daemon, run
from .http_gateway import Gateway
from .postgres import Postgres
from .redis_server import RedisServer


@pytest.fixture(scope="session")
def folder():
    """A folder with a short path, for sockets; servers that run as another user can enter it."""
    path = Path(tempfile.mkdtemp(prefix="likesd-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def number():
    """Numbers no other test of this worker gets: users, ids of items, names of folders."""
    # Beyond the users and items that the load generator draws.
    counter = itertools.count(10_000_000)
    return lambda: next(counter)


@pytest.fixture(scope="session")
def migrated_cluster(folder):
    """A stopped PostgreSQL whose database `likes` has the schema, to be copied."""
    postgres = Postgres.create(folder / "cluster").start()
    try:
        postgres.create_database("likes")
        done = run("likesctl", "migrate", DATABASE_URL=postgres.url())
        assert done.returncode == 0, done.stderr
    finally:
        postgres.stop()
    return postgres


@pytest.fixture(scope="session")
def postgres(migrated_cluster, folder):
    """The worker's PostgreSQL. Not to be broken: see `own_postgres`."""
    server = migrated_cluster.copy(folder / "pg").start()
    yield server
    server.stop()


@pytest.fixture
def own_postgres(migrated_cluster, folder, number):
    """A PostgreSQL of the test's own, to be stopped, killed and paused."""
    server = migrated_cluster.copy(folder / f"pg{number()}").start()
    yield server
    server.stop()
    # Hundreds of them would be the last test's to remove, within its limit of time.
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def standby_of(folder, number):
    """Makes standbys of a server: standby_of(server)."""
    made = []

    def make(primary):
        server = primary.standby(folder / f"pg{number()}")
        made.append(server)
        return server.start()

    with contextlib.ExitStack() as all_of_them:
        yield make
        for server in made:
            all_of_them.callback(shutil.rmtree, server.folder, ignore_errors=True)
            all_of_them.callback(server.stop)


@pytest.fixture
def standby(own_postgres, standby_of):
    """A standby of `own_postgres`."""
    return standby_of(own_postgres)


@pytest.fixture(scope="session")
def redis_server(folder):
    """The worker's Redis. Not to be broken: see `own_redis`."""
    server = RedisServer(folder / "redis").start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(folder, number):
    """A Redis of the test's own, to be stopped, killed and paused."""
    server = RedisServer(folder / f"redis{number()}").start()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def daemon(folder, postgres, redis_server):
    """The worker's likesd, rate limit off."""
    server = Daemon(folder / "d", postgres.url(), redis_server.url).start()
    yield server
    assert server.server.running, f"likesd ended in the middle of the tests:\n{server.log()}"
    assert server.stop() == 0


@pytest.fixture
def start_daemon(request, folder, number):
    """Starts daemons of the test's own: start_daemon(postgres=…, redis=…, until=…, NAME=value…)."""
    started = []

    def start(postgres=None, redis=None, until="ok", database_url=None, arguments=(), **settings):
        # Two databases on one Redis are no good, nor two Redis on one database: who has one of its own has both.
        prefix = "own_" if postgres or database_url or redis else ""
        postgres = postgres or request.getfixturevalue(f"{prefix}postgres")
        redis = redis or request.getfixturevalue("own_redis" if prefix else "redis_server")
        server = Daemon(folder / f"d{number()}", database_url or postgres.url(), redis.url, arguments, **settings)
        started.append(server)
        return server.start(until)

    with contextlib.ExitStack() as all_of_them:
        yield start
        for server in started:
            all_of_them.callback(server.stop)


@pytest.fixture
def start_gateway(folder, number):
    """Starts HTTP gateways of the test's own: start_gateway(daemon.socket, listen=…)."""
    started = []

    def start(socket_path, **options):
        gateway = Gateway(folder / f"h{number()}", socket_path, **options)
        started.append(gateway)
        return gateway.start()

    with contextlib.ExitStack() as all_of_them:
        yield start
        for gateway in started:
            all_of_them.callback(gateway.stop)


@pytest.fixture
def make_books(postgres, redis_server, number):
    """Makes databases of the test's own for likesctl: make_books(partitions)."""
    with contextlib.ExitStack() as all_of_them:

        def make(partitions=0):
            books = Books(postgres, redis_server, f"books{number()}", partitions)
            all_of_them.callback(books.close)
            return books

        yield make


@pytest.fixture(scope="session")
def shared_books(postgres, redis_server, number):
    """One for all tests that empty it first, and leave its tables as they are."""
    books = Books(postgres, redis_server, f"books{number()}")
    yield books
    books.close()


@pytest.fixture(scope="session")
def sql(postgres):
    """A connection to the worker's database."""
    with postgres.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def cache(redis_server):
    """A client of the worker's Redis, not of likesd."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def place(folder, number):
    """A short folder of the test's own."""
    path = folder / f"t{number()}"
    path.mkdir()
    return path


@pytest.fixture
def item(number):
    """An item that nobody has liked."""
    return f"post:{number()}"


@pytest.fixture
def user(number):
    """A user who has liked nothing."""
    return number()


@pytest.fixture
def wire(daemon):
    """A new connection to the worker's likesd, RESP2, arrays."""
    with daemon.connect() as client:
        yield client


@pytest.fixture(scope="session")
def seed():
    """The seed of all random tests; LIKESD_SEED repeats a run."""
    return int(os.environ["LIKESD_SEED"])
