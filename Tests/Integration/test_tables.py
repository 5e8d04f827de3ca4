"""Tables that a hand has changed: refused with what to run, and used again by itself once that was run."""

import random
import re

import pytest
from support.advice import next_of, run_as_told
from support.daemon import run
from support.database import counter, drift, likes, split
from support.threads import run_all
from support.waiting import eventually

TIMEOUT_MS = 500
PARTITIONS = 4
FUNCTION = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$"
MISFITS = {
    "key": (["ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey"], "has no unique key"),
    "counters' key": (["ALTER TABLE counters DROP CONSTRAINT counters_pkey"], "has no unique key"),
    "deferred": (
        [
            "ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey, "
            "ADD PRIMARY KEY (user_id, item_id, item_type) DEFERRABLE INITIALLY DEFERRED"
        ],
        "has no unique key",
    ),
    "trigger": (
        [FUNCTION, "CREATE TRIGGER no BEFORE INSERT ON user_likes FOR EACH ROW EXECUTE FUNCTION swallow()"],
        "trigger no",
    ),
    "trigger on counters": (
        [FUNCTION, "CREATE TRIGGER no BEFORE UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION swallow()"],
        "trigger no",
    ),
    "rule": (["CREATE RULE no AS ON DELETE TO user_likes DO INSTEAD NOTHING"], "rule no"),
    "column": (["ALTER TABLE user_likes ADD source text NOT NULL"], "source"),
    "null": (["ALTER TABLE counters ALTER like_count DROP NOT NULL"], "may be null"),
    "unlogged": (["ALTER TABLE lanes SET UNLOGGED"], "unlogged"),
    "inherited": (["CREATE TABLE older () INHERITS (user_likes)"], "inherits"),
    "cascade": (
        [
            "CREATE TABLE users (id bigint PRIMARY KEY)",
            "ALTER TABLE user_likes ADD CONSTRAINT owner FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
        ],
        "foreign key owner",
    ),
    "view": (
        ["ALTER TABLE lanes RENAME TO other_lanes", "CREATE VIEW lanes AS SELECT * FROM other_lanes"],
        "not a plain table",
    ),
}


@pytest.fixture
def partitioned(own_postgres):
    """The URL of a database with likes in partitions."""
    url = own_postgres.create_database("parted")
    assert run("likesctl", "migrate", "--partitions", PARTITIONS, DATABASE_URL=url).returncode == 0
    return url


def works_again(daemon, number):
    eventually(lambda: daemon.call("LIKE", number(), f"post:{number()}") == [1, 1], "likes to work again")
    daemon.wait_healthy()


def mend(daemon, words):
    """Runs what HEALTH says until all is well; the first has to speak of `words`."""
    health = eventually(lambda: words in (said := daemon.health().get("message", "")) and said, f"HEALTH: {words}")
    assert daemon.health()["database"] == "unhealthy"
    assert "ALTER TABLE" in health
    refused = daemon.call("LIKE", 1, "post:1")
    assert refused.code == "UNAVAILABLE"
    assert words in refused
    assert words in daemon.log()
    done = []

    def step():
        command = next_of(daemon)
        if command and command not in done and daemon.health()["database"] == "unhealthy":
            run_as_told(command)
            done.append(command)
        return daemon.health()["database"] == "healthy"

    eventually(step, f"the tables to fit after {done}")


@pytest.mark.parametrize("name", MISFITS)
def test_tables_that_fit_no_more_are_refused_on_connecting(start_daemon, own_postgres, own_redis, number, name):
    statements, words = MISFITS[name]
    with own_postgres.connect() as sql:
        for statement in statements:
            sql.execute(statement)
        daemon = start_daemon(own_postgres, own_redis, until="listening", REQUEST_TIMEOUT_MS=TIMEOUT_MS)
        mend(daemon, words)
        works_again(daemon, number)
        assert drift(sql) == []


@pytest.mark.parametrize("name", ["trigger", "unlogged", "inherited", "null"])
def test_tables_that_fit_no_more_are_noticed_while_running(start_daemon, own_postgres, own_redis, number, name):
    """Nothing of these makes a statement fail."""
    statements, words = MISFITS[name]
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
    with own_postgres.connect() as sql:
        for statement in statements:
            sql.execute(statement)
        mend(daemon, words)
        works_again(daemon, number)
        assert drift(sql) == []


def test_row_security_that_applies_to_the_role_is_refused(start_daemon, own_postgres, own_redis, number):
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        sql.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app")
        sql.execute("ALTER TABLE counters ENABLE ROW LEVEL SECURITY")
        sql.execute("CREATE POLICY mine ON counters USING (item_id < 0)")
    url = f"postgresql://app@/likes?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, own_redis, until="listening", database_url=url, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    mend(daemon, "row security")
    works_again(daemon, number)


