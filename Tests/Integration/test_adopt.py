"""likesctl migrate --adopt: the reference service's database becomes likesd's in place, while both write to it."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.adoption import HELD_UP_MAX, adopted, leftovers, long_silent, migrate, tables, verify
from support.daemon import run
from support.database import drift
from support.reference import TABLES, Reference, counts_of, likes_of, likesd_traffic, reference_traffic
from support.waiting import eventually


@pytest.fixture
def url(postgres, number):
    """A database with the reference's tables."""
    name = f"reference{number()}"
    url = postgres.create_database(name)
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(TABLES)
    return url


@pytest.fixture
def sql(url):
    """An operator's session, which is not mistaken for the reference's."""
    with psycopg.connect(url, autocommit=True, application_name="psql") as connection:
        yield connection


@pytest.fixture
def reference(url, own_redis):
    service = Reference(url, own_redis)
    yield service
    service.close()


@pytest.fixture
def start_host(url, postgres, own_redis, start_daemon):
    """Starts hosts of likesd on this database."""
    return lambda database_url=url, **settings: start_daemon(postgres, own_redis, database_url=database_url, **settings)


def eventually_right(daemon, url, items):
    """Until likesd tells of each item what PostgreSQL counts."""
    with psycopg.connect(url, autocommit=True) as sql:
        counts = counts_of(sql)
    wanted = [counts.get(item, 0) for item in items]
    eventually(
        lambda: daemon.call("MCOUNT", *(f"post:{item}" for item in items)) == wanted, "all counts to be right", 30
    )


def test_rows_ids_and_indexes_stay_and_likesd_serves_them(url, sql, reference, own_redis, start_host):
    for user in range(5):
        reference.like(user, 7)
    rows = sql.execute("SELECT * FROM user_likes ORDER BY id").fetchall()
    indexes = sql.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'user_likes' ORDER BY 1").fetchall()
    lines = adopted(url)
    assert lines[-1].startswith("side by side in database ")
    assert sql.execute("SELECT * FROM user_likes ORDER BY id").fetchall() == rows
    assert set(indexes) <= set(
        sql.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'user_likes'").fetchall()
    )
    daemon = start_host()
    assert daemon.call("COUNT", "post:7") == 5
    assert daemon.call("LIKE", 3, "post:7") == [0, 5]
    assert daemon.call("LIKE", 99, "post:7") == [1, 6]
    assert daemon.call("UNLIKE", 0, "post:7") == [1, 5]
    # Its row got an id as the reference's do.
    assert sql.execute("SELECT id IS NOT NULL FROM user_likes WHERE user_id = 99").fetchone() == (True,)
    assert drift(sql) == []
    again = adopted(url)
    assert "side by side already" in again
    assert migrate(url).stdout.splitlines()[1].startswith("side by side with the reference service")


def test_all_name_the_command_before_it_was_run_and_go_on_by_themselves(url, sql, own_redis, start_host):
    daemon = start_host(until="listening")
    eventually(lambda: "likesctl migrate --adopt" in daemon.health().get("message", ""), "HEALTH to name it")
    assert "has the tables of the reference service" in daemon.health()["message"]
    assert "likesctl migrate --adopt" in daemon.log()
    for command in (["migrate"], ["verify"]):
        done = run("likesctl", *command, DATABASE_URL=url, REDIS_URL=own_redis.url)
        assert done.returncode == 1
        assert done.stderr.rstrip().endswith("likesctl migrate --adopt")
    adopted(url)
    daemon.wait_healthy()
    assert migrate(url, "--adopt-finish").returncode == 0
    daemon.stop()
    long_silent(sql)
    assert migrate(url, "--adopt-undo").returncode == 0
    daemon.start("listening")
    eventually(lambda: "likesctl migrate --adopt" in daemon.health().get("message", ""), "HEALTH to name it again")


def test_only_the_reference_s_tables_are_taken_over_or_given_back(postgres, number):
    empty = postgres.create_database(f"empty{number()}")
    done = migrate(empty, "--adopt")
    assert done.returncode == 1
    assert "no tables of the reference service" in done.stderr
    assert migrate(empty).returncode == 0
    for way in ("--adopt", "--adopt-finish", "--adopt-undo"):
        done = migrate(empty, way)
        assert done.returncode == 1
        assert "likesd's own" in done.stderr
    with psycopg.connect(empty) as sql:
        assert {"user_likes", "counters", "likesd_schema"} <= tables(sql)


