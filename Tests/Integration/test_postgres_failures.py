"""PostgreSQL decides: gone, hung, read-only or without schema, what the caller is told is true."""

import contextlib
import os
import signal
import threading

import pytest
from support.daemon import run
from support.database import counter, drift, likes, put_likes, split
from support.waiting import eventually
from support.wire import array

# Short, as it is waited for; long enough for a busy machine to answer in.
TIMEOUT_MS = 1_000


@pytest.fixture
def settled(start_daemon, own_postgres, own_redis):
    """A daemon on servers that the test may break, with a short deadline."""
    return start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)


def works_again(daemon, number):
    def works():
        return daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]

    eventually(works, "likes to work again")
    daemon.wait_healthy()


def code(reply):
    return getattr(reply, "code", reply)


def test_without_postgresql_changes_are_unavailable_and_cached_counts_are_served(settled, own_postgres, number):
    user, item, unknown = number(), f"post:{number()}", f"post:{number()}"
    assert settled.call("LIKE", user, item) == [1, 1]
    own_postgres.stop()
    with settled.connect() as client:
        assert client.call("COUNT", item) == 1
        assert client.call("LIKE", user, item).code == "UNAVAILABLE"
        assert client.call("UNLIKE", user, item).code == "UNAVAILABLE"
        assert client.call("LIKED", user, item).code == "UNAVAILABLE"
        assert client.call("MLIKED", user, item).code == "UNAVAILABLE"
        assert client.call("COUNT", unknown).code == "UNAVAILABLE"
        assert client.call("MCOUNT", item, unknown).code == "UNAVAILABLE"
        assert client.call("PING") == "PONG"
    health = settled.health()
    assert health["status"] != "ok"
    assert health["database"] == "unhealthy"
    assert health["message"]
    own_postgres.start()
    works_again(settled, number)
    with own_postgres.connect() as sql:
        assert likes(sql, item) == {user}
        assert drift(sql) == []


def test_counts_are_served_from_redis_and_expired_entries_when_nothing_fresher_can_be_had(
    start_daemon, own_postgres, own_redis, number
):
    item = f"post:{number()}"
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS, LOCAL_CACHE_TTL_MS=1)
    assert daemon.call("LIKE", number(), item) == [1, 1]
    own_postgres.kill()
    assert daemon.call("COUNT", item) == 1
    own_redis.kill()
    for _ in range(3):
        assert daemon.call("COUNT", item) == 1
    own_postgres.start()
    own_redis.start()
    works_again(daemon, number)


def test_a_killed_postgresql_loses_no_acknowledged_like(settled, own_postgres, number):
    item = f"post:{number()}"
    acknowledged, doubtful = [], []
    for _ in range(3):
        with settled.connect() as client:
            for user in [number() for _ in range(40)]:
                client.send(client.form("LIKE", user, item))
                doubtful.append(user)
            own_postgres.kill()
            for user in doubtful[-40:]:
                reply = client.read()
                if reply != [1, reply[1]]:
                    assert reply.code in ("UNCERTAIN", "UNAVAILABLE"), reply
                else:
                    acknowledged.append(user)
        own_postgres.start()
        works_again(settled, number)
    with own_postgres.connect() as sql:
        stored = likes(sql, item)
        assert set(acknowledged) <= stored <= set(doubtful)
        assert drift(sql) == []
    assert settled.call("COUNT", item) == len(stored)


def test_a_hung_postgresql_is_uncertain_at_the_deadline_and_repeating_settles_it(settled, own_postgres, number):
    user, item = number(), f"post:{number()}"
    assert settled.call("COUNT", item) == 0
    # The lock is there for the batch to be on the wire for certain when the server stops.
    locker = own_postgres.connect(autocommit=False)
    locker.execute("LOCK TABLE user_likes IN EXCLUSIVE MODE")
    with settled.connect() as client, own_postgres.connect() as sql:
        client.send(array("LIKE", user, item))
        eventually(lambda: is_blocked(sql), "the batch to wait for the lock")
        own_postgres.pause()
        locker.close()
        reply = client.read()
    try:
        assert reply.code == "UNCERTAIN"
        assert settled.call("COUNT", item) == 0
        assert settled.call("LIKED", user, item).code == "UNAVAILABLE"
        eventually(lambda: settled.health()["database"] == "unhealthy", "HEALTH to say that PostgreSQL hangs")
    finally:
        own_postgres.resume()
    works_again(settled, number)
    # Repeating is how a caller learns the outcome: afterwards it is liked, once.
    eventually(lambda: code(settled.call("LIKE", user, item)) in ([1, 1], [0, 1]), "the repeated like")
    assert settled.call("LIKED", user, item) == 1
    with own_postgres.connect() as sql:
        assert likes(sql, item) == {user}
        assert counter(sql, item)[0] == 1


