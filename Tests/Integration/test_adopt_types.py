"""Item types of the reference that likesd does not know: a number and its name are told, never guessed."""

import json

import psycopg
import pytest
from support.adoption import adopted, command_of, long_silent, migrate, tables, verify
from support.daemon import run
from support.reference import TABLES
from support.waiting import eventually

STORY = "post,reel,comment,story"


@pytest.fixture
def url(postgres, number):
    """A database with the reference's tables, and two likes of its type 9."""
    url = postgres.create_database(f"types{number()}")
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(TABLES)
        sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (1, 7, 1), (1, 7, 9), (2, 7, 9)")
        sql.execute("INSERT INTO counters VALUES (7, 1, 1), (7, 9, 2)")
    return url


@pytest.fixture
def sql(url):
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def start_host(url, postgres, own_redis, start_daemon):
    return lambda **settings: start_daemon(postgres, own_redis, database_url=url, **settings)


def types(sql):
    return dict(sql.execute("SELECT id, name FROM item_types WHERE id > 3").fetchall())


def refused(done):
    """What is said of a type that is in doubt."""
    assert done.returncode == 1, done.stdout
    assert "rows are stored of the item type 9, which has no name, and ITEM_TYPES has story" in done.stderr
    return done.stderr


def test_a_type_in_doubt_is_refused_before_anything_is_changed_and_the_command_named_takes_it_over(
    postgres, url, sql, own_redis, start_host
):
    before = postgres.dump(sql.info.dbname)
    said = refused(migrate(url, "--adopt", ITEM_TYPES=STORY))
    assert "as in --type 10=story" in said
    assert postgres.dump(sql.info.dbname) == before
    done = command_of(said, DATABASE_URL=url, ITEM_TYPES=STORY)
    assert done.returncode == 0, done.stderr
    assert "item type 9, of 2 likes, is story now" in done.stdout.splitlines()
    assert types(sql) == {9: "story"}
    daemon = start_host(ITEM_TYPES=STORY)
    assert daemon.call("COUNT", "story:7") == 2
    assert daemon.call("LIKE", 55, "story:7") == [1, 3]
    assert sql.execute("SELECT item_type FROM user_likes WHERE user_id = 55").fetchone() == (9,)
    assert verify(url, own_redis).returncode == 0


def test_there_and_back_and_there_again_keeps_the_number(url, sql):
    adopted(url, "--type", "9=story", ITEM_TYPES=STORY)
    undone = migrate(url, "--adopt-undo")
    assert undone.returncode == 0, undone.stderr
    (line,) = (line for line in undone.stdout.splitlines() if "was story" in line)
    option = line.rpartition(" with ")[2]
    refused(migrate(url, "--adopt", ITEM_TYPES=STORY))
    adopted(url, *option.split(), ITEM_TYPES=STORY)
    assert types(sql) == {9: "story"}


def test_a_new_type_takes_a_number_that_no_row_has(url, sql):
    done = migrate(url, "--adopt", "--type", "10=story", ITEM_TYPES=STORY)
    assert done.returncode == 0, done.stderr
    assert types(sql) == {10: "story"}
    # No other one is guessed either, and a number that is known is enough.
    assert migrate(url, ITEM_TYPES=STORY).returncode == 0
    two = migrate(url, ITEM_TYPES=f"{STORY},live")
    assert "ITEM_TYPES has live, which has no number" in two.stderr


