"""A DATABASE_URL that names several servers: the lane and the reader find the one they need, whatever fails."""

import contextlib
import json
import select

import pytest
from support.daemon import run
from support.postgres import Postgres
from support.waiting import eventually


def url(*servers):
    return f"postgresql://postgres@/likes?host={','.join(str(server.folder) for server in servers)}"


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_the_primary_is_found_and_the_standby_serves_counts_until_it_is_promoted(
    own_postgres, standby, own_redis, start_daemon, number, fault
):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby), LOCAL_CACHE_TTL_MS=10)
    user, item, other = number(), f"post:{number()}", f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1
    standby.wait_for(own_postgres)

    getattr(own_postgres, fault)()
    with contextlib.ExitStack() as cleanup:
        if fault == "pause":
            cleanup.callback(own_postgres.resume)
        own_redis.client().flushall()
        eventually(lambda: daemon.call("COUNT", item) == 1, "the standby to serve counts")
        assert str(daemon.call("LIKE", user, other)).startswith(("UNAVAILABLE", "UNCERTAIN"))

        with standby.connect() as connection:
            connection.execute("SELECT pg_promote()")
        eventually(lambda: daemon.call("LIKE", user + 1, item) == [1, 2], "the promoted server to take likes")
        eventually(lambda: daemon.call("LIKED", user, item) == 1, "the reader to follow the lane")
        assert daemon.call("COUNT", item) == 2
        daemon.wait_healthy()


def test_the_order_of_the_servers_does_not_matter(own_postgres, standby, own_redis, start_daemon, number):
    daemon = start_daemon(redis=own_redis, database_url=url(standby, own_postgres))
    user, item = number(), f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1


def likes(server, item):
    """How many pairs of the item the server has stored."""
    with server.connect() as connection:
        return connection.execute(
            "SELECT count(*) FROM user_likes WHERE item_id = %s", (item.removeprefix("post:"),)
        ).fetchone()[0]


def is_unavailable(reply):
    return str(reply).startswith("UNAVAILABLE")


def says(daemon, *words):
    """Whether HEALTH's message has all of the words; those of a server are its folder."""
    message = daemon.health().get("message", "")
    return all(str(getattr(word, "folder", word)) in message for word in words)


@pytest.mark.parametrize("order", ["old first", "new first"])
def test_a_new_host_takes_the_promoted_server_beside_the_old_primary(
    own_postgres, standby_of, own_redis, start_daemon, user, item, order
):
    # The third one follows the old primary: it tells nothing.
    new, third = standby_of(own_postgres), standby_of(own_postgres)
    own_postgres.kill()
    new.promote()
    own_postgres.start()

    servers = [own_postgres, third, new]
    daemon = start_daemon(redis=own_redis, database_url=url(*(servers if order == "old first" else reversed(servers))))
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1
    assert (likes(new, item), likes(own_postgres, item)) == (1, 0)
    complaint = f"{own_postgres.folder} is an old primary, at timeline 1 while {new.folder} is at 2"
    eventually(lambda: says(daemon, complaint), "HEALTH to speak of the old primary")
    assert complaint in daemon.log()
    assert daemon.health()["status"] == "ok"

    own_postgres.stop()
    eventually(lambda: "message" not in daemon.health(), "the old primary to be forgotten")


def test_a_promotion_while_the_old_primary_answers_moves_the_likes(
    own_postgres, standby, own_redis, start_daemon, user, item, number
):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby))
    assert daemon.call("LIKE", user, item) == [1, 1]
    standby.wait_for(own_postgres)
    standby.promote()
    # Nobody else tells: the old primary takes writes as before.
    eventually(lambda: daemon.health().get("message"), "the promotion to be seen", deadline=30)
    daemon.wait_healthy()
    before = likes(own_postgres, item)
    users = [number() for _ in range(20)]
    assert [daemon.call("LIKE", user, item)[0] for user in users] == [1] * 20
    assert likes(own_postgres, item) == before
    assert likes(standby, item) == 21
    assert daemon.call("COUNT", item) == 21


