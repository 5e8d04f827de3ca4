"""Whatever a server answers, the daemon lives, says so, and goes on once it answers right again.

Each misfit comes about after the daemon has looked at the tables: what it finds on connecting it refuses.
"""

import contextlib
import itertools

import pytest
from support.database import likes, put_likes, split
from support.relay import RedisRelay
from support.waiting import eventually

MOST = 2**63 - 1
TIMEOUT_MS = 1_000


@pytest.fixture
def daemon(start_daemon, own_postgres, own_redis):
    return start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS, LOCAL_CACHE_TTL_MS=1)


def works_again(daemon, number):
    eventually(lambda: daemon.call("LIKE", number(), f"post:{number()}") == [1, 1], "likes to work again")
    daemon.wait_healthy()


def trigger(table, events, body):
    return (
        f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$;"
        f"CREATE TRIGGER meddle BEFORE {events} ON {table} FOR EACH ROW EXECUTE FUNCTION meddle()"
    )


NO_TRIGGER = "DROP FUNCTION meddle CASCADE"
# What is done to the tables, and what undoes it.
MISFITS = {
    "a counter's trigger returns NULL": (trigger("counters", "INSERT OR UPDATE", "RETURN NULL;"), NO_TRIGGER),
    "a trigger makes a count NULL": (
        "ALTER TABLE counters ALTER like_count DROP NOT NULL;"
        + trigger("counters", "INSERT OR UPDATE", "NEW.like_count = NULL; RETURN NEW;"),
        NO_TRIGGER + "; UPDATE counters SET like_count = 0 WHERE like_count IS NULL;"
        "ALTER TABLE counters ALTER like_count SET NOT NULL",
    ),
    "a trigger makes a version NULL": (
        "ALTER TABLE counters ALTER version DROP NOT NULL;"
        + trigger("counters", "INSERT OR UPDATE", "NEW.version = NULL; RETURN NEW;"),
        NO_TRIGGER + "; UPDATE counters SET version = 1 WHERE version IS NULL;"
        "ALTER TABLE counters ALTER version SET NOT NULL",
    ),
    "a trigger moves a counter": (
        trigger("counters", "INSERT", "NEW.item_id = NEW.item_id + 1; RETURN NEW;"),
        NO_TRIGGER,
    ),
    "the lane's row forgets what changed": (trigger("lanes", "UPDATE", "NEW.changed = ''; RETURN NEW;"), NO_TRIGGER),
    "the lane's row says nonsense": (trigger("lanes", "UPDATE", "NEW.changed = '2'; RETURN NEW;"), NO_TRIGGER),
    "the lane's row is not kept": (trigger("lanes", "UPDATE", "RETURN NULL;"), NO_TRIGGER),
    "the lane's epoch is below 1": (trigger("lanes", "UPDATE", "NEW.epoch = -7; RETURN NEW;"), NO_TRIGGER),
}


def is_told(reply):
    """A change's answer, or an error that says what a client may assume."""
    return isinstance(reply, list) or reply.code in ("UNAVAILABLE", "UNCERTAIN")


@pytest.mark.parametrize("name", MISFITS)
def test_no_answer_of_postgresql_ends_the_daemon(daemon, own_postgres, number, name):
    user, liked, item = number(), f"post:{number()}", f"post:{number()}"
    assert daemon.call("LIKE", user, liked) == [1, 1]
    meddle, mend = MISFITS[name]
    with own_postgres.connect() as sql, daemon.connect() as client:
        sql.execute(meddle)
        for request in [("LIKE", user, item), ("UNLIKE", user, liked), ("LIKE", user, liked)]:
            assert is_told(client.call(*request)), request
        # Counts are read, and pairs, of what the meddling left.
        for request in [("MCOUNT", item, liked), ("LIKE", user, liked), ("MLIKED", user, item, liked), ("LIKES", user)]:
            client.call(*request)
        assert daemon.server.running
        sql.execute(mend)
    works_again(daemon, number)


def test_a_batch_without_its_counters_is_stored_and_said(daemon, own_postgres, number):
    user, item = number(), f"post:{number()}"
    meddle, mend = MISFITS["a counter's trigger returns NULL"]
    with own_postgres.connect() as sql:
        sql.execute(meddle)
        reply = daemon.call("LIKE", user, item)
        # The count is what the table has.
        assert reply == [1, 0] or is_told(reply)
        assert likes(sql, item) == {user}
        assert "a batch was stored without its counters; next: look for triggers" in daemon.log()
        sql.execute(mend)
    works_again(daemon, number)


def test_a_null_among_the_counters_is_said_and_takes_no_other_count_with_it(daemon, own_postgres, number):
    bad, good = f"post:{number()}", f"post:{number()}"
    with own_postgres.connect() as sql:
        put_likes(sql, good, [number()])
        put_likes(sql, bad, [number()])
        sql.execute("ALTER TABLE counters ALTER like_count DROP NOT NULL")
        sql.execute("UPDATE counters SET like_count = NULL WHERE item_id = %s AND item_type = %s", split(bad))
        reply = daemon.call("COUNT", bad)
        assert reply.code == "UNAVAILABLE"
        assert "like_count is NULL" in daemon.log()
        sql.execute("UPDATE counters SET like_count = 1 WHERE like_count IS NULL")
        sql.execute("ALTER TABLE counters ALTER like_count SET NOT NULL")
        eventually(lambda: daemon.call("MCOUNT", bad, good) == [1, 1], "both to be counted")


