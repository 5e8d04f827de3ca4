"""likesctl verify: every difference is found, nothing else is, and --repair mends it while traffic runs."""

import itertools
import json
import random
import subprocess
import threading

import pytest
from support.books import Books
from support.daemon import binary, run
from support.database import counter, drift, split
from support.processes import clean_environment
from support.threads import run_all
from support.waiting import eventually

# The number that `verify --repair` locks, as another one would.
LOCK = 119200029176677


@pytest.fixture
def partitions():
    """None, unless a test asks for some."""
    return 0


@pytest.fixture
def books(postgres, redis_server, number, partitions):
    books = Books(postgres, redis_server, f"verify{number()}", partitions)
    yield books
    books.sql.close()
    books.cache.close()


@pytest.fixture
def random_books(books, seed):
    """Many items, some of them with differences of every kind; `planted`: their lines."""
    source = random.Random(f"{seed} verify")
    books.sql.execute(
        """
        INSERT INTO user_likes (user_id, item_id, item_type)
        SELECT user_id, item_id, item_id %% 3 + 1
        FROM generate_series(1, 400) AS item_id, generate_series(1, 30) AS user_id
        WHERE (item_id * 31 + user_id * 17 + %s) %% 7 < item_id %% 4
        """,
        (source.randrange(7),),
    )
    books.sql.execute(
        """
        INSERT INTO counters (item_id, item_type, like_count, version)
        SELECT item_id, item_id % 3 + 1, count(user_id), 5
        FROM generate_series(1, 400) AS item_id LEFT JOIN user_likes USING (item_id) GROUP BY item_id
        """
    )
    assert drift(books.sql) == []
    names = {1: "post", 2: "reel", 3: "comment"}
    books.planted = []
    for item_id in source.sample(range(1, 401), 60):
        kind = item_id % 3 + 1
        item = f"{names[kind]}:{item_id}"
        count, _ = counter(books.sql, item)
        if count and source.random() < 0.5:
            books.remove_counter(item)
            books.planted.append(f"{item} counter-missing counters=- likes={count} version=-")
        else:
            wrong = count + source.choice([-1, 1, 100])
            books.set_count(item, wrong)
            word = "high" if wrong > count else "low"
            books.planted.append(f"{item} counter-{word} counters={wrong} likes={count} version=5")
    books.planted.sort()
    return books


# Counters and likes


def test_a_clean_database_has_no_differences(books):
    empty = books.verify()
    assert (empty.status, empty.lines, empty.errors) == (0, [], "")
    books.put("post:1", 3)
    books.put("reel:1", 1)
    books.put("comment:9", 0)
    done = books.verify()
    assert (done.status, done.lines, done.errors) == (0, [], "")
    assert done.summary.startswith("PostgreSQL: 3 items, 4 likes read in 1 pass: 0 differences\n")
    quiet = books.verify("--quiet")
    assert (quiet.status, quiet.lines, quiet.summary, quiet.errors) == (0, [], "", "")


@pytest.mark.parametrize(
    ("likes", "count", "line"),
    [
        (2, 3, "counter-high counters=3 likes=2 version=1"),
        (2, 1, "counter-low counters=1 likes=2 version=1"),
        (0, 4, "counter-high counters=4 likes=0 version=1"),
        (0, -1, "counter-low counters=-1 likes=0 version=1"),
        (2, None, "counter-missing counters=- likes=2 version=-"),
    ],
)
def test_each_kind_of_difference_is_reported_and_mended(books, likes, count, line):
    books.put("post:1", 2)
    books.put("reel:7", likes, count)
    if count is None:
        books.remove_counter("reel:7")
    books.put_cached("reel:7", 77, 0)
    before = books.verify("--quiet")
    assert (before.status, before.lines) == (9, sorted([f"reel:7 {line}", *cached_lines("reel:7", count)]))
    assert drift(books.sql), "without --repair nothing is written"
    mended = books.verify("--repair")
    assert (mended.status, mended.lines) == (0, [f"reel:7 {line} mended"])
    now_count, version = counter(books.sql, "reel:7")
    assert now_count == likes
    # A counter that was lost comes back with a version that no host can have seen.
    assert version > 10**12 if count is None else version == 2
    assert counter(books.sql, "post:1") == (2, 1)
    assert books.repairs() == {split("reel:7")}
    # Nobody is served what Redis had, whether a daemon runs or not.
    assert books.cache.keys("*reel*") == []
    assert books.verify().status == 0