@pytest.mark.parametrize("hung", ["first", "last"])
def test_a_server_that_hangs_fails_no_attempt_to_connect(
    own_postgres, standby, own_redis, start_daemon, user, item, hung
):
    standby.pause()
    servers = [standby, own_postgres] if hung == "first" else [own_postgres, standby]
    try:
        daemon = start_daemon(redis=own_redis, database_url=url(*servers))
        assert daemon.call("LIKE", user, item) == [1, 1]
        # The first attempt of each connection was the last: it did not wait for the one that hangs until it was ended.
        assert "PostgreSQL (writing) lost" not in daemon.log()
        assert "PostgreSQL (reading) lost" not in daemon.log()
    finally:
        standby.resume()


def test_two_primaries_at_one_timeline_are_both_refused_until_one_is_left(
    own_postgres, standby_of, own_redis, start_daemon, number, item
):
    one, two = standby_of(own_postgres), standby_of(own_postgres)
    own_postgres.kill()
    one.promote()
    two.promote()
    daemon = start_daemon(redis=own_redis, database_url=url(one, two), until="listening")

    def is_refused():
        return says(daemon, one, two, "are both primaries at timeline 2") and daemon.health()["status"] == "down"

    eventually(is_refused, "HEALTH to name both")
    assert is_unavailable(daemon.call("LIKE", number(), item))
    two.stop()
    daemon.wait_healthy()
    assert daemon.call("LIKE", number(), item) == [1, 1]
    assert likes(one, item) == 1

    # It is found while a lane is open, too.
    two.start()
    eventually(is_refused, "the second primary to be seen")
    assert is_unavailable(daemon.call("LIKE", number(), item))
    two.stop()
    daemon.wait_healthy()
    assert daemon.call("LIKE", number(), item) == [1, 2]


def test_of_two_primaries_at_one_timeline_the_one_that_takes_writes_is_taken(
    own_postgres, standby_of, own_redis, start_daemon, user, item
):
    one, two = standby_of(own_postgres), standby_of(own_postgres)
    own_postgres.kill()
    one.promote()
    two.promote()
    one.set("default_transaction_read_only", "on")
    daemon = start_daemon(redis=own_redis, database_url=url(one, two))
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert likes(two, item) == 1


def test_an_old_primary_is_refused_while_only_a_standby_of_the_new_one_is_there(
    own_postgres, standby_of, own_redis, start_daemon, user, item
):
    new = standby_of(own_postgres)
    new.promote()
    follower = standby_of(new)
    follower.wait_for(new)
    new.stop()
    daemon = start_daemon(
        redis=own_redis, database_url=url(own_postgres, new, follower), until="listening", REQUEST_TIMEOUT_MS=1000
    )
    eventually(lambda: says(daemon, own_postgres, follower), "HEALTH to name both")
    assert is_unavailable(daemon.call("LIKE", user, item))
    eventually(lambda: daemon.call("COUNT", item) == 0, "the standby to serve counts")
    assert likes(own_postgres, item) == 0
    new.start()
    daemon.wait_healthy()
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert likes(new, item) == 1


def test_primaries_of_two_databases_are_refused_by_a_new_host_and_passed_over_by_one_that_knows_its_own(
    own_postgres, folder, number, own_redis, start_daemon, user, item
):
    other = Postgres.create(folder / f"pg{number()}")
    both = url(own_postgres, other)
    known = start_daemon(redis=own_redis, database_url=both)
    other.start()
    try:
        other.create_database("likes")
        new = start_daemon(redis=own_redis, database_url=both, until="listening")
        eventually(lambda: says(new, own_postgres, other), "HEALTH to name both")
        assert is_unavailable(new.call("LIKE", user, item))
        eventually(lambda: says(known, other), "the other to be seen")
        assert known.call("LIKE", user, item) == [1, 1]
        # A restart of its own server is no reason to go to another's.
        own_postgres.stop()
        eventually(lambda: known.health()["status"] == "down", "the loss of the server")
        eventually(lambda: says(known, other, "belongs to another database"), "the other to be refused")
        own_postgres.start()
        known.wait_healthy()
        assert known.call("LIKE", user, item) == [0, 1]
    finally:
        other.stop()


