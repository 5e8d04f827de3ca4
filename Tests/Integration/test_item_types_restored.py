"""The numbers of item types after a restore: hosts learn them on connecting, and tables change under them."""

import shutil

import pytest
from support.daemon import run
from support.database import drift
from support.waiting import eventually
from test_restores import postgres_program

TYPES = "post,reel,comment"


def types(*further):
    return {"ITEM_TYPES": ",".join([TYPES, *further])}


def likes_by_type(sql):
    return dict(
        sql.execute(
            "SELECT name, count(*) FROM user_likes JOIN item_types ON item_types.id = item_type GROUP BY name"
        ).fetchall()
    )


@pytest.mark.parametrize("second", [("story",), ("story", "video")])
def test_a_restore_without_a_type_never_mixes_it_up_with_another(
    start_daemon, own_postgres, own_redis, number, place, second
):
    """The type came after the dump. What is liked as one before the restore is never another one after it."""
    first = start_daemon(own_postgres, own_redis)
    assert first.call("LIKE", number(), "post:1") == [1, 1]
    dump = place / "likes.dump"
    postgres_program("pg_dump", "-Fc", "-f", dump, own_postgres.url())
    videos = start_daemon(own_postgres, own_redis, **types("video"))
    assert videos.call("LIKE", number(), "video:7") == [1, 1]
    postgres_program("pg_restore", "--clean", "--if-exists", "--single-transaction", "-d", own_postgres.url(), dump)
    stories = start_daemon(own_postgres, own_redis, **types(*second))
    eventually(lambda: videos.call("LIKE", number(), "video:7") == [1, 1], "the restored tables to take likes")
    assert stories.call("COUNT", "story:7") == 0
    assert stories.call("LIKE", number(), "story:7") == [1, 1]
    assert videos.call("LIKE", number(), "video:7") == [1, 2]
    with own_postgres.connect() as sql:
        assert drift(sql) == []
        assert likes_by_type(sql) == {"post": 1, "video": 2, "story": 1}


def swap(sql, one, other):
    """Somebody gives two types each other's numbers."""
    with sql.transaction():
        sql.execute("UPDATE item_types SET name = 'x' WHERE name = %s", [one])
        sql.execute("UPDATE item_types SET name = %s WHERE name = %s", [one, other])
        sql.execute("UPDATE item_types SET name = %s WHERE name = 'x'", [other])


@pytest.mark.parametrize("restarts", [False, True])
def test_other_numbers_of_types_are_noticed(start_daemon, own_postgres, own_redis, number, restarts):
    """Whether a survey finds them or a connection made anew."""
    hosts = [
        start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=600_000, **types("video", "story")) for _ in range(2)
    ]
    for _ in range(5):
        assert hosts[0].call("LIKE", number(), "video:7")[0] == 1
    assert hosts[1].call("LIKE", number(), "story:7") == [1, 1]
    eventually(lambda: hosts[1].call("COUNT", "video:7") == 5, "the other host to hear of it")
    with own_postgres.connect() as sql:
        swap(sql, "video", "story")
    if restarts:
        own_postgres.stop()
        own_postgres.start()
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", "video:7", "story:7") == [1, 5], "the other numbers", 30)
        host.wait_healthy()
    assert hosts[0].call("LIKE", number(), "video:7") == [1, 2]
    with own_postgres.connect() as sql:
        assert drift(sql) == []
        assert likes_by_type(sql) == {"video": 2, "story": 5}