def cached_lines(item, count):
    """What is said of 77 at version 0 in Redis: old where there is a counter, wrong where there is none."""
    kind, rest = ("wrong", "counters=- version=-") if count is None else ("stale", f"counters={count} version=1")
    return [f"{item} redis-{kind} redis=77 redis_version=0 {rest}"]


@pytest.mark.parametrize("partitions", [0, 5])
@pytest.mark.parametrize(
    "options", [(), ("--slice", 1), ("--slice", 7, "--items-per-pass", 3), ("--items-per-pass", 50)]
)
def test_all_differences_are_found_in_whatever_slices(random_books, options):
    done = random_books.verify(*options)
    assert (done.status, done.lines) == (9, random_books.planted)


@pytest.mark.parametrize("partitions", [0, 5])
def test_repair_mends_all_of_them_and_nothing_else(random_books):
    untouched = "SELECT item_id, item_type, like_count FROM counters WHERE version = 5"
    before = set(random_books.sql.execute(untouched))
    done = random_books.verify("--repair", "--slice", 50, "--items-per-pass", 40)
    assert (done.status, done.lines) == (0, [line + " mended" for line in random_books.planted])
    assert drift(random_books.sql) == []
    assert set(random_books.sql.execute(untouched)) <= before
    items = {split(line.split()[0]) for line in random_books.planted}
    assert random_books.repairs() == items
    assert random_books.verify().status == 0


@pytest.mark.parametrize("slice_rows", [1, 20_000])
def test_likes_without_any_counter_need_no_more_memory_than_allowed(books, slice_rows):
    for n in range(40):
        books.put(f"post:{n}", 1 + n % 3)
    books.sql.execute("DELETE FROM counters")
    # Over several pages, so that there are several slices.
    books.sql.execute("INSERT INTO user_likes SELECT n, n % 40, now(), 2 FROM generate_series(1, 2000) AS n")
    done = books.verify("--json", "--items-per-pass", 3, "--slice", slice_rows)
    *lines, last = map(json.loads, done.output)
    expected = [(f"post:{n}", 1 + n % 3) for n in range(40)] + [(f"reel:{n}", 50) for n in range(40)]
    assert sorted((line["item"], line["likes"]) for line in lines) == sorted(expected)
    # At most three at once, so at least that many readings.
    assert last["summary"]["passes"] >= 27


def test_json_is_one_object_a_line(books):
    books.put("post:1", 1, 2)
    done = books.verify("--json")
    difference, last = map(json.loads, done.output)
    assert difference == {"item": "post:1", "kind": "counter-high", "counters": 2, "likes": 1, "version": 1}
    summary = last["summary"]
    assert (summary["items"], summary["differences"], summary["mended"]) == (1, 1, 0)
    assert summary["redis"]["checked"] is True
    mended = json.loads(books.verify("--json", "--repair", "--quiet").lines[0])
    assert mended == {**difference, "mended": True}


@pytest.mark.parametrize("partitions", [0, 5])
def test_a_sample_checks_so_many_items_exactly(random_books):
    for options in (("--sample", 5), ("--sample", "2.5%"), ("--sample", 100, "--slice", 9)):
        done = random_books.verify("--json", *options)
        summary = json.loads(done.output[-1])["summary"]
        assert summary["items"] == {5: 5, "2.5%": 10, 100: 100}[options[1]] or options[1] == "2.5%"
        assert 5 <= summary["items"] <= 100
    # A fourth of them is drawn from the likes: enough for all items, those without a counter too.
    whole = random_books.verify("--sample", 2000)
    assert whole.lines == random_books.planted
    some = random_books.verify("--sample", "30%")
    assert set(some.lines) <= set(random_books.planted)
    mended = random_books.verify("--sample", 2000, "--repair", "--items-per-pass", 70)
    assert (mended.status, len(mended.lines)) == (0, 60)
    assert drift(random_books.sql) == []


def test_types_limit_it(random_books):
    def of(*names):
        return [line for line in random_books.planted if line.split(":")[0] in names]

    assert random_books.verify("--type", "reel").lines == of("reel")
    assert random_books.verify("--type", "post", "--type=comment", "--slice", 11).lines == of("post", "comment")
    done = random_books.verify("--type", "story")
    assert done.status == 64
    assert "comment, post, reel" in done.errors