def test_one_server_that_is_named_twice_is_one(own_postgres, own_redis, start_daemon, user, item):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, own_postgres))
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert "message" not in daemon.health()


def test_servers_that_stand_in_the_environment_are_looked_at_too(own_postgres, standby, own_redis, start_daemon, item):
    standby.promote()
    daemon = start_daemon(
        redis=own_redis, database_url="postgresql://postgres@/likes", PGHOST=f"{own_postgres.folder},{standby.folder}"
    )
    assert daemon.call("LIKE", 1, item) == [1, 1]
    assert likes(standby, item) == 1


def test_no_wish_of_the_url_makes_an_old_primary_right(own_postgres, standby, own_redis, start_daemon, number, item):
    standby.promote()
    wishes = ["any", "read-write", "primary", "standby", "prefer-standby", "read-only"]
    for count, wish in enumerate(wishes, start=1):
        database_url = f"{url(own_postgres, standby)}&target_session_attrs={wish}"
        daemon = start_daemon(redis=own_redis, database_url=database_url)
        assert daemon.call("LIKE", number(), item) == [1, count]
        assert likes(standby, item) == count


@pytest.mark.parametrize(("attributes", "is_served"), [("standby", True), ("primary", False)])
def test_without_a_primary_the_url_says_whether_a_standby_serves_counts(
    own_postgres, standby, own_redis, start_daemon, item, attributes, is_served
):
    own_postgres.stop()
    daemon = start_daemon(
        redis=own_redis,
        database_url=f"{url(own_postgres, standby)}&target_session_attrs={attributes}",
        until="listening",
        REQUEST_TIMEOUT_MS=500,
    )
    if is_served:
        eventually(lambda: daemon.call("COUNT", item) == 0, "the standby to serve counts")
    else:
        eventually(lambda: says(daemon, standby, "is a standby"), "the standby to be seen")
        assert is_unavailable(daemon.call("COUNT", item))


def test_what_is_said_of_servers_holds_no_password(own_postgres, standby, own_redis, start_daemon):
    own_postgres.kill()
    secret = "hunter2"
    daemon = start_daemon(
        redis=own_redis,
        database_url=url(own_postgres, standby).replace("postgres@", f"postgres:{secret}@"),
        until="listening",
    )
    eventually(lambda: says(daemon, own_postgres, standby), "HEALTH to name both")
    assert secret not in daemon.log()
    assert secret not in daemon.health()["message"]


def test_a_server_that_refuses_to_be_asked_is_said_with_what_to_do(
    own_postgres, standby, own_redis, start_daemon, user, item
):
    # As standbys that were set up before the role was let in.
    hba = standby.data / "pg_hba.conf"
    hba.write_text("local likes postgres reject\n" + hba.read_text())
    with standby.connect("postgres") as connection:
        connection.execute("SELECT pg_reload_conf()")
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby))
    assert daemon.call("LIKE", user, item) == [1, 1]
    eventually(lambda: says(daemon, standby, "refuses to say who it is", "pg_hba.conf"), "HEALTH to say so")
    assert daemon.health()["status"] == "ok"


WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'likesd lane' AND wait_event = 'SyncRep' AND pid <> %s"
)


def synchronous(primary, standby):
    """From now on each commit of the primary waits until the standby has it."""
    standby.wait_for(primary)
    primary.set("synchronous_standby_names", "*")
    with primary.connect() as sql:
        state = "SELECT sync_state FROM pg_stat_replication"
        eventually(lambda: sql.execute(state).fetchall() == [("sync",)], "the standby to be synchronous")


