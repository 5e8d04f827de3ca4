"""What operators do to a database and a Redis: restores, snapshots, moves, two of one kind."""

import contextlib
import shutil
import subprocess

import psycopg
import pytest
from support.database import drift
from support.postgres import Postgres, programs
from support.processes import clean_environment
from support.redis_server import RedisServer
from support.waiting import eventually

# Nothing but a repair, or what this is about, brings a count up to date.
FOR_EVER = {"LOCAL_CACHE_TTL_MS": 600_000, "CACHE_TTL_SECONDS": 3_600}
TABLES = [
    "user_likes",
    "likesd_schema",
    "likesd_hosts",
    "lanes",
    "item_types",
    "counters",
    "cache_repairs",
    "likesd_secret",
]


def like(daemon, number, item, count):
    """So many likes; the last reply."""
    for _ in range(count):
        reply = daemon.call("LIKE", number(), item)
    return reply


def postgres_program(name, *arguments):
    done = subprocess.run(
        [programs() / name, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("others", ["running", "new"])
@pytest.mark.parametrize("options", [(), ("--single-transaction",)])
def test_after_pg_restore_no_count_from_before_is_told(
    start_daemon, own_postgres, own_redis, number, place, options, others
):
    """Into the very database, with all hosts running: neither the server nor its timeline is another."""
    item, other = f"post:{number()}", f"post:{number()}"
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    assert like(hosts[0], number, item, 1) == [1, 1]
    dump = place / "likes.dump"
    postgres_program("pg_dump", "-Fc", "-f", dump, own_postgres.url())
    assert like(hosts[0], number, item, 4) == [1, 5]
    assert like(hosts[0], number, other, 3) == [1, 3]
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", item, other) == [5, 3], "both hosts to have them cached")
    postgres_program("pg_restore", "--clean", "--if-exists", *options, "-d", own_postgres.url(), dump)
    if others == "new":
        hosts[1].stop()
        hosts[1] = start_daemon(own_postgres, own_redis, **FOR_EVER)
    eventually(lambda: hosts[0].call("LIKE", number(), item) == [1, 2], "the restored tables to take likes")
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", item, other) == [2, 0], "what is restored to be told", 30)
        host.wait_healthy()
    with own_postgres.connect() as sql, own_redis.client() as cache:
        assert drift(sql) == []
        asker = start_daemon(own_postgres, own_redis)
        eventually(
            lambda: asker.call("COUNT", item) == 2 and cache.get(f"counter:{item}") == "2",
            "Redis to have what is restored",
        )


def test_while_a_restore_takes_the_tables_away_nobody_is_sent_to_migrate(
    start_daemon, own_postgres, own_redis, number, place
):
    """As pg_restore --clean does it without --single-transaction: one by one, and then one by one again."""
    item, dump = f"post:{number()}", place / "likes.dump"
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=500)
    assert like(daemon, number, item, 1) == [1, 1]
    postgres_program("pg_dump", "-Fc", "-f", dump, own_postgres.url())

    def says_so(where):
        def is_said():
            message = daemon.health().get("message", "")
            assert "migrate" not in message, (where, message)
            return "a restore may be running: wait for it" in message

        eventually(is_said, f"HEALTH to speak of a restore {where}")
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"

    with own_postgres.connect() as sql:
        for table in TABLES:
            sql.execute(f"DROP TABLE {table}")
            says_so(f"without {table}")
    postgres_program("pg_restore", "--schema-only", "-d", own_postgres.url(), dump)
    says_so("without rows")
    postgres_program("pg_restore", "--data-only", "-d", own_postgres.url(), dump)
    eventually(lambda: daemon.call("LIKE", number(), item) == [1, 2], "the restored tables to take likes")
    assert "migrate" not in daemon.log()


@pytest.mark.parametrize("hosts", ["running", "new"])
def test_while_a_restore_goes_in_sections_nobody_is_told_to_make_its_keys_at_once(
    start_daemon, own_postgres, own_redis, number, place, hosts
):
    """What is told first is to wait: a key that is made by hand ends the restore with an error."""
    item, dump = f"post:{number()}", place / "likes.dump"
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=500)
    assert like(daemon, number, item, 1) == [1, 1]
    postgres_program("pg_dump", "-Fc", "-f", dump, own_postgres.url())
    with own_postgres.connect() as sql:
        sql.execute(f"DROP TABLE {', '.join(TABLES)}")
    for section in ("pre-data", "data"):
        postgres_program("pg_restore", f"--section={section}", "-d", own_postgres.url(), dump)
        if hosts == "new":
            daemon.stop()
            daemon = start_daemon(own_postgres, own_redis, until="listening", REQUEST_TIMEOUT_MS=500)
        words = "next: a restore may be running: wait for it; "
        words += "if likesd_schema was renamed" if section == "pre-data" else "otherwise sudo -u postgres psql"
        eventually(
            lambda words=words, daemon=daemon: daemon.health().get("message", "").startswith(words), f"HEALTH: {words}"
        )
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"
    postgres_program("pg_restore", "--section=post-data", "-d", own_postgres.url(), dump)
    daemon.wait_healthy()
    assert daemon.call("LIKE", number(), item) == [1, 2]
    assert "migrate" not in daemon.log()