LEAST_RIGHTS = """
GRANT SELECT ON likesd_schema, item_types, likesd_secret TO app;
GRANT SELECT, INSERT, DELETE ON user_likes TO app;
GRANT SELECT, INSERT, UPDATE ON counters TO app;
GRANT SELECT, INSERT, UPDATE, DELETE ON lanes, cache_repairs, likesd_hosts TO app
"""


@pytest.mark.parametrize(
    ("right", "table"),
    [
        ("INSERT", "user_likes"),
        ("DELETE", "user_likes"),
        ("INSERT", "counters"),
        ("UPDATE", "likesd_hosts"),
        ("SELECT, INSERT, UPDATE, DELETE", "cache_repairs"),
        ("SELECT", "likesd_schema"),
        ("SELECT", "likesd_secret"),
    ],
)
def test_a_right_that_is_taken_from_the_role_is_said_with_what_grants_it(
    start_daemon, own_postgres, own_redis, number, right, table
):
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        sql.execute(LEAST_RIGHTS)
        url = f"postgresql://app@/likes?host={own_postgres.folder}"
        daemon = start_daemon(own_postgres, own_redis, database_url=url, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
        assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
        # Whoever audits needs other rights than likesd.
        assert daemon.run_ctl("verify", REDIS_URL=own_redis.url).returncode == 0
        sql.execute(f"REVOKE {right} ON {table} FROM app")
        whole = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"
        words = "GRANT " + (whole if table == "likesd_schema" else f"{right} ON public.{table}")
        command = eventually(lambda: words in (said := next_of(daemon) or "") and said, "HEALTH to say so", 30)
        assert daemon.health()["status"] == "down"
        assert daemon.call("LIKE", number(), f"post:{number()}").code == "UNAVAILABLE"
        run_as_told(command)
        works_again(daemon, number)
        assert drift(sql) == []


def test_a_key_that_is_dropped_lets_no_second_row_in_from_the_first_like_on(
    start_daemon, own_postgres, own_redis, number
):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    user, item = number(), f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    # So that no hint spares the write.
    with own_redis.client() as cache, own_postgres.connect() as sql:
        sql.execute("ALTER TABLE user_likes DROP CONSTRAINT user_likes_pkey")
        for _ in range(3):
            cache.delete(f"recent_likes:{user}")
            assert daemon.call("LIKE", user, item).code == "UNAVAILABLE"
        assert sql.execute("SELECT count(*) FROM user_likes WHERE user_id = %s", (user,)).fetchone() == (1,)
        mend(daemon, "has no unique key")
        assert daemon.call("LIKE", user, item) == [0, 1]
        assert daemon.call("UNLIKE", user, item) == [1, 0]
        assert drift(sql) == []


def test_audit_triggers_and_further_columns_are_welcome(start_daemon, own_postgres, own_redis, number):
    with own_postgres.connect() as sql:
        sql.execute("ALTER TABLE user_likes ADD note text, ADD source text NOT NULL DEFAULT 'app'")
        sql.execute("CREATE TABLE audit (user_id bigint, what text)")
        sql.execute(
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
            "INSERT INTO audit VALUES (coalesce(NEW.user_id, OLD.user_id), TG_OP); RETURN NULL; END$$"
        )
        sql.execute("CREATE TRIGGER audit AFTER INSERT OR DELETE ON user_likes FOR EACH ROW EXECUTE FUNCTION audit()")
        daemon = start_daemon(own_postgres, own_redis)
        user, item = number(), f"post:{number()}"
        assert daemon.call("LIKE", user, item) == [1, 1]
        assert daemon.call("UNLIKE", user, item) == [1, 0]
        assert sql.execute("SELECT * FROM audit ORDER BY 2").fetchall() == [(user, "DELETE"), (user, "INSERT")]


TABLES = [
    "likesd_schema",
    "item_types",
    "user_likes",
    "counters",
    "lanes",
    "cache_repairs",
    "likesd_hosts",
    "likesd_secret",
]


@pytest.fixture
def owned(own_postgres):
    """The URL of a role that owns the tables, and nothing else, as after createdb -O and migrate."""
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        for table in TABLES:
            sql.execute(f"ALTER TABLE {table} OWNER TO app")
    return f"postgresql://app@/likes?host={own_postgres.folder}"


@pytest.mark.parametrize("schema", ["public", "own"])
@pytest.mark.parametrize("table", ["lanes", "cache_repairs", "likesd_hosts", "likesd_secret", "counters", "view"])
def test_a_table_that_is_made_anew_as_told_is_where_the_others_are_and_their_owners(
    start_daemon, own_postgres, own_redis, owned, number, table, schema
):
    with own_postgres.connect() as sql:
        if schema != "public":
            sql.execute(f"CREATE SCHEMA {schema} AUTHORIZATION app; ALTER ROLE app SET search_path = {schema}")
            for each in TABLES:
                sql.execute(f"ALTER TABLE {each} SET SCHEMA {schema}")
            sql.execute(f"SET search_path = {schema}")
        daemon = start_daemon(own_postgres, own_redis, database_url=owned, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
        if table == "view":
            sql.execute("ALTER TABLE lanes RENAME TO old; CREATE VIEW lanes AS SELECT * FROM old")
        else:
            sql.execute(f"DROP TABLE {table}")
        told = re.compile(r"psql -h \S+ -d likes -c '(?:[^']|'\\'')*CREATE TABLE(?:[^']|'\\'')*'")
        command = eventually(lambda: told.search(daemon.health().get("message", "")), "HEALTH to say what to run", 30)
        assert daemon.health()["message"].startswith("next: ")
        run_as_told(command.group())
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
        found = sql.execute(
            "SELECT DISTINCT schemaname::text, tableowner::text FROM pg_tables WHERE tablename = ANY (%s)", (TABLES,)
        )
        assert found.fetchall() == [(schema, "app")]


@pytest.mark.parametrize("when", ["running", "starting"])
def test_a_table_of_another_schema_is_not_taken_for_likesds(start_daemon, own_postgres, own_redis, owned, number, when):
    def start(until):
        return start_daemon(own_postgres, own_redis, database_url=owned, until=until, REQUEST_TIMEOUT_MS=TIMEOUT_MS)

    item = f"post:{number()}"
    with own_postgres.connect() as sql:
        daemon = start("ok")
        for _ in range(3):
            daemon.call("LIKE", number(), item)
        sql.execute("CREATE SCHEMA app AUTHORIZATION app")
        sql.execute("CREATE TABLE app.counters (LIKE public.counters INCLUDING ALL)")
        sql.execute("ALTER TABLE app.counters OWNER TO app")
        if when == "starting":
            daemon.stop()
            daemon = start("listening")
        words = "app.counters and public.counters are both on the search path"
        eventually(lambda: words in daemon.health().get("message", ""), "HEALTH to name both schemas", 30)
        # The reader finds it out first, and the lane looks at once.
        eventually(lambda: "(writing) lost: " + words in daemon.log() or when == "starting", "the lane to stop", 2)
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"
        # Likes may have been counted there meanwhile.
        sql.execute("UPDATE counters SET like_count = like_count + 1, version = version + 1")
        run_as_told(next_of(daemon))
        daemon.wait_healthy()
        eventually(lambda: daemon.call("COUNT", item) == 3, "the counter that was mended")
        assert daemon.call("LIKE", number(), item) == [1, 4]
        assert drift(sql) == []
        # One that was moved is moved back.
        sql.execute("DROP SCHEMA app CASCADE; CREATE SCHEMA app AUTHORIZATION app")
        sql.execute("ALTER ROLE app IN DATABASE likes SET search_path = app, public")
        sql.execute("ALTER TABLE counters SET SCHEMA app")
        daemon.stop()
        daemon = start("listening")
        words = "the table app.counters is not in the schema public"
        eventually(lambda: words in daemon.health().get("message", ""), "HEALTH to name both schemas", 30)
        run_as_told(next_of(daemon))
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), item) == [1, 5]