def test_both_write_the_same_items_and_agree_everywhere(url, sql, own_redis, start_host):
    items = list(range(1, 301))
    adopted(url)
    daemon, other = (start_host() for _ in range(2))
    with (
        reference_traffic(url, own_redis, items, 1_000_000) as theirs,
        likesd_traffic(daemon, items, 2_000_000) as ours,
        likesd_traffic(other, items, 3_000_000) as more,
    ):
        eventually(lambda: min(t.count for t in (theirs, ours, more)) > 500, "all of them to write")
        while_writing = verify(url, own_redis)
        assert while_writing.returncode == 0, while_writing.stdout
        assert "Side by side with the reference service" in while_writing.stdout
    assert likes_of(sql) == theirs.liked | ours.liked | more.liked
    assert drift(sql) == []
    for host in (daemon, other):
        eventually_right(host, url, items)
    done = verify(url, own_redis)
    assert done.returncode == 0, done.stdout
    # What was read just now is in Redis for the reference too.
    counts = counts_of(sql)
    with own_redis.client() as cache:
        cached = cache.mget(f"counter:post:{item}" for item in items)
    assert [int(count) for count in cached] == [counts.get(item, 0) for item in items]


def test_a_write_of_the_reference_is_told_within_seconds_whatever_becomes_of_its_redis_commands(
    url, sql, reference, own_redis, start_host
):
    adopted(url)
    daemon = start_host()
    assert daemon.call("COUNT", "post:5") == 0
    assert daemon.call("LIKE", 1, "post:6") == [1, 1]
    # It dies before it tells Redis.
    for item in (5, 6):
        with reference.sql.transaction():
            reference.sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (2, %s, 1)", (item,))
            reference.sql.execute(
                "INSERT INTO counters (item_id, item_type, like_count) VALUES (%s, 1, 1) "
                "ON CONFLICT (item_id, item_type) DO UPDATE SET like_count = counters.like_count + 1",
                (item,),
            )
    eventually_right(daemon, url, [5, 6])
    assert sql.execute("SELECT item_id, version FROM counters ORDER BY 1").fetchall() == [(5, 2), (6, 2)]
    # It counts up what is not there, and what has been set right already.
    with own_redis.client() as cache:
        cache.incr("counter:post:8")
        cache.incr("counter:post:5")
        eventually(lambda: daemon.call("MCOUNT", "post:8", "post:5", "post:6") == [0, 1, 2], "counts to be right")


def test_its_role_needs_no_right_to_likesd_s_tables(url, sql, own_redis, number):
    role = f"app{number()}"
    sql.execute(f"CREATE ROLE {role} LOGIN")
    sql.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON user_likes, counters TO {role}")
    sql.execute(f"GRANT USAGE ON SEQUENCE user_likes_id_seq TO {role}")
    adopted(url)
    service = Reference(url.replace("postgres@", f"{role}@"), own_redis)
    assert service.like(1, 2)
    assert service.like(2, 2)
    service.close()
    assert sql.execute("SELECT item_id, version FROM cache_repairs").fetchall() == [(2, 3)]


def test_the_owner_of_the_tables_takes_them_over_and_nobody_else(url, sql, reference, number):
    owner, other = f"owner{number()}", f"other{number()}"
    sql.execute(f"CREATE ROLE {owner} LOGIN; CREATE ROLE {other} LOGIN; GRANT CREATE ON SCHEMA public TO {owner}")
    sql.execute(f"ALTER TABLE user_likes OWNER TO {owner}; ALTER TABLE counters OWNER TO {owner}")
    sql.execute(f"GRANT SELECT ON user_likes, counters TO {other}")
    reference.like(1, 5)
    done = migrate(url.replace("postgres@", f"{other}@"), "--adopt")
    assert done.returncode == 77
    assert f"run this as the owner of the tables, {owner}, or as a superuser" in done.stderr
    for role in (owner, "postgres"):
        adopted(url.replace("postgres@", f"{role}@"))
        owners = sql.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert owners == [(owner,)]
        assert sql.execute(
            "SELECT proowner::regrole::text FROM pg_proc WHERE proname = 'likesd_beside'"
        ).fetchone() == (owner,)
        assert reference.like(2 if role == owner else 3, 5)
        assert migrate(url.replace("postgres@", f"{role}@"), "--adopt-undo").returncode == 0