def test_types_that_are_gone_are_not_numbered_anew_while_a_restore_may_be_running(
    start_daemon, own_postgres, own_redis, number
):
    """Somebody empties item_types, and fills it again a while later."""
    daemon = start_daemon(own_postgres, own_redis, **types("video", "story"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    with own_postgres.connect() as sql:
        rows = sql.execute("SELECT id, name FROM item_types ORDER BY id").fetchall()
        sql.execute("TRUNCATE item_types")
        eventually(lambda: "item_types is empty" in str(daemon.call("HEALTH")), "HEALTH to say so", 20)
        assert "a restore may be running: wait for it" in str(daemon.call("HEALTH"))
        assert sql.execute("SELECT count(*) FROM item_types").fetchone() == (0,)
        with sql.cursor() as cursor:
            cursor.executemany("INSERT INTO item_types (id, name) VALUES (%s, %s)", rows)
        daemon.wait_healthy()
        assert daemon.call("COUNT", "video:7") == 1
        assert sql.execute("SELECT id, name FROM item_types ORDER BY id").fetchall() == rows


def is_back(sql, rows):
    return lambda: sql.execute("SELECT id, name FROM item_types ORDER BY id").fetchall() == rows


@pytest.mark.parametrize("meanwhile", ["", "VACUUM FULL counters"])
def test_types_that_are_gone_get_their_numbers_back(start_daemon, own_postgres, own_redis, number, meanwhile):
    """Also where the tables seem to be others by then."""
    daemon = start_daemon(own_postgres, own_redis, **types("video", "story", "clip"))
    user = number()
    assert daemon.call("LIKE", user, "story:7") == [1, 1]
    with own_postgres.connect() as sql:
        rows = sql.execute("SELECT id, name FROM item_types ORDER BY id").fetchall()
        sql.execute("DELETE FROM item_types WHERE name IN ('video', 'story')")
        if meanwhile:
            sql.execute(meanwhile)
        eventually(is_back(sql, rows), "the numbers to be given back", 20)
        daemon.wait_healthy()
        assert daemon.call("COUNT", "story:7") == 1
        assert daemon.call("LIKE", user, "story:7") == [0, 1]
        assert drift(sql) == []


def test_a_type_that_came_after_the_data_directory_that_was_put_back_is_added_again(
    start_daemon, own_postgres, own_redis, number, place
):
    """Whichever number another type has taken by then."""
    first = start_daemon(own_postgres, own_redis)
    assert first.call("LIKE", number(), "post:1") == [1, 1]
    own_postgres.stop()
    shutil.copytree(own_postgres.data, place / "snapshot")
    own_postgres.start()
    videos = start_daemon(own_postgres, own_redis, **types("video"))
    assert videos.call("LIKE", number(), "video:7") == [1, 1]
    clips = start_daemon(own_postgres, own_redis, **types("video", "clip"))
    assert clips.call("LIKE", number(), "clip:7") == [1, 1]
    clips.stop()
    eventually(lambda: videos.health()["database"] == "healthy", "the new type to be known")
    videos.server.pause()
    own_postgres.stop()
    own_postgres.put_back(place / "snapshot")
    own_postgres.start()
    with own_postgres.connect() as sql:
        # As a host does that comes first.
        sql.execute("INSERT INTO item_types (id, name) VALUES (4, 'clip')")
        videos.server.resume()
        eventually(lambda: videos.call("LIKE", number(), "video:7")[0] == 1, "the restored tables to take likes")
        assert first.call("COUNT", "post:1") == 1
        assert likes_by_type(sql) == {"post": 1, "video": videos.call("COUNT", "video:7")}
        assert drift(sql) == []


def test_a_type_whose_number_is_another_ones_by_now_gets_a_new_one(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=600_000, **types("video"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    with own_postgres.connect() as sql:
        sql.execute("UPDATE item_types SET name = 'clip' WHERE name = 'video'")
        eventually(lambda: daemon.call("COUNT", "video:7") == 0, "the new number", 20)
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), "video:7") == [1, 1]
        assert likes_by_type(sql) == {"clip": 1, "video": 1}


def test_migrate_adds_no_types_where_all_are_gone(start_daemon, own_postgres, own_redis):
    daemon = start_daemon(own_postgres, own_redis)
    daemon.stop()
    with own_postgres.connect() as sql:
        sql.execute("DELETE FROM item_types")
        done = run("likesctl", "migrate", DATABASE_URL=own_postgres.url())
        assert done.returncode == 1
        assert "the table item_types is empty" in done.stderr
        assert "restore" in done.stderr
        assert sql.execute("SELECT count(*) FROM item_types").fetchone() == (0,)