def test_a_counter_of_an_unknown_type_is_named_by_its_number(books):
    books.sql.execute("INSERT INTO counters (item_id, item_type, like_count) VALUES (5, 99, 1)")
    first, last = books.verify().lines
    assert first == "#99:5 counter-high counters=1 likes=0 version=1"
    words = "item_types unnamed-type: item_types has no name for the number 99, which is the type of 1 item; "
    assert last.startswith(words)


@pytest.mark.parametrize("partitions", [0, 5])
def test_a_table_that_is_rewritten_meanwhile_shows_nothing_false(random_books):
    """CLUSTER gives every like another place: what was counted by place so far is void."""
    stop = threading.Event()
    random_books.sql.execute("CREATE INDEX other_order ON user_likes (item_id)")

    def rewrite():
        with random_books.connect() as sql:
            for index in itertools.cycle(["user_likes_pkey", "other_order"]):
                if stop.is_set():
                    return
                sql.execute(f"CLUSTER user_likes USING {index}")

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        for _ in range(5):
            done = random_books.verify("--slice", 100)
            assert done.status in (9, 75)
            assert done.lines == (random_books.planted if done.status == 9 else [])
    finally:
        stop.set()
        thread.join()


# Repairs against others at work


def begin_repair(books):
    """Starts `verify --repair`; returns it once it waits for a lock."""
    process = subprocess.Popen(
        [str(binary("likesctl")), "verify", "--repair", "--quiet"],
        env=clean_environment(**books.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'likesctl verify'"
        " AND wait_event_type = 'Lock'"
    )
    eventually(lambda: books.sql.execute(waits, (books.name,)).fetchone()[0] == 1, "the repair to wait")
    return process


def like(sql, user, item):
    """A like as the daemon stores it."""
    sql.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (%s, %s, %s)", (user, *split(item)))
    sql.execute(
        "INSERT INTO counters AS present (item_id, item_type, like_count, version) VALUES (%s, %s, 1, 1)"
        " ON CONFLICT (item_id, item_type) DO UPDATE SET like_count = present.like_count + 1,"
        " version = present.version + 1",
        split(item),
    )


@pytest.mark.parametrize("is_missing", [False, True])
def test_a_batch_that_holds_the_counter_is_neither_lost_nor_doubled(books, is_missing):
    books.put("post:1", 3, 10)
    if is_missing:
        books.remove_counter("post:1")
    with books.connect(autocommit=False) as batch:
        like(batch, 1000, "post:1")
        process = begin_repair(books)
        batch.commit()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    count, version = counter(books.sql, "post:1")
    assert count == 4
    assert version > 10**12 if is_missing else version == 3
    assert drift(books.sql) == []


def test_a_counter_that_somebody_holds_is_left_alone_and_the_others_are_mended(books):
    for n in range(1, 6):
        books.put(f"post:{n}", 2, 5)
        books.put(f"reel:{n}", 2)
        books.put_cached(f"reel:{n}", 77, 1)
    with books.connect(autocommit=False) as holder:
        holder.execute("SELECT FROM counters WHERE item_id = 3 FOR UPDATE")
        done = books.verify("--repair")
        wrong = {n: f"post:{n} counter-high counters=5 likes=2 version=1" for n in range(1, 6)}
        cached = {n: f"reel:{n} redis-wrong redis=77 redis_version=1 counters=2 version=1" for n in range(1, 6)}
        ends = {n: " not-mended" if n == 3 else " mended" for n in range(1, 6)}
        expected = [lines[n] + ends[n] for lines in (wrong, cached) for n in range(1, 6)]
        assert (done.status, done.lines, done.errors) == (9, expected, "")
        assert [items[0] for items in drift(books.sql)] == [3]
    done = books.verify("--repair")
    assert (done.status, done.lines) == (0, [wrong[3] + " mended", cached[3] + " mended"])
    assert drift(books.sql) == []


def test_a_counter_that_a_hand_mended_first_is_left_alone(books):
    books.put("post:1", 3, 10)
    with books.connect(autocommit=False) as hand:
        hand.execute("UPDATE counters SET like_count = 3 WHERE item_id = 1")
        process = begin_repair(books)
        hand.commit()
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (9, "post:1 counter-high counters=10 likes=3 version=1 not-mended\n")
    assert counter(books.sql, "post:1") == (3, 1)


def test_only_one_repair_is_at_work_at_once(books):
    books.put("post:1", 1, 2)
    with books.connect() as other:
        other.execute(f"SELECT pg_advisory_lock({LOCK})")
        refused = books.verify("--repair")
        assert refused.status == 1
        assert "another 'likesctl verify --repair'" in refused.errors
        assert books.verify().status == 9
    assert eventually(lambda: books.verify("--repair").status == 0, "the lock to be free")


# Traffic


def traffic(daemon, source, items, stop):
    """Likes and unlikes of few users on few items, until told to stop."""
    with daemon.connect() as client:
        while not stop.is_set():
            requests = [
                (source.choice(["LIKE", "UNLIKE"]), source.randrange(40), source.choice(items)) for _ in range(20)
            ]
            for reply in client.pipeline(requests):
                assert reply[0] in (0, 1)


@pytest.fixture
def under_load(books, start_daemon, seed):
    """Runs a function while two hosts have traffic on post:0 … post:29; all else stands still."""

    def load(body):
        hosts = [start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url) for _ in range(2)]
        stop = threading.Event()
        items = [f"post:{n}" for n in range(30)]

        def guarded():
            try:
                with books.connect() as sql:
                    moves = "SELECT coalesce(min(version), 0) > 5 FROM counters WHERE item_id < 5"
                    eventually(lambda: sql.execute(moves).fetchone()[0], "traffic")
                body()
            finally:
                stop.set()

        sources = [random.Random(f"{seed} load {n}") for n in range(4)]
        run_all(
            [
                guarded,
                *(lambda n=n, s=source: traffic(hosts[n % 2], s, items, stop) for n, source in enumerate(sources)),
            ]
        )
        return hosts

    return load


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ((), {0}),
        (("--slice", 20, "--items-per-pass", 10), {0}),
        (("--sample", 20), {0}),
        # Without the statement of one moment the busiest stay undecided.
        (("--snapshot-seconds", 0), {0, 10}),
    ],
)
def test_nothing_false_is_reported_while_traffic_runs(random_books, under_load, options, statuses):
    random_books.sql.execute("DELETE FROM user_likes")
    random_books.sql.execute("DELETE FROM counters")

    def check():
        for _ in range(4):
            done = random_books.verify(*options)
            assert done.lines == [], done
            assert done.status in statuses, done
        done = random_books.verify("--json", "--quiet", *options)
        codes = [json.loads(line)["error"]["code"] for line in done.output]
        assert codes == (["INCOMPLETE"] if done.status == 10 else []), done

    under_load(check)
    assert drift(random_books.sql) == []