def test_a_copy_of_all_tables_that_comes_earlier_takes_no_likes(
    start_daemon, own_postgres, own_redis, owned, number, place
):
    """Somebody restores a dump into a schema of its own, which the role's search path has first."""
    daemon = start_daemon(own_postgres, own_redis, database_url=owned, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    item = f"post:{number()}"
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect() as sql:
        with sql.transaction():
            sql.execute("CREATE SCHEMA app AUTHORIZATION app")
            for table in TABLES:
                sql.execute(f"CREATE TABLE app.{table} (LIKE public.{table} INCLUDING ALL)")
                sql.execute(f"INSERT INTO app.{table} SELECT * FROM public.{table}")
                sql.execute(f"ALTER TABLE app.{table} OWNER TO app")
        words = "public.likesd_schema and app.likesd_schema are both on the search path"
        eventually(lambda: words in daemon.health().get("message", ""), "HEALTH to name both schemas", 30)
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"
        assert sql.execute("SELECT count(*) FROM app.user_likes").fetchone() == (1,)
        # The other one is meant.
        told = next_of(daemon).replace("search_path = app", "search_path = public")
        run_as_told(told)
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), item) == [1, 2]
        assert drift(sql) == []


@pytest.mark.parametrize("table", ["counters", "user_likes"])
def test_a_table_that_was_renamed_is_to_be_put_back_and_not_made_anew(
    start_daemon, own_postgres, own_redis, number, table
):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    user, item = number(), f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    with own_postgres.connect() as sql:
        sql.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
        advice = f"next: a restore may be running: wait for it; if {table} was renamed or moved"
        eventually(lambda: daemon.health().get("message", "").startswith(advice), "HEALTH to say so")
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"
        sql.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
        daemon.wait_healthy()
        assert daemon.call("LIKE", user, item) == [0, 1]
        assert "migrate" not in daemon.log()


