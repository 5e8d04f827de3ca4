"""Redis behind Sentinels: found, followed, and never written to after it was deposed."""

import shutil
import time

import pytest
from support.daemon import run
from support.database import drift
from support.load import Load
from support.sentinels import FakeSentinel, SentinelTopology, naming
from support.waiting import eventually


@pytest.fixture
def topology(folder, number):
    """Two servers and three Sentinels of the test's own, ready to fail over."""
    servers = SentinelTopology(folder / f"sentinel{number()}").start()
    try:
        yield servers.wait_ready()
    finally:
        servers.stop()
        shutil.rmtree(servers.folder, ignore_errors=True)


class Source:
    """REDIS_URL, as start_daemon wants it."""

    def __init__(self, url):
        self.url = url


@pytest.fixture
def start(start_daemon):
    """Starts a daemon with a REDIS_URL."""
    return lambda url, **settings: start_daemon(redis=Source(url), **settings)


def uses(daemon, address):
    return daemon.info()["redis_server"] == address and daemon.health()["status"] == "ok"


def wait_moved(daemon, address):
    eventually(lambda: uses(daemon, address), f"likesd to use {address}:\n{daemon.log()}")


def test_the_primary_is_found_and_told(topology, start, item, user):
    daemon = start(topology.url)
    assert daemon.call("LIKE", user, item) == [1, 1]
    with topology.servers[0].client() as cache:
        eventually(lambda: cache.get(f"counter:{item}") == "1", "the counter to be in the primary")
    info = eventually(
        lambda: (found := daemon.info())["redis_sentinels_answering"] == "3" and found, "all Sentinels to answer"
    )
    assert info["redis_server"] == topology.address(0)
    assert (info["redis_sentinels"], info["redis_epoch"], info["redis_moves"]) == ("3", "0", "0")
    assert info["sentinel2"] == f"name={topology.sentinels[2].address},names={topology.address(0)},epoch=0"
    assert b"\nlikesd_redis_sentinels_answering 3\n" in daemon.call("METRICS")
    assert "message" not in daemon.health()


def silent(topology):
    topology.sentinels[0].pause()
    return topology.sentinels[0].address, "no answer within 1000 ms"


def dead(topology):
    topology.sentinels[0].kill()
    return topology.sentinels[0].address, "Connection refused"


@pytest.mark.parametrize("fail", [dead, silent])
def test_a_sentinel_that_fails_delays_nobody_and_is_named(topology, start, fail, item, user):
    address, words = fail(topology)
    daemon = start(topology.url)
    assert daemon.call("LIKE", user, item) == [1, 1]
    message = eventually(lambda: daemon.health().get("message"), "HEALTH to name the Sentinel")
    assert f"(Redis: Sentinel {address}: {words})" in message
    assert message.startswith(f"next: redis-cli -h 127.0.0.1 -p {topology.sentinels[0].port} ping has to find it")
    assert daemon.health()["status"] == "ok"
    assert daemon.log().count(f"Sentinel {address}: {words}") == 1


def flooding(port):
    """More messages than there are failovers, one after the other."""
    messages = b"*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$1\r\nx\r\n" * 5_000
    return lambda words: naming(port, 0)(words) + (messages if words[0] == "SUBSCRIBE" else b"")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda words: b"HTTP/1.1 400 Bad Request\r\n\r\n", "it does not speak Redis' protocol"),
        (lambda words: b"+OK\r\n", "SENTINEL: an answer that does not fit its call"),
        (lambda words: b"$600000\r\n" + b"x" * 600_000 + b"\r\n", "does not fit its call"),
        (lambda words: None, "no answer within 1000 ms"),
        (lambda words: b"-ERR unknown command 'SENTINEL', with args beginning with: \r\n", "it is not a Sentinel"),
        (lambda words: b"-NOPERM this user has no permissions\r\n", "NOPERM this user has no permissions"),
        (naming(0, 1), "SENTINEL: an answer that does not fit its call"),
        (naming(6379, -1), "SENTINEL: an answer that does not fit its call"),
        (naming(6379, 1, "a b; next: x"), "SENTINEL: an answer that does not fit its call"),
    ],
)
def test_what_is_no_sentinel_harms_nobody(topology, start, answer, words, item, user):
    with FakeSentinel(answer) as fake:
        daemon = start(topology.url_of(fake.address, topology.sentinels[0].address))
        assert daemon.call("LIKE", user, item) == [1, 1]
        eventually(lambda: words in daemon.health().get("message", ""), f"HEALTH to say {words}")
        assert daemon.info()["redis_server"] == topology.address(0)
        assert daemon.log().count(fake.address) < 5