def test_tables_in_a_schema_of_their_own_are_taken_over_there(postgres, own_redis, start_host, number):
    url = postgres.create_database(f"schema{number()}")
    own = f"{url}&options=-csearch_path%3Dapp"
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("CREATE SCHEMA app")
        sql.execute(f"SET search_path = app; {TABLES}")
        adopted(own)
        assert "cache_repairs" not in tables(sql)
        daemon = start_host(own)
        assert daemon.call("COUNT", "post:5") == 0
        # Whatever the search path of whoever writes.
        sql.execute("RESET search_path")
        sql.execute("INSERT INTO app.user_likes (user_id, item_id) VALUES (1, 5)")
        sql.execute("INSERT INTO app.counters (item_id, like_count) VALUES (5, 1)")
        eventually(lambda: daemon.call("COUNT", "post:5") == 1, "the count to be right", 30)
        daemon.stop()
        sql.execute("SET search_path = app")
        long_silent(sql)
        assert migrate(own, "--adopt-undo").returncode == 0


def test_a_role_that_may_not_number_likes_is_told_what_to_grant(url, sql, own_redis, start_host, number):
    role = f"likesd{number()}"
    adopted(url)
    sql.execute(f"CREATE ROLE {role} LOGIN")
    sql.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    daemon = start_host(url.replace("postgres@", f"{role}@"), until="listening", LOG_LEVEL="info")
    grant = f"GRANT USAGE ON SEQUENCE public.user_likes_id_seq TO {role}"
    eventually(lambda: grant in daemon.health().get("message", ""), "HEALTH to name the right")
    sql.execute(grant)
    daemon.wait_healthy()
    assert daemon.call("LIKE", 1, "post:2") == [1, 1]


def test_counters_that_disagree_or_are_missing_are_set_right_while_the_reference_writes(url, sql, reference, own_redis):
    items = list(range(1, 41))
    for item in items:
        reference.like(1, item)
        reference.like(2, item)
    sql.execute("UPDATE counters SET like_count = 9 WHERE item_id BETWEEN 1 AND 5")
    sql.execute("DELETE FROM counters WHERE item_id BETWEEN 6 AND 10")
    sql.execute("UPDATE counters SET like_count = NULL WHERE item_id BETWEEN 11 AND 15")
    with reference_traffic(url, own_redis, items[20:], 1_000_000) as theirs:
        eventually(lambda: theirs.count > 50, "the reference to write")
        lines = adopted(url)
    assert "5 counts that were null begin with 0, and are counted again" in lines
    assert any(line.startswith("counters null-count: 5 rows without like_count") for line in lines)
    mended = {line.split()[0] for line in lines if line.endswith(" mended") and line.startswith("post:")}
    assert mended == {f"post:{item}" for item in range(1, 16)}
    assert drift(sql) == []
    assert verify(url, own_redis).returncode == 0


def test_rows_that_likesd_cannot_hold_are_named_and_stay(url, sql, own_redis, start_host):
    sql.execute(
        "INSERT INTO user_likes (user_id, item_id, item_type) VALUES (-5, 7, 1), (1, -7, 1), (1, 7, 9), (2, 7, 1)"
    )
    sql.execute("INSERT INTO counters VALUES (7, 1, 2), (-7, 1, 5), (7, 9, 1)")
    rows = likes_of(sql)
    found = [json.loads(line) for line in adopted(url, "--json")]
    unheld = {(one["table"], one["kind"], one["rows"], one["example"]) for one in found if "rows" in one}
    assert unheld == {
        ("user_likes", "negative-id", 2, "-5, 7, 1"),
        ("user_likes", "unnamed-type", 1, "9"),
        ("counters", "negative-id", 1, "-7, 1"),
        ("counters", "unnamed-type", 1, "9"),
    }
    assert found[-1]["state"] == "side-by-side"
    assert likes_of(sql) == rows
    daemon = start_host()
    # What changes of them harms no host.
    sql.execute("UPDATE counters SET like_count = like_count + 1 WHERE item_id = -7 OR item_type = 9")
    sql.execute("UPDATE counters SET like_count = like_count - 1 WHERE item_id = -7 OR item_type = 9")
    assert sql.execute("SELECT count(*) FROM cache_repairs").fetchone() == (0,)
    assert daemon.call("COUNT", "post:7") == 2
    assert verify(url, own_redis).returncode == 0
    # Named, they are likesd's as well.
    sql.execute("INSERT INTO item_types VALUES (9, 'story')")
    named = start_host(ITEM_TYPES="post,reel,comment,story")
    assert named.call("COUNT", "story:7") == 1
    assert verify(url, own_redis).returncode == 0


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("INSERT INTO user_likes (user_id, item_id, created_at) VALUES (1, 7, NULL)", "user_likes null-time: 1 row"),
        ("INSERT INTO counters (item_id, updated_at) VALUES (7, NULL)", "counters null-time: 1 row"),
    ],
)
def test_rows_without_a_time_are_a_refusal_that_changes_nothing(postgres, url, sql, row, named):
    sql.execute(row)
    before = postgres.dump(sql.info.dbname)
    done = migrate(url, "--adopt")
    assert done.returncode == 1
    assert done.stdout.startswith(named)
    assert postgres.dump(sql.info.dbname) == before
    advice = done.stderr.partition("as in: ")[2].partition(";")[0]
    sql.execute(advice)
    adopted(url)
    assert sql.execute("SELECT count(*) FROM user_likes WHERE created_at IS NULL").fetchone() == (0,)