def lock_counter(connection, item):
    """Holds the row that every change of the item has to update."""
    connection.execute("SELECT FROM counters WHERE item_id = %s AND item_type = %s FOR UPDATE", split(item))


def is_blocked(sql):
    return sql.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()[0] > 0


@pytest.mark.parametrize("timeout_ms", [300, 1500])
def test_a_change_blocked_until_the_deadline_is_told_the_truth(
    start_daemon, own_postgres, own_redis, number, timeout_ms
):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=timeout_ms)
    known, user, item = number(), number(), f"post:{number()}"
    eventually(lambda: code(daemon.call("LIKE", known, item)) in ([1, 1], [0, 1]), "a like in so short a time")
    with own_postgres.connect(autocommit=False) as holder:
        lock_counter(holder, item)
        reply = daemon.call("LIKE", user, item)
        assert reply.code in ("UNAVAILABLE", "UNCERTAIN")
        assert daemon.call("COUNT", item) == 1
        holder.rollback()
    works_again(daemon, number)
    with own_postgres.connect() as sql:
        eventually(lambda: not is_blocked(sql), "the end of blocked statements")
        stored = likes(sql, item)
        # UNAVAILABLE is said only of what is proven not to be stored.
        assert stored == {known} or (reply.code == "UNCERTAIN" and stored == {known, user})
        assert counter(sql, item)[0] == len(stored)
    assert daemon.call("LIKED", user, item) == int(user in stored)
    assert daemon.call("COUNT", item) == len(stored)


def test_a_short_block_is_waited_out(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=60000)
    item = f"post:{number()}"
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect(autocommit=False) as holder, own_postgres.connect() as sql, daemon.connect() as client:
        lock_counter(holder, item)
        client.send(client.form("LIKE", number(), item) + client.form("COUNT", item))
        eventually(lambda: is_blocked(sql), "the like to be blocked")
        # Others are served meanwhile.
        assert daemon.call("COUNT", item) == 1
        holder.commit()
        assert client.read() == [1, 2]
        assert client.read() == 2


def test_a_statement_that_fails_is_unavailable_and_stored_nothing(settled, own_postgres, number):
    item = f"post:{number()}"
    with own_postgres.connect() as sql:
        sql.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'disk on fire'; END$$")
        sql.execute("CREATE TRIGGER refuse AFTER INSERT ON user_likes FOR EACH ROW EXECUTE FUNCTION refuse()")
        assert settled.call("LIKE", number(), item).code == "UNAVAILABLE"
        assert likes(sql, item) == set()
        assert counter(sql, item) is None
        assert settled.call("COUNT", item) == 0
        sql.execute("DROP TRIGGER refuse ON user_likes")
    works_again(settled, number)


def test_a_row_that_is_refused_takes_no_other_of_its_batch_with_it(settled, own_postgres, number):
    users = [number() for _ in range(100)]
    bad, item = users[37], f"post:{number()}"
    with own_postgres.connect() as sql, settled.connect() as client:
        sql.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not this one'; END$$")
        sql.execute(
            "CREATE TRIGGER refuse AFTER INSERT ON user_likes "
            f"FOR EACH ROW WHEN (NEW.user_id = {bad}) EXECUTE FUNCTION refuse()"
        )
        replies = client.pipeline([("LIKE", user, item) for user in users])
        refused = {user: code(reply) for user, reply in zip(users, replies, strict=True) if code(reply) != reply}
        assert refused == {bad: "UNAVAILABLE"}
        assert likes(sql, item) == set(users) - {bad}
        assert drift(sql) == []
        sql.execute("DROP TRIGGER refuse ON user_likes")
    assert settled.call("LIKE", bad, item) == [1, 100]