def test_a_sentinel_that_floods_its_messages_harms_nobody(topology, start, item, user):
    with FakeSentinel(flooding(topology.servers[0].port)) as fake:
        began = time.monotonic()
        daemon = start(topology.url_of(topology.sentinels[0].address, fake.address), until="listening")
        eventually(lambda: ["SUBSCRIBE", "+switch-master"] in fake.commands, "likesd to subscribe")
        for turn in range(20):
            assert daemon.call("LIKE", user + turn, item) == [1, turn + 1]
        # Each time it is ended, and made again beside a later answer.
        eventually(lambda: sum(words[0] == "SUBSCRIBE" for words in fake.commands) >= 3, "subscriptions to end")
        asked = sum(words[:2] == ["SENTINEL", "MASTER"] for words in fake.commands)
        assert asked <= 2 + 10 * (time.monotonic() - began)
        assert daemon.health()["status"] == "ok"


def test_a_planned_failover_is_followed_without_an_error(topology, start, item, number):
    daemon = start(topology.url)
    with Load(daemon, item, number()) as load:
        topology.fail_over()
        wait_moved(daemon, topology.address(1))
        load.wait(5)
    assert daemon.info()["redis_moves"] == "1"
    with topology.servers[1].client() as cache:
        eventually(lambda: cache.get(f"counter:{item}") == str(load.likes), "the new primary to have the count")
    assert daemon.call("COUNT", item) == load.likes


def test_a_killed_primary_costs_no_error(topology, start, own_postgres, item, number):
    daemon = start(topology.url, REDIS_TIMEOUT_MS=100)
    with Load(daemon, item, number()) as load:
        topology.servers[0].kill()
        wait_moved(daemon, topology.address(1))
        load.wait(5)
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_a_replica_that_lacks_writes_is_not_believed_when_it_is_promoted(topology, start, item, user, number):
    daemon = start(topology.url)
    assert daemon.call("LIKE", user, item) == [1, 1]
    primary, replica = (server.client() for server in topology.servers)
    eventually(lambda: replica.get(f"counter:{item}") == "1", "the replica to have the first count")
    marker = primary.get("likesd:generation")
    replica.config_set("masterauth", "wrong")
    primary.client_kill_filter(_type="replica")
    eventually(lambda: replica.info("replication")["master_link_status"] == "down", "replication to end")
    for more in range(2, 7):
        assert daemon.call("LIKE", number(), item) == [1, more]
    other = f"post:{number()}"
    assert daemon.call("LIKE", user, other) == [1, 1]
    assert (primary.get(f"counter:{item}"), replica.get(f"counter:{item}")) == ("6", "1")
    topology.servers[0].kill()
    # Another host, with nothing in its memory.
    second = start(topology.url, until="listening")
    wait_moved(second, topology.address(1))
    wait_moved(daemon, topology.address(1))
    assert replica.get("likesd:generation") != marker
    for host in (daemon, second):
        assert host.call("COUNT", item) == 6
        assert host.call("COUNT", other) == 1
        assert host.call("LIKE", user, item) == [0, 6]


