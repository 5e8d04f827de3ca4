"""likesctl import: rows of any kind become likes with exact counts, each once, wherever it is stopped."""

import bz2
import contextlib
import datetime
import gzip
import json
import lzma
import pty
import struct
import subprocess

import psycopg
import pytest
from support.books import Books
from support.bulk import Likers, ended, likesctl, pairs, start, stored, waits_for_lock
from support.database import counter, drift, split
from support.waiting import eventually

UTC = datetime.UTC
TABLES = ("likesd_import", "likesd_import_rows", "likesd_import_likes")
# More than one piece of those in which rows are loaded.
MANY = 160_000


@pytest.fixture(params=[0])
def books(request, shared_books, make_books):
    """An empty database; with partitions where a test asks for them."""
    return make_books(request.param) if request.param else shared_books.empty()


def at(day, *rest):
    return datetime.datetime(2020, 1, day, *rest, tzinfo=UTC)


def is_clean(books):
    """Nothing differs, and nothing of an import is left."""
    done = books.verify("--quiet")
    assert (done.status, done.lines) == (0, []), done
    left = books.sql.execute("SELECT relname FROM pg_class WHERE relname LIKE 'likesd_import%'").fetchall()
    assert left == []
    return True


def state(books):
    """The row of an unfinished import as a dictionary; empty without one."""
    if not books.sql.execute("SELECT to_regclass('likesd_import') IS NOT NULL").fetchone()[0]:
        return {}
    cursor = books.sql.execute("SELECT * FROM likesd_import")
    return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def many(users, items=500, spread=7):
    """Rows of distinct likes, and the pairs that they stand for."""
    likes = [(user, f"post:{(user * spread + step * 131) % items}") for user in range(users) for step in range(4)]
    return "".join(f"{user},{item},2020-01-02 00:00:00+00\n" for user, item in likes), set(likes)


# Rows of every kind


@pytest.mark.parametrize("books", [0, 5], indirect=True)
def test_rows_become_likes_with_their_times_and_counts(books):
    rows = (
        "1,post:5,2020-01-02\n"
        "2,post:5,2020-01-03 04:05:06.789+02\n"
        '"3","reel:7","2020-01-04 00:00:00Z"\n'
        "9223372036854775807,comment:9223372036854775807,2020-01-05\n"
    )
    done = likesctl(books, "import", data=rows)
    assert (done.status, done.errors) == (0, "")
    assert done.out.startswith("4 rows: 4 new likes, 0 already there, 0 more than once in the input\nin ")
    largest = 2**63 - 1
    assert stored(books.sql) == {
        (1, "post:5", at(2)),
        (2, "post:5", at(3, 2, 5, 6, 789000)),
        (3, "reel:7", at(4)),
        (largest, f"comment:{largest}", at(5)),
    }
    assert counter(books.sql, "post:5")[0] == 2
    assert is_clean(books)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("user_id,item,created_at\n1,post:1,2020-01-02\n", {(1, "post:1")}),
        ("user_id,item,created_at\r\n1,post:1,2020-01-02\r\n2,post:1,\r\n", {(1, "post:1"), (2, "post:1")}),
        ('"user id","the\nitem"\n1,post:1\n', {(1, "post:1")}),
        ("\ufeff1,post:1\n", {(1, "post:1")}),
        ("\ufeffuser,item\n1,post:1\n", {(1, "post:1")}),
        ('"1","post:1",""\n', {(1, "post:1")}),
        ("user,item\n", set()),
        ("", set()),
    ],
)
def test_a_header_and_the_marks_of_other_systems_are_understood(books, rows, wanted):
    done = likesctl(books, "import", data=rows)
    assert (done.status, done.errors) == (0, "")
    assert pairs(books.sql) == wanted
    assert is_clean(books)


def test_a_missing_time_is_the_time_of_the_import(books):
    before = books.sql.execute("SELECT now()").fetchone()[0]
    assert likesctl(books, "import", data="1,post:1,\n1,post:2,2020-01-02\n").status == 0
    assert likesctl(books, "import", data="1,post:3\n").status == 0
    after = books.sql.execute("SELECT now()").fetchone()[0]
    times = {item: time for _, item, time in stored(books.sql)}
    assert times.pop("post:2") == at(2)
    assert all(before <= time <= after for time in times.values())


