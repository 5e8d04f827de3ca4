"""likesctl forget and remove: all likes of a user or an item go, counts stay exact, and every host hears of it."""

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from support.bulk import Likers, ended, likesctl, pairs, sessions, start, waits_for_lock
from support.compiler import compiler
from support.daemon import run
from support.database import counter, drift, likes
from support.redis_cluster import RedisCluster
from support.waiting import eventually

USER = 4_711


@pytest.fixture(params=[0])
def books(request, shared_books, make_books):
    """An empty database; with partitions where a test asks for them."""
    return make_books(request.param) if request.param else shared_books.empty()


@pytest.fixture
def indexed(books):
    assert run("likesctl", "migrate", "--likers-index", **books.environment).returncode == 0
    return books


def fill(books, items=2_500):
    """The user likes many items, and others like the first few of them."""
    rows = "".join(f"{USER},post:{item}\n" for item in range(items))
    rows += "".join(f"{user},{kind}:{item}\n" for user in range(20) for item in range(5) for kind in ("post", "reel"))
    assert likesctl(books, "import", data=rows).status == 0


def versions(books):
    return {
        (item, kind): version
        for item, kind, version in books.sql.execute("SELECT item_id, item_type, version FROM counters")
    }


def is_clean(books):
    assert drift(books.sql) == []
    done = books.verify("--quiet")
    assert (done.status, done.lines) == (0, []), done
    return True


# A user


@pytest.mark.parametrize("books", [0, 5], indirect=True)
def test_all_likes_of_the_user_go_and_no_other(books):
    fill(books)
    before, others = versions(books), {(user, item) for user, item in pairs(books.sql) if user != USER}
    counted = likesctl(books, "forget", "--dry-run", USER)
    assert (counted.status, counted.out) == (0, f"user {USER} has 2500 likes: nothing was removed\n")
    done = likesctl(books, "forget", USER)
    assert done.status == 0
    assert done.out.startswith(f"user {USER}: 2500 likes removed in ")
    assert pairs(books.sql) == others
    assert counter(books.sql, "post:1")[0] == 20
    assert counter(books.sql, "post:2000")[0] == 0
    # Each item changed once; what others alone like did not.
    assert versions(books) == {key: version + (key[1] == 1) for key, version in before.items()}
    assert books.repairs() == {(item, 1) for item in range(2_500)}
    again = likesctl(books, "forget", USER)
    assert (again.status, again.out.startswith(f"user {USER}: 0 likes removed")) == (0, True)
    assert is_clean(books)


def test_hosts_hear_of_it_and_redis_forgets_the_user(books, start_daemon):
    hosts = [start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url) for _ in range(2)]
    items = [f"post:{number}" for number in range(50)]
    for item in items:
        assert hosts[0].call("LIKE", USER, item)[0] == 1
        assert hosts[0].call("LIKE", 1, item)[0] == 1
    assert hosts[1].call("MCOUNT", *items) == [2] * 50
    books.cache.set(f"rate:{USER}:likes", 50)
    assert books.cache.exists(f"recent_likes:{USER}") == 1
    done = likesctl(books, "forget", USER)
    assert (done.status, done.out.startswith(f"user {USER}: 50 likes removed")) == (0, True), done
    assert books.cache.exists(f"recent_likes:{USER}", f"rate:{USER}:likes") == 0
    assert books.cache.exists("recent_likes:1") == 1
    for host in hosts:
        eventually(lambda h=host: h.call("MCOUNT", *items) == [1] * 50, "the right counts", deadline=10)
        assert host.call("MLIKED", USER, *items) == [0] * 50
    # Whoever was forgotten may like again.
    assert hosts[1].call("LIKE", USER, "post:1") == [1, 2]
    eventually(lambda: books.repairs() == set(), "repairs to be done")
    assert is_clean(books)


def test_while_the_user_goes_on_liking_counts_are_exact_and_nobody_waits_long(books, start_daemon):
    hosts = [start_daemon(database_url=books.database_url, REDIS_URL=books.redis_url) for _ in range(2)]
    fill(books)
    is_over = threading.Event()

    def go_on():
        with hosts[0].connect() as client:
            turn = 0
            while not is_over.is_set():
                turn += 1
                assert client.call("LIKE", USER, f"reel:{turn % 500}")[0] in (0, 1)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        with Likers(hosts, [f"post:{number}" for number in range(10)]) as likers:
            done = likesctl(books, "forget", USER)
        assert done.status in (0, 10), done
        assert (done.status == 10) == ("likes of the user keep coming" in done.errors)
        assert likers.longest < 1
    finally:
        is_over.set()
        thread.join()
    assert all(item.startswith("reel:") for user, item in pairs(books.sql) if user == USER)
    assert drift(books.sql) == []
    assert likesctl(books, "forget", USER).status == 0
    assert [item for user, item in pairs(books.sql) if user == USER] == []
    eventually(lambda: books.repairs() == set(), "repairs to be done")
    assert is_clean(books)


