"""likesctl verify on tables that are laid out in partitions, or lack what likesd needs of them."""

import json
import threading

import psycopg
import pytest
from support.books import Books
from support.daemon import run
from support.database import counter, drift

PARTITIONS = 6
DROP_KEY = "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey"
ADD_KEY = "ALTER TABLE public.user_likes ADD PRIMARY KEY (user_id, item_id, item_type)"
NO_KEY = (
    "user_likes no-key: public.user_likes has no unique key (user_id, item_id, item_type), so a like may be stored "
    f"twice (--repair of likesctl verify removes those); next: a restore may be running: wait for it; otherwise "
    f"run: {ADD_KEY}"
)


@pytest.fixture
def partitions():
    return PARTITIONS


@pytest.fixture
def books(postgres, redis_server, number, partitions):
    books = Books(postgres, redis_server, f"tables{number()}", partitions)
    books.sql.execute(
        "INSERT INTO user_likes SELECT u, i, now(), 1 FROM generate_series(1, 300) u, generate_series(1, 20) i"
    )
    books.sql.execute(
        "INSERT INTO counters SELECT item_id, item_type, count(*), 5 FROM user_likes GROUP BY item_id, item_type"
    )
    yield books
    books.sql.close()
    books.cache.close()


# Partitions


@pytest.mark.parametrize("statistics", [False, True])
def test_partitions_are_walked_and_repair_changes_only_what_is_wrong(books, statistics):
    if statistics:
        books.sql.execute("ANALYZE")
    clean = books.verify("--slice", 50)
    assert (clean.status, clean.lines) == (0, [])
    assert clean.summary.startswith("PostgreSQL: 20 items, 6000 likes read in 1 pass: 0 differences\n")
    books.set_count("post:3", 7)
    books.remove_counter("post:9")
    mended = books.verify("--repair", "--slice", 50)
    assert (mended.status, mended.lines) == (
        0,
        [
            "post:3 counter-low counters=7 likes=300 version=5 mended",
            "post:9 counter-missing counters=- likes=300 version=- mended",
        ],
    )
    assert drift(books.sql) == []
    assert books.sql.execute("SELECT count(*) FROM counters WHERE version = 5").fetchone() == (18,)


def test_partitions_that_come_and_go_meanwhile_are_never_found_to_hold_too_much(books):
    """What is said is said of likes that were away at the beginning and at the end."""
    stop = threading.Event()
    books.sql.execute("DELETE FROM user_likes")
    # Many pages, so that a pass takes many statements.
    books.sql.execute(
        "INSERT INTO user_likes SELECT u, i, now(), 1 FROM generate_series(1, 3000) u, generate_series(1, 20) i"
    )
    books.sql.execute("UPDATE counters SET like_count = 3000")
    (share,) = books.sql.execute("SELECT count(*) FROM user_likes_p2 WHERE item_id = 1").fetchone()

    def detach():
        with books.connect() as sql:
            while not stop.is_set():
                sql.execute(
                    "ALTER TABLE user_likes DETACH PARTITION user_likes_p2; COMMIT; "
                    "ALTER TABLE user_likes ATTACH PARTITION user_likes_p2 "
                    f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER 2)"
                )

    thread = threading.Thread(target=detach)
    thread.start()
    try:
        for _ in range(5):
            done = books.verify("--slice", 1, "--snapshot-seconds", 0)
            assert done.status in (0, 9, 75), done
            if any("no-partition" in line for line in done.lines):
                # It was away at the very beginning: nothing else is said.
                assert len(done.lines) == 1, done
                continue
            for line in done.lines:
                _, kind, _, found, _ = line.split()
                assert kind == "counter-high"
                assert 3000 - share <= int(found.removeprefix("likes=")) <= 3000
    finally:
        stop.set()
        thread.join()


# Likes that stand twice


@pytest.fixture(params=[0, PARTITIONS])
def doubled(request, postgres, redis_server, number):
    """Likes of which some stand several times, as a failed restore leaves them."""
    books = Books(postgres, redis_server, f"twice{number()}", request.param)
    for n in range(1, 4):
        books.put(f"post:{n}", 10)
    books.sql.execute("UPDATE user_likes SET created_at = '2026-01-01'")
    books.sql.execute(DROP_KEY)
    copy = "INSERT INTO user_likes SELECT user_id, item_id, now(), item_type FROM user_likes WHERE "
    books.sql.execute(copy + "item_id = 1 AND user_id IN (2, 5)")
    books.sql.execute(copy + "item_id = 2 AND user_id = 7")
    books.sql.execute(copy + "item_id = 2 AND user_id = 7")
    # Of one the counter knows, as when likesd was let write without a key; of the other not.
    books.set_count("post:1", 12)
    yield books
    books.sql.close()
    books.cache.close()


