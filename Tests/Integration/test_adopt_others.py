"""likesctl migrate --adopt and its ends, while others hold, use or limit what a take-over needs."""

import json
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.adoption import adopted, leftovers, long_silent, migrate, tables
from support.daemon import binary, run
from support.database import drift
from support.pooler import Pooler
from support.processes import clean_environment
from support.reference import COUNT_UP, TABLES, Reference, likes_of
from support.relay import Relay
from support.waiting import eventually


@pytest.fixture
def url(postgres, number):
    """A database with the reference's tables."""
    url = postgres.create_database(f"reference{number()}")
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


def given_away(sql, number):
    """A role that owns the tables, and is no superuser."""
    owner = f"owner{number()}"
    sql.execute(f"CREATE ROLE {owner} LOGIN")
    sql.execute(f"ALTER TABLE user_likes OWNER TO {owner}; ALTER TABLE counters OWNER TO {owner}")
    return owner


def indexes(sql):
    return set(sql.execute("SELECT indexname FROM pg_indexes WHERE tablename IN ('user_likes', 'counters')"))


def indexing(sql):
    """Sessions that make an index, or drop one that another has left half made."""
    return sql.execute(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND datname = current_database() "
        "AND query ~ '^(CREATE|DROP) INDEX'"
    ).fetchall()


# Poolers


def test_a_pooler_that_lends_its_session_is_refused_and_gets_nothing_of_likesctls_settings(place, postgres, url, sql):
    through = url.replace(str(postgres.folder), str(place))
    with Pooler(place, postgres.folder / ".s.PGSQL.5432", lends=True):
        for words in (["migrate", "--adopt"], ["migrate", "--adopt-undo"], ["migrate"], ["verify"], ["export"]):
            done = run("likesctl", *words, DATABASE_URL=through)
            assert (words, done.returncode) == (words, 1)
            assert "pool_mode = session" in done.stderr
        with psycopg.connect(through, autocommit=True) as other:
            changed = other.execute("SELECT name FROM pg_settings WHERE source = 'session' ORDER BY 1").fetchall()
            assert {name for (name,) in changed} <= {"application_name", "client_encoding"}
            assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    assert tables(sql) == {"user_likes", "counters"}


def test_a_pooler_with_sessions_of_their_own_serves(place, postgres, url):
    through = url.replace(str(postgres.folder), str(place))
    with Pooler(place, postgres.folder / ".s.PGSQL.5432", lends=False):
        adopted(through)
        assert migrate(through, "--adopt-undo").returncode == 0


# Who holds a table


def test_a_transaction_that_the_role_may_not_look_into_is_named_after_one_attempt(url, sql, number):
    owner = given_away(sql, number)
    sql.execute(f"GRANT CREATE ON SCHEMA public TO {owner}")
    with psycopg.connect(url) as report:
        report.execute("SELECT count(*) FROM counters")
        done = migrate(url.replace("postgres@", f"{owner}@"), "--adopt", "--wait", "2")
        assert done.returncode == 75
        assert f"waiting for the transaction of pid {report.info.backend_pid}" in done.stderr
    assert leftovers(sql) == []
    adopted(url.replace("postgres@", f"{owner}@"))


def test_a_prepared_transaction_is_named(own_postgres):
    own_postgres.set("max_prepared_transactions", 2)
    own_postgres.stop()
    own_postgres.start()
    url = own_postgres.create_database("prepared")
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(TABLES)
        sql.execute("BEGIN; INSERT INTO counters (item_id) VALUES (1); PREPARE TRANSACTION 'of a queue'")
        done = migrate(url, "--adopt", "--wait", "1")
        assert done.returncode == 75
        assert "the prepared transaction 'of a queue', which has used counters" in done.stderr
        sql.execute("ROLLBACK PREPARED 'of a queue'")
    adopted(url)


