"""LIKES and LIKERS: pages in a stable order, the optional index, and what likesctl makes of both."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.daemon import run
from support.database import put_likes
from support.waiting import eventually

INDEX = "user_likes_by_item"


def pages(client, verb, who, limit, decode=lambda one: one):
    """All pages, one behind the other."""
    found, after = [], ()
    while True:
        page = [decode(one) for one in client.call(verb, who, *after, "LIMIT", limit)]
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found
        after = ("AFTER", page[-1])


def text(one):
    return one.decode()


@pytest.fixture(params=[0, 4], ids=["one table", "partitions"])
def database(request, postgres, number):
    """The name of a database with likesd's tables."""
    name = f"lists{number()}"
    url = postgres.create_database(name)
    options = ["--partitions", request.param] if request.param else []
    assert run("likesctl", "migrate", *options, DATABASE_URL=url).returncode == 0
    return name


@pytest.fixture
def host(start_daemon, own_redis, postgres, database):
    return start_daemon(redis=own_redis, database_url=postgres.url(database))


def migrate(postgres, database, *options):
    return run("likesctl", "migrate", "--likers-index", *options, DATABASE_URL=postgres.url(database))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_together_hold_every_like_once_in_order(daemon, wire, user, number, limit):
    numbers = [number() for _ in range(5)]
    items = [f"{kind}:{one}" for one in numbers for kind in ("post", "reel", "comment")]
    for item in reversed(items):
        wire.call("LIKE", user, item)
    assert pages(wire, "LIKES", user, limit, text) == items


def test_an_item_that_is_not_liked_is_a_cursor_too(wire, user, number):
    first, between, last = number(), number(), number()
    wire.call("LIKE", user, f"post:{first}")
    wire.call("LIKE", user, f"post:{last}")
    assert wire.call("LIKES", user, "AFTER", f"comment:{between}") == [f"post:{last}".encode()]
    assert wire.call("LIKES", user, "AFTER", f"post:{last}") == []
    assert wire.call("LIKES", number()) == []


def test_likes_that_come_and_go_move_no_other_like_to_another_page(daemon, user, number):
    """What is liked all the time is seen exactly once, whatever happens around it."""
    staying = [f"post:{number()}" for _ in range(60)]
    moving = [f"reel:{item.split(':')[1]}" for item in staying]
    stop = threading.Event()

    def move():
        with daemon.connect() as client:
            while not stop.is_set():
                for verb in ("LIKE", "UNLIKE"):
                    client.pipeline([(verb, user, item) for item in moving])

    with daemon.connect() as client:
        client.pipeline([("LIKE", user, item) for item in staying])
        mover = threading.Thread(target=move)
        mover.start()
        try:
            for _ in range(10):
                found = pages(client, "LIKES", user, 7, text)
                assert [item for item in found if item in staying] == staying
                assert len(set(found)) == len(found)
        finally:
            stop.set()
            mover.join()


def test_likes_of_a_type_that_is_not_configured_here_are_left_out(host, postgres, database, user):
    with postgres.connect(database) as sql:
        sql.execute("INSERT INTO item_types VALUES (9, 'story')")
        for number, kind in [(1, 9), (2, 1), (3, 9), (4, 1)]:
            sql.execute(
                "INSERT INTO user_likes (user_id, item_id, item_type) VALUES (%s, %s, %s)", (user, number, kind)
            )
    assert host.call("LIKES", user, "LIMIT", 2) == [b"post:2", b"post:4"]


def test_rows_with_negative_ids_are_left_out(host, postgres, database, user):
    """No likesd wrote them."""
    with postgres.connect(database) as sql:
        for item in (-2, -1, 5):
            sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (%s, %s, 1)", (user, item))
        sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (-1, 5, 1)")
    assert host.call("LIKES", user) == [b"post:5"]
    assert migrate(postgres, database).returncode == 0
    assert host.call("LIKERS", "post:5") == [user]


def test_likers_names_the_command_that_makes_its_index_and_works_once_it_is_made(host, postgres, database, number):
    item = f"reel:{number()}"
    users = sorted(number() for _ in range(25))
    with host.connect() as client:
        client.pipeline([("LIKE", user, item) for user in users])
        refused = client.call("LIKERS", item)
        assert refused.code == "ERR"
        assert "likesctl migrate --likers-index" in str(refused)
        made = migrate(postgres, database)
        assert (made.returncode, made.stdout.splitlines()[-1]) == (0, f"index {INDEX} made")
        for limit in (1, 7, 25, 1000):
            assert pages(client, "LIKERS", item, limit) == users
        assert client.call("LIKERS", item, "AFTER", users[3], "LIMIT", 2) == users[4:6]
        assert client.call("LIKERS", f"reel:{number()}") == []
        assert client.pipeline([("UNLIKE", users[0], item), ("LIKERS", item)])[1] == users[1:]
    again = migrate(postgres, database)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "the index for likers and remove is there already")