def cancel(sql, other_than=0):
    """Cancels the wait of the lane's backend for the standby, once it is another one's than that; its process."""
    waiting = eventually(lambda: sql.execute(WAITING, (other_than,)).fetchone(), "the lane to wait for the standby")
    assert sql.execute("SELECT pg_cancel_backend(%s)", waiting).fetchone() == (True,)
    return waiting[0]


def nothing_came(client):
    return not select.select([client.socket], [], [], 0)[0]


def test_a_cancelled_wait_for_the_standby_acknowledges_nothing_until_the_standby_has_it(
    own_postgres, standby, own_redis, start_daemon, number
):
    daemon = start_daemon(redis=own_redis, database_url=own_postgres.url(), REQUEST_TIMEOUT_MS=60_000)
    item = f"post:{number()}"
    synchronous(own_postgres, standby)
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect() as sql, daemon.connect() as client:
        standby.pause()
        try:
            client.send(client.form("LIKE", number(), item))
            commit = cancel(sql)
            # The fence of the next connection commits, and waits, too.
            fence = cancel(sql, commit)
            eventually(lambda: sql.execute(WAITING, (fence,)).fetchone(), "another fence to wait")
            assert nothing_came(client)
            health = daemon.health()
            assert health["database"] == "unhealthy"
            assert "waits for a synchronous standby" in health["message"]
            assert "waits for a synchronous standby" in daemon.log()
        finally:
            standby.resume()
        assert client.read() == [1, 2]
    daemon.wait_healthy()


def test_no_acknowledged_like_is_lost_when_a_wait_was_cancelled_and_the_standby_takes_over(
    own_postgres, standby, own_redis, start_daemon, number
):
    daemon = start_daemon(redis=own_redis, database_url=url(own_postgres, standby), REQUEST_TIMEOUT_MS=2_000)
    known, user, item = number(), number(), f"post:{number()}"
    synchronous(own_postgres, standby)
    assert daemon.call("LIKE", known, item) == [1, 1]
    with own_postgres.connect() as sql, daemon.connect() as client:
        journals = "SELECT count(*) FROM lanes WHERE item_ids <> '{}'"
        eventually(lambda: sql.execute(journals).fetchone() == (0,), "the lane to rest: only the like is to wait")
        standby.kill()
        client.send(client.form("LIKE", user, item))
        cancel(sql)
        stored = "SELECT count(*) FROM user_likes WHERE user_id = %s"
        eventually(lambda: sql.execute(stored, (user,)).fetchone() == (1,), "the like to be there, on the one server")
        reply = client.read()
    own_postgres.kill()
    standby.start()
    with standby.connect() as connection:
        connection.execute("SELECT pg_promote()")
    daemon.wait_healthy()
    acknowledged = {known} | ({user} if isinstance(reply, list) else set())
    assert {one for one in (known, user) if daemon.call("LIKED", one, item)} >= acknowledged
    assert reply.code == "UNCERTAIN"
    eventually(lambda: daemon.call("LIKE", user, item) == [1, 2], "the like to be stored on the new primary")


# likesctl


def likesctl(*words, redis, servers):
    return run("likesctl", *words, DATABASE_URL=url(*servers), REDIS_URL=f"unix://{redis.socket}?db=0", timeout=120)


def differ(server, item):
    """One like more than its counter says, so that it can be seen which server was read."""
    with server.connect() as sql:
        sql.execute("INSERT INTO user_likes VALUES (1, %s, now(), 1)", (item.removeprefix("post:"),))