def test_the_end_waits_for_what_the_reference_has_liked_and_not_counted_yet(url, sql, reference):
    reference.like(1, 5)
    adopted(url)
    with psycopg.connect(url) as slow:
        slow.execute("INSERT INTO user_likes (user_id, item_id) VALUES (2, 5)")
        done = migrate(url, "--adopt-finish", "--wait", "1")
        assert done.returncode == 75
        assert f"pid {slow.info.backend_pid}" in done.stderr
        # A report is in nobody's way.
        with psycopg.connect(url) as report, ThreadPoolExecutor(1) as pool:
            report.execute("SELECT count(*) FROM user_likes")
            ending = pool.submit(migrate, url, "--adopt-finish")
            slow.execute(COUNT_UP, (5,))
            slow.commit()
            assert ending.result(60).returncode == 0
    assert sql.execute("SELECT like_count, version FROM counters").fetchall() == [(2, 2)]
    assert sql.execute("SELECT item_id, version FROM cache_repairs").fetchall() == [(5, 2)]
    assert leftovers(sql) == []


# What is refused, and what is said


@pytest.mark.parametrize(
    ("change", "named", "back"),
    [
        (
            "CREATE TABLE users (id bigint PRIMARY KEY); ALTER TABLE user_likes ADD CONSTRAINT of_user "
            "FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
            "of_user",
            "ALTER TABLE user_likes DROP CONSTRAINT of_user",
        ),
        (
            "CREATE TRIGGER early BEFORE INSERT ON user_likes FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "early",
            "DROP TRIGGER early ON user_likes",
        ),
        (
            "ALTER TABLE user_likes ADD source text NOT NULL",
            "source",
            "ALTER TABLE user_likes ALTER source SET DEFAULT ''",
        ),
    ],
    ids=["cascade", "trigger", "column"],
)
def test_what_no_step_makes_fit_is_refused_before_anything_is_changed(postgres, url, sql, change, named, back):
    sql.execute(change)
    before = postgres.dump(sql.info.dbname)
    done = migrate(url, "--adopt")
    assert done.returncode == 1
    assert named in done.stderr
    assert postgres.dump(sql.info.dbname) == before
    sql.execute(back)
    adopted(url)


def test_an_owner_who_may_make_no_tables_is_told_what_to_grant(url, sql, number):
    owner = given_away(sql, number)
    done = migrate(url.replace("postgres@", f"{owner}@"), "--adopt")
    assert done.returncode == 77
    grant = f"GRANT CREATE ON SCHEMA public TO {owner}"
    assert grant in done.stderr
    sql.execute(grant)
    adopted(url.replace("postgres@", f"{owner}@"))


