"""A PostgreSQL that sends without end, whenever it does: likesd takes in little of it, and goes on with the others."""

import contextlib
import itertools
import os
import socket
import subprocess

import pytest
from before_postgres import FLOOD_GROWTH_MAX_BYTES, HEADER, Flood, error, message, serving
from support.ports import free_ports
from support.postgres import Postgres
from support.waiting import eventually

ANNOUNCED_BYTES = 1 << 30
PIECE_BYTES = 1 << 20
# What is sent at most: enough to tell a daemon that keeps it from one that does not.
PIECES = 192


@pytest.fixture(scope="module")
def servers(migrated_cluster, folder, number):
    with serving(migrated_cluster, folder, number) as servers:
        yield servers


def text(number):
    return b"%012d" % number


def many(make):
    """Messages without end, in pieces."""
    numbers = itertools.count()
    for _ in range(PIECES):
        piece = bytearray()
        while len(piece) < PIECE_BYTES:
            piece += make(next(numbers))
        yield bytes(piece)


def announced(kind):
    return itertools.chain([HEADER.pack(kind, ANNOUNCED_BYTES)], itertools.repeat(b"x" * PIECE_BYTES, PIECES))


FLOODS = {
    "a row of a gigabyte": lambda: announced(b"D"),
    "an error of a gigabyte": lambda: announced(b"E"),
    "an error of megabytes": lambda: [message(b"E", error(b"x" * (8 << 20))), b""],
    "notices": lambda: many(lambda number: message(b"N", error(text(number), b"01000", b"WARNING"))),
    "parameters": lambda: many(lambda number: message(b"S", b"a" + text(number) + b"\0b\0")),
    "notifications": lambda: many(lambda number: message(b"A", b"\0\0\0\1c\0" + text(number) + b"\0")),
}
UNASKED = ["notices", "parameters", "notifications"]


@pytest.mark.parametrize("what", FLOODS)
@pytest.mark.parametrize("kind", [b"R", b"C"], ids=["connecting", "setup"])
def test_a_flood_before_a_connection_can_be_used(between, kind, what):
    between.daemon.wait_healthy()
    with between.withstands(b"likesd", kind, FLOODS[what]) as floods:
        for one in between.relay.passings:
            with contextlib.suppress(OSError):
                one.client.shutdown(socket.SHUT_RDWR)
        eventually(lambda: len(floods) > 2, "attempts to connect")


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_in_place_of_the_answer_to_a_change(between, what):
    with between.withstands(b"likesd lane", b"2", FLOODS[what]) as floods:
        assert between.daemon.call("LIKE", between.number(), "post:1").code in ("UNCERTAIN", "UNAVAILABLE")
        assert floods
        assert between.daemon.call("COUNT", f"post:{between.number()}") == 0


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_in_place_of_the_answer_to_a_read(between, what):
    with between.withstands(b"likesd reader", b"2", FLOODS[what]) as floods:
        between.daemon.call("COUNT", f"post:{between.number()}")
        assert floods
        assert between.daemon.call("LIKE", between.number(), f"post:{between.number()}") == [1, 1]


@pytest.mark.parametrize("what", UNASKED)
def test_a_flood_while_nothing_was_asked(between, what):
    between.daemon.wait_healthy()
    connection = between.connection(b"likesd reader")
    with between.withstands(b"likesd reader", None, FLOODS[what]) as floods:
        floods.append(Flood(FLOODS[what]()))
        with contextlib.suppress(OSError):
            for part in floods[0]:
                connection.say(part)
        eventually(connection.is_over.is_set, "the connection to be given up")
        assert between.daemon.call("LIKE", between.number(), f"post:{between.number()}") == [1, 1]


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_of_a_server_that_is_asked_who_it_is(between, start_daemon, what):
    floods = []

    def change(piece):
        if b"likesd look" not in piece.opening or piece.data[:1] != b"R":
            return piece.data
        floods.append(Flood(FLOODS[what]()))
        return itertools.chain([piece.data], floods[-1])

    between.daemon.stop()
    between.relay.change = change
    try:
        folders = f"{between.relay.folder},{between.postgres.folder}"
        url = between.postgres.url().replace(str(between.postgres.folder), folders)
        daemon = start_daemon(between.postgres, between.redis, database_url=url)
        before = daemon.resident_bytes()
        daemon.watch_peak()
        seen = len(floods)
        eventually(lambda: len(floods) > seen + 1, "another look")
        eventually(lambda: int(daemon.info()["database_unexpected_answers"]) > 1, "it to be counted")
        assert daemon.peak_bytes() - before < FLOOD_GROWTH_MAX_BYTES
        assert "it sends more than" in daemon.log()
        assert not any(one.is_spent for one in floods)
        assert daemon.call("LIKE", between.number(), f"post:{between.number()}") == [1, 1]
    finally:
        between.relay.change = lambda piece: piece.data


