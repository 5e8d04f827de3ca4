"""DATABASE_REPLICA_URLS: standbys answer the counts that the caches lack, whatever happens to them."""

import contextlib
import itertools
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.daemon import run
from support.database import put_likes
from support.waiting import eventually

TTL_MS = 1000
# The hosts measure from the beginning of a turn of their loop, which a busy machine may delay.
SLACK_SECONDS = 0.05
READS = 100


def url(*servers, user="postgres"):
    return f"postgresql://{user}@/likes?host={','.join(str(server.folder) for server in servers)}"


def standby_facts(daemon, number=1):
    """What INFO says of a standby."""
    return dict(fact.split("=", 1) for fact in daemon.info()[f"standby{number}"].split(","))


def state(daemon, number=1):
    return standby_facts(daemon, number)["state"]


def keys(item):
    """Those that Redis removes when its memory is full."""
    return f"counter:{item}", f"{{counter:{item}}}:version"


def batched(items, count):
    return [items[place : place + count] for place in range(0, len(items), count)]


def executed(server, statement):
    """How often a server with log_statement=all has run one of likesd's statements."""
    return server.server.log().count(f"execute {statement}: ")


class Cold:
    """Items of one like each that no cache has."""

    def __init__(self, number, primary, standbys):
        self.number = number
        self.primary = primary
        self.standbys = standbys

    def items(self, count=10):
        items = [f"post:{self.number()}" for _ in range(count)]
        with self.primary.connect() as sql:
            for item in items:
                put_likes(sql, item, [1])
        for standby in self.standbys:
            standby.wait_for(self.primary)
        return items

    def are_read_from(self, daemon, number=1):
        """Whether cold counts came from this standby alone."""
        before = int(standby_facts(daemon, number)["counts"])
        items = self.items()
        assert [daemon.call("COUNT", item) for item in items] == [1] * len(items)
        return int(standby_facts(daemon, number)["counts"]) == before + len(items)


@pytest.fixture
def cold(number, own_postgres, standby):
    return Cold(number, own_postgres, [standby])


class Watch:
    """Likes items through the first host, and asks each host for their counts, which no Redis has."""

    ITEMS = 40

    def __init__(self, hosts, redis, number):
        self.hosts = hosts
        self.redis = redis
        self.number = number
        self.items = [f"post:{number()}" for _ in range(self.ITEMS)]
        # Per item: (when it was acknowledged, count), in order.
        self.acknowledged = {item: [(0.0, 0)] for item in self.items}
        self.reads = [0] * len(hosts)
        self.ending = threading.Event()
        self.writing = threading.Lock()
        self.failures = []

    def __enter__(self):
        self.threads = [threading.Thread(target=self.run, args=(self.write,))]
        for place in range(len(self.hosts)):
            self.threads.append(threading.Thread(target=self.run, args=(self.read, place)))
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def run(self, work, *arguments):
        try:
            work(*arguments)
        except Exception as failure:
            self.failures.append(f"{failure!r}")

    def write(self):
        with self.hosts[0].connect() as client:
            for item in itertools.cycle(self.items):
                if self.ending.is_set():
                    return
                with self.writing:
                    reply = client.call("LIKE", self.number(), item)
                    if not isinstance(reply, list):
                        self.failures.append(f"LIKE {item}: {reply}")
                        continue
                    self.acknowledged[item].append((time.monotonic(), reply[1]))

    def read(self, place):
        told = dict.fromkeys(self.items, 0)
        with self.hosts[place].connect() as client, self.redis.client() as cache:
            # Another order than the writer's.
            for item in itertools.cycle(self.items[::-1]):
                if self.ending.is_set():
                    return
                cache.unlink(*keys(item))
                # The host that acknowledged a change knows it; the others may be as old as is promised.
                age = 0 if place == 0 else TTL_MS / 1000 + SLACK_SECONDS
                begun = time.monotonic()
                least = next(count for at, count in reversed(self.acknowledged[item]) if at <= begun - age)
                count = client.call("COUNT", item)
                self.reads[place] += 1
                if not isinstance(count, int) or count < max(least, told[item]):
                    self.failures.append(
                        f"host {place}: COUNT {item} is {count!r} at {begun:.3f}; known {least}, told {told[item]}, "
                        f"acknowledged {self.acknowledged[item][-5:]}"
                    )
                    return
                told[item] = count

    def until(self, condition, what):
        """While counts are asked, and some more are asked then."""

        def holds():
            self.check()
            return condition()

        eventually(holds, what)
        goals = [count + READS for count in self.reads]
        eventually(
            lambda: self.check() or all(now >= goal for now, goal in zip(self.reads, goals, strict=True)),
            f"{READS} more counts of each host",
        )

    def check(self):
        if self.failures:
            raise RuntimeError("; ".join(self.failures))

    def until_states(self, *states):
        self.until(lambda: all(state(host) in states for host in self.hosts), f"the standby to be {states}")

    def until_fresh(self):
        before = [int(standby_facts(host)["counts"]) for host in self.hosts]
        self.until_states("fresh")
        self.until(
            lambda: all(
                int(standby_facts(host)["counts"]) > count for host, count in zip(self.hosts, before, strict=True)
            ),
            "the standby to answer counts",
        )