def test_all_kinds_of_rows_in_the_way_are_named_at_once(url, sql):
    sql.execute("INSERT INTO user_likes (user_id, item_id, created_at) VALUES (1, 7, NULL)")
    sql.execute("INSERT INTO counters (item_id, updated_at) VALUES (7, NULL)")
    done = migrate(url, "--adopt")
    assert done.returncode == 1
    assert "user_likes has 1 row without created_at" in done.stderr
    assert "counters has 1 row without updated_at" in done.stderr
    sql.execute(done.stderr.partition("as in: ")[2].partition("; then run this again")[0])
    adopted(url)


def test_a_column_of_another_type_or_a_missing_key_is_a_refusal_that_changes_nothing(postgres, url, sql):
    for change, words, back in [
        (
            "ALTER TABLE counters ALTER item_type TYPE integer",
            "counters.item_type has the type integer, likesd needs smallint",
            "ALTER TABLE counters ALTER item_type TYPE smallint",
        ),
        (
            "ALTER TABLE user_likes DROP CONSTRAINT user_likes_user_id_item_id_item_type_key",
            "CREATE UNIQUE INDEX CONCURRENTLY ON user_likes (user_id, item_id, item_type)",
            "CREATE UNIQUE INDEX ON user_likes (user_id, item_id, item_type)",
        ),
    ]:
        sql.execute(change)
        before = postgres.dump(sql.info.dbname)
        done = migrate(url, "--adopt")
        assert done.returncode == 1
        assert words in done.stderr
        assert postgres.dump(sql.info.dbname) == before
        sql.execute(back)
    adopted(url)


def test_of_two_at_once_one_works_and_the_other_finds_it_done(url, sql, reference):
    for item in range(50):
        reference.like(1, item)
    sql.execute("UPDATE counters SET like_count = 3 WHERE item_id < 20")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: migrate(url, "--adopt"), range(4)))
    assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
    assert sorted("side by side already" in one.stdout for one in done) == [False, True, True, True]
    assert drift(sql) == []


def test_a_long_transaction_holds_the_reference_up_no_longer_than_usual(url, sql, own_redis):
    with psycopg.connect(url) as report, ThreadPoolExecutor(1) as pool:
        report.execute("SELECT count(*) FROM counters, user_likes")
        with reference_traffic(url, own_redis, list(range(10)), 1, clients=4) as theirs:
            taking = pool.submit(migrate, url, "--adopt")
            waited = f"pid {report.info.backend_pid}"
            # It has begun, and cannot go on.
            eventually(lambda: "cache_repairs" in tables(sql), "the take-over to begin")
            start, before = time.monotonic(), theirs.count
            eventually(lambda: time.monotonic() > start + 4, "it to wait for a while")
            assert not taking.done()
            assert theirs.count > before + 100
            report.rollback()
            done = taking.result(60)
            assert done.returncode == 0, done.stderr
            assert waited in done.stderr
    assert theirs.longest < HELD_UP_MAX
    assert drift(sql) == []