def test_the_index_is_used(postgres, database):
    assert migrate(postgres, database).returncode == 0
    with postgres.connect(database) as sql:
        for item in range(40):
            put_likes(sql, f"post:{item}", range(50))
        sql.execute("ANALYZE user_likes")
        plan = sql.execute(
            "EXPLAIN SELECT user_id FROM user_likes WHERE item_id = 3 AND item_type = 1 AND user_id > 5 "
            "ORDER BY user_id LIMIT 10"
        ).fetchall()
        assert any("by_item" in row[0] for row in plan), plan


def test_several_hosts_make_the_index_once(postgres, database):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate(postgres, database, "--json"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, done
    assert sorted(json.loads(one.stdout)["likers_index"]["was_there"] for one in done) == [False, True, True, True]


def test_an_index_that_was_left_unfinished_is_made_anew(postgres, database):
    with postgres.connect(database) as sql, postgres.connect(database, autocommit=False) as writer:
        table = sql.execute(
            "SELECT coalesce((SELECT relid::regclass::text FROM pg_partition_tree('user_likes') WHERE isleaf LIMIT 1),"
            " 'user_likes')"
        ).fetchone()[0]
        # Whoever makes it waits for a transaction that writes, and is stopped then.
        writer.execute(
            f"INSERT INTO {table} SELECT u, 1, now(), 1 FROM generate_series(1, 50) u "
            "WHERE satisfies_hash_partition('user_likes'::regclass, 4, 0, u::bigint)"
            if table != "user_likes"
            else "INSERT INTO user_likes VALUES (1, 1, now(), 1)"
        )
        sql.execute("SET statement_timeout = 200")
        with pytest.raises(psycopg.errors.QueryCanceled):
            sql.execute(f"CREATE INDEX CONCURRENTLY {table}_by_item ON {table} (item_id, item_type, user_id)")
        writer.rollback()
        assert not sql.execute(
            f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{table}_by_item'::regclass"
        ).fetchone()[0]
    done = migrate(postgres, database)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"index {INDEX} made")


def test_changes_go_on_while_the_index_is_made(host, postgres, database, number, item):
    """It waits for transactions that write, and none waits for it."""
    with postgres.connect(database, autocommit=False) as writer, ThreadPoolExecutor(1) as pool:
        writer.execute("INSERT INTO user_likes VALUES (1, 1, now(), 1)")
        made = pool.submit(migrate, postgres, database)
        with postgres.connect(database) as sql:
            eventually(
                lambda: sql.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"
                ).fetchone()[0],
                "likesctl to wait",
            )
        for _ in range(20):
            assert host.call("LIKE", number(), item)[0] == 1
        writer.rollback()
        assert made.result().returncode == 0


@pytest.mark.parametrize("database", [4], ids=["partitions"], indirect=True)
def test_no_change_waits_behind_the_index_for_a_transaction_that_reads(host, postgres, database, number, item):
    with postgres.connect(database) as sql, postgres.connect(database, autocommit=False) as reader:
        tables = sql.execute("SELECT relid::regclass::text FROM pg_partition_tree('user_likes') WHERE isleaf")
        # An attempt before came so far.
        for (table,) in tables.fetchall():
            sql.execute(f"CREATE INDEX CONCURRENTLY {table}_by_item ON {table} (item_id, item_type, user_id)")
        reader.execute("SELECT count(*) FROM user_likes")
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(migrate, postgres, database)
            eventually(
                lambda: sql.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER INDEX%' AND wait_event_type = 'Lock'"
                ).fetchone()[0],
                "likesctl to wait",
            )
            for _ in range(40):
                assert host.call("LIKE", number(), item)[0] == 1
            assert not made.done()
            reader.rollback()
            assert made.result().returncode == 0
    assert len(host.call("LIKERS", item)) == 40


@pytest.mark.parametrize("columns", ["(item_id)", "(item_id, item_type, user_id) WHERE user_id > 7"])
def test_another_index_of_that_name_is_not_taken_for_it(postgres, database, columns):
    with postgres.connect(database) as sql:
        sql.execute(f"CREATE INDEX {INDEX} ON user_likes {columns}")
    done = migrate(postgres, database)
    assert done.returncode == 1
    assert f"{INDEX} is there, but it is no index of who likes an item" in done.stderr
    assert "Next: rename it" in done.stderr


def test_likesctl_prints_a_line_for_each(host, postgres, database, user, number):
    assert migrate(postgres, database).returncode == 0
    first, second = f"post:{number()}", f"post:{number()}"
    for item in (first, second):
        host.call("LIKE", user, item)
    assert host.run_ctl("likes", user).stdout == f"{first}\n{second}\n"
    assert host.run_ctl("likes", user, "--limit", 1).stdout == f"{first}\n"
    assert host.run_ctl("likes", user, "--after", first).stdout == f"{second}\n"
    assert host.run_ctl("likes", number()).stdout == ""
    assert json.loads(host.run_ctl("likes", user, "--json").stdout) == {"user": str(user), "items": [first, second]}
    assert host.run_ctl("likers", first).stdout == f"{user}\n"
    assert json.loads(host.run_ctl("likers", first, "--json").stdout) == {"item": first, "users": [str(user)]}
    assert host.run_ctl("likes", user, "--limit", 0).returncode == 64
    wrong = host.run_ctl("likers", first, "--after", first)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "bad user" in wrong.stderr