@pytest.mark.parametrize("partitions", [0, 5])
def test_repair_mends_exactly_what_was_planted_while_traffic_runs(books, under_load):
    standing = [f"reel:{n}" for n in range(1, 9)]
    moving = [f"post:{n}" for n in range(5)]

    def check():
        for n, item in enumerate(standing):
            books.put(item, n, n + (1 if n % 2 else -1))
        books.put("reel:9", 3)
        books.remove_counter("reel:9")
        for item in moving:
            books.sql.execute(
                "UPDATE counters SET like_count = like_count + 7 WHERE item_id = %s AND item_type = %s", split(item)
            )
        done = books.verify("--repair", "--slice", 30, "--items-per-pass", 10)
        assert done.status == 0, done
        assert {line.split()[0] for line in done.lines} == {*standing, *moving, "reel:9"}, done
        assert all(line.endswith(" mended") for line in done.lines), done
        for line in done.lines:
            if line.startswith("post:"):
                said = dict(word.split("=") for word in line.split() if "=" in word)
                assert int(said["counters"]) - int(said["likes"]) == 7
        again = books.verify()
        assert (again.status, again.lines) == (0, [])

    hosts = under_load(check)
    assert drift(books.sql) == []
    for item in [*standing, *moving, "reel:9"]:
        count = counter(books.sql, item)[0]
        for host in hosts:
            eventually(lambda h=host, i=item, n=count: h.call("COUNT", i) == n, f"the count of {item}")