def test_the_earliest_time_counts_and_what_is_there_keeps_its_own(books):
    books.sql.execute("INSERT INTO user_likes VALUES (7, 1, '2021-05-05Z', 1)")
    books.sql.execute("INSERT INTO counters VALUES (1, 1, 1, 4)")
    rows = "1,post:1,2020-01-03\n1,post:1,2020-01-02\n1,post:1,\n7,post:1,2020-01-01\n1,post:1,2020-01-04\n"
    done = likesctl(books, "import", data=rows)
    assert done.out.startswith("5 rows: 1 new like, 1 already there, 3 more than once in the input\n")
    there = datetime.datetime(2021, 5, 5, tzinfo=UTC)
    assert stored(books.sql) == {(1, "post:1", at(2)), (7, "post:1", there)}
    assert counter(books.sql, "post:1") == (2, 5)
    again = likesctl(books, "import", data=rows)
    assert again.out.startswith("5 rows: 0 new likes, 2 already there, 3 more than once in the input\n")
    assert counter(books.sql, "post:1") == (2, 5)
    assert is_clean(books)


def test_likes_that_are_there_already_are_passed_over_wherever_they_stand(books):
    """Steps in which all are new are done another way than those in which some are not."""
    rows, wanted = many(6_000)
    lines = rows.splitlines(True)
    assert likesctl(books, "import", data="".join(lines[::3])).status == 0
    done = likesctl(books, "import", data=rows)
    assert done.out.startswith(
        f"{len(lines)} rows: {len(lines) - len(lines[::3])} new likes, {len(lines[::3])} already"
    )
    assert pairs(books.sql) == wanted
    assert is_clean(books)


# Rows that are no likes


NO_LIKES = (
    "user,item,time\n"
    "1,post:1,2020-01-02\n"
    "-1,post:1,2020-01-02\n"
    ",post:1,2020-01-02\n"
    '2,"post\n:1",2020-01-02\n'
    "2,post:-1,2020-01-02\n"
    "2,post:9223372036854775808,2020-01-02\n"
    "2,,2020-01-02\n"
    "2,post,2020-01-02\n"
    "2,post:00000000000000000000007,2020-01-02\n"
    "2,nosuch:1,2020-01-02\n"
    "3,post:9223372036854775807,2020-01-02\n"
)


def test_rows_that_are_no_likes_are_left_out_counted_and_named_with_their_lines(books):
    done = likesctl(books, "import", data=NO_LIKES)
    assert done.status == 10
    assert "left out: 8 rows: 2 without a valid user, 4 without a valid item, 2 of an unknown type" in done.out
    named = [line.removeprefix("likesctl: left out: ") for line in done.errors.splitlines()]
    assert [(line.split()[1], line.split(": ")[1]) for line in named] == [
        ("3", "no valid user"), ("4", "no valid user"), ("5", "no such type"), ("7", "no valid item"),
        ("8", "no valid item"), ("9", "no valid item"), ("10", "no valid item"),
        ("12", "no such type"),
    ]  # fmt: skip
    assert pairs(books.sql) == {(1, "post:1"), (2, "post:7"), (3, "post:9223372036854775807")}
    assert is_clean(books)


def test_only_the_first_of_them_are_named(books):
    done = likesctl(books, "import", "--json", data="1,post:1\n" + "2,nosuch:1\n" * 500)
    told = json.loads(done.out)["import"]
    assert (done.status, done.errors) == (10, "")
    assert (told["rows"], told["added"], told["left_out"]["type"]) == (501, 1, 500)
    assert told["left_out"]["named"][0] == "line 2 of standard input: no such type: 2, nosuch:1"
    assert len(told["left_out"]["named"]) == 10