def test_what_holds_a_table_for_too_long_is_named_and_nothing_is_half_done(url, sql, own_redis):
    with psycopg.connect(url) as report:
        report.execute("SELECT count(*) FROM counters")
        with reference_traffic(url, own_redis, list(range(10)), 1) as theirs:
            done = migrate(url, "--adopt", "--wait", "3")
        assert done.returncode == 75
        assert f"pid {report.info.backend_pid}" in done.stderr
        assert theirs.longest < HELD_UP_MAX
    assert leftovers(sql) == []
    adopted(url)


def test_the_reference_s_statements_work_after_the_end_and_nothing_of_the_way_is_left(
    url, sql, reference, own_redis, start_host
):
    adopted(url)
    reference.like(1, 5)
    daemon = start_host()
    eventually_right(daemon, url, [5])
    done = migrate(url, "--adopt-finish")
    assert done.returncode == 0, done.stderr
    assert "other sessions are connected to this database" in done.stderr
    assert leftovers(sql) == []
    assert reference.like(2, 5)
    assert reference.like(1, 6)
    assert reference.unlike(1, 5)
    assert sql.execute("SELECT item_id, like_count, version FROM counters ORDER BY 1").fetchall() == [
        (5, 1, 2),
        (6, 1, 1),
    ]
    assert daemon.call("LIKE", 7, "post:6") == [1, 2]
    assert drift(sql) == []
    # Safe twice, and there is a way back.
    twice = migrate(url, "--adopt-finish")
    assert (twice.returncode, twice.stdout.splitlines()[0]) == (0, "taken over already")
    again = migrate(url, "--adopt")
    assert again.returncode == 0
    assert "if it has written anything: likesctl verify --repair" in again.stderr
    assert reference.like(3, 5)
    eventually_right(daemon, url, [5, 6])


def test_given_back_the_tables_are_as_they_were_with_all_likes(postgres, url, sql, reference, own_redis, start_host):
    layout = postgres.dump(sql.info.dbname, "--schema-only")
    reference.like(1, 5)
    reference.close()
    assert adopted(url, "--drop-indexes")
    daemon = start_host()
    assert daemon.call("LIKE", 2, "post:5") == [1, 2]
    refused = migrate(url, "--adopt-undo")
    assert refused.returncode == 1
    assert "waiting up to 8 s until it is silent" in refused.stderr
    assert "1 host of likesd still uses" in refused.stderr
    assert daemon.call("LIKE", 3, "post:5") == [1, 3]
    daemon.stop()
    done = migrate(url, "--adopt-undo")
    assert done.returncode == 0, done.stderr
    assert postgres.dump(sql.info.dbname, "--schema-only") == layout
    assert likes_of(sql) == {(1, 5), (2, 5), (3, 5)}
    service = Reference(url, own_redis)
    assert service.like(4, 5)
    service.close()
    assert counts_of(sql) == {5: 4}
    again = migrate(url, "--adopt-undo")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "nothing was taken over")
    adopted(url)


def test_indexes_that_no_statement_uses_are_named_with_their_size_and_dropped_only_if_asked(url, sql, reference):
    reference.like(1, 5)
    reference.close()
    # The reference uses them, so nothing that drops them is printed yet.
    assert "DROP" not in "".join(adopted(url))
    found = [json.loads(line) for line in adopted(url, "--json")]
    spare = {one["index"]: one for one in found if "index" in one}
    assert set(spare) == {"idx_user_likes_item", "idx_user_likes_user", "user_likes_pkey", "idx_counters_updated"}
    assert all(one["bytes"] > 0 and not one["dropped"] for one in spare.values())
    assert all(one["sql"] is None for one in spare.values())
    assert {name for name, one in spare.items() if one["droppable"]} == set(spare) - {"user_likes_pkey"}
    named = migrate(url, "--adopt-finish")
    assert "; to drop it for good: ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey\n" in named.stdout
    # likesd has a use for this one.
    assert migrate(url, "--likers-index").returncode == 0
    done = migrate(url, "--adopt-finish", "--drop-indexes")
    assert done.returncode == 0
    indexes = {row[0] for row in sql.execute("SELECT indexname FROM pg_indexes WHERE tablename = ANY (%s)",
                                             (["user_likes", "counters"],))}  # fmt: skip
    # A key may be what a replication goes by.
    assert indexes == {
        "user_likes_pkey",
        "user_likes_user_id_item_id_item_type_key",
        "user_likes_by_item",
        "counters_pkey",
    }
    undone = migrate(url, "--adopt-undo")
    assert undone.returncode == 0
    assert "user_likes_by_item stays" in undone.stderr