def test_killed_in_the_middle_it_leaves_exact_counts_and_goes_on(books):
    fill(books)
    with books.connect(autocommit=False) as holder:
        holder.execute("SELECT FROM counters WHERE item_id = 2200 FOR UPDATE")
        process = start(books, "forget", USER)
        waits_for_lock(books, "WITH unliked")
        eventually(lambda: counter(books.sql, "post:1")[0] == 20, "the first likes to go")
        process.kill()
        process.communicate(timeout=60)
        assert drift(books.sql) == []
        assert 2200 in {int(item.split(":")[1]) for user, item in pairs(books.sql) if user == USER}
    done = likesctl(books, "forget", USER)
    assert done.status == 0
    assert is_clean(books)


def test_likes_that_are_gone_are_not_read_over_and_over(books):
    """While an old snapshot might see them they stay in the index: a dump is running, for instance."""
    fill(books, 20_000)

    def read():
        # A session tells what it read before it is gone.
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'likesctl %%'"
        eventually(lambda: books.sql.execute(asked, (books.name,)).fetchone()[0] == 0, "sessions to end")
        asked = "SELECT sum(idx_tup_read) FROM pg_stat_all_indexes WHERE relname = 'user_likes'"
        return books.sql.execute(asked).fetchone()[0]

    with books.connect(autocommit=False) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT FROM user_likes LIMIT 1")
        before = read()
        assert likesctl(books, "forget", USER).status == 0
        # Each once as a page, once to be deleted, and once to look whether some came meanwhile.
        assert 40_000 <= read() - before < 80_000
    assert is_clean(books)


def test_an_unfinished_import_may_bring_likes_back(books):
    fill(books, 10)
    assert likesctl(books, "import", data="1,post:1\nx,post:1\n").status == 1
    done = likesctl(books, "forget", USER)
    assert (done.status, done.out.startswith(f"user {USER}: 10 likes removed")) == (10, True)
    assert f"an import is unfinished: it may add likes of user {USER} again" in done.errors
    told = json.loads(likesctl(books, "remove", "--json", "--scan", "post:1").out)["remove"]
    assert told["warnings"][0]["message"] == "an import is unfinished: it may add likes of post:1 again"
    assert likesctl(books, "import", "--abandon").status == 0
    assert likesctl(books, "forget", USER).status == 0
    assert is_clean(books)


def test_a_redis_that_cannot_be_reached_is_said(books):
    fill(books, 10)
    done = likesctl(books, "forget", "--json", USER, REDIS_URL="unix:///nowhere/redis.sock")
    told = json.loads(done.out)["forget"]
    assert (done.status, done.errors, told["removed"]) == (10, "", 10)
    assert told["warnings"][0]["message"].startswith("Redis still has what the user liked lately: ")
    assert likes(books.sql, "post:1") == set(range(20))


def test_in_a_cluster_each_key_goes_from_its_node(books, folder, number):
    cluster = RedisCluster(folder / f"cluster{number()}").start()
    try:
        keys = (f"recent_likes:{USER}", f"rate:{USER}:likes")
        with cluster.client() as client:
            for key in keys:
                client.set(key, 1)
            fill(books, 10)
            done = likesctl(books, "forget", USER, REDIS_URL=cluster.url)
            assert done.status == 0, done
            assert [client.exists(key) for key in keys] == [0, 0]
    finally:
        cluster.stop()


# An item


@pytest.mark.parametrize("books", [0, 5], indirect=True)
def test_all_likes_of_the_item_go_and_its_count_ends_at_0(indexed, start_daemon):
    host = start_daemon(database_url=indexed.database_url, REDIS_URL=indexed.redis_url)
    rows = "".join(f"{user},{kind}:7\n{user},post:{user}\n" for user in range(2_500) for kind in ("post", "reel"))
    assert likesctl(indexed, "import", data=rows).status == 0
    eventually(lambda: host.call("COUNT", "post:7") == 2_500, "the count")
    version = counter(indexed.sql, "post:7")[1]
    counted = likesctl(indexed, "remove", "--dry-run", "--json", "post:7")
    told = json.loads(counted.out)["remove"]
    assert (told["subject"], told["likes"], told["dry_run"]) == ("post:7", 2_500, True)
    done = likesctl(indexed, "remove", "post:7")
    assert (done.status, done.out.startswith("post:7: 2500 likes removed in ")) == (0, True), done
    count, after = counter(indexed.sql, "post:7")
    assert (count, after > version) == (0, True)
    assert likes(indexed.sql, "post:7") == set()
    assert counter(indexed.sql, "reel:7")[0] == 2_500
    eventually(lambda: host.call("COUNT", "post:7") == 0, "the count", deadline=10)
    assert host.call("LIKE", 1, "post:7") == [1, 1]
    eventually(lambda: indexed.repairs() == set(), "repairs to be done")
    assert is_clean(indexed)