def test_strict_ends_at_the_first_and_goes_on_once_it_is_corrected(books):
    done = likesctl(books, "import", "--strict", data="1,post:1\n2,post:x\n3,post:1\n")
    assert done.status == 1
    assert done.errors.startswith("likesctl: line 2 of standard input: no valid item: 2, post:x\n")
    assert stored(books.sql) == set()
    assert likesctl(books, "import", "--strict", data="1,post:1\n2,post:2\n3,post:1\n").status == 0
    assert pairs(books.sql) == {(1, "post:1"), (2, "post:2"), (3, "post:1")}
    assert is_clean(books)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,post:1,2020-01-02\n2,post:1\n", 'line 2 of standard input: missing data for column "created_at"'),
        ("1,post:1\n2,post:1,2020-01-02\n", "line 2 of standard input: extra data after last expected column"),
        ("1,post:1\nx,post:1\n", 'line 2 of standard input: invalid input syntax for type bigint: "x"'),
        ("h,i\n1,post:1\n9223372036854775808,post:1\n", "line 3 of standard input: value "),
        ("1,post:1,yesterdayish\n", "line 1 of standard input: invalid input syntax for type timestamp with time zone"),
        ('1,"post:\n1"\n1,post:1\nx,post:2\n', "line 4 of standard input: invalid input syntax for type bigint"),
        ("1,post:1\n\n2,post:1\n", "line 2 of standard input: "),
        ("1\n", "line 1 of standard input: missing data for column"),
        ("1,post:1\n2,post:12", "line 2 of standard input has no line break at its end"),
        ('1,post:1\n2,"post:2\n3,post:3\n', "line 2 of standard input has no line break at its end"),
        ("1,post:1\n\\.\n3,post:3\n", "PostgreSQL found 1 row where there are 3"),
        ("1,post:1\r2,post:2\r", "line 1 of standard input has no line break at its end"),
        (b"1,post:\xff\n", "line 1 of standard input: invalid byte sequence"),
        # No header: without its row a like would be lost unseen.
        ("x,post:1\n2,post:1\n", 'line 1 of standard input: invalid input syntax for type bigint: "x"'),
        ("post:1,2\npost:2,2\n", 'line 1 of standard input: invalid input syntax for type bigint: "post:1"'),
        ("1;post:1\n2;post:1\n", 'line 1 of standard input: invalid input syntax for type bigint: "1;post:1"'),
        # Milliseconds since 1970.
        ("1,post:1,1577934245000\n", "line 1 of standard input: date/time field value out of range"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_nothing_is_added(books, rows, words):
    done = likesctl(books, "import", data=rows)
    assert (done.status, done.out) == (1, "")
    assert f"likesctl: {words}" in done.errors
    assert "\nNext: " in done.errors
    assert stored(books.sql) == set()
    # What was loaded is no obstacle to the corrected input.
    assert likesctl(books, "import", data="1,post:1\n5,post:1\n").status == 0
    assert pairs(books.sql) == {(1, "post:1"), (5, "post:1")}
    assert is_clean(books)


def test_an_open_quote_ends_with_the_line_where_it_stands(books):
    rows = "1,post:1\n" * 10 + '2,"post:2\n' + "3,post:3\n" * 400_000
    done = likesctl(books, "import", data=rows)
    assert done.status == 1
    assert "line 11 of standard input: a row of more than 65536 bytes: a quote is open" in done.errors
    assert likesctl(books, "import", "--abandon").status == 0
    assert is_clean(books)


@pytest.mark.parametrize(
    ("data", "what", "way"),
    [
        (gzip.compress(b"1,post:1\n"), "is compressed by gzip", "gzip -dc"),
        (bz2.compress(b"1,post:1\n"), "is compressed by bzip2", "bzip2 -dc"),
        (lzma.compress(b"1,post:1\n"), "is compressed by xz", "xz -dc"),
        (b"\x28\xb5\x2f\xfd,post:1\n", "is compressed by zstd", "zstd -dc"),
        (b"PK\x03\x04,post:1\n", "is a zip file", "unzip -p"),
        (b"PGDMP,post:1\n", "is a dump by pg_dump", "COPY its table"),
        ("1,post:1\n".encode("utf-16"), "is text in UTF-16", "iconv -f UTF-16"),
        (b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff", "has binary rows of COPY", "--format binary"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "zip", "dump", "utf-16", "binary"],
)
def test_what_is_no_text_is_named_with_what_makes_text_of_it(books, data, what, way):
    done = likesctl(books, "import", data=data)
    assert (done.status, done.out) == (1, "")
    assert f"likesctl: standard input {what}\nNext: " in done.errors
    assert way in done.errors
    assert state(books) == {}


def test_rows_are_judged_wherever_postgresql_puts_them(books, place):
    """A vacuum frees the place of a piece that failed, so the next one does not come to stand behind all others."""
    good = "".join(f"{user},post:{user % 700},2020-01-02 00:00:00+00\n" for user in range(250_000)).splitlines(True)
    good[130_000:130_000] = ["-5,post:1,2020-01-02\n", "5,post:-7,2020-01-02\n", "5,nosuch:1,2020-01-02\n"]
    rows = [*good[:220_000], "5,post:x,yesterdayish\n"]
    file = place / "likes.csv"
    file.write_text("".join(rows))
    assert 8_400_000 < file.stat().st_size < 8_500_000, "the end and the bad rows are in the second piece"
    failed = likesctl(books, "import", file)
    assert (failed.status, "line 220001 of " in failed.errors) == (1, True), failed
    assert 100_000 < state(books)["rows"] < 130_000
    books.sql.execute("VACUUM (TRUNCATE off) likesd_import_rows")
    file.write_text("".join(rows[:-1]))
    done = likesctl(books, "import", file)
    assert done.status == 10
    assert "left out: 3 rows: 1 without a valid user, 1 without a valid item, 1 of an unknown type" in done.out
    named = [line for line in done.errors.splitlines() if "left out: " in line]
    assert [line.split(": ", 4)[4] for line in named] == ["-5, post:1", "5, post:-7", "5, nosuch:1"]
    assert books.sql.execute("SELECT count(*) FROM user_likes").fetchone()[0] == 219_997
    assert books.sql.execute("SELECT count(*) FROM user_likes WHERE user_id < 0 OR item_id < 0").fetchone()[0] == 0
    assert is_clean(books)


# Binary rows, and psql


SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def binary_row(user, item, *more):
    fields = [struct.pack(">q", user), item.encode(), *more]
    return struct.pack(">h", len(fields)) + b"".join(struct.pack(">i", len(field)) + field for field in fields)


def psql(books, *arguments):
    return ["psql", "-qXAt", books.database_url, *arguments]


@pytest.mark.parametrize("form", ["csv", "binary"])
def test_any_table_comes_in_from_psql(books, form):
    books.sql.execute(
        "CREATE TABLE old_likes AS SELECT u::bigint AS user_id, u % 40 AS post_id,"
        " '2020-01-02Z'::timestamptz + u * interval '1 minute' AS created_at FROM generate_series(1, 3000) AS u"
    )
    query = "SELECT user_id, 'post:' || post_id, created_at FROM old_likes"
    rows = subprocess.Popen(psql(books, "-c", f"COPY ({query}) TO STDOUT (FORMAT {form})"), stdout=subprocess.PIPE)
    done = ended(start(books, "import", "--format", form, stdin=rows.stdout))
    assert (done.status, done.errors) == (0, "")
    assert rows.wait(60) == 0
    assert stored(books.sql) == set(books.sql.execute(query).fetchall())
    assert is_clean(books)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"1,post:1\n", "does not begin like binary rows of COPY"),
        (SIGNATURE + binary_row(1, "post:1"), "row 2 of standard input is not there: the input was cut off"),
        (SIGNATURE + binary_row(1, "post:1")[:-1], "row 1 of standard input is not there: the input was cut off"),
        (SIGNATURE + binary_row(1, "post:1") + b"\xff\xff1", "there are bytes behind the end of the rows"),
        (
            SIGNATURE + binary_row(1, "post:1", b"x" * 8, b"") + b"\xff\xff",
            "row 1 of standard input: a row of 4 columns",
        ),
        (
            SIGNATURE + struct.pack(">hi", 2, 4) + b"abcd" + struct.pack(">i", 6) + b"post:1\xff\xff",
            "row 1 of standard input: insufficient data left in message",
        ),
    ],
)
def test_binary_rows_that_cannot_be_read_are_named(books, rows, words):
    done = likesctl(books, "import", "--format", "binary", data=rows)
    assert (done.status, words in done.errors) == (1, True), done.errors
    assert stored(books.sql) == set()