@pytest.fixture
def watched(own_postgres, own_redis, start_daemon, number):
    """Two hosts that are watched: watched(standby, …). One keeps no counts, the other few."""

    def start(*standbys, **settings):
        urls = " ".join(standby.url() for standby in standbys)
        hosts = [
            start_daemon(
                redis=own_redis,
                DATABASE_REPLICA_URLS=urls,
                LOCAL_CACHE_ENTRIES=entries,
                LOCAL_CACHE_TTL_MS=TTL_MS,
                **settings,
            )
            for entries in (0, 10)
        ]
        return Watch(hosts, own_redis, number)

    return start


def test_counts_that_the_caches_lack_come_from_the_standby_and_nothing_else_does(
    own_postgres, standby, own_redis, start_daemon, number, cold
):
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=standby.url(), LOCAL_CACHE_TTL_MS=TTL_MS)
    for server in (own_postgres, standby):
        server.set("log_statement", "all")
    eventually(lambda: cold.are_read_from(daemon), "counts from the standby alone")

    def primary_is_left_alone():
        before = executed(own_postgres, "counters"), executed(standby, "counters")
        return cold.are_read_from(daemon) and (
            executed(own_postgres, "counters") == before[0] and executed(standby, "counters") > before[1]
        )

    eventually(primary_is_left_alone, "the primary to be asked for no count")
    # What came from a standby is not written to Redis: it may be older than what Redis has just dropped.
    with own_redis.client() as cache:
        items = cold.items()
        before = int(standby_facts(daemon)["counts"])
        for item in items:
            assert daemon.call("COUNT", item) == 1
        if int(standby_facts(daemon)["counts"]) == before + len(items):
            assert not any(cache.exists(f"counter:{item}") for item in items)

    user, item = number(), f"post:{number()}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    assert daemon.call("LIKED", user, item) == 1
    assert daemon.call("MLIKED", user, item, cold.items(1)[0]) == [1, 0]
    assert daemon.call("UNLIKE", user, item) == [1, 0]
    ran = set(re.findall(r"execute (\w+): ", standby.server.log()))
    assert ran == {"replayed", "counters"}

    metrics = daemon.call("METRICS").decode()
    assert 'likesd_standby_up{standby="1"} 1' in metrics
    counts = re.search(r'likesd_standby_counts_total\{standby="1"\} (\d+)', metrics)
    assert int(counts[1]) >= 20
    assert re.search(r'likesd_counts_served_total\{source="standby"\} [1-9]', metrics)


def replay_paused(standby, watch):
    with standby.connect() as sql:
        sql.execute("SELECT pg_wal_replay_pause()")
        watch.until_states("behind")
        sql.execute("SELECT pg_wal_replay_resume()")