@pytest.mark.parametrize("books", [0, 5], indirect=True)
def test_without_the_index_it_says_how_to_go_on_and_scans_if_asked_to(books):
    fill(books)
    refused = likesctl(books, "remove", "post:3")
    assert refused.status == 1
    assert "likesctl migrate --likers-index" in refused.errors
    assert "--scan" in refused.errors
    assert counter(books.sql, "post:3")[0] == 21
    counted = likesctl(books, "remove", "--dry-run", "--scan", "post:3")
    assert counted.out == "post:3 has 21 likes: nothing was removed\n"
    done = likesctl(books, "remove", "--scan", "--progress", "post:3")
    assert (done.status, done.out.startswith("post:3: 21 likes removed")) == (0, True), done
    assert "% of all likes read" in done.errors
    assert counter(books.sql, "post:3")[0] == 0
    assert counter(books.sql, "post:2")[0] == 21
    assert is_clean(books)


@pytest.mark.parametrize("options", [(), ("--scan",)])
def test_while_the_item_goes_on_being_liked_counts_are_exact(indexed, start_daemon, options):
    hosts = [start_daemon(database_url=indexed.database_url, REDIS_URL=indexed.redis_url) for _ in range(2)]
    rows = "".join(f"{user},post:7\n" for user in range(3_000))
    assert likesctl(indexed, "import", data=rows).status == 0
    with Likers(hosts, ["post:7"]) as likers:
        done = likesctl(indexed, "remove", *options, "post:7")
    assert done.status in (0, 10), done
    assert likers.longest < 1
    assert max(likes(indexed.sql, "post:7"), default=0) == 0 or min(likes(indexed.sql, "post:7")) >= 5_000_000
    assert drift(indexed.sql) == []
    count = counter(indexed.sql, "post:7")[0]
    for host in hosts:
        eventually(lambda h=host: h.call("COUNT", "post:7") == count, "the right count", deadline=10)
    eventually(lambda: indexed.repairs() == set(), "repairs to be done")
    assert is_clean(indexed)


def test_a_counter_that_was_wrong_is_said(books):
    books.put("post:1", 3, 5)
    done = likesctl(books, "remove", "--scan", "post:1")
    assert done.status == 10
    assert "the counter of post:1 says 2, although no like is left" in done.errors
    assert counter(books.sql, "post:1")[0] == 2
    assert likesctl(books, "remove", "--scan", "reel:5").status == 0


# The record