def test_binary_rows_without_a_time(books):
    rows = SIGNATURE + b"".join(binary_row(user, "reel:3") for user in range(5)) + b"\xff\xff"
    assert likesctl(books, "import", "--format", "binary", data=rows).status == 0
    assert pairs(books.sql) == {(user, "reel:3") for user in range(5)}
    assert is_clean(books)


# Stopped and run again


def begun(books, rows):
    """An import that has begun, and waits for the rest of these rows; and that rest."""
    process = start(books, "import", stdin=subprocess.PIPE)
    process.stdin.write(rows[:100_000].encode())
    process.stdin.flush()
    eventually(lambda: state(books).get("rows") == 0, "it to begin")
    return process, rows[100_000:].encode()


def write_rest(process, rest):
    process.stdin.write(rest)
    process.stdin.close()
    process.stdin = None


def kill(process):
    process.kill()
    process.communicate(timeout=60)


def test_killed_while_it_loads_it_goes_on_behind_what_is_loaded(books, place):
    rows, wanted = many(MANY // 4)
    data = rows.encode()
    process = start(books, "import", stdin=subprocess.PIPE)
    half = len(data) * 3 // 4
    process.stdin.write(data[:half])
    process.stdin.flush()
    eventually(lambda: state(books).get("rows", 0) > 0, "a piece to be loaded")
    kill(process)
    loaded = state(books)["rows"]
    file = place / "likes.csv"
    file.write_bytes(data)
    done = likesctl(books, "import", file)
    assert (done.status, f"of which {loaded} rows are loaded" in done.errors) == (0, True), done
    assert done.out.startswith(f"{MANY} rows: {MANY} new likes, 0 already there, 0 more than once in the input\n")
    assert pairs(books.sql) == wanted
    assert is_clean(books)


def test_killed_while_it_sorts_it_sorts_again(books):
    rows, wanted = many(2_000)
    process, rest = begun(books, rows)
    with books.connect(autocommit=False) as holder:
        # The item types are read when it begins, and when it sorts.
        holder.execute("LOCK TABLE item_types IN ACCESS EXCLUSIVE MODE")
        write_rest(process, rest)
        waits_for_lock(books, "CREATE UNLOGGED TABLE")
        kill(process)
    done = likesctl(books, "import", data=rows)
    assert (done.status, done.out.startswith("8000 rows: 8000 new likes")) == (0, True), done
    assert pairs(books.sql) == wanted
    assert is_clean(books)


@pytest.mark.parametrize("again", ["the same input", "--resume"])
def test_killed_while_it_adds_it_counts_each_like_once(books, again):
    rows, wanted = many(8_000, items=50)
    books.put("post:49", 1)
    with books.connect(autocommit=False) as holder:
        holder.execute("SELECT FROM counters WHERE item_id = 49 FOR UPDATE")
        process = start(books, "import", "--progress", stdin=subprocess.PIPE)
        write_rest(process, rows.encode())
        waits_for_lock(books, "WITH alive")
        kill(process)
    assert drift(books.sql) == [], "counts are right at every moment"
    done = likesctl(books, "import", "--resume") if again == "--resume" else likesctl(books, "import", data=rows)
    assert (done.status, done.out.startswith("32000 rows: ")) == (0, True), done
    assert pairs(books.sql) == wanted | {(0, "post:49")}
    assert is_clean(books)


def test_killed_while_it_ends_it_only_ends(books):
    rows, wanted = many(2_000)
    process, rest = begun(books, rows)
    with books.connect(autocommit=False) as holder:
        # As a dump does.
        holder.execute("SELECT FROM likesd_import")
        write_rest(process, rest)
        waits_for_lock(books, "DROP TABLE")
        kill(process)
    assert pairs(books.sql) == wanted
    done = likesctl(books, "import", data=rows)
    assert (done.status, done.out.startswith("8000 rows: 8000 new likes, 0 already there")) == (0, True), done
    assert is_clean(books)


def test_what_a_crash_of_postgresql_takes_away_is_loaded_again(own_postgres, redis_server, number):
    books = Books(own_postgres, redis_server, f"import{number()}")
    rows, wanted = many(4_000, items=50)
    books.put("post:49", 1)
    with contextlib.suppress(psycopg.OperationalError), books.connect(autocommit=False) as holder:
        holder.execute("SELECT FROM counters WHERE item_id = 49 FOR UPDATE")
        process = start(books, "import", stdin=subprocess.PIPE)
        write_rest(process, rows.encode())
        waits_for_lock(books, "WITH alive")
        own_postgres.server.kill()
        assert ended(process).status == 69
    own_postgres.start()
    books.sql = books.connect()
    done = likesctl(books, "import", data=rows)
    assert (done.status, "PostgreSQL has lost the rows that were loaded" in done.errors) == (0, True), done
    assert pairs(books.sql) == wanted | {(0, "post:49")}
    assert is_clean(books)


def test_another_input_is_refused_until_the_first_is_given_up(books):
    assert likesctl(books, "import", data="1,post:1\nx,post:1\n").status == 1
    # Nothing is loaded yet, so any input will do; now a piece is.
    process = start(books, "import", stdin=subprocess.PIPE)
    rows, _ = many(MANY // 4)
    process.stdin.write(rows.encode())
    process.stdin.flush()
    eventually(lambda: state(books).get("rows", 0) > 0, "a piece to be loaded")
    kill(process)
    other = likesctl(books, "import", data="9,post:9\n")
    assert other.status == 1
    assert (
        "standard input does not begin with what was loaded of an unfinished import of standard input" in other.errors
    )
    assert "likesctl import --abandon" in other.errors
    assert likesctl(books, "import", "--format", "binary", data=SIGNATURE + b"\xff\xff").status == 1
    assert "was not read to its end" in likesctl(books, "import", "--resume").errors
    given_up = likesctl(books, "import", "--abandon")
    assert given_up.out == "the import of standard input was given up; 0 likes of it were added\n"
    assert likesctl(books, "import", "--abandon").status == 1
    assert likesctl(books, "import", "--resume").status == 1
    assert likesctl(books, "import", data="9,post:9\n").status == 0
    assert pairs(books.sql) == {(9, "post:9")}
    assert is_clean(books)


def test_one_import_is_at_work_at_once(books):
    rows, wanted = many(2_000)
    process, rest = begun(books, rows)
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = 'likesctl import'"
    [holder] = books.sql.execute(asked, (books.name,)).fetchone()
    second = likesctl(books, "import", data="2,post:2\n")
    assert (second.status, "another import is running" in second.errors) == (1, True)
    assert f"SELECT pg_terminate_backend({holder})" in second.errors
    assert ended(process, rest).status == 0
    assert pairs(books.sql) == wanted
    assert is_clean(books)


# Hosts


def test_hosts_learn_of_every_count_and_no_like_waits_long(books, start_daemon):
    """Two hosts with counts of these items in their memory, and likes of them all the time."""
    hosts = [start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url) for _ in range(2)]
    rows, wanted = many(15_000, items=300)
    items = [f"post:{number}" for number in range(300)]
    for host in hosts:
        assert host.call("MCOUNT", *items) == [0] * 300
    with Likers(hosts, items[:10]) as likers:
        done = likesctl(books, "import", data=rows)
        assert (done.status, done.errors) == (0, "")
    assert likers.longest < 1
    assert wanted <= pairs(books.sql)
    assert drift(books.sql) == []
    counts = [counter(books.sql, item)[0] for item in items]
    for host in hosts:
        eventually(lambda h=host: h.call("MCOUNT", *items) == counts, "the right counts", deadline=10)
    eventually(lambda: books.repairs() == set(), "repairs to be done")
    assert is_clean(books)


def test_without_a_living_host_everything_cached_is_dropped(books, start_daemon):
    host = start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url)
    assert host.call("LIKE", 1, "post:1") == [1, 1]
    assert host.stop() == 0
    assert books.cache.get("counter:post:1") == "1"
    books.sql.execute("UPDATE likesd_hosts SET seen_at = now() - interval '1 minute'")
    secret = books.sql.execute("SELECT secret FROM likesd_secret").fetchone()
    assert likesctl(books, "import", data="2,post:1\n3,post:1\n").status == 0
    assert books.repairs() == set()
    assert books.sql.execute("SELECT secret FROM likesd_secret").fetchone() != secret
    # What Redis still has is 1, and nobody believes it.
    assert books.cache.get("counter:post:1") == "1"
    host.start()
    assert host.call("COUNT", "post:1") == 3
    assert is_clean(books)