def lagging(standby, watch):
    standby.set("recovery_min_apply_delay", "2s")
    watch.until_states("behind")
    standby.set("recovery_min_apply_delay", None)


def hanging(standby, watch):
    standby.pause()
    try:
        watch.until_states("slow", "down")
        watch.until_states("down")
    finally:
        standby.resume()


def killed(standby, watch):
    standby.kill()
    watch.until_states("down")
    standby.start()


def connections_ended(standby, watch):
    with standby.connect() as sql:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'likesd standby'"
        watch.until(lambda: sql.execute(ended).fetchall(), "connections to end")
        watch.until(lambda: sql.execute(ended).fetchall(), "new connections to end")


@pytest.mark.parametrize("fault", [replay_paused, lagging, hanging, killed, connections_ended])
def test_no_count_is_older_than_promised_and_none_fails_whatever_happens_to_the_standby(standby, watched, fault):
    with watched(standby) as watch:
        watch.until_fresh()
        fault(standby, watch)
        watch.until_fresh()
    watch.check()


def test_a_standby_that_is_promoted_answers_no_more_counts(standby, watched):
    with watched(standby) as watch:
        watch.until_fresh()
        standby.promote()
        watch.until_states("promoted")
        for host in watch.hosts:
            # As its operators want it.
            assert "message" not in host.health()
            assert 'likesd_standby_fresh{standby="1"}' not in host.call("METRICS").decode()
    watch.check()


def test_the_primary_may_fail_over_to_a_standby_that_answered_counts(own_postgres, standby_of, watched):
    new, other = standby_of(own_postgres), standby_of(own_postgres)
    with watched(new, other, database_url=url(own_postgres, new)) as watch:
        watch.until_fresh()
        with watch.writing:
            for server in (new, other):
                server.wait_for(own_postgres)
            own_postgres.kill()
            new.promote()
            for host in watch.hosts:
                host.wait_healthy()
        watch.until_states("promoted")
        # It follows nobody now, and has no more than the old primary had.
        watch.until(lambda: all(state(host, 2) == "behind" for host in watch.hosts), "the other one to be behind")
        other.set("primary_conninfo", f"host={new.folder} user=postgres")
        watch.until(lambda: all(state(host, 2) == "fresh" for host in watch.hosts), "the other one to be fresh")
    watch.check()


def test_a_standby_of_the_old_primary_is_not_believed_while_both_primaries_live(own_postgres, standby_of, watched):
    new, other = standby_of(own_postgres), standby_of(own_postgres)
    with watched(other, database_url=url(own_postgres, new)) as watch:
        watch.until_fresh()
        with watch.writing:
            new.wait_for(own_postgres)
            new.promote()
            # It goes on, and its log grows faster than the new one's.
            with own_postgres.connect() as sql:
                sql.execute("CREATE TABLE noise AS SELECT generate_series(1, 100000)")
            moved = f"{own_postgres.folder} is an old primary"
            eventually(lambda: all(moved in host.log() for host in watch.hosts), "the promotion to be seen")
            for host in watch.hosts:
                host.wait_healthy()
        watch.until_states("behind")
    watch.check()