@pytest.mark.parametrize("name", [b"likesd lane", b"likesd reader"])
def test_a_few_parameters_with_each_answer_are_too_many_in_the_end(between, name):
    numbers = itertools.count()
    parameters = lambda: b"".join(message(b"S", b"a" + text(next(numbers)) + b"\0b\0") for _ in range(40))  # noqa: E731
    given = 0

    def change(kind, _):
        nonlocal given
        given += kind == b"2"
        return message(b"2", b"") + parameters() if kind == b"2" else None

    between.daemon.wait_healthy()
    counted = between.ends_for_what_it_said()
    connection = between.connection(name)
    between.lie(change, lambda changed: connection.is_over.is_set())
    assert given > 50
    assert between.ends_for_what_it_said() > counted


def test_a_warning_for_each_row_of_a_batch_is_borne(between):
    warnings = message(b"N", error(b"a row " + b"x" * 200, b"01000", b"WARNING")) * 2_048
    between.daemon.wait_healthy()
    counted = between.ends_for_what_it_said()
    between.lie(lambda kind, body: message(kind, body) + warnings if kind == b"2" else None)
    assert between.ends_for_what_it_said() == counted


class EncryptedPostgres(Postgres):
    """Reached through TLS."""

    def prepare(self):
        key, certificate = self.data / "server.key", self.data / "server.crt"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-subj", "/CN=likes", "-days", "2"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        owner = self.data.stat()
        for file in (key, certificate):
            os.chown(file, owner.st_uid, owner.st_gid)
            file.chmod(0o600)
        (self.port,) = free_ports(1)
        self.SETTINGS = {**self.SETTINGS, "listen_addresses": "127.0.0.1", "port": self.port, "ssl": "on"}
        return self

    def url(self, database="likes"):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?sslmode=require"


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
def test_answers_of_an_honest_server_never_add_up_to_a_flood(
    migrated_cluster, folder, number, start_daemon, own_redis, is_encrypted
):
    postgres = migrated_cluster.copy(folder / f"pg{number()}")
    if is_encrypted:
        postgres = EncryptedPostgres(postgres.folder).prepare()
    postgres.start()
    daemon = start_daemon(postgres, own_redis)
    lane = daemon.info()["lane_epoch"]
    try:
        with daemon.connect() as client:
            for turn in range(4):
                items = [f"post:{turn * 2_048 + place}" for place in range(2_048)]
                assert client.pipeline([("LIKE", 1, item) for item in items]) == [[1, 1]] * len(items)
                assert client.call("MCOUNT", *(f"reel:{turn * 1_000 + place}" for place in range(1_000))) == [0] * 1_000
                # One by one: what comes beside each answer is added up.
                for place in range(2_000):
                    item = f"comment:{turn * 2_000 + place}"
                    assert client.call("COUNT", item) == 0
                    if place % 4 == 0:
                        assert client.call("LIKE", 1, item) == [1, 1]
        info = daemon.info()
        assert info["database_unexpected_answers"] == "0"
        assert info["lane_epoch"] == lane
    finally:
        daemon.stop()
        postgres.stop()


RAISE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.user_id % 2 = 0 THEN
    RAISE EXCEPTION 'user % may not', NEW.user_id
      USING ERRCODE = '{state}', DETAIL = repeat('d', 300), HINT = repeat('h', 300), SCHEMA = 's', TABLE = 't',
        COLUMN = 'c', CONSTRAINT = 'n', DATATYPE = 'd';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON user_likes {when} FOR EACH ROW EXECUTE FUNCTION refuse()