TWICE = [
    "post:1 like-twice user=2 copies=2",
    "post:1 like-twice user=5 copies=2",
    "post:2 like-twice user=7 copies=4",
]


def test_likes_that_stand_more_than_once_are_reported_and_removed(doubled):
    done = doubled.verify()
    low = "post:2 counter-low counters=10 likes=13 version=1"
    assert (done.status, done.lines) == (9, sorted([*TWICE, low, NO_KEY]))
    assert "Likes stored more than once: 3" in done.summary
    mended = doubled.verify("--repair")
    assert mended.status == 9, "the key has to be put back by hand"
    assert sorted(line.rsplit(" ", 1)[0] for line in mended.lines if "like-twice" in line) == TWICE
    assert all(line.endswith(" mended") for line in mended.lines if line != NO_KEY)
    assert drift(doubled.sql) == []
    assert counter(doubled.sql, "post:1")[0] == counter(doubled.sql, "post:2")[0] == 10
    assert counter(doubled.sql, "post:3") == (10, 1)
    # The oldest is left.
    assert doubled.sql.execute("SELECT DISTINCT created_at::date::text FROM user_likes").fetchall() == [("2026-01-01",)]
    assert doubled.repairs() == {(1, 1), (2, 1)}
    doubled.sql.execute(ADD_KEY)
    assert doubled.verify().status == 0


def test_likes_that_stand_twice_are_of_the_types_asked_for(doubled):
    assert doubled.verify("--type", "reel").lines == [NO_KEY]
    assert doubled.verify("--type", "post").lines[-1] == NO_KEY


def test_a_like_that_somebody_takes_away_meanwhile_is_not_counted_twice(doubled):
    with doubled.connect(autocommit=False) as batch:
        batch.execute("DELETE FROM user_likes WHERE user_id = 2 AND item_id = 1")
        batch.execute("UPDATE counters SET like_count = like_count - 2, version = version + 1 WHERE item_id = 1")
        done = doubled.verify("--repair")
        # Its rows are held: it is left alone, the others are not.
        assert "post:1 like-twice user=2 copies=2 not-mended" in done.lines
        assert "post:2 like-twice user=7 copies=4 mended" in done.lines
        batch.commit()
    doubled.verify("--repair")
    assert drift(doubled.sql) == []
    assert counter(doubled.sql, "post:1")[0] == 9


# Tables that do not fit


def test_what_does_not_fit_is_reported_with_what_to_run(books):
    books.sql.execute("ALTER TABLE lanes SET UNLOGGED")
    done = books.verify()
    line = "lanes unlogged: public.lanes is unlogged: a crash of PostgreSQL empties it; "
    line += "run: ALTER TABLE public.lanes SET LOGGED"
    assert (done.status, done.lines) == (9, [line])
    assert "Tables: 1 to correct manually, see above" in done.summary
    first, last = map(json.loads, books.verify("--json").output)
    assert (first["table"], first["kind"], first["sql"]) == (
        "lanes",
        "unlogged",
        "ALTER TABLE public.lanes SET LOGGED",
    )
    assert first["next"] == first["sql"]
    assert last["summary"]["misfits"] == 1
    books.sql.execute(first["sql"])
    assert books.verify().status == 0


def test_tables_that_cannot_be_read_as_they_are_end_the_audit(books):
    books.sql.execute("ALTER TABLE counters RENAME like_count TO count")
    done = books.verify("--repair")
    assert done.status == 9
    (line,) = done.lines
    assert line.startswith("counters no-column: the column public.counters.like_count is missing; next: a restore may ")
    assert line.endswith(
        "without one run this, then verify again with --repair: "
        "ALTER TABLE public.counters ADD like_count bigint NOT NULL DEFAULT 0"
    )
    assert "the tables cannot be read as they are" in done.errors
    done = books.verify("--json")
    assert (done.status, done.errors) == (9, "")
    misfit, warning, last = map(json.loads, done.output)
    assert misfit["next"].endswith(misfit["sql"])
    # The status is not that of an incomplete audit, so this is no error.
    assert warning == {"warning": {"message": "the tables cannot be read as they are", "next": None}}
    assert (last["summary"]["trouble"], last["summary"]["next"]) == (warning["warning"]["message"], None)


def counters(books):
    return books.sql.execute("SELECT * FROM counters ORDER BY item_id").fetchall()