def test_several_standbys_share_the_load(own_postgres, standby_of, own_redis, start_daemon, number):
    standbys = [standby_of(own_postgres), standby_of(own_postgres)]
    daemon = start_daemon(
        redis=own_redis,
        DATABASE_REPLICA_URLS=",".join(standby.url() for standby in standbys),
        LOCAL_CACHE_ENTRIES=0,
    )
    items = Cold(number, own_postgres, standbys).items(4_000)

    def ask(client, part):
        assert client.call("MCOUNT", *part) == [1] * len(part)

    def growth(places):
        """Whether so many clients at once need all of these standbys."""
        before = [int(standby_facts(daemon, place)["counts"]) for place in places]
        # Those that the primary had to answer are in Redis.
        with own_redis.client() as cache:
            cache.unlink(*(key for item in items for key in keys(item)))
        with ThreadPoolExecutor(8) as threads, contextlib.ExitStack() as clients:
            connections = [clients.enter_context(daemon.connect()) for _ in range(8)]
            list(threads.map(ask, connections, batched(items, len(items) // 8)))
        after = [int(standby_facts(daemon, place)["counts"]) for place in places]
        return all(now > then for now, then in zip(after, before, strict=True))

    eventually(lambda: growth([1, 2]), "both to answer")
    standbys[0].kill()
    eventually(lambda: growth([2]) and state(daemon) == "down", "the other one to answer alone")


# MARK: What is configured wrong


def says(daemon, *words):
    message = daemon.health().get("message", "")
    return all(str(word) in message for word in words)


def serves(daemon, number, own_postgres):
    item = f"post:{number()}"
    with own_postgres.connect() as sql:
        put_likes(sql, item, [1, 2])
    return daemon.call("COUNT", item) == 2 and daemon.health()["status"] == "ok"


def test_a_standby_that_is_not_there_costs_nothing_but_a_word(own_postgres, own_redis, start_daemon, number, place):
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=f"postgresql://postgres@/likes?host={place}")
    eventually(lambda: says(daemon, "PostgreSQL standby 1", place, "DATABASE_REPLICA_URLS"), "HEALTH to name it")
    assert serves(daemon, number, own_postgres)
    assert state(daemon) == "down"
    assert daemon.log().count("PostgreSQL (standby 1) lost") == 1


def test_a_standby_whose_name_has_no_address_costs_nothing_but_a_word(own_postgres, own_redis, start_daemon, number):
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS="postgresql://postgres@no-such-host.invalid/likes")
    eventually(lambda: says(daemon, "no-such-host.invalid", "DATABASE_REPLICA_URLS"), "HEALTH to name it")
    assert serves(daemon, number, own_postgres)


def test_a_wrong_password_of_a_standby_is_said_and_not_shown(own_postgres, standby, own_redis, start_daemon, number):
    secret = "hunter2"
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE reader LOGIN PASSWORD 'right'")
    standby.wait_for(own_postgres)
    standby.let_in("local likes reader scram-sha-256")
    daemon = start_daemon(
        redis=own_redis, DATABASE_REPLICA_URLS=url(standby, user=f"reader:{secret}"), until="listening"
    )
    daemon.wait_healthy()
    eventually(lambda: says(daemon, "password authentication failed", "DATABASE_REPLICA_URLS"), "HEALTH to say so")
    assert serves(daemon, number, own_postgres)
    for text in (daemon.log(), daemon.health()["message"], daemon.call("INFO").decode()):
        assert secret not in text


def test_the_role_for_a_standby_needs_to_read_five_tables_and_no_more(
    own_postgres, standby, own_redis, start_daemon, cold
):
    with own_postgres.connect() as sql:
        sql.execute(
            "CREATE ROLE reader LOGIN; GRANT SELECT ON likesd_schema, item_types, likesd_hosts, counters TO reader"
        )
    standby.wait_for(own_postgres)
    standby.let_in("local likes reader trust")
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=url(standby, user="reader"))

    def is_refused():
        cold.are_read_from(daemon)
        return says(daemon, "permission denied for table lanes", "GRANT SELECT", "lanes", "reader")

    eventually(is_refused, "HEALTH to name the right that it lacks")
    with own_postgres.connect() as sql:
        sql.execute("GRANT SELECT ON lanes TO reader")
    eventually(lambda: cold.are_read_from(daemon), "counts from the standby")


def test_a_primary_among_the_standbys_is_refused(own_postgres, own_redis, start_daemon, number):
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=own_postgres.url())
    eventually(lambda: says(daemon, "PostgreSQL standby 1", "it takes writes"), "HEALTH to refuse it")
    assert serves(daemon, number, own_postgres)
    assert standby_facts(daemon)["counts"] == "0"


def test_a_url_of_several_servers_leads_to_the_one_that_is_a_standby(
    own_postgres, standby, own_redis, start_daemon, cold
):
    for servers in ([own_postgres, standby], [standby, own_postgres]):
        for wish in ("", "&target_session_attrs=read-write"):
            daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=url(*servers) + wish)
            eventually(lambda daemon=daemon: cold.are_read_from(daemon), "counts from the standby")