def test_a_commit_that_fails_is_not_a_success(settled, own_postgres, number):
    """The statement succeeds, its transaction does not: only the commit proves anything."""
    user, item = number(), f"post:{number()}"
    with own_postgres.connect() as sql:
        sql.execute("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'too late'; END$$")
        sql.execute(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON user_likes DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        assert code(settled.call("LIKE", user, item)) in ("UNAVAILABLE", "UNCERTAIN")
        assert likes(sql, item) == set()
        assert settled.call("LIKED", user, item) == 0
        assert settled.call("COUNT", item) == 0
        sql.execute("DROP TRIGGER refuse ON user_likes")
    works_again(settled, number)


def test_a_read_only_postgresql_refuses_changes_and_answers_questions(settled, own_postgres, number):
    user, item, cold = number(), f"post:{number()}", f"post:{number()}"
    with own_postgres.connect() as sql:
        put_likes(sql, cold, [user])
    assert settled.call("LIKE", user, item) == [1, 1]
    own_postgres.set("default_transaction_read_only", "on")
    refused = eventually(
        lambda: settled.call("LIKE", number(), item) if own_postgres_is_read_only(own_postgres) else None,
        "the setting to arrive",
    )
    assert code(refused) == "UNAVAILABLE"
    assert settled.call("UNLIKE", user, item).code == "UNAVAILABLE"
    assert settled.call("LIKED", user, item) == 1
    assert settled.call("MCOUNT", item, cold) == [1, 1]
    health = eventually(lambda: settled.health() if settled.health()["status"] != "ok" else None, "HEALTH to say so")
    assert health["message"]
    own_postgres.set("default_transaction_read_only", None)
    works_again(settled, number)


def own_postgres_is_read_only(postgres):
    with postgres.connect() as sql:
        return sql.execute("SHOW default_transaction_read_only").fetchone()[0] == "on"


def test_terminated_sessions_are_replaced(settled, own_postgres, number):
    with own_postgres.connect() as sql:
        killed = sql.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'likesd%'"
        ).fetchone()[0]
        assert killed >= 2
    works_again(settled, number)


