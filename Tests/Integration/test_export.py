"""likesctl export: all likes of one moment, as import reads them, and no half file under the name."""

import json
import os
import pty
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from support.bulk import Likers, ended, likesctl, pairs, start, stored
from support.daemon import binary, run
from support.database import drift
from support.processes import clean_environment
from support.relay import Relay
from support.waiting import eventually


@pytest.fixture(params=[0])
def books(request, shared_books, make_books):
    """An empty database; with partitions where a test asks for them."""
    return make_books(request.param) if request.param else shared_books.empty()


@pytest.fixture
def others(make_books):
    """An empty database to import into."""
    return make_books()


def fill(books, users=2_000):
    rows = "".join(
        f"{user},{kind}:{(user * 7 + step) % 90},2020-01-02 03:04:05.{user:06}+00\n"
        for user in range(users)
        for step, kind in enumerate(("post", "reel", "comment"))
    )
    assert likesctl(books, "import", data=rows).status == 0
    return rows


def counts(books):
    return set(books.sql.execute("SELECT item_id, item_type, like_count FROM counters").fetchall())


@pytest.mark.parametrize("books", [0, 5], indirect=True)
@pytest.mark.parametrize("form", ["csv", "binary"])
def test_what_is_exported_and_imported_is_the_same(books, others, form):
    fill(books)
    out = start(books, "export", "--format", form)
    taken = ended(start(others, "import", "--format", form, stdin=out.stdout))
    assert (out.wait(60), out.stderr.read()) == (0, b"")
    assert (taken.status, taken.errors) == (0, "")
    assert stored(others.sql) == stored(books.sql)
    assert counts(others) == counts(books)
    assert others.verify("--quiet").status == 0


def test_rows_are_those_of_copy(books):
    assert likesctl(books, "import", data="3,reel:7,2020-01-02 03:04:05.5+01\n").status == 0
    assert likesctl(books, "export").out == "3,reel:7,2020-01-02 02:04:05.5+00\n"


def test_a_file_is_complete_and_closed_to_others(books, place):
    rows = fill(books)
    file = place / "likes.csv"
    done = likesctl(books, "export", file)
    assert (done.status, done.errors) == (0, "")
    assert done.out.startswith(f"6000 likes written to {file} in ")
    assert sorted(file.read_text().splitlines()) == sorted(row.replace(".000000", "") for row in canonical(rows))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(place) == ["likes.csv"]


def canonical(rows):
    """Times as PostgreSQL prints them, without zeros at their end."""
    for row in rows.splitlines():
        head, fraction = row.removesuffix("+00").rsplit(".", 1)
        yield f"{head}.{fraction}".rstrip("0").rstrip(".") + "+00" if int(fraction) else f"{head}+00"


def test_an_export_that_was_killed_leaves_the_file_as_it_was(books, postgres, place):
    fill(books, 10)
    file = place / "likes.csv"
    file.write_text("of yesterday\n")
    with Relay(place / ".s.PGSQL.5432", postgres.folder / ".s.PGSQL.5432") as relay:
        relay.replies.close(lambda piece: b",post:" in piece.data)
        url = books.database_url.replace(str(postgres.folder), str(place))
        process = start(books, "export", file, DATABASE_URL=url)
        relay.replies.wait_for(1, "rows")
        again = likesctl(books, "export", file)
        assert (again.status, "another export is writing" in again.errors) == (74, True)
        process.kill()
        process.communicate(timeout=60)
    assert file.read_text() == "of yesterday\n"
    assert (place / "likes.csv.partial").exists()
    assert likesctl(books, "export", file).status == 0
    assert len(file.read_text().splitlines()) == 30
    assert not (place / "likes.csv.partial").exists()


def test_all_likes_are_of_one_moment_while_hosts_go_on(books, others, start_daemon, place):
    """A user likes a pair of items, always the first one first: no export has the second alone."""
    host = start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url)
    fill(books)
    is_over = threading.Event()

    def like_pairs():
        with host.connect() as client:
            user = 1_000_000
            while not is_over.is_set():
                user += 1
                assert client.call("LIKE", user, "post:1")[0] == 1
                assert client.call("LIKE", user, "post:2")[0] == 1

    thread = threading.Thread(target=like_pairs)
    thread.start()
    try:
        eventually(lambda: host.call("LIKED", 1_000_020, "post:2") == 1, "pairs of likes")
        with Likers([host], ["reel:1", "reel:2"]):
            for number in range(3):
                file = place / f"{number}.csv"
                assert likesctl(books, "export", file).status == 0
                likes = {tuple(row.split(",")[:2]) for row in file.read_text().splitlines()}
                second = {user for user, item in likes if item == "post:2" and int(user) > 1_000_000}
                assert len(second) > 10
                assert {(user, "post:1") for user in second} <= likes
    finally:
        is_over.set()
        thread.join()
    assert likesctl(others, "import", place / "2.csv").status == 0
    assert drift(others.sql) == []
    assert others.verify("--quiet").status == 0