@pytest.mark.parametrize("order", ["old first", "new first"])
def test_likesctl_reads_and_mends_the_promoted_server_beside_the_old_primary(
    own_postgres, standby, own_redis, item, order
):
    standby.promote()
    differ(standby, item)
    servers = [own_postgres, standby] if order == "old first" else [standby, own_postgres]
    line = f"{item} counter-missing counters=- likes=1 version=-"
    found = likesctl("verify", redis=own_redis, servers=servers)
    assert (found.returncode, found.stdout.splitlines()[0]) == (9, line)
    assert f"{own_postgres.folder} is an old primary, at timeline 1 while {standby.folder} is at 2" in found.stderr
    parted = likesctl("verify", "--json", redis=own_redis, servers=servers)
    warning = json.loads(parted.stdout.splitlines()[0])["warning"]
    assert (parted.stderr, warning["next"]) == ("", f"stop {own_postgres.folder}, or make it a standby")
    mended = likesctl("verify", "--repair", redis=own_redis, servers=servers)
    assert (mended.returncode, mended.stdout.splitlines()[0]) == (0, f"{line} mended")
    with own_postgres.connect() as old, standby.connect() as new:
        assert old.execute("SELECT count(*) FROM counters").fetchone() == (0,)
        assert new.execute("SELECT count(*) FROM counters").fetchone() == (1,)


def test_likesctl_migrates_the_promoted_server(own_postgres, standby, own_redis):
    standby.promote()
    with standby.connect() as sql:
        sql.execute("DROP TABLE lanes, cache_repairs, likesd_hosts, likesd_secret")
        sql.execute("UPDATE likesd_schema SET version = 1")
    done = likesctl("migrate", "--json", redis=own_redis, servers=[own_postgres, standby])
    assert (done.returncode, json.loads(done.stdout)["from"]) == (0, 1)
    with standby.connect() as sql:
        assert sql.execute("SELECT version FROM likesd_schema").fetchone() != (1,)


@pytest.mark.parametrize("command", [("verify", "--repair"), ("verify",), ("migrate",)])
def test_likesctl_refuses_servers_that_likesd_would_refuse(own_postgres, standby_of, own_redis, item, command):
    one, two = standby_of(own_postgres), standby_of(own_postgres)
    one.promote()
    follower = standby_of(one)
    follower.wait_for(one)
    two.promote()
    refused = likesctl(*command, redis=own_redis, servers=[one, two])
    assert refused.returncode == 69
    assert (
        f"{one.folder} and {two.folder} are both primaries at timeline 2\nNext: stop one of the two" in refused.stderr
    )
    one.stop()
    # An old primary, and a standby that knows of the new one.
    behind = likesctl(*command, redis=own_redis, servers=[own_postgres, one, follower])
    assert behind.returncode == 69
    words = f"{own_postgres.folder} is an old primary, at timeline 1 while the standby {follower.folder} is at 2"
    assert f"{words}\nNext: start the promoted primary" in behind.stderr


def test_likesctl_waits_no_longer_than_it_has_to_for_a_server_that_hangs(own_postgres, standby, own_redis):
    standby.pause()
    try:
        done = likesctl("migrate", redis=own_redis, servers=[standby, own_postgres])
        assert done.returncode == 0
        assert f"{standby.folder} could not be asked who it is" in done.stderr
        parted = likesctl("migrate", "--json", redis=own_redis, servers=[standby, own_postgres])
        (warning,) = json.loads(parted.stdout)["warnings"]
        assert warning["message"].startswith(f"{standby.folder} could not be asked who it is: ")
        assert parted.stderr == ""
    finally:
        standby.resume()


def test_likesctl_verifies_a_standby_and_migrates_none(own_postgres, standby, own_redis, item):
    differ(own_postgres, item)
    standby.wait_for(own_postgres)
    own_postgres.stop()
    servers = [own_postgres, standby]
    assert f"{item} counter-missing" in likesctl("verify", redis=own_redis, servers=servers).stdout
    refused = likesctl("migrate", redis=own_redis, servers=servers)
    assert refused.returncode == 69
    assert f"{standby.folder} is a standby" in refused.stderr
    assert "at the primary" in refused.stderr