def test_a_counter_at_the_end_of_its_range_takes_a_like_and_an_unlike_at_once(daemon, own_postgres, number):
    """Neither has a count of its own that could be told: both get the one that is stored."""
    liker, unliker, item, first = number(), number(), f"post:{number()}", f"post:{number()}"
    with own_postgres.connect() as sql, own_postgres.connect(autocommit=False) as holder:
        put_likes(sql, item, [unliker])
        sql.execute("UPDATE counters SET like_count = %s WHERE item_id = %s AND item_type = %s", (MOST, *split(item)))
        with contextlib.ExitStack() as clients:
            one, two, three = (clients.enter_context(daemon.connect()) for _ in range(3))
            # A batch on the wire, behind which the next gathers.
            holder.execute("LOCK TABLE counters IN EXCLUSIVE MODE")
            one.send(one.form("LIKE", number(), first))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            eventually(lambda: sql.execute(waiting).fetchone() == (1,), "the batch to wait")
            two.send(two.form("LIKE", liker, item))
            three.send(three.form("UNLIKE", unliker, item))
            eventually(lambda: b"changes_waiting:3" in daemon.call("INFO"), "both to be under way")
            holder.rollback()
            assert one.read() == [1, 1]
            assert two.read() == [1, MOST]
            assert three.read() == [1, MOST]
        assert likes(sql, item) == {liker}
        # One more has no room, and takes no other with it.
        assert daemon.call("LIKE", number(), item).code == "UNAVAILABLE"
        assert daemon.call("COUNT", item) == MOST
        sql.execute("UPDATE counters SET version = %s WHERE item_id = %s AND item_type = %s", (MOST, *split(first)))
        assert daemon.call("LIKE", number(), first).code == "UNAVAILABLE"
    works_again(daemon, number)


@pytest.mark.parametrize("least", [-(2**63), -(2**63) + 1])
def test_a_counter_at_the_other_end_of_its_range_harms_nobody(daemon, own_postgres, number, least):
    user, item = number(), f"post:{number()}"
    with own_postgres.connect() as sql:
        put_likes(sql, item, [user])
        sql.execute("UPDATE counters SET like_count = %s WHERE item_id = %s AND item_type = %s", (least, *split(item)))
    assert daemon.call("LIKE", number(), item) == [1, least + 1]
    assert daemon.call("LIKE", number(), item) == [1, least + 2]
    assert daemon.call("UNLIKE", user, item) == [1, least + 1]
    eventually(lambda: daemon.call("COUNT", item) == least + 1, "the count")
    works_again(daemon, number)


def test_rows_of_repairs_that_are_no_items_harm_nobody(daemon, own_postgres, own_redis, number):
    item = f"post:{number()}"
    with own_postgres.connect() as sql, own_redis.client() as cache:
        assert daemon.call("LIKE", number(), item) == [1, 1]
        for identifier, kind in [(-5, 1), (-(2**63), 1), (2**63 - 1, 1), (5, 99)]:
            sql.execute(
                "INSERT INTO cache_repairs (item_type, item_id, version) VALUES (%s, %s, %s)", (kind, identifier, MOST)
            )
            sql.execute(
                "INSERT INTO counters (item_type, item_id, like_count, version) VALUES (%s, %s, 3, 3)",
                (kind, identifier),
            )
        cache.delete(f"counter:{item}")
        sql.execute("INSERT INTO cache_repairs (item_type, item_id, version) VALUES (1, %s, 1)", (int(item[5:]),))
        eventually(lambda: cache.get(f"counter:{item}") == "1", "the repair among them")
    works_again(daemon, number)


STRANGE = [b"+OK\r\n", b":-9223372036854775808\r\n", b"*-1\r\n", b"$3\r\n1 2\r\n"]
STRANGE += [b"*2\r\n$1\r\nx\r\n*1\r\n:5\r\n"]


@pytest.mark.parametrize("command", [b"EVALSHA", b"MGET", b"PUBLISH", b"TIME", b"INFO", b"SCRIPT"])
def test_no_answer_of_redis_ends_the_daemon(start_daemon, own_postgres, own_redis, number, place, command):
    """A Redis that answers one command strangely, in all kinds of ways, and then does so no more."""
    strange = itertools.cycle(STRANGE)
    changed = []

    def change(piece):
        if not piece.words or piece.words[0] != command:
            return piece.data
        changed.append(command)
        return next(strange)

    with RedisRelay(place / "redis.sock", own_redis.socket) as relay:
        daemon = start_daemon(own_postgres, own_redis, REDIS_URL=f"unix://{place}/redis.sock", LOCAL_CACHE_TTL_MS=1)
        user, item = number(), f"post:{number()}"
        assert daemon.call("LIKE", user, item) == [1, 1]
        relay.change = change
        with own_redis.client() as cache, daemon.connect() as client:

            def is_asked():
                # What is asked on connecting is asked again. A read is none of that, and comes some time later.
                if command != b"MGET":
                    cache.client_kill_filter(_type="normal", skipme=True)
                assert client.call("UNLIKE", user, item)[0] == 1
                assert client.call("LIKE", user, item)[0] == 1
                assert client.call("MCOUNT", item, f"post:{number()}") == [1, 0]
                return len(changed) >= len(STRANGE)

            eventually(is_asked, "all the answers to come")
        relay.change = lambda piece: piece.data
        works_again(daemon, number)
        assert daemon.call("COUNT", item) == 1
