"""Several PostgreSQL, each with a part of the items and a likesd of its own, as `likesd@s0` and `likesd@s1` are."""

import random
import threading

import pytest
from support.daemon import Daemon
from support.model import Model, random_request
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.waiting import eventually

PARTS = 2
CLIENTS = 4
REQUESTS = 400


def part_of(item):
    """As docs/operations.md tells applications to choose: by the item's id alone."""
    return int(item.split(":")[1]) % PARTS


class Parts:
    """What an application does: each request to the daemon of its item, several items in one request for each."""

    def __init__(self, daemons):
        self.wires = [daemon.connect() for daemon in daemons]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for wire in self.wires:
            wire.close()

    def call(self, verb, *arguments):
        if verb in ("MCOUNT", "MLIKED"):
            user, items = ((), arguments) if verb == "MCOUNT" else (arguments[:1], arguments[1:])
            found = {}
            for part, wire in enumerate(self.wires):
                own = [item for item in items if part_of(item) == part]
                if own:
                    found.update(zip(own, wire.call(verb, *user, *own), strict=True))
            return [found[item] for item in items]
        item = next(word for word in arguments if ":" in str(word))
        return self.wires[part_of(item)].call(verb, *arguments)


@pytest.fixture
def servers(migrated_cluster, folder, number):
    """A PostgreSQL and a Redis for each part."""
    made = []
    try:
        for _ in range(PARTS):
            made.append(migrated_cluster.copy(folder / f"pg{number()}").start())
            made.append(RedisServer(folder / f"redis{number()}").start())
        yield list(zip(made[::2], made[1::2], strict=True))
    finally:
        for server in made:
            server.stop()


@pytest.fixture
def daemons(servers, folder, number):
    """A likesd for each part, with a file of its own, named as the unit's instance is."""
    place = folder / f"parts{number()}"
    place.mkdir()
    made = []
    try:
        for part, (postgres, redis) in enumerate(servers):
            file = place / f"likesd@s{part}.conf"
            file.write_text(f"DATABASE_URL={postgres.url()}\nREDIS_URL={redis.url}\n")
            settings = {"DATABASE_URL": None, "REDIS_URL": None, "LIKESD_SOCKET": place / f"likesd@s{part}.sock"}
            daemon = Daemon(place / f"s{part}", postgres.url(), redis.url, ("--config", file), **settings)
            made.append(daemon)
            daemon.start()
        yield made
    finally:
        for daemon in made:
            daemon.stop()


def stored(postgres: Postgres):
    """Counters and likes by their items' ids."""
    with postgres.connect() as sql:
        counters = dict(sql.execute("SELECT item_id, like_count FROM counters WHERE like_count > 0").fetchall())
        likes = dict(sql.execute("SELECT item_id, count(*) FROM user_likes GROUP BY item_id").fetchall())
    return counters, likes


def test_items_chosen_by_id_are_served_exactly_by_each(daemons, servers, seed):
    failures = []
    models = []

    def client(place):
        # Users and items of its own, of both parts, so that every reply is known beforehand.
        source = random.Random(seed * 100 + place)
        model = Model()
        models.append(model)
        users = range(1 + 10 * place, 4 + 10 * place)
        items = [f"post:{1000 * (place + 1) + offset}" for offset in range(8)]
        try:
            with Parts(daemons) as parts:
                for _ in range(REQUESTS):
                    request = random_request(source, users, items, lists=False)
                    expected, told = model.apply(request), parts.call(*request)
                    assert told == expected, (request, told, expected)
        except BaseException as failure:
            failures.append(failure)

    clients = [threading.Thread(target=client, args=(place,)) for place in range(CLIENTS)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    assert not failures, failures
    liked = {int(item.split(":")[1]): len(users) for model in models for item, users in model.likes.items() if users}
    assert {part_of(f"post:{item}") for item in liked} == set(range(PARTS))
    for part, (postgres, _) in enumerate(servers):
        own = {item: count for item, count in liked.items() if item % PARTS == part}
        # The database has the items of its part and no others, and its books agree.
        assert stored(postgres) == (own, own)
        done = daemons[part].run_ctl("verify", "--json", REDIS_URL=servers[part][1].url)
        assert done.returncode == 0, done.stdout + done.stderr


def test_one_database_that_is_gone_takes_its_own_items_along_alone(daemons, servers, user):
    with Parts(daemons) as parts:
        assert parts.call("LIKE", user, "post:10") == [1, 1]
        assert parts.call("LIKE", user, "post:11") == [1, 1]
        servers[1][0].kill()
        eventually(lambda: daemons[1].health()["status"] == "down", "the second to be down")
        assert parts.call("LIKE", user, "post:12") == [1, 1]
        assert parts.call("LIKE", user, "post:13").code == "UNAVAILABLE"
        assert daemons[0].health()["status"] == "ok"
        servers[1][0].start()
        daemons[1].wait_healthy()
        assert parts.call("LIKE", user, "post:13") == [1, 1]
        assert parts.call("MLIKED", user, "post:10", "post:11", "post:12", "post:13") == [1, 1, 1, 1]


def test_each_part_counts_a_users_rate_for_itself(daemons, servers, folder, number, user):
    limited = [
        Daemon(folder / f"limited{number()}", postgres.url(), redis.url, RATE_LIMIT_REQUESTS=2)
        for postgres, redis in servers
    ]
    try:
        with Parts([daemon.start() for daemon in limited]) as parts:
            for item in range(4):
                assert parts.call("LIKE", user, f"post:{item}")[0] == 1
            for item in (4, 5):
                assert parts.call("LIKE", user, f"post:{item}").code == "RATELIMITED"
    finally:
        for daemon in limited:
            daemon.stop()
