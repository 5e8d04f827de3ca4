"""The numbers of item types after a restore: hosts learn them on connecting, and tables change under them."""

import shutil

import pytest
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


def test_other_numbers_of_types_are_noticed_while_running(start_daemon, own_postgres, own_redis, number):
    """Somebody filled item_types anew, in another order."""
    daemon = start_daemon(own_postgres, own_redis, **types("video", "story"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    with own_postgres.connect() as sql:
        numbers = dict(sql.execute("SELECT name, id FROM item_types").fetchall())
        with sql.transaction():
            sql.execute("UPDATE item_types SET name = 'x' WHERE name = 'video'")
            sql.execute("UPDATE item_types SET name = 'video' WHERE name = 'story'")
            sql.execute("UPDATE item_types SET name = 'story' WHERE name = 'x'")
        eventually(lambda: daemon.info()["eras_begun"] != "0", "the other numbers to be noticed", 20)
        daemon.wait_healthy()
        assert daemon.call("COUNT", "story:7") == 1
        assert daemon.call("LIKE", number(), "video:7") == [1, 1]
        assert dict(sql.execute("SELECT item_type, count(*) FROM user_likes GROUP BY 1").fetchall()) == {
            numbers["video"]: 1,
            numbers["story"]: 1,
        }


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


def test_of_several_types_that_are_gone_none_that_was_liked_is_numbered_anew(
    start_daemon, own_postgres, own_redis, number
):
    daemon = start_daemon(own_postgres, own_redis, **types("video", "story"))
    assert daemon.call("LIKE", number(), "story:7") == [1, 1]
    with own_postgres.connect() as sql:
        rows = sql.execute("DELETE FROM item_types WHERE name IN ('video', 'story') RETURNING id, name").fetchall()
        eventually(lambda: "item_types has lost story" in str(daemon.call("HEALTH")), "HEALTH to say so", 20)
        with sql.cursor() as cursor:
            cursor.executemany("INSERT INTO item_types (id, name) VALUES (%s, %s)", rows)
        daemon.wait_healthy()
        assert daemon.call("COUNT", "story:7") == 1


def test_a_type_that_is_gone_gets_its_old_number_back(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, **types("video", "story"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    with own_postgres.connect() as sql:
        (video,) = sql.execute("DELETE FROM item_types WHERE name = 'video' RETURNING id").fetchone()
        advice = f"INSERT INTO item_types (id, name) VALUES ({video}, 'video')"
        eventually(lambda: advice in str(daemon.call("HEALTH")), "HEALTH to say what to do", 20)
        # Not even where the server was away meanwhile.
        own_postgres.stop()
        eventually(lambda: "item_types" not in str(daemon.call("HEALTH")), "likesd to find the server away")
        own_postgres.start()
        eventually(lambda: advice in str(daemon.call("HEALTH")), "HEALTH to say it again", 20)
    with own_postgres.connect() as sql:
        sql.execute(advice)
        daemon.wait_healthy()
        assert daemon.call("COUNT", "video:7") == 1


def test_a_type_that_came_after_the_data_directory_that_was_put_back_is_added_again(
    start_daemon, own_postgres, own_redis, number, place
):
    first = start_daemon(own_postgres, own_redis)
    assert first.call("LIKE", number(), "post:1") == [1, 1]
    own_postgres.stop()
    shutil.copytree(own_postgres.data, place / "snapshot")
    own_postgres.start()
    daemon = start_daemon(own_postgres, own_redis, **types("video"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    own_postgres.stop()
    eventually(lambda: daemon.health()["database"] != "healthy", "likesd to find the server away")
    own_postgres.put_back(place / "snapshot")
    own_postgres.start()
    daemon.wait_healthy()
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    assert first.call("COUNT", "post:1") == 1


def test_a_type_whose_number_is_another_ones_by_now_is_not_numbered_anew(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, **types("video"))
    assert daemon.call("LIKE", number(), "video:7") == [1, 1]
    with own_postgres.connect() as sql:
        sql.execute("UPDATE item_types SET name = 'clip' WHERE name = 'video'")
        eventually(lambda: "now clip's" in str(daemon.call("HEALTH")), "HEALTH to say so", 20)
        sql.execute("UPDATE item_types SET name = 'video' WHERE name = 'clip'")
        daemon.wait_healthy()
        assert daemon.call("COUNT", "video:7") == 1