@pytest.mark.parametrize("fate", ["detached", "dropped"])
def test_nothing_is_compared_or_mended_while_a_partition_is_missing(books, fate):
    before = counters(books)
    books.sql.execute("ALTER TABLE user_likes DETACH PARTITION user_likes_p3")
    attach = "ALTER TABLE public.user_likes ATTACH PARTITION public.user_likes_p3 "
    attach += f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER 3)"
    if fate == "dropped":
        books.sql.execute("ALTER TABLE user_likes_p3 RENAME TO elsewhere")
    for options in [(), ("--repair",), ("--repair", "--sample", "5")]:
        done = books.verify(*options)
        assert done.status == 9
        (line,) = done.lines
        assert f"no-partition: public.user_likes has no partition for MODULUS {PARTITIONS}, REMAINDER 3" in line
        assert "next: a restore may be running: wait for it" in line
        assert line.endswith(f"; otherwise run this, then verify again: {attach}") == (fate == "detached")
        assert "the tables cannot be read as they are" in done.errors
        assert counters(books) == before
    refused = run("likesctl", "migrate", "--partitions", PARTITIONS, DATABASE_URL=books.database_url)
    assert refused.returncode == 1
    assert "has no partition for" in refused.stderr
    script = run("likesctl", "migrate", "--partitions", PARTITIONS, "--sql", "--config", "/dev/null").stdout
    with books.connect() as sql, pytest.raises(psycopg.errors.RaiseException, match="lacks a partition"):
        sql.execute(script)
    if fate == "dropped":
        books.sql.execute("ALTER TABLE elsewhere RENAME TO user_likes_p3")
    books.sql.execute(attach)
    assert books.verify().status == 0
    assert run("likesctl", "migrate", "--partitions", PARTITIONS, DATABASE_URL=books.database_url).returncode == 0


def test_a_table_that_is_away_is_not_to_be_migrated(books):
    books.sql.execute("ALTER TABLE likesd_schema RENAME TO elsewhere")
    for message in [books.verify().errors, books.verify("--repair").errors]:
        assert "a restore may be running" in message
        assert "migrate" not in message
    books.sql.execute("ALTER TABLE elsewhere RENAME TO likesd_schema")
    books.sql.execute("DELETE FROM likesd_schema")
    message = books.verify().errors
    assert "likesd_schema has no row" in message
    assert "migrate" not in message


def test_nothing_is_mended_without_the_keys_that_mending_needs(books):
    books.set_count("post:3", 7)
    books.sql.execute("ALTER TABLE counters DROP CONSTRAINT counters_pkey")
    done = books.verify("--repair")
    assert done.status == 9
    assert "the tables cannot be corrected as they are" in done.errors
    assert counter(books.sql, "post:3") == (7, 5)
    done = books.verify()
    assert "post:3 counter-low counters=7 likes=300 version=5" in done.lines
    words = "2 differences: --repair corrects 1 of them after the tables were corrected manually, in "
    assert words in done.summary
    books.sql.execute("ALTER TABLE counters ADD PRIMARY KEY (item_id, item_type)")
    assert "1 difference: --repair corrects it, in " in books.verify().summary


def test_item_types_that_have_no_name_are_reported(books):
    """A new type could get the number, and with it the likes."""
    books.sql.execute("INSERT INTO item_types VALUES (9, 'story')")
    books.sql.execute(
        "INSERT INTO user_likes SELECT u, i, now(), 9 FROM generate_series(1, 3) u, generate_series(1, 2) i"
    )
    books.sql.execute("INSERT INTO counters VALUES (1, 9, 3), (2, 9, 3), (3, 9, 0)")
    assert books.verify().status == 0
    books.sql.execute("DELETE FROM item_types WHERE id = 9")
    for options in [(), ("--repair",), ("--sample", "100%")]:
        done = books.verify(*options)
        assert done.status == 9
        (line,) = done.lines
        assert line.startswith(
            "item_types unnamed-type: item_types has no name for the number 9, which is the type of 3 items"
        )
        assert "INSERT INTO item_types (id, name) VALUES (9, 'NAME')" in line
        assert "Item types without a name: 1, see above" in done.summary
    assert "\n1 difference, in " in books.verify().summary
    first, last = map(json.loads, books.verify("--json").output)
    assert (first["kind"], first["number"], first["items"]) == ("unnamed-type", 9, 3)
    assert last["summary"]["unnamed_types"] == last["summary"]["differences"] == 1
    assert books.verify("--type", "post").status == 0