# Redis


def test_each_kind_of_difference_in_redis_is_reported_and_mended(books):
    for n in range(1, 8):
        books.put(f"post:{n}", n)
        books.sql.execute("UPDATE counters SET version = 10 WHERE item_id = %s", (n,))
    books.put_cached("post:1", 1, 10)
    books.put_cached("post:2", 3, 10)
    books.put_cached("post:3", 2, 9)
    books.put_cached("post:4", 4, 11)
    books.put_cached("post:100", 0, 0)
    books.put_cached("post:101", 5, 0)
    books.put_cached("post:102", 5, 3)
    lines = [
        "post:101 redis-wrong redis=5 redis_version=0 counters=- version=-",
        "post:102 redis-newer redis=5 redis_version=3 counters=- version=-",
        "post:2 redis-wrong redis=3 redis_version=10 counters=2 version=10",
        "post:3 redis-stale redis=2 redis_version=9 counters=3 version=10",
        "post:4 redis-newer redis=4 redis_version=11 counters=4 version=10",
    ]
    done = books.verify()
    assert (done.status, done.lines) == (9, lines)
    assert "Redis: 7 counters: 5 differences" in done.summary
    sample = books.verify("--sample", 100)
    assert sample.lines == [line for line in lines if "counters=-" not in line]
    mended = books.verify("--repair")
    assert (mended.status, mended.lines) == (0, [line + " mended" for line in lines])
    assert sorted(books.cache.keys("counter:*")) == ["counter:post:1", "counter:post:100"]
    assert len(books.cache.keys("*version")) == 2
    # The hosts are told, with versions that are newer than what they may have read from Redis.
    assert books.repairs() == {(2, 1), (3, 1), (4, 1), (101, 1), (102, 1)}
    assert [counter(books.sql, f"post:{n}") for n in (2, 3, 4, 101, 102)] == [(2, 11), (3, 11), (4, 12), (0, 1), (0, 4)]
    assert books.verify().status == 0


def test_an_impossible_version_in_redis_is_not_followed(books):
    books.put("post:1", 1)
    books.put_cached("post:1", 5, 2**53 - 1)
    assert books.verify("--repair").lines == [
        f"post:1 redis-newer redis=5 redis_version={2**53 - 1} counters=1 version=1 mended"
    ]
    count, version = counter(books.sql, "post:1")
    assert count == 1
    assert 10**12 < version < 10**13


def test_hosts_forget_a_wrong_count_that_they_read_from_redis(books, start_daemon):
    """Only a newer version replaces what a host holds, so the right count alone would not do."""
    host = start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url, LOCAL_CACHE_TTL_MS=200)
    assert host.call("LIKE", 1, "post:1") == [1, 1]
    other = start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url, LOCAL_CACHE_TTL_MS=200)

    def is_wrong():
        # A host that lost Redis for a moment sets the right one again.
        books.put_cached("post:1", 50, 1)
        return other.call("COUNT", "post:1") == 50

    eventually(is_wrong, "the wrong count")
    assert books.verify("--repair").status == 0
    for one in (host, other):
        eventually(lambda d=one: d.call("COUNT", "post:1") == 1, "the right count")


def test_a_counter_below_zero_harms_no_host_and_is_mended(books, start_daemon):
    host, other = (start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url) for _ in range(2))
    books.put("post:1", 1, 0)
    assert other.call("COUNT", "post:1") == 0
    assert host.call("UNLIKE", 0, "post:1") == [1, -1]
    for one in (host, other):
        eventually(lambda d=one: d.call("COUNT", "post:1") == -1, "what PostgreSQL says")
    assert books.cache.get("counter:post:1") == "-1"
    done = books.verify("--repair")
    assert (done.status, done.lines) == (0, ["post:1 counter-low counters=-1 likes=0 version=2 mended"])
    for one in (host, other):
        eventually(lambda d=one: d.call("COUNT", "post:1") == 0, "the right count")
    assert host.call("LIKE", 0, "post:1") == [1, 1]
    assert (host.server.running, other.server.running) == (True, True)