def test_an_import_that_adds_nothing_drops_nothing(books):
    assert likesctl(books, "import", data="2,post:1\n").status == 0
    secret = books.sql.execute("SELECT secret FROM likesd_secret").fetchone()
    assert likesctl(books, "import", data="2,post:1\n").status == 0
    assert books.sql.execute("SELECT secret FROM likesd_secret").fetchone() == secret


def test_it_waits_for_hosts_that_have_much_to_set_again(books):
    def fill():
        books.sql.execute("INSERT INTO likesd_hosts (lane, seen_at) VALUES (1, now() + interval '1 hour')")
        books.sql.execute(
            "INSERT INTO cache_repairs (item_id, item_type, version) SELECT n, 2, 1 FROM generate_series(1, 20001) AS n"
        )

    fill()
    process = start(books, "import", "--progress", stdin=subprocess.PIPE)
    write_rest(process, b"1,post:1\n")
    seen = process.stderr.readline()
    while b"waits until hosts have taken what changed" not in seen:
        assert seen, "it did not wait"
        seen = process.stderr.readline()
    assert stored(books.sql) == set()
    books.sql.execute("DELETE FROM cache_repairs")
    assert ended(process).status == 0
    assert books.repairs() == {(1, 1)}
    # Hosts that take none, since Redis is away, do not stop it.
    books.sql.execute("DELETE FROM likesd_hosts")
    fill()
    assert likesctl(books, "import", data="1,post:2\n").status == 0
    assert pairs(books.sql) == {(1, "post:1"), (1, "post:2")}