def test_a_standby_of_another_database_is_never_fresh(
    own_postgres, migrated_cluster, folder, standby_of, own_redis, start_daemon, number
):
    other = migrated_cluster.copy(folder / f"pg{number()}").start()
    try:
        # Its log is longer, and its tables and item types are the same.
        with other.connect() as sql:
            sql.execute("CREATE TABLE noise AS SELECT generate_series(1, 100000)")
        daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=standby_of(other).url())

        def is_behind():
            assert serves(daemon, number, own_postgres)
            return state(daemon) == "behind"

        eventually(is_behind, "the standby to be asked")
        for _ in range(20):
            assert serves(daemon, number, own_postgres)
        assert standby_facts(daemon)["counts"] == "0"
    finally:
        other.stop()


def test_a_standby_with_other_item_types_is_left(
    own_postgres, migrated_cluster, folder, standby_of, own_redis, start_daemon, number
):
    other = migrated_cluster.copy(folder / f"pg{number()}").start()
    try:
        with other.connect() as sql:
            sql.execute("UPDATE item_types SET id = id + 10")
        daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=standby_of(other).url())
        eventually(lambda: says(daemon, "its item types have other numbers"), "HEALTH to say so")
        assert serves(daemon, number, own_postgres)
        assert standby_facts(daemon)["counts"] == "0"
    finally:
        other.stop()


def test_a_primary_that_refuses_to_tell_its_position_serves_counts_as_before(
    own_postgres, standby, own_redis, start_daemon, number
):
    with own_postgres.connect() as sql:
        sql.execute(
            "CREATE ROLE likes LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO likes"
        )
        sql.execute("REVOKE EXECUTE ON FUNCTION pg_current_wal_flush_lsn() FROM PUBLIC")
    own_postgres.set("log_statement", "all")
    daemon = start_daemon(
        redis=own_redis, database_url=url(own_postgres, user="likes"), DATABASE_REPLICA_URLS=standby.url()
    )

    def was_asked():
        assert serves(daemon, number, own_postgres)
        return "permission denied for function pg_current_wal_flush_lsn" in daemon.log()

    eventually(was_asked, "the position to be asked for")
    for _ in range(20):
        assert serves(daemon, number, own_postgres)
    assert "PostgreSQL (reading) lost" not in daemon.log()
    assert standby_facts(daemon)["counts"] == "0"


def test_an_idle_host_asks_no_position(own_postgres, standby, own_redis, start_daemon, cold):
    own_postgres.set("log_statement", "all")
    daemon = start_daemon(redis=own_redis, DATABASE_REPLICA_URLS=standby.url())
    eventually(lambda: cold.are_read_from(daemon), "counts from the standby")

    def rests():
        """It surveys the hosts every few seconds, and asks nothing else meanwhile."""
        before = executed(own_postgres, "position"), executed(standby, "replayed")
        surveys = executed(own_postgres, "survey")
        eventually(lambda: executed(own_postgres, "survey") >= surveys + 2, "two surveys")
        return (executed(own_postgres, "position"), executed(standby, "replayed")) == before

    eventually(rests, "the host to ask nothing")
    assert state(daemon) == "idle"
    eventually(lambda: cold.are_read_from(daemon), "counts from the standby again")


def test_more_standbys_than_there_are_places_are_refused():
    done = run("likesd", "--check-config", DATABASE_REPLICA_URLS=" ".join(["postgresql:///likes"] * 17))
    assert done.returncode == 78
    assert "at most 16" in done.stderr


def test_a_host_stops_in_order_while_its_standby_hangs(standby, watched):
    with watched(standby) as watch, contextlib.ExitStack() as cleanup:
        watch.until_fresh()
        standby.pause()
        cleanup.callback(standby.resume)
        watch.until_states("slow", "down")
    watch.check()
    for host in watch.hosts:
        assert host.stop() == 0