@pytest.mark.parametrize("ending", ["side by side", "finished"])
def test_neither_migrate_nor_a_host_nor_the_script_guesses_later(url, sql, own_redis, start_host, ending):
    adopted(url)
    if ending == "finished":
        assert migrate(url, "--adopt-finish").returncode == 0
    daemon = start_host(until="listening", ITEM_TYPES=STORY)
    eventually(lambda: "likesctl migrate --type 9=story" in daemon.health().get("message", ""), "HEALTH to name it")
    assert "rows are stored of the item type 9" in daemon.health()["message"]
    # No count of 0, as if nobody had liked it.
    assert "UNAVAILABLE" in str(daemon.call("COUNT", "story:7"))
    said = refused(migrate(url, ITEM_TYPES=STORY))
    if ending == "side by side":
        refused(migrate(url, "--adopt", ITEM_TYPES=STORY))
    script = run("likesctl", "migrate", "--sql", "--config", "/dev/null", ITEM_TYPES=STORY).stdout
    with pytest.raises(psycopg.errors.RaiseException, match="item types without a name"):
        sql.execute(script)
    sql.execute("ROLLBACK")
    assert types(sql) == {}
    done = command_of(said, DATABASE_URL=url, ITEM_TYPES=STORY)
    assert done.returncode == 0, done.stderr
    daemon.wait_healthy()
    assert daemon.call("COUNT", "story:7") == 2
    assert types(sql) == {9: "story"}
    sql.execute(script)
    assert migrate(url, ITEM_TYPES=f"{STORY},live").returncode == 0
    assert types(sql) == {9: "story", 10: "live"}


def test_a_number_that_the_reference_begins_with_later_is_in_doubt_too(url, sql):
    adopted(url, "--type", "9=story", ITEM_TYPES=STORY)
    sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (1, 8, 12)")
    sql.execute("INSERT INTO counters (item_id, item_type, like_count) VALUES (8, 12, 1)")
    sql.execute("UPDATE counters SET like_count = 2 WHERE item_type = 12")
    done = migrate(url, ITEM_TYPES=f"{STORY},live")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("--type 12=live")
    assert types(sql) == {9: "story"}


def test_several_names_and_numbers_are_matched_by_whoever_knows_them(url, sql):
    sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (1, 7, 12)")
    names = f"{STORY},live,clip"
    said = migrate(url, "--adopt", ITEM_TYPES=names).stderr
    assert "item types 9 and 12, which have no name, and ITEM_TYPES has story, live and clip" in said
    assert "if story is 9, live is 12 and clip is new, run: " in said
    partly = migrate(url, "--adopt", "--type", "12=story", ITEM_TYPES=names).stderr
    assert command_of(partly, DATABASE_URL=url, ITEM_TYPES=names).returncode == 0
    assert types(sql) == {12: "story", 9: "live", 13: "clip"}


def test_a_name_or_number_of_another_type_is_refused(url, sql):
    for option, words in [("1=story", "the item type 1 is post"), ("9=reel", "the item type 2 is reel")]:
        done = migrate(url, "--adopt", "--type", option, ITEM_TYPES=STORY)
        assert done.returncode == 1
        assert words in done.stderr
        assert tables(sql) == {"user_likes", "counters"}
    for options in (["9"], ["x=story"], ["9=Story"], ["40000=story"], ["-1=story"], ["9=story", "--type", "9=live"]):
        assert migrate(url, "--adopt", "--type", *options).returncode == 64
    assert migrate(url, "--adopt-undo", "--type", "9=story").returncode == 64


def test_a_type_without_a_name_that_nobody_configured_is_only_told_of(url, sql, own_redis):
    lines = adopted(url)
    (line,) = (line for line in lines if line.startswith("user_likes unnamed-type"))
    assert "likesctl migrate --type 9=NAME" in line
    for options in ([], ["--repair"], ["--sample", "100%"]):
        done = verify(url, own_redis, *options)
        assert done.returncode == 0, done.stdout
        assert "Not known to likesd, no differences: 1 item of the type 9, which has no name" in done.stdout
        assert "likesctl migrate --type 9=NAME" in done.stdout
    found = [json.loads(line) for line in verify(url, own_redis, "--json").stdout.splitlines()]
    assert found[-1]["summary"]["unnamed_types"] == 1
    assert found[-1]["summary"]["differences"] == 0
    assert (found[0]["kind"], found[0]["number"], found[0]["items"]) == ("unnamed-type", 9, 1)
    assert found[0]["difference"] is False
    long_silent(sql)