def test_rows_that_stay_locked_end_it_and_it_goes_on_later(books):
    """What it waits for is said, and every like that waits for it waits for less than half a second."""
    books.put("post:1", 1)
    with books.connect(autocommit=False) as holder:
        holder.execute("SELECT FROM counters WHERE item_id = 1 FOR UPDATE")
        process = start(books, "import", "--progress", stdin=subprocess.PIPE)
        write_rest(process, b"5,post:1\n6,post:2\n")
        seen = process.stderr.readline()
        while b"waits for rows that another session has locked" not in seen:
            assert seen, "it did not wait"
            seen = process.stderr.readline()
    assert ended(process).status == 0
    assert counter(books.sql, "post:1") == (2, 2)
    assert is_clean(books)


# How it is asked


def test_progress_goes_to_standard_error_and_json_to_standard_output(books, place):
    file = place / "likes.csv"
    file.write_text("1,post:1\n1,post:1\n2,post:1\n")
    done = likesctl(books, "import", "--progress", "--json", file)
    told = json.loads(done.out)["import"]
    assert told.pop("elapsed_ms") >= 0
    assert told == {
        "source": str(file), "rows": 3, "added": 2, "already_there": 0, "duplicates": 1,
        "left_out": {"user": 0, "item": 0, "type": 0, "named": []}, "warnings": [],
    }  # fmt: skip
    for words in ("loaded: 3 rows", "sorting 3 rows", "added: 100 % of 2 likes, 2 new, 0 already there"):
        assert words in done.errors
    assert likesctl(books, "import", "-", data="").errors == ""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("nowhere.csv",), 1),
        (("a", "b"), 64),
        (("--format", "xml"), 64),
        (("--abandon", "--resume"), 64),
        (("--abandon", "--strict"), 64),
        (("--socket", "x"), 64),
    ],
)
def test_wrong_arguments_are_refused(books, arguments, status):
    done = likesctl(books, "import", *arguments)
    assert (done.status, done.out) == (status, "")
    assert done.errors.startswith("likesctl: ")