def test_nothing_is_written_to_a_deposed_primary_that_a_minority_still_names(topology, start, item, user, number):
    old, new = topology.servers
    with FakeSentinel(naming(old.port, 0)) as minority:
        daemon = start(topology.url_of(minority.address, *(s.address for s in topology.sentinels)))
        assert daemon.call("LIKE", user, item) == [1, 1]
        old.pause()
        wait_moved(daemon, topology.address(1))
        # From here on only the minority speaks, and nobody tells the old one that it was deposed.
        for sentinel in topology.sentinels:
            sentinel.kill()
        old.resume()
        with old.client() as deposed, new.client() as cache:
            eventually(lambda: deposed.info("replication")["role"] == "master", "the old one to be awake")
            connections = deposed.info("stats")["total_connections_received"]
            seen = len(minority.commands)
            assert daemon.call("LIKE", number(), item) == [1, 2]
            # The connection in use stays; once it is lost, no other takes its place.
            info = daemon.info()
            assert (info["redis_server"], info["redis_sentinels_answering"]) == (topology.address(1), "1")
            cache.client_kill_filter(_type="normal", skipme=True)
            cache.client_kill_filter(_type="pubsub", skipme=True)
            health = eventually(
                lambda: (h := daemon.health())["status"] == "degraded" and "epoch" in h.get("message", "") and h,
                "likesd to work without Redis",
            )
            assert f"the Sentinels name {topology.address(0)} at epoch 0" in health["message"]
            other = f"post:{number()}"
            assert daemon.call("LIKE", user, other) == [1, 1]
            eventually(lambda: len(minority.commands) >= seen + 12, "the minority to be asked several times")
            assert daemon.call("LIKE", number(), other) == [1, 2]
            assert deposed.get(f"counter:{other}") is None
            assert deposed.get(f"counter:{item}") == "1"
            # Whoever connected since is the test.
            assert deposed.info("stats")["total_connections_received"] == connections
    for sentinel in topology.sentinels:
        sentinel.start()
    wait_moved(daemon, topology.address(1))


def test_a_primary_that_goes_on_answering_is_left_once_one_sentinel_names_another(topology, start, item, user, number):
    for sentinel in topology.sentinels:
        sentinel.kill()
    old, new = topology.servers
    with FakeSentinel(naming(old.port, 4)) as minority, FakeSentinel(naming(old.port, 4)) as knowing:
        daemon = start(topology.url_of(minority.address, knowing.address))
        assert daemon.call("LIKE", user, item) == [1, 1]
        with old.client() as deposed, new.client() as promoted:
            promoted.replicaof("NO", "ONE")
            knowing.answer = naming(new.port, 5)
            wait_moved(daemon, topology.address(1))
            other = f"post:{number()}"
            assert daemon.call("LIKE", user, other) == [1, 1]
            assert (deposed.get(f"counter:{other}"), promoted.get(f"counter:{other}")) == (None, "1")
            assert deposed.info("replication")["role"] == "master"
            listening = deposed.pubsub_channels("likesd:*")
            assert listening == [], "both connections were given up"


def test_a_server_that_says_it_is_a_replica_is_left(topology, start, item, user):
    with FakeSentinel(naming(topology.servers[1].port, 0)) as fake:
        daemon = start(topology.url_of(fake.address), until="listening")
        words = "it is a replica, though the Sentinels name it the primary"
        eventually(lambda: words in daemon.health().get("message", ""), "HEALTH to say so")
        assert daemon.call("LIKE", user, item) == [1, 1]
        assert daemon.log().count(f"Redis lost: {topology.address(1)}: {words}") == 1
        fake.answer = naming(topology.servers[0].port, 1)
        wait_moved(daemon, topology.address(0))


def test_a_server_may_be_named_by_a_hosts_name(topology, start, item, user):
    with FakeSentinel(naming(topology.servers[0].port, 0, "localhost")) as fake:
        daemon = start(topology.url_of(fake.address))
        assert daemon.call("LIKE", user, item) == [1, 1]
        assert daemon.info()["redis_server"] == f"localhost:{topology.servers[0].port}"
        fake.answer = naming(topology.servers[0].port, 1, "nobody.invalid")
        eventually(lambda: "nobody.invalid" in daemon.health().get("message", ""), "HEALTH to name the host")
        assert daemon.call("COUNT", item) == 1


def test_the_same_server_at_a_later_epoch_is_connected_to_again(topology, start, item, user):
    port = topology.servers[0].port
    with FakeSentinel(naming(port, 1)) as fake:
        daemon = start(topology.url_of(fake.address))
        assert daemon.call("LIKE", user, item) == [1, 1]
        # It may have been a replica in between, and have other data under the same connection.
        fake.answer = naming(port, 3)
        eventually(lambda: daemon.log().count("Redis connected") == 2, "a second connection")
        eventually(lambda: daemon.info()["redis_epoch"] == "3" and daemon.health()["status"] == "ok", "health")
        fake.answer = naming(port, 2)
        eventually(lambda: "was named at the later epoch 3" in daemon.health().get("message", ""), "HEALTH to say so")
        assert daemon.health()["status"] == "ok"