def test_unique_indexes_are_named_and_stay(url, sql):
    sql.execute("CREATE UNIQUE INDEX one_a_day ON user_likes (user_id, created_at)")
    adopted(url)
    done = migrate(url, "--adopt-finish", "--drop-indexes")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("unique index one_a_day of user_likes: ") for line in done.stdout.splitlines())
    left = {name for (name,) in sql.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'user_likes'")}
    assert left == {"one_a_day", "user_likes_pkey", "user_likes_user_id_item_id_item_type_key"}


@pytest.fixture
def parted(postgres, number):
    """The reference's tables, with likes in partitions."""
    url = postgres.create_database(f"parted{number()}")
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(
            "CREATE TABLE user_likes (id bigserial, user_id bigint NOT NULL, item_id bigint NOT NULL, "
            "item_type smallint NOT NULL DEFAULT 1, created_at timestamptz DEFAULT now(), "
            "PRIMARY KEY (user_id, item_id, item_type)) PARTITION BY HASH (user_id)"
        )
        for remainder in range(2):
            sql.execute(
                f"CREATE TABLE likes{remainder} PARTITION OF user_likes "
                f"FOR VALUES WITH (MODULUS 2, REMAINDER {remainder})"
            )
        sql.execute(TABLES[TABLES.index("CREATE TABLE counters") :])
    return url


def test_who_has_only_a_partition_is_named(parted):
    adopted(parted)
    with psycopg.connect(parted) as report:
        report.execute("LOCK TABLE likes1 IN SHARE UPDATE EXCLUSIVE MODE")
        done = migrate(parted, "--adopt-finish", "--wait", "2")
        assert done.returncode == 75
        assert f"waiting for the transaction of pid {report.info.backend_pid}" in done.stderr
    assert migrate(parted, "--adopt-finish").returncode == 0


def test_indexes_of_partitioned_tables_are_named_with_what_drops_them_and_stay(parted):
    with psycopg.connect(parted, autocommit=True, application_name="psql") as sql:
        sql.execute("CREATE INDEX by_time ON user_likes (created_at)")
        sql.execute("INSERT INTO user_likes (user_id, item_id) SELECT u, 5 FROM generate_series(1, 20) AS u")
        lines = adopted(parted, "--drop-indexes")
        assert any(line.startswith("index by_time of user_likes: ") for line in lines)
        assert drift(sql) == []
        done = migrate(parted, "--adopt-finish", "--drop-indexes")
        assert done.returncode == 0
        assert any(line.endswith("to drop it for good: DROP INDEX by_time") for line in done.stdout.splitlines())
        # As the line says.
        sql.execute("DROP INDEX by_time")
        undone = migrate(parted, "--adopt-undo")
        assert undone.returncode == 10
        assert "by_time of user_likes, which the reference service had, is missing" in undone.stderr
        assert len(likes_of(sql)) == 20


def test_a_type_that_the_settings_lack_and_an_id_near_its_end_are_named(url, sql):
    sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (1, 5, 1), (1, 5, 3)")
    sql.execute("ALTER TABLE user_likes ALTER id TYPE integer; ALTER SEQUENCE user_likes_id_seq AS integer")
    sql.execute("SELECT setval('user_likes_id_seq', 1932735283)")
    done = migrate(url, "--adopt", "--json", ITEM_TYPES="post")
    assert done.returncode == 0, done.stderr
    warnings = json.loads(done.stdout.splitlines()[-1])["warnings"]
    assert [one["message"].split(":")[0] for one in warnings] == [
        "ITEM_TYPES does not name the item type comment, of 1 like",
        "90 % of the numbers for user_likes.id are used",
    ]
    assert warnings[0]["next"] == "add comment to ITEM_TYPES of each host"
    # As it says.
    statements = warnings[1]["next"].rpartition(";")[0]
    sql.execute(statements)
    assert "user_likes.id" not in migrate(url, "--adopt").stderr


# Indexes


def test_indexes_stay_while_others_are_connected_and_the_same_command_drops_them_later(url, sql, reference):
    adopted(url)
    before = indexes(sql)
    for _ in range(2):
        done = migrate(url, "--adopt-finish", "--drop-indexes")
        assert done.returncode == 10
        assert "other sessions are connected to this database: postgres: 1: the indexes stay" in done.stderr
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("index idx_user_likes_user "))
        assert line.endswith("used by no statement of likesd; not dropped")
        assert indexes(sql) == before
    # Finished all the same.
    assert leftovers(sql) == []
    back = migrate(url, "--adopt", "--drop-indexes")
    assert back.returncode == 10
    assert indexes(sql) == before
    reference.close()
    # Neither a host of likesd, nor a role that only reads, nor the operator is the reference.
    role = f"reader_{sql.info.dbname}"
    sql.execute(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON user_likes TO {role}")
    with psycopg.connect(url.replace("postgres@", f"{role}@")):
        done = migrate(url, "--adopt-finish", "--drop-indexes")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(indexes(sql)) == len(before) - 3


def test_what_others_dropped_is_named_on_the_way_back_with_what_makes_it_again(postgres, url, sql):
    layout = postgres.dump(sql.info.dbname, "--schema-only")
    adopted(url)
    sql.execute("DROP INDEX idx_user_likes_user; ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey")
    done = migrate(url, "--adopt-undo")
    assert done.returncode == 10
    assert done.stdout.rstrip().endswith("with all likes, and without 2 indexes that it had")
    statements = [line.partition("unless that was meant: ")[2] for line in done.stderr.splitlines()]
    assert len(statements) == 2
    for statement in statements:
        sql.execute(statement)
    assert sorted(postgres.dump(sql.info.dbname, "--schema-only").splitlines()) == sorted(layout.splitlines())


def test_a_full_disk_is_said_as_what_it_is_and_the_next_run_goes_on(postgres, url, sql):
    """A function in an index stands in for the disk: it fails in the middle of making the index."""
    body = "RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS"
    right = f"CREATE OR REPLACE FUNCTION of_user(id bigint) {body} 'BEGIN RETURN id; END'"
    full = f"CREATE OR REPLACE FUNCTION of_user(id bigint) {body} $$ BEGIN RAISE disk_full; END $$"
    sql.execute(right)
    sql.execute("CREATE INDEX of_users ON user_likes (of_user(user_id))")
    sql.execute("INSERT INTO user_likes (user_id, item_id) VALUES (1, 5)")
    layout = postgres.dump(sql.info.dbname, "--schema-only")
    adopted(url, "--drop-indexes")
    sql.execute(full)
    done = migrate(url, "--adopt-undo")
    assert done.returncode == 1
    first, second, step = done.stderr.splitlines()[-3:]
    assert first.endswith("(SQLSTATE 53100): what was done so far stays")
    assert second == "The index of_users is unfinished: it is made anew when this is run again."
    assert step == "Next: make room on PostgreSQL's disk, then run this again"
    assert any(line.startswith("index of_users ") and "unfinished" in line for line in adopted(url))
    sql.execute(right)
    assert migrate(url, "--adopt-undo").returncode == 0
    assert postgres.dump(sql.info.dbname, "--schema-only") == layout


# Time


@pytest.mark.parametrize("way", ["--adopt", "--adopt-undo"])
def test_whoever_ends_it_is_told_what_that_means(url, sql, way):
    if way == "--adopt-undo":
        adopted(url)
    with psycopg.connect(url) as report:
        report.execute("SELECT count(*) FROM counters")
        with subprocess.Popen(
            [binary("likesctl"), "migrate", way],
            env=clean_environment(DATABASE_URL=url), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as taking:  # fmt: skip
            assert "waiting for the transaction" in taking.stderr.readline()
            taking.send_signal(signal.SIGINT)
            assert taking.stderr.read() == "likesctl: stopped: what was done so far stays; run it again\n"
        assert taking.returncode == -signal.SIGINT


def test_a_limit_for_idle_sessions_does_not_end_it_while_likes_are_counted(place, postgres, url, sql):
    items = 12
    sql.execute(f"INSERT INTO counters (item_id, like_count) SELECT i, 7 FROM generate_series(1, {items}) AS i")
    sql.execute(f"ALTER DATABASE {sql.info.dbname} SET idle_session_timeout = '1s'")
    with Relay(place / ".s.PGSQL.5432", postgres.folder / ".s.PGSQL.5432") as relay, psycopg.connect(url) as other:
        other.execute("SET idle_session_timeout = 0")
        other.commit()
        relay.requests.close(lambda piece: b"WITH tables (name, oid)" in piece.data)
        with ThreadPoolExecutor(1) as pool:
            taking = pool.submit(migrate, url.replace(str(postgres.folder), str(place)), "--adopt")
            relay.requests.wait_for(1, "the counting of likes")
            # Each is waited for by itself, for longer than the limit in all.
            other.execute("SELECT FROM counters FOR UPDATE")
            start = time.monotonic()
            relay.requests.open()
            done = taking.result(60)
            assert time.monotonic() - start > 1.5
        assert "schema at version" in done.stdout, done.stderr
        assert "some counters were locked" in done.stderr


def test_a_killed_way_back_leaves_nothing_running_and_hosts_that_come_meanwhile_are_not_cut_off(
    url, sql, reference, postgres, own_redis, start_daemon
):
    reference.like(1, 5)
    reference.close()
    adopted(url, "--drop-indexes")
    with psycopg.connect(url) as writer:
        # Indexes wait for it.
        writer.execute("INSERT INTO user_likes (user_id, item_id) VALUES (2, 5)")
        with subprocess.Popen(
            [binary("likesctl"), "migrate", "--adopt-undo"],
            env=clean_environment(DATABASE_URL=url), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as undoing:  # fmt: skip
            eventually(lambda: indexing(sql), "an index to be made")
            undoing.send_signal(signal.SIGKILL)
        # Not only when the writer ends: the next run would wait for it.
        eventually(lambda: not indexing(sql), "the server to notice", 20)
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(migrate, url, "--adopt-undo")
            eventually(lambda: indexing(sql), "an index to be made")
            daemon = start_daemon(postgres, own_redis, database_url=url)
            writer.rollback()
            done = again.result(60)
    assert done.returncode == 1
    assert "1 host of likesd still uses the tables" in done.stderr
    assert daemon.call("LIKE", 3, "post:5") == [1, 2]
    daemon.stop()
    long_silent(sql)
    assert migrate(url, "--adopt-undo").returncode == 0
    assert likes_of(sql) == {(1, 5), (3, 5)}