def test_rows_are_not_awaited_from_a_terminal(books):
    ours, theirs = pty.openpty()
    with open(ours, "wb", buffering=0) as keys, open(theirs, "rb", buffering=0) as terminal:
        done = ended(start(books, "import", stdin=terminal))
        assert (done.status, "standard input is a terminal" in done.errors) == (64, True)
        process = start(books, "import", "-", stdin=terminal)
        keys.write(b"1,post:1\n\x04")
        assert ended(process).status == 0
    assert pairs(books.sql) == {(1, "post:1")}


def test_who_hangs_up_while_it_shows_its_progress_does_not_end_it(books):
    process = start(books, "import", "--progress", stdin=subprocess.PIPE)
    process.stderr.close()
    process.stderr = None
    process.communicate(b"1,post:1\n", timeout=60)
    assert process.returncode == 0
    assert pairs(books.sql) == {(1, "post:1")}
    assert is_clean(books)


def test_rights_are_looked_at_before_hours_of_work(make_books):
    books = make_books()
    role = books.name
    # As tables have that were taken over.
    books.sql.execute("ALTER TABLE user_likes ADD COLUMN id bigserial")
    books.sql.execute(f"CREATE ROLE {role} LOGIN")
    books.sql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    books.sql.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    books.sql.execute(f"GRANT INSERT, UPDATE ON counters, cache_repairs TO {role}")
    url = books.database_url.replace("postgres@", f"{role}@")
    refused = likesctl(books, "import", data="1,post:1\n", DATABASE_URL=url)
    assert (refused.status, refused.out) == (77, "")
    assert "lacks INSERT on user_likes, INSERT on likesd_secret, UPDATE on likesd_secret, USAGE on " in refused.errors
    assert "user_likes_id_seq\n" in refused.errors
    assert state(books) == {}
    books.sql.execute(f"GRANT INSERT, UPDATE ON likesd_secret TO {role}")
    books.sql.execute(f"GRANT INSERT ON user_likes TO {role}")
    books.sql.execute(f"GRANT USAGE ON SEQUENCE user_likes_id_seq TO {role}")
    assert likesctl(books, "import", data="1,post:1\n", DATABASE_URL=url).status == 0