def test_counters_that_likesd_does_not_believe_are_no_differences(books):
    books.put("post:1", 1)
    books.put_cached("post:2", 5, 7)
    books.cache.set("likesd:generation", "run:repl 1:1:0 0 0:0: ffffffffffff -")
    books.cache.set("counter:post:1", 50)
    books.cache.set("counter:post:x", 50)
    books.cache.lpush("counter:post:3", "a list")
    done = books.verify()
    assert (done.status, done.lines) == (0, [])
    assert "1 from an older generation, 2 without a version from likesd" in done.summary
    told = books.verify("--verbose", "--quiet")
    assert told.lines == ["counter:post:1 foreign", "counter:post:2 old-generation", "counter:post:x foreign"]
    # Without a generation nothing in Redis is believed.
    books.cache.delete("likesd:generation")
    assert books.verify().status == 0


def test_a_stale_counter_that_hosts_are_told_of_is_no_difference(books):
    books.put("post:1", 1)
    books.sql.execute("UPDATE counters SET version = 3")
    books.put_cached("post:1", 9, 2)
    books.sql.execute("INSERT INTO cache_repairs VALUES (1, 1, 3)")
    done = books.verify()
    assert (done.status, done.lines) == (0, [])
    assert "1 waiting for repair by likesd" in done.summary


def test_a_counter_on_its_way_to_redis_is_no_difference(books):
    """Redis is behind by up to 200 ms all the time, as a host that is slow would keep it."""
    books.put("post:1", 0)
    books.put_cached("post:1", 0, 1)
    stop = threading.Event()

    def write():
        with books.connect(autocommit=False) as sql:
            behind = []
            for user in range(10_000):
                if stop.wait(0.005):
                    return
                like(sql, user, "post:1")
                sql.commit()
                behind.append((user + 1, user + 2))
                if len(behind) > 30:
                    books.put_cached("post:1", *behind.pop(0))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        eventually(lambda: int(books.cache.get("counter:post:1")) > 5, "Redis to follow")
        done = books.verify()
        assert (done.status, done.lines) == (0, []), done
        assert "Redis: 1 counter: 0 differences" in done.summary
    finally:
        stop.set()
        thread.join()
    # Now it stays behind.
    assert [line.split()[1] for line in books.verify().lines] == ["redis-stale"]


@pytest.mark.parametrize("url", ["unix:///nowhere/redis.sock", "redis://:hush@127.0.0.1:1/0"])
def test_without_redis_postgresql_is_checked_all_the_same(books, url):
    books.put("post:1", 1)
    done = books.verify(REDIS_URL=url)
    assert (done.status, done.lines) == (10, [])
    assert "Redis: not checked: " in done.summary
    assert "Redis was not checked: " in done.errors
    assert "hush" not in done.summary + done.errors
    done = books.verify("--json", REDIS_URL=url)
    assert (done.status, done.errors) == (10, "")
    first, last = map(json.loads, done.output)
    error = first["error"]
    assert error["code"] == "INCOMPLETE"
    assert error["message"].startswith("Redis was not checked: ")
    assert f"Redis was not checked: {last['summary']['redis']['trouble']}" == error["message"]
    books.set_count("post:1", 5)
    assert books.verify(REDIS_URL=url).status == 9
    # With a difference the status is not that of an incomplete audit, so this is no error.
    done = books.verify("--json", "--quiet", REDIS_URL=url)
    assert [list(json.loads(line)) for line in done.output][-1] == ["warning"]
    assert (done.status, done.errors, "INCOMPLETE" in done.summary) == (9, "", False)
    # Whoever has Redis again is told by the table.
    done = books.verify("--repair", REDIS_URL=url)
    assert done.status == 10
    assert drift(books.sql) == []
    assert books.repairs() == {(1, 1)}


def test_a_redis_that_hangs_is_given_up(books, own_redis):
    books.put("post:1", 1, 2)
    own_redis.pause()
    try:
        done = books.verify("--repair", REDIS_URL=own_redis.url)
    finally:
        own_redis.resume()
    assert (done.status, len(done.lines)) == (10, 1)
    assert "no answer within 5000 ms" in done.errors
    assert drift(books.sql) == []