def test_a_database_that_is_gone_is_not_to_be_made_anew_at_once(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=500)
    assert like(daemon, number, item, 1) == [1, 1]

    def gone():
        first = "next: the database was dropped or renamed: a restore may be running: wait for it; if it was renamed"
        eventually(lambda: daemon.health().get("message", "").startswith(first), "HEALTH to say so")
        assert "; otherwise sudo -u postgres createdb " in daemon.health()["message"]

    with own_postgres.connect("postgres") as sql:

        def rename():
            sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'likes'")
            with contextlib.suppress(psycopg.errors.ObjectInUse):
                sql.execute("ALTER DATABASE likes RENAME TO elsewhere")
                return True

        eventually(rename, "the database to be renamed")
        gone()
        sql.execute("ALTER DATABASE elsewhere RENAME TO likes")
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), item) == [1, 2]
        sql.execute("DROP DATABASE likes WITH (FORCE)")
        gone()
        sql.execute("CREATE DATABASE likes")
    words = "next: a restore may be running: wait for it; if a table was renamed"
    eventually(lambda: daemon.health().get("message", "").startswith(words), "HEALTH to speak of the restore still")
    daemon.stop()
    new = start_daemon(own_postgres, own_redis, until="listening")
    words = "has no likesd tables (while a restore is running, wait for it instead)"
    eventually(lambda: words in new.health().get("message", ""), "a new host to speak of a restore as well")
    assert "likesctl migrate (PostgreSQL" in new.health()["message"]


@pytest.mark.parametrize("others", ["running", "new"])
def test_after_a_snapshot_of_the_data_directory_no_count_from_before_is_told(
    start_daemon, own_postgres, own_redis, number, place, others
):
    """Not even the tables are others: the first version that contradicts what is known says so."""
    item, other = f"post:{number()}", f"post:{number()}"
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    own_postgres.stop()
    shutil.copytree(own_postgres.data, place / "snapshot")
    own_postgres.start()
    eventually(lambda: hosts[0].call("LIKE", number(), item) == [1, 1], "likes to be taken again")
    assert like(hosts[0], number, item, 4) == [1, 5]
    assert like(hosts[1], number, other, 3) == [1, 3]
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", item, other) == [5, 3], "both hosts to have them cached")
    own_postgres.stop()
    if others == "new":
        for host in hosts:
            host.stop()
    own_postgres.put_back(place / "snapshot")
    own_postgres.start()
    if others == "new":
        hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    eventually(lambda: hosts[0].call("LIKE", number(), item) == [1, 1], "likes to be taken again")
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", item, other) == [1, 0], "what is there to be told", 30)
        host.wait_healthy()
    with own_redis.client() as cache:
        asker = start_daemon(own_postgres, own_redis)
        eventually(
            lambda: asker.call("COUNT", item) == 1 and cache.get(f"counter:{item}") == "1",
            "Redis to have what is there",
        )