@pytest.fixture(scope="module")
def elsewhere(folder):
    """A library that leads syslog(3) to a socket of the test's own."""
    library = folder / "elsewhere.so"
    source = Path(__file__).parent / "support" / "syslog.c"
    subprocess.run([compiler(), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.mark.parametrize("sudo", [{}, {"SUDO_USER": "alice\n"}])
def test_who_did_it_to_whom_is_a_line_of_the_journal(books, elsewhere, place, sudo):
    fill(books, 10)
    path = place / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(30)
        environment = {"LD_PRELOAD": elsewhere, "SYSLOG_SOCKET": path, **sudo}
        assert likesctl(books, "forget", "--dry-run", USER, **environment).status == 0
        done = likesctl(books, "forget", USER, **environment)
        assert (done.status, done.errors) == (0, "")
        line = journal.recv(4_096).decode()
    who = f"root (uid {os.getuid()})" if os.getuid() == 0 else f"(uid {os.getuid()})"
    assert " likesctl[" in line
    assert f"forget user {USER}: 10 likes removed, by " in line
    assert who in line
    assert ("through sudo by alice" in line) == bool(sudo)
    assert "\n" not in line.rstrip("\n\0")


def catches(process, number):
    """Whether the process has a handler for the signal."""
    [line] = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "SigCgt" in line]
    return bool(int(line.split()[1], 16) & 1 << number - 1)


def test_who_stops_it_is_on_record_too(books, elsewhere, place):
    """After the step that is under way; at once if told twice."""
    fill(books)
    path = place / "log"
    environment = {"LD_PRELOAD": elsewhere, "SYSLOG_SOCKET": path}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(30)
        for times, item in ((1, 1_200), (2, 2_400)):
            with books.connect(autocommit=False) as holder:
                holder.execute("SELECT FROM counters WHERE item_id = %s FOR UPDATE", (item,))
                process = start(books, "forget", USER, **environment)
                waits_for_lock(books, "WITH unliked")
                process.send_signal(signal.SIGINT)
                if times == 2:
                    eventually(lambda p=process: not catches(p, signal.SIGINT), "the first to be heard")
                    process.send_signal(signal.SIGINT)
                    assert ended(process).status == -signal.SIGINT
                    # PostgreSQL would still do the step if it got its lock now.
                    eventually(lambda: sessions(books) == 0, "the step to be given up")
            if times == 1:
                done = ended(process)
                assert (done.status, done.out) == (-signal.SIGINT, "")
                assert f"user {USER}: stopped, " in done.errors
                line = journal.recv(4_096).decode()
                assert f"forget user {USER}: " in line
                assert " likes removed, not all, by " in line
            assert (USER, "post:2400") in pairs(books.sql)
    assert likesctl(books, "forget", USER).status == 0
    assert is_clean(books)


@pytest.mark.parametrize("said", [signal.SIGHUP, signal.SIGTERM])
def test_it_is_stopped_while_it_waits_for_others(books, elsewhere, place, said):
    """For hosts that have much to set in Redis, and for rows that somebody has locked."""
    fill(books)
    path = place / "log"
    environment = {"LD_PRELOAD": elsewhere, "SYSLOG_SOCKET": path}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(30)
        if said == signal.SIGHUP:
            books.sql.execute(
                "INSERT INTO cache_repairs (item_type, item_id, version)"
                " SELECT 1, 1000000 + place, 1 FROM generate_series(1, 60000) AS place"
            )
            # It lives, and sets none of them.
            books.sql.execute("INSERT INTO likesd_hosts (lane, seen_at) VALUES (1, now() + interval '1 hour')")
        with books.connect(autocommit=False) as holder:
            if said == signal.SIGTERM:
                holder.execute("SELECT FROM counters WHERE item_id = 1200 FOR UPDATE")
            process = start(books, "forget", "--progress", USER, **environment)
            told = b""
            while b"; waits " not in told:
                told += process.stderr.read1()
            process.send_signal(said)
            assert process.wait(timeout=5) == -said
        assert " likes removed, not all, by " in journal.recv(4_096).decode()


def test_a_table_that_is_locked_for_a_while_is_waited_for(books):
    """Longer than a step waits for rows."""
    fill(books, 100)
    with books.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE user_likes IN ACCESS EXCLUSIVE MODE")
        process = start(books, "forget", USER)
        waits_for_lock(books, "SELECT user_id, item_id")
        waited_for = holder.execute("SELECT clock_timestamp() + interval '1 s'").fetchone()[0]
        while holder.execute("SELECT clock_timestamp()").fetchone()[0] < waited_for:
            assert process.poll() is None, ended(process)
    done = ended(process)
    assert done.status == 0, done


# How it is asked


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("forget",), 64),
        (("forget", "x"), 64),
        (("forget", "01"), 64),
        (("forget", "--", "-5"), 64),
        (("forget", "1", "2"), 64),
        (("forget", "--scan", "1"), 64),
        (("remove", "post"), 64),
        (("remove", "--scan", "nosuch:1"), 64),
        (("remove", "--scan", "post:x"), 64),
    ],
)
def test_wrong_arguments_are_refused(books, arguments, status):
    done = likesctl(books, *arguments)
    assert (done.status, done.out) == (status, "")
    assert done.errors.startswith("likesctl: ")


def test_it_needs_no_more_rights_than_likesd(books, number):
    fill(books, 10)
    role = f"forgetting{number()}"
    books.sql.execute(f"CREATE ROLE {role} LOGIN")
    books.sql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    url = books.database_url.replace("postgres@", f"{role}@")
    refused = likesctl(books, "forget", USER, DATABASE_URL=url)
    assert (refused.status, "run this as the role that likesd uses" in refused.errors) == (77, True), refused
    books.sql.execute(f"GRANT DELETE ON user_likes TO {role}")
    books.sql.execute(f"GRANT INSERT, UPDATE ON counters, cache_repairs TO {role}")
    assert likesctl(books, "forget", USER, DATABASE_URL=url).status == 0
    assert is_clean(books)
    assert ended(start(books, "forget", USER, DATABASE_URL="host=/nowhere dbname=x")).status == 69