def test_rows_that_are_refused_again_and_again_do_not_fill_the_log(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, RATE_LIMIT_REQUESTS=0)
    words = "PostgreSQL refused a statement's values: "
    with own_postgres.connect() as sql, daemon.connect() as client:
        sql.execute("ALTER TABLE user_likes ADD CHECK (user_id < 0)")
        replies = [client.call("LIKE", number(), f"post:{number()}") for _ in range(300)]
        assert {reply.code for reply in replies} == {"UNAVAILABLE"}
        eventually(lambda: " more like it" in daemon.log(), "the others to be counted")
        # One in 5 s, for as long as this took.
        lines = [line for line in daemon.log().splitlines() if words in line]
        assert len(lines) < 30


# Partitions


def test_in_partitions_an_unlike_takes_away_one_like(start_daemon, own_postgres, own_redis, partitioned, number):
    daemon = start_daemon(own_postgres, own_redis, database_url=partitioned)
    users, item = [number() for _ in range(40)], f"post:{number()}"
    with daemon.connect() as client, own_postgres.connect("parted") as sql:
        assert [reply[0] for reply in client.pipeline([("LIKE", user, item) for user in users])] == [1] * len(users)
        assert daemon.call("UNLIKE", users[0], item) == [1, len(users) - 1]
        assert daemon.call("LIKED", users[0], item) == 0
        assert likes(sql, item) == set(users[1:])
        assert counter(sql, item)[0] == len(users) - 1
        assert drift(sql) == []


def test_a_partition_that_is_missing_is_said_and_nothing_is_told_of_its_likes(
    start_daemon, own_postgres, own_redis, partitioned, number
):
    daemon = start_daemon(own_postgres, own_redis, database_url=partitioned, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    item = f"post:{number()}"
    with daemon.connect() as client, own_postgres.connect("parted") as sql:
        users = [number() for _ in range(40)]
        client.pipeline([("LIKE", user, item) for user in users])
        (user,) = sql.execute("SELECT user_id FROM user_likes_p3 LIMIT 1").fetchone()
        sql.execute("ALTER TABLE user_likes DETACH PARTITION user_likes_p3")
        words = f"no partition for MODULUS {PARTITIONS}, REMAINDER 3"
        eventually(lambda: words in daemon.health().get("message", ""), "the partition to be missed")
        assert daemon.health()["status"] == "down"
        assert daemon.call("LIKED", user, item).code == "UNAVAILABLE"
        assert daemon.call("LIKE", user, item).code == "UNAVAILABLE"
        assert "ATTACH PARTITION public.user_likes_p3" in daemon.health()["message"]
        new = start_daemon(
            own_postgres, own_redis, database_url=partitioned, until="listening", REQUEST_TIMEOUT_MS=TIMEOUT_MS
        )
        eventually(lambda: words in new.health().get("message", ""), "a new host to miss it")
        sql.execute(
            f"ALTER TABLE user_likes ATTACH PARTITION user_likes_p3 FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER 3)"
        )
        for host in (daemon, new):
            host.wait_healthy()
            assert host.call("LIKED", user, item) == 1
            assert host.call("LIKE", user, item) == [0, len(users)]
        assert drift(sql) == []


def test_in_partitions_two_hosts_that_change_the_same_pairs_stay_exact(
    start_daemon, own_postgres, own_redis, partitioned, seed
):
    hosts = [start_daemon(own_postgres, own_redis, database_url=partitioned) for _ in range(2)]
    items = [f"post:{n}" for n in range(1, 4)]
    balance = []

    def change(host, source):
        with host.connect() as client:
            for _ in range(40):
                requests = [
                    (source.choice(["LIKE", "UNLIKE"]), source.randrange(12), source.choice(items)) for _ in range(20)
                ]
                for (verb, _, item), reply in zip(requests, client.pipeline(requests), strict=True):
                    balance.append((item, reply[0] if verb == "LIKE" else -reply[0]))

    run_all([lambda n=n: change(hosts[n % 2], random.Random(f"{seed} {n}")) for n in range(4)])
    with own_postgres.connect("parted") as sql:
        assert drift(sql) == []
        for item in items:
            count = sum(change for changed, change in balance if changed == item)
            assert len(likes(sql, item)) == count
            assert sql.execute("SELECT like_count FROM counters WHERE item_id = %s", split(item)[:1]).fetchone() == (
                count,
            )