def test_a_standby_is_checked_but_not_compared_with_redis(migrated_cluster, redis_server, folder, number):
    standby = migrated_cluster.copy(folder / f"pg{number()}")
    (standby.data / "standby.signal").touch()
    standby.start()
    try:
        settings = {"DATABASE_URL": standby.url(), "REDIS_URL": redis_server.url}
        done = run("likesctl", "verify", **settings)
        parted = run("likesctl", "verify", "--json", "--quiet", **settings)
    finally:
        standby.stop()
    assert (done.returncode, "standby" in done.stderr) == (10, True), done
    assert json.loads(parted.stdout)["error"]["next"] == "name the primary in DATABASE_URL"


# How it is asked


@pytest.mark.parametrize(
    "arguments",
    [
        ("extra",),
        ("--sample", "0"),
        ("--sample", "x"),
        ("--sample", "0%"),
        ("--sample", "101%"),
        ("--sample", "1e1%"),
        ("--sample",),
        ("--slice", "0"),
        ("--slice", "-1"),
        ("--items-per-pass", "0"),
        ("--snapshot-seconds", "01"),
        ("--repair=yes",),
        ("--quiet", "--progress"),
        ("--socket", "/tmp/x"),
        ("--nothing",),
    ],
)
def test_wrong_arguments_are_refused(arguments):
    done = run("likesctl", "verify", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("likesctl: ")


def test_its_options_are_its_own():
    assert run("likesctl", "migrate", "--repair").returncode == 64
    assert run("likesctl", "count", "post:1", "--sample", "3").returncode == 64
    text = run("likesctl", "verify", "--help").stdout
    for word in ("--repair", "--sample", "--snapshot-seconds", "counter-missing", "redis-stale"):
        assert word in text


def test_progress_goes_to_standard_error_where_it_is_asked_for(books):
    books.put("post:1", 1, 2)
    done = books.verify("--progress", "--repair")
    assert "counters: 1 item checked in 1 pass; 1 difference, 1 mended\n" in done.errors
    assert "Redis: 0 counters in all compared" in done.errors
    assert len(done.lines) == 1
    assert books.verify().errors == ""


def test_the_file_is_read_and_says_where_to_look(books, folder):
    file = folder / f"{books.name}.conf"
    file.write_text(f"DATABASE_URL={books.database_url}\nREDIS_URL={books.redis_url}\n")
    books.put("post:1", 1, 2)
    done = run("likesctl", "verify", "--config", file)
    assert done.returncode == 9
    assert done.stdout.startswith("post:1 counter-high")
    assert run("likesctl", "verify", "--config", folder / "none.conf").returncode == 78


def test_what_is_in_the_way_is_named(postgres, number, folder):
    nowhere = run("likesctl", "verify", DATABASE_URL="host=/nowhere dbname=likes")
    assert nowhere.returncode == 69
    name = f"verify{number()}"
    postgres.create_database(name)
    missing = run("likesctl", "verify", DATABASE_URL=postgres.url(name))
    assert missing.returncode == 1
    assert "likesctl migrate" in missing.stderr
    run("likesctl", "migrate", DATABASE_URL=postgres.url(name))
    with postgres.connect(name) as sql:
        sql.execute("UPDATE likesd_schema SET version = 3")
        file = folder / f"{name}.conf"
        file.write_text(f"DATABASE_URL={postgres.url(name)}\n")
        older = run("likesctl", "verify", "--config", file, "--json")
        assert (older.returncode, older.stderr) == (11, "")
        error = json.loads(older.stdout)["error"]
        assert (error["code"], error["next"]) == ("OLDERSCHEMA", f"likesctl migrate --config {file}")
        sql.execute("UPDATE likesd_schema SET version = 99")
    newer = run("likesctl", "verify", DATABASE_URL=postgres.url(name))
    assert newer.returncode == 8
    assert "99" in newer.stderr


def test_reading_needs_no_right_to_write(books):
    role = books.name
    books.sql.execute(f"CREATE ROLE {role} LOGIN")
    books.put("post:1", 1, 2)
    url = books.database_url.replace("postgres@", f"{role}@")
    assert books.verify(DATABASE_URL=url).status == 77
    books.sql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    assert books.verify(DATABASE_URL=url).status == 9
    refused = books.verify("--repair", DATABASE_URL=url)
    assert refused.status == 77
    assert "GRANT INSERT, UPDATE ON counters, cache_repairs" in refused.errors
    books.sql.execute(f"GRANT INSERT, UPDATE ON counters, cache_repairs TO {role}")
    assert books.verify("--repair", DATABASE_URL=url).status == 0