def test_after_truncate_and_copy_no_count_from_before_is_told(start_daemon, own_postgres, own_redis, number, place):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis, **FOR_EVER)
    assert like(daemon, number, item, 2) == [1, 2]
    with own_postgres.connect() as sql:
        tables = ("user_likes", "counters")
        kept = {table: sql.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        assert like(daemon, number, item, 3) == [1, 5]
        with own_postgres.connect(autocommit=False) as copy:
            for table in tables:
                copy.execute(f"TRUNCATE {table}")
                with copy.cursor().copy(f"COPY {table} FROM STDIN") as rows:
                    for row in kept[table]:
                        rows.write_row(row)
        assert daemon.call("LIKE", number(), item) == [1, 3]
        eventually(lambda: daemon.call("COUNT", item) == 3, "what was copied to be told", 30)
        assert drift(sql) == []


def test_the_count_behind_a_contradicting_like_is_the_new_one_at_once(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis, **FOR_EVER)
    assert like(daemon, number, item, 5) == [1, 5]
    with own_postgres.connect() as sql:
        with sql.transaction():
            sql.execute("DELETE FROM user_likes")
            sql.execute("DELETE FROM counters")
        assert daemon.call("LIKE", number(), item) == [1, 1]
        assert daemon.call("COUNT", item) == 1
        assert daemon.info()["databases_gone_back"] == "1"


def test_two_databases_on_one_redis_do_not_serve_each_others_counts(start_daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    own_postgres.create_database("second")
    first = start_daemon(own_postgres, own_redis, **FOR_EVER)
    assert first.run_ctl("migrate", DATABASE_URL=own_postgres.url("second")).returncode == 0
    second = start_daemon(own_postgres, own_redis, database_url=own_postgres.url("second"), until=None)
    eventually(second.answers, "it to listen")
    assert like(first, number, item, 3) == [1, 3]
    eventually(lambda: like(second, number, item, 1)[0] == 1, "the other database to take likes")
    for _ in range(20):
        assert first.call("COUNT", item) == 3
        assert second.call("COUNT", item) == 1

    def told():
        return [one.health().get("message", "") for one in (first, second)]

    said = "the likesd of another database uses the same Redis database"
    eventually(lambda: any(said in message for message in told()), "one of them to say so")
    assert like(first, number, item, 1) == [1, 4]
    assert first.call("COUNT", item) == 4
    assert second.call("COUNT", item) == 1


def test_hosts_on_two_redis_are_told_apart_and_their_counts_are_right(
    start_daemon, own_postgres, own_redis, folder, number
):
    item = f"post:{number()}"
    with contextlib.ExitStack() as cleanup:
        other_redis = RedisServer(folder / f"redis{number()}").start()
        cleanup.callback(other_redis.stop)
        here = start_daemon(own_postgres, own_redis, CACHE_TTL_SECONDS=3_600)
        there = start_daemon(own_postgres, other_redis, until="listening", CACHE_TTL_SECONDS=3_600)
        for host in (here, there):
            eventually(lambda host=host: host.call("COUNT", item) == 0, "both to have it in their Redis")
        for count in range(1, 4):
            eventually(lambda count=count: here.call("LIKE", number(), item)[1] == count, "the likes")
        eventually(lambda: there.call("COUNT", item) == 3, "the other host to be right", 30)
        assert like(there, number, item, 1) == [1, 4]
        eventually(lambda: here.call("COUNT", item) == 4, "this host to be right", 30)
        for host in (here, there):
            eventually(
                lambda host=host: "other hosts use another Redis" in host.health().get("message", ""),
                "both to say that they use two",
            )
            assert host.health()["status"] == "degraded"
        # The way back: what the one Redis missed meanwhile is not believed.
        there.stop()
        back = start_daemon(own_postgres, own_redis, until="listening", CACHE_TTL_SECONDS=3_600)
        for host in (here, back):
            eventually(lambda host=host: host.call("COUNT", item) == 4, "all to be right", 30)
            host.wait_healthy()
            assert host.call("COUNT", item) == 4


def test_an_old_primary_is_refused_where_redis_knows_of_a_promotion(
    start_daemon, own_postgres, own_redis, folder, number
):
    """A host that reaches the old primary alone: Redis' marker tells it of the new one."""
    item = f"post:{number()}"
    own_postgres.stop()
    copy = own_postgres.copy(folder / f"pg{number()}")
    own_postgres.start()
    with contextlib.ExitStack() as cleanup:
        # As a standby is promoted: the same cluster, a timeline later.
        (copy.data / "standby.signal").touch()
        shutil.chown(copy.data / "standby.signal", (copy.data / "PG_VERSION").stat().st_uid)
        promoted = Postgres(copy.folder).start()
        cleanup.callback(promoted.stop)
        with promoted.connect("postgres") as connection:
            connection.execute("SELECT pg_promote()")
        new = start_daemon(promoted, own_redis)
        assert like(new, number, item, 1) == [1, 1]
        old = start_daemon(own_postgres, own_redis, until="listening")
        eventually(lambda: "another was promoted to 2" in old.health().get("message", ""), "the old one to be refused")
        assert old.call("LIKE", number(), item).code == "UNAVAILABLE"
        assert new.call("COUNT", item) == 1
        new.wait_healthy()


def test_a_long_snapshot_does_not_make_batches_visit_more_and_more(start_daemon, own_postgres, own_redis, number):
    """Dead versions that a snapshot keeps are those of one lane, which gets a new row now and then."""
    daemon = start_daemon(own_postgres, own_redis)
    item = f"post:{number()}"
    with own_postgres.connect(autocommit=False) as report, own_postgres.connect() as sql, daemon.connect() as client:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT count(*) FROM counters")
        lanes = {sql.execute("SELECT lane FROM lanes ORDER BY lane").fetchone()[0]}
        for _ in range(2_500):
            assert client.call("LIKE", number(), item)[0] == 1
            lanes.add(sql.execute("SELECT lane FROM lanes").fetchone()[0])
        assert len(lanes) >= 3
        assert sql.execute("SELECT count(*) FROM lanes").fetchone() == (1,)
        assert sql.execute("SELECT count(*) FROM likesd_hosts").fetchone() == (1,)
        report.rollback()