def test_what_is_in_the_way_is_named(make_books):
    books = make_books()
    role = books.name
    books.sql.execute(f"CREATE ROLE {role} LOGIN")
    books.sql.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
    url = books.database_url.replace("postgres@", f"{role}@")
    refused = likesctl(books, "import", data="1,post:1\n", DATABASE_URL=url)
    assert (refused.status, "run this as their owner" in refused.errors) == (77, True), refused
    books.sql.execute("ALTER TABLE counters DROP CONSTRAINT counters_pkey")
    broken = likesctl(books, "import", data="1,post:1\n")
    assert (broken.status, "the tables are not as likesd needs them: " in broken.errors) == (1, True)
    assert likesctl(books, "import", data="", DATABASE_URL="host=/nowhere dbname=x").status == 69


def test_the_likes_of_an_item_without_a_counter_are_counted(books):
    """A counter is made with the first like; one that was there keeps its version."""
    books.put("post:1", 2)
    books.sql.execute("UPDATE counters SET version = 9")
    assert likesctl(books, "import", data="7,post:1\n7,post:2\n8,post:2\n").status == 0
    assert counter(books.sql, "post:1") == (3, 10)
    assert counter(books.sql, "post:2")[0] == 2
    assert split("post:2") in {(n, t) for n, t in books.sql.execute("SELECT item_id, item_type FROM counters")}