def test_the_daemon_starts_before_postgresql(start_daemon, own_postgres, own_redis, number):
    own_postgres.stop()
    daemon = start_daemon(own_postgres, own_redis, until="listening", REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    assert daemon.call("LIKE", number(), f"post:{number()}").code == "UNAVAILABLE"
    assert daemon.health()["database"] == "unhealthy"
    own_postgres.start()
    works_again(daemon, number)


def test_without_a_schema_all_say_what_to_run_and_go_on_by_themselves(start_daemon, own_postgres, own_redis, number):
    url = own_postgres.create_database("empty")
    daemon = start_daemon(own_postgres, own_redis, until="listening", database_url=url, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    health = eventually(
        lambda: daemon.health() if "likesctl migrate" in daemon.health().get("message", "") else None,
        "HEALTH to name likesctl migrate",
    )
    assert health["status"] != "ok"
    for request in [("LIKE", 1, "post:1"), ("LIKED", 1, "post:1"), ("COUNT", f"post:{number()}")]:
        assert daemon.call(*request).code == "UNAVAILABLE", request
    assert "likesctl migrate" in daemon.call("LIKE", 1, "post:1")
    assert "likesctl migrate" in daemon.log()
    done = run("likesctl", "migrate", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    works_again(daemon, number)


@pytest.mark.parametrize(("version", "words"), [(1, "likesctl migrate"), (999, "upgrade")])
def test_another_schema_version_says_what_to_do(start_daemon, own_postgres, own_redis, number, version, words):
    with own_postgres.connect() as sql:
        (right,) = sql.execute("SELECT version FROM likesd_schema").fetchone()
        sql.execute("UPDATE likesd_schema SET version = %s", (version,))
        daemon = start_daemon(own_postgres, own_redis, until="listening", REQUEST_TIMEOUT_MS=TIMEOUT_MS)
        eventually(lambda: words in daemon.health().get("message", "").lower(), f"HEALTH to say {words}")
        assert daemon.call("LIKE", number(), "post:1").code == "UNAVAILABLE"
        sql.execute("UPDATE likesd_schema SET version = %s", (right,))
    works_again(daemon, number)


@pytest.mark.parametrize(("version", "words"), [(3, "likesctl migrate (PostgreSQL: "), (5, "next: upgrade likesd")])
def test_another_schema_version_is_noticed_while_running(start_daemon, own_postgres, own_redis, number, version, words):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    with own_postgres.connect() as sql:
        (right,) = sql.execute("SELECT version FROM likesd_schema").fetchone()
        sql.execute("UPDATE likesd_schema SET version = %s", (version,))
        eventually(lambda: words in daemon.health().get("message", ""), f"HEALTH to say {words}", 30)
        assert f"the schema is at version {version}, this likesd" in daemon.health()["message"]
        assert daemon.call("LIKE", number(), "post:1").code == "UNAVAILABLE"
        sql.execute("UPDATE likesd_schema SET version = %s", (right,))
    works_again(daemon, number)


@pytest.mark.parametrize("column", ["counters ALTER like_count", "cache_repairs ALTER item_type", "lanes ALTER batch"])
def test_columns_of_another_type_are_said_and_end_no_daemon(start_daemon, own_postgres, own_redis, number, column):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
    with own_postgres.connect() as sql:
        (right,) = sql.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            column.split(" ALTER "),
        ).fetchone()
        sql.execute(f"ALTER TABLE {column} TYPE integer")
        if "lanes" in column:
            # Read by the first statement of a connection only.
            sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'likesd lane'")

        def is_said():
            # Prepared statements notice when they are used.
            daemon.call("LIKE", number(), f"post:{number()}")
            return "does not have the type" in daemon.health().get("message", "")

        eventually(is_said, "HEALTH to name the column")
        assert f"{column.split()[-1]} does not have the type {right}" in daemon.log()
        sql.execute(f"ALTER TABLE {column} TYPE {right}")
    works_again(daemon, number)


def test_a_missing_database_is_said_and_found_when_it_comes(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(
        own_postgres,
        own_redis,
        until="listening",
        database_url=own_postgres.url("later"),
        REQUEST_TIMEOUT_MS=TIMEOUT_MS,
    )
    eventually(lambda: daemon.health().get("message"), "a message")
    url = own_postgres.create_database("later")
    assert run("likesctl", "migrate", DATABASE_URL=url).returncode == 0
    works_again(daemon, number)


def test_commits_are_synchronous(settled, own_postgres, number):
    """`synchronous_commit` is on in the sessions that write, whatever the server's own setting."""
    own_postgres.set("synchronous_commit", "off")
    item = f"post:{number()}"
    with own_postgres.connect() as sql:
        sql.execute("CREATE TABLE seen (setting text)")
        sql.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END$$"
        )
        sql.execute("CREATE TRIGGER note AFTER INSERT ON user_likes FOR EACH ROW EXECUTE FUNCTION note()")
        assert settled.call("LIKE", number(), item) == [1, 1]
        assert sql.execute("SELECT DISTINCT setting FROM seen").fetchall() == [("on",)]


def test_a_count_behind_a_change_that_changes_nothing_does_not_see_the_change_after_it(
    start_daemon, own_postgres, own_redis, number
):
    """The count of such a change is read later, by a reader that may be slow: what comes after it must not be in it."""
    settled = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=10000)
    item, ghost, user = f"post:{number()}", number(), number()
    session = "SELECT pid, state, query_start FROM pg_stat_activity WHERE application_name = %s"
    with own_postgres.connect() as sql, settled.connect(timeout=20) as client:
        lane_before = sql.execute(session, ("likesd lane",)).fetchone()
        reader = sql.execute(session, ("likesd reader",)).fetchone()[0]
        os.kill(reader, signal.SIGSTOP)
        try:
            client.send(client.form("UNLIKE", ghost, item) + client.form("COUNT", item))

            def unlike_was_committed():
                lane = sql.execute(session, ("likesd lane",)).fetchone()
                return lane[1] == "idle" and lane[2] != lane_before[2]

            eventually(unlike_was_committed, "the unlike to pass the lane")
            client.send(client.form("LIKE", user, item))
            with contextlib.suppress(AssertionError):
                # A like that waits for the count before it is as right as one that is already stored.
                eventually(lambda: likes(sql, item), "the like to be stored", deadline=2)
        finally:
            os.kill(reader, signal.SIGCONT)
        # Its own count may be of any moment up to its reply; the COUNT stands before the like.
        assert client.read()[0] == 0
        assert client.read() == 0
        assert client.read() == [1, 1]


def test_a_cold_start_of_both_servers_under_load_ends_in_exact_books(settled, own_postgres, own_redis, number):
    """Clients go on sending while everything goes away and comes back."""
    item = f"post:{number()}"
    users = [number() for _ in range(4)]
    stop = threading.Event()
    told = dict.fromkeys(users)

    def client(user):
        while not stop.is_set():
            with contextlib.suppress(OSError), settled.connect() as connection:
                for verb in ("LIKE", "UNLIKE"):
                    reply = connection.call(verb, user, item)
                    told[user] = verb if isinstance(reply, list) else None
                    assert isinstance(reply, list) or reply.code in ("UNAVAILABLE", "UNCERTAIN"), reply

    threads = [threading.Thread(target=client, args=(user,), daemon=True) for user in users]
    for thread in threads:
        thread.start()
    try:
        own_postgres.kill()
        own_redis.kill()
        own_redis.start()
        own_postgres.start()
        works_again(settled, number)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    with own_postgres.connect() as sql:
        for user, verb in told.items():
            if verb:
                assert settled.call("LIKED", user, item) == (1 if verb == "LIKE" else 0)
        assert drift(sql) == []
        assert settled.call("COUNT", item) == len(likes(sql, item))