def test_likes_of_one_user_or_item(books):
    assert likesctl(books, "import", data="1,post:1\n1,post:2\n2,post:1\n2,reel:1\n").status == 0

    def exported(*options):
        return {tuple(row.split(",")[:2]) for row in likesctl(books, "export", *options).out.splitlines()}

    assert exported("--user", 1) == {("1", "post:1"), ("1", "post:2")}
    assert exported("--item", "post:1") == {("1", "post:1"), ("2", "post:1")}
    assert exported("--item", "post:1", "--user", 2) == {("2", "post:1")}
    assert exported("--user", 9) == set()
    assert likesctl(books, "export", "--item", "nosuch:1").status == 64
    assert likesctl(books, "export", "--user", "-1").status == 64


def test_a_like_of_a_type_without_a_name_is_shown_and_not_imported(books, others):
    books.sql.execute("INSERT INTO user_likes VALUES (1, 5, now(), 9), (1, 6, now(), 1)")
    rows = likesctl(books, "export").out
    done = likesctl(others, "import", data=rows)
    assert (done.status, "no such type: 1, #9:5" in done.errors) == (10, True)
    assert pairs(others.sql) == {(1, "post:6")}


def test_json_and_progress(books, place):
    fill(books, 1_000)
    file = place / "likes.csv"
    done = likesctl(books, "export", "--json", "--progress", file)
    told = json.loads(done.out)["export"]
    assert told.pop("elapsed_ms") >= 0
    assert told == {"file": str(file), "likes": 3_000, "warnings": []}
    assert "1000 likes" in done.errors
    without = likesctl(books, "export", "--json")
    assert (without.status, json.loads(without.out)["error"]["code"]) == (64, "USAGE")


def test_what_cannot_be_written_is_told(books, place):
    fill(books)
    assert likesctl(books, "export", place / "nowhere" / "likes.csv").status == 74
    full = likesctl(books, "export", "/dev/full")
    assert (full.status, "No space left" in full.errors) == (74, True)
    process = start(books, "export")
    process.stdout.close()
    assert (process.wait(60), b"could not be written" in process.stderr.read()) == (74, True)
    process.stderr.close()
    # A pipe stays a pipe.
    pipe = place / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert likesctl(books, "export", "--user", 1, pipe).status == 0
        assert len(reader.stdout.read().splitlines()) == 3
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_export_that_fails_leaves_no_part(books, place):
    """It may have filled the disk."""
    fill(books)
    file = place / "likes.csv"
    file.write_text("of yesterday\n")
    # What a file may have, in units of 512 bytes.
    words = ["sh", "-c", 'trap "" XFSZ; ulimit -f 2; exec "$@"', "sh", binary("likesctl"), "export", file]
    done = subprocess.run(
        words, env=clean_environment(**books.environment), capture_output=True, text=True, check=False
    )
    assert (done.returncode, "File too large" in done.stderr) == (74, True), done
    assert os.listdir(place) == ["likes.csv"]
    assert file.read_text() == "of yesterday\n"


def test_a_connection_that_is_silent_for_long_is_kept_alive(books):
    """Sorts and searches send nothing for hours. The kernel says in how many hundredths it looks again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        process = start(books, "export", DATABASE_URL=f"postgresql://127.0.0.1:{port}/likes?sslmode=disable")
        connection, _ = server.accept()
        with connection:
            connection.recv(1_000)

            def timers():
                lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
                return [line[5] for line in lines if line[2].endswith(f":{port:04X}") and line[3] == "01"]

            eventually(lambda: [timer[:2] for timer in timers()] == ["02"], "nothing but keepalive under way")
            [timer] = timers()
            assert int(timer[3:], 16) <= 1_000
    assert ended(process).status == 69


def test_binary_rows_are_not_shown_on_a_terminal(books):
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0), open(theirs, "wb", buffering=0) as terminal:
        words = [binary("likesctl"), "export", "--format", "binary"]
        environment = clean_environment(**books.environment)
        done = subprocess.run(words, env=environment, stdout=terminal, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "binary rows are nothing for a terminal" in done.stderr) == (64, True)


def test_a_standby_can_be_exported(own_postgres, standby, redis_server, number):
    with own_postgres.connect() as sql:
        sql.execute("INSERT INTO user_likes VALUES (1, 5, '2020-01-02Z', 1)")
        at = sql.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
    with standby.connect() as sql:
        eventually(lambda: sql.execute("SELECT pg_last_wal_replay_lsn() >= %s", (at,)).fetchone()[0], "the like")
    done = run("likesctl", "export", DATABASE_URL=standby.url())
    assert (done.returncode, done.stdout) == (0, "1,post:5,2020-01-02 00:00:00+00\n")