"""
REFUSALS = {
    "a constraint": "ALTER TABLE user_likes ADD CONSTRAINT odd CHECK (user_id % 2 = 1) NOT VALID",
    "a trigger": RAISE.format(state="P0001", when=""),
    "a trigger at the end": RAISE.format(state="P0001", when="DEFERRABLE INITIALLY DEFERRED"),
    "a number beyond its range": """
        CREATE FUNCTION beyond(bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS
            'SELECT $1 % 2 = 1 OR 9223372036854775807 + $1 > 0';
        ALTER TABLE user_likes ADD CONSTRAINT odd CHECK (beyond(user_id)) NOT VALID""",
    "a statement that took too long": RAISE.format(state="57014", when=""),
    "a right": RAISE.format(state="42501", when=""),
}
REFUSED = 1_200


@pytest.mark.parametrize("what", REFUSALS)
def test_likes_that_an_honest_server_refuses_never_add_up_to_a_flood(
    migrated_cluster, folder, number, start_daemon, own_redis, what
):
    postgres = migrated_cluster.copy(folder / f"pg{number()}").start()
    daemon = start_daemon(postgres, own_redis)
    lane = daemon.info()["lane_epoch"]
    try:
        with postgres.connect() as sql, daemon.connect() as client:
            sql.execute(REFUSALS[what])
            for user in range(2, 2 * REFUSED, 2):
                assert client.call("LIKE", user, "post:1").code == "UNAVAILABLE"
            assert client.call("LIKE", 1, "post:1") == [1, 1]
        info = daemon.info()
        assert info["database_unexpected_answers"] == "0"
        assert info["lane_epoch"] == lane
    finally:
        daemon.stop()
        postgres.stop()


RETRIED = {"a deadlock": "40P01", "a lock that was waited for": "55P03"}


@pytest.mark.parametrize("what", RETRIED)
def test_batches_that_an_honest_server_breaks_off_never_add_up_to_a_flood(
    migrated_cluster, folder, number, start_daemon, own_redis, what
):
    postgres = migrated_cluster.copy(folder / f"pg{number()}").start()
    daemon = start_daemon(postgres, own_redis, REQUEST_TIMEOUT_MS=500)
    lane = daemon.info()["lane_epoch"]
    try:
        with postgres.connect() as sql, daemon.connect() as client:
            sql.execute(RAISE.format(state=RETRIED[what], when=""))
            users = itertools.count(0, 2)
            while int(daemon.info()["batch_retries"]) < REFUSED // 2:
                client.call("LIKE", next(users), "post:1")
            eventually(lambda: client.call("LIKE", 1, "post:1") == [1, 1], "a like to be stored")
        info = daemon.info()
        assert info["database_unexpected_answers"] == "0"
        assert info["lane_epoch"] == lane
    finally:
        daemon.stop()
        postgres.stop()


def test_parameters_in_place_of_what_failed_are_not_kept_for_ever(between):
    """Who sends them with refusals can't be told from who is honest; likesd connects anew before they are many."""
    numbers = itertools.count()
    parameter = lambda: message(b"S", b"a" + text(next(numbers)) + b"\0" + b"b" * 40 + b"\0")  # noqa: E731
    between.daemon.wait_healthy()
    connection = between.connection(b"likesd lane")
    before = between.daemon.resident_bytes()
    between.daemon.watch_peak()
    refused = 0
    with between.postgres.connect() as sql, between.daemon.connect() as client:
        sql.execute("ALTER TABLE user_likes ADD CONSTRAINT odd CHECK (user_id % 2 = 1) NOT VALID")
        # Of a commit's answer, what stands before the error.
        between.relay.change = lambda piece: (
            b"".join(parameter() for _ in range(16)) if b"like_count" in piece.data else piece.data
        )
        try:
            while not connection.is_over.is_set() and refused < 10_000:
                refused += 1
                client.call("LIKE", 2 * refused, "post:1")
        finally:
            between.relay.change = lambda piece: piece.data
            sql.execute("ALTER TABLE user_likes DROP CONSTRAINT odd")
    assert connection.is_over.is_set()
    # Not at once: the first that came with refusals were let pass.
    assert refused > 1_000
    assert between.daemon.peak_bytes() - before < FLOOD_GROWTH_MAX_BYTES
    eventually(lambda: between.daemon.call("LIKE", 1, f"post:{between.number()}") == [1, 1], "likes to be stored")