def test_without_sentinels_the_connection_stays_and_no_new_one_is_made(topology, start, item, user, number):
    daemon = start(topology.url)
    for sentinel in topology.sentinels:
        sentinel.kill()
    message = eventually(
        lambda: (text := daemon.health().get("message", "")).count("Connection refused") == 3 and text,
        "HEALTH to say that no Sentinel answers",
    )
    assert "no Sentinel names a primary" in message
    assert message.startswith(f"next: redis-cli -h 127.0.0.1 -p {topology.sentinels[0].port} ping has to find it")
    assert daemon.health()["status"] == "ok"
    assert daemon.call("LIKE", user, item) == [1, 1]
    with topology.servers[0].client() as cache:
        assert cache.get(f"counter:{item}") == "1"
        cache.client_kill_filter(_type="normal", skipme=True)
        eventually(lambda: daemon.health()["status"] == "degraded", "likesd to be without Redis")
        assert daemon.call("LIKE", number(), item) == [1, 2]
        assert daemon.health()["message"].count("no Sentinel names a primary") == 1
        topology.sentinels[2].start()
        wait_moved(daemon, topology.address(0))
        eventually(lambda: cache.get(f"counter:{item}") == "2", "the repair")
    assert daemon.log().count("no Sentinel names a primary") < 6


def test_a_name_that_the_sentinels_do_not_know_is_said(topology, start, item, user):
    url = topology.url_of(topology.sentinels[0].address, name="other")
    daemon = start(url, until="listening")
    message = eventually(
        lambda: "knows no primary" in (text := daemon.health().get("message", "")) and text, "HEALTH to say so"
    )
    assert f"{topology.sentinels[0].address}: it knows no primary named other" in message
    assert "sentinel masters lists" in message
    assert daemon.call("LIKE", user, item) == [1, 1]
    with topology.sentinels[0].client() as sentinel:
        sentinel.execute_command("SENTINEL", "MONITOR", "other", "127.0.0.1", topology.servers[0].port, 2)
    wait_moved(daemon, topology.address(0))


def test_sentinels_and_servers_have_passwords_of_their_own(folder, number, start, item, user):
    servers = SentinelTopology(
        folder / f"sentinel{number()}",
        lines=("requirepass guard", "sentinel sentinel-pass guard", "sentinel auth-pass mymaster hush"),
        options=("--requirepass", "hush", "--masterauth", "hush"),
        sentinels=1,
    ).start()
    try:
        sentinel = servers.sentinels[0].address
        right = servers.url_of(sentinel, user=":hush@", query="?sentinel_password=guard")
        daemon = start(right)
        assert daemon.call("LIKE", user, item) == [1, 1]
        checked = run("likesd", "--check-config", REDIS_URL=right)
        assert f"REDIS_URL=redis-sentinel://:***@{sentinel}/0?sentinel_password=***#mymaster\n" in checked.stdout
        daemon.stop()
        for query, words in [
            ("", "put the Sentinels' password"),
            ("?sentinel_password=x", "correct sentinel_password"),
        ]:
            daemon = start(servers.url_of(sentinel, user=":hush@", query=query), until="listening")
            eventually(lambda d=daemon, w=words: w in d.health().get("message", ""), f"HEALTH to say: {words}")
            daemon.stop()
        assert "guard" not in daemon.log()
    finally:
        servers.stop()


def test_verify_asks_the_sentinels_too(topology, start, item, user):
    daemon = start(topology.url)
    assert daemon.call("LIKE", user, item) == [1, 1]
    topology.sentinels[0].kill()
    done = daemon.run_ctl("verify", REDIS_URL=topology.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Redis: 1 counter: 0 differences" in done.stdout
    for sentinel in topology.sentinels[1:]:
        sentinel.kill()
    done = daemon.run_ctl("verify", REDIS_URL=topology.url)
    assert "no Sentinel names a primary" in done.stdout + done.stderr
