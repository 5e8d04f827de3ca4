"""A Redis Cluster: each node with its own slots, which move, and with its own failures."""

import contextlib
import shutil
import time

import pytest
import redis
from support.daemon import run
from support.database import drift
from support.load import Load
from support.ports import free_ports
from support.redis_cluster import SLOTS, RedisCluster
from support.redis_server import RedisServer
from support.waiting import eventually


@pytest.fixture(scope="module")
def shared_cluster(folder):
    """Three primaries that no test breaks."""
    cluster = RedisCluster(folder / "nodes").start()
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(shared_cluster):
    shared_cluster.flush()
    return shared_cluster


@pytest.fixture
def own_cluster(folder, number):
    """Three primaries, each with a replica, of the test's own."""
    cluster = RedisCluster(folder / f"nodes{number()}", 3, 1).start()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)


class Source:
    """REDIS_URL, as start_daemon wants it."""

    def __init__(self, url):
        self.url = url


@pytest.fixture
def start(start_daemon):
    """Starts a daemon over a cluster, or with another REDIS_URL."""
    return lambda cluster, **settings: start_daemon(redis=Source(getattr(cluster, "url", cluster)), **settings)


def items_of_node(cluster, place, count=1, first=1):
    owned = cluster.owners()[place]
    found, number = [], first
    while len(found) < count:
        item = f"post:{number}"
        slot = cluster.slot(f"counter:{item}")
        if any(begin <= slot <= end for begin, end in owned):
            found.append(item)
        number += 1
    return found


def counts(daemon, items):
    return [daemon.call("COUNT", item) for item in items]


def test_likes_and_counts_over_three_nodes_are_exact(cluster, start, own_postgres, user):
    daemon = start(cluster, RATE_LIMIT_REQUESTS=1_000)
    items = [item for place in range(3) for item in items_of_node(cluster, place, 5)]
    for more in range(3):
        for item in items:
            assert daemon.call("LIKE", user + more, item) == [1, more + 1]
    for item in items:
        assert daemon.call("LIKE", user, item) == [0, 3]
        assert daemon.call("UNLIKE", user, item) == [1, 2]
    assert counts(daemon, items) == [2] * len(items)
    with cluster.client() as client:
        for item in items:
            eventually(lambda item=item: client.get(f"counter:{item}") == "2", f"the count of {item} in its node")
        eventually(lambda: client.scard(f"recent_likes:{user + 1}") == len(items), "the recent likes in their node")
        assert int(client.get(f"rate:{user}:likes")) == 3 * len(items)
    cluster.check()
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_each_host_hears_what_others_write_to_any_node(cluster, start, user):
    hosts = [start(cluster), start(cluster)]
    items = [item for place in range(3) for item in items_of_node(cluster, place, 2, first=1_000)]
    assert counts(hosts[1], items) == [0] * len(items)
    for item in items:
        hosts[0].call("LIKE", user, item)
    # Much sooner than an entry of the local cache would grow old.
    started = time.monotonic()
    eventually(lambda: counts(hosts[1], items) == [1] * len(items), "the other host to hear of all")
    assert int(hosts[1].info()["counters_heard"]) >= len(items), time.monotonic() - started


def test_a_count_that_no_cache_has_is_read_and_put_into_its_node(cluster, start, user):
    first = start(cluster)
    items = [item for place in range(3) for item in items_of_node(cluster, place, 2, first=2_000)]
    for item in items:
        first.call("LIKE", user, item)
    cluster.flush()
    second = start(cluster)
    assert counts(second, items) == [1] * len(items)
    with cluster.client() as client:
        for item in items:
            eventually(lambda item=item: client.get(f"counter:{item}") == "1", f"{item} to be put into its node")
    third = start(cluster)
    eventually(lambda: third.info()["redis_counters"] == "read", "the counters to be read")
    reads = int(third.info()["database_reads"])
    assert counts(third, items) == [1] * len(items)
    assert int(third.info()["database_reads"]) == reads


def test_a_killed_primary_costs_its_own_slots_alone_and_no_error(own_cluster, start, own_postgres, user):
    cluster = own_cluster
    daemon = start(cluster, LOCAL_CACHE_TTL_MS=0)
    items = [items_of_node(cluster, place)[0] for place in range(3)]
    loads = [Load(daemon, item, user + 10_000 * place) for place, item in enumerate(items)]
    with contextlib.ExitStack() as all_of_them:
        for load in loads:
            all_of_them.enter_context(load)
        eventually(lambda: daemon.info()["redis_counters"] == "read", "the counters to be read")
        cluster.nodes[1].kill()
        eventually(lambda: daemon.health()["redis"] == "unhealthy", "the loss to be noticed")
        message = daemon.health()["message"]
        assert cluster.address(1) in message, message
        assert cluster.address(0) not in message, message
        eventually(lambda: daemon.health()["status"] == "ok", f"the replica to be used:\n{daemon.log()}")
        for load in loads:
            load.wait(5)
    assert counts(daemon, items) == [load.likes for load in loads]
    cluster.settled()
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_what_a_lost_node_could_not_be_told_is_told_by_the_next(own_cluster, start, user):
    cluster = own_cluster
    daemon, other = start(cluster), start(cluster)
    item = items_of_node(cluster, 2)[0]
    assert daemon.call("LIKE", user, item) == [1, 1]
    eventually(lambda: other.call("COUNT", item) == 1, "the other host to hear")
    # Nobody is promoted while there is no replica.
    cluster.nodes[5].kill()
    cluster.nodes[2].kill()
    eventually(lambda: daemon.health()["redis"] == "unhealthy", "the loss to be noticed")
    assert daemon.call("LIKE", user + 1, item) == [1, 2]
    cluster.nodes[2].start()
    for host in (daemon, other):
        eventually(lambda host=host: host.health()["status"] == "ok", f"all nodes to be back:\n{host.log()}")
        eventually(lambda host=host: host.call("COUNT", item) == 2, "the newest count to be known")
    with cluster.client() as client:
        eventually(lambda: client.get(f"counter:{item}") == "2", "the newest count to be in its node")


def test_a_flushed_node_changes_no_answer_and_the_others_keep_their_data(cluster, start, user):
    daemon = start(cluster, LOCAL_CACHE_TTL_MS=0)
    items = [items_of_node(cluster, place, first=3_000)[0] for place in range(3)]
    for item in items:
        assert daemon.call("LIKE", user, item) == [1, 1]
    eventually(lambda: daemon.info()["redis_counters"] == "read", "the counters to be read")
    tokens = daemon.info()["redis_generation"].split(",")
    with cluster.nodes[0].client() as client:
        client.flushall()
    assert counts(daemon, items) == [1, 1, 1]

    def is_made_anew():
        now = daemon.info()["redis_generation"].split(",")
        return "" not in now and len(set(now) - set(tokens)) == 1

    eventually(is_made_anew, "the flushed node alone to have new data")
    assert counts(daemon, items) == [1, 1, 1]


def test_slots_that_move_under_load_leave_no_stray_key_and_no_wrong_count(own_cluster, start, own_postgres, user):
    cluster = own_cluster
    hosts = [start(cluster, LOCAL_CACHE_TTL_MS=0), start(cluster)]
    items = items_of_node(cluster, 0, 4)
    loads = [Load(hosts[place % 2], item, user + 10_000 * place) for place, item in enumerate(items)]
    users = [user + 10_000 * place for place in range(4)]
    keys = [f"counter:{item}" for item in items] + [f"rate:{one}:likes" for one in users]
    with contextlib.ExitStack() as all_of_them:
        for load in loads:
            all_of_them.enter_context(load)
        for key in keys:
            key_slot = cluster.slot(key)
            source = cluster.owner(key_slot)
            target = (source + 1) % 3
            cluster.move_slot(key_slot, source, target)
            for load in loads:
                load.wait(3)
    cluster.settled()
    cluster.check()
    for host in hosts:
        eventually(lambda host=host: host.health()["status"] == "ok", f"all to be well again:\n{host.log()}")
        eventually(lambda host=host: counts(host, items) == [load.likes for load in loads], "the hosts to agree")
    with cluster.client() as client:
        for item, load in zip(items, loads, strict=True):
            eventually(
                lambda item=item, load=load: client.get(f"counter:{item}") in (None, str(load.likes)),
                f"the count of {item} in its new node",
            )
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_a_slot_that_stays_between_two_nodes_costs_no_error_and_its_items_are_repaired(own_cluster, start, user):
    cluster = own_cluster
    daemon = start(cluster, LOCAL_CACHE_TTL_MS=0)
    item = items_of_node(cluster, 0)[0]
    key_slot = cluster.slot(f"counter:{item}")
    assert daemon.call("LIKE", user, item) == [1, 1]
    with cluster.nodes[0].client() as client:
        eventually(lambda: client.get(f"counter:{item}") == "1", "the count to be in its node")
    cluster.open_slot(key_slot, 0, 1)
    cluster.hand_over(key_slot, 0, 1, f"counter:{item}")
    for more in range(1, 4):
        assert daemon.call("LIKE", user + more, item) == [1, more + 1]
        assert daemon.call("COUNT", item) == more + 1
    eventually(lambda: int(daemon.info()["repairs_waiting"]) > 0, "the item to wait for its repair")
    cluster.finish_slot(key_slot, 0, 1)
    cluster.settled()
    cluster.check()
    with cluster.nodes[1].client() as client:
        eventually(lambda: client.get(f"counter:{item}") == "4", f"the new node to have it:\n{daemon.log()}")
    assert daemon.call("COUNT", item) == 4


@pytest.mark.parametrize("state", ["open", "half moved", "moved"])
def test_the_rate_limit_is_exact_while_its_slot_moves(own_cluster, start, user, item, number, state):
    cluster = own_cluster
    daemon = start(cluster, RATE_LIMIT_REQUESTS=10)
    key = f"rate:{user}:likes"
    key_slot = cluster.slot(key)
    source = cluster.owner(key_slot)
    target = (source + 1) % 3
    like = lambda: daemon.client().execute_command("LIKE", user, f"post:{number()}")  # noqa: E731
    for _ in range(4):
        assert like()[0] == 1
    cluster.open_slot(key_slot, source, target)
    if state != "open":
        cluster.hand_over(key_slot, source, target, key)
    if state == "moved":
        cluster.finish_slot(key_slot, source, target)
    for _ in range(6):
        assert like()[0] == 1
    with pytest.raises(redis.ResponseError, match="RATELIMITED|over 10 likes"):
        like()


def test_a_marker_whose_slot_moves_is_put_into_the_next_and_the_data_stays(own_cluster, start, user):
    cluster = own_cluster
    daemon = start(cluster, LOCAL_CACHE_TTL_MS=0)
    with cluster.nodes[0].client() as client:
        (marker,) = client.scan_iter("likesd:generation:*", count=SLOTS)
    key_slot = cluster.slot(marker)
    number = 1
    while cluster.slot(f"counter:post:{number}") == key_slot or cluster.owner_of(f"counter:post:{number}") != 0:
        number += 1
    item = f"post:{number}"
    assert daemon.call("LIKE", user, item) == [1, 1]
    eventually(lambda: daemon.info()["redis_counters"] == "read", "the counters to be read")
    tokens = daemon.info()["redis_generation"]
    cluster.move_slot(key_slot, 0, 1)
    assert daemon.call("LIKE", user + 1, item) == [1, 2]

    def is_back():
        with cluster.nodes[0].client() as client:
            found = [key for key in client.scan_iter("likesd:generation:*", count=SLOTS) if key != marker]
        return found and daemon.health()["status"] == "ok" and daemon.info()["redis_generation"] == tokens

    eventually(is_back, f"the marker to be in another slot of the same node:\n{daemon.log()}")
    assert daemon.call("COUNT", item) == 2


@pytest.fixture
def lone_server(folder, number):
    """A Redis with a port that is in no cluster."""
    (port,) = free_ports(1)
    server = RedisServer(folder / f"lone{number()}", "--bind", "127.0.0.1", port=port).start()
    yield server
    server.stop()


def wait_said(daemon, words):
    eventually(
        lambda: daemon.answers() and words in daemon.health().get("message", ""),
        f"HEALTH to say {words}:\n{daemon.log()}",
    )
    assert "REDIS_URL" in daemon.health()["message"]


def test_a_server_without_a_cluster_among_several_is_refused(lone_server, start, item, user):
    daemon = start(f"redis://127.0.0.1:{lone_server.port},127.0.0.1:1/", until="listening")
    wait_said(daemon, "not a node of a Redis Cluster")
    assert daemon.call("LIKE", user, item) == [1, 1]


def test_a_database_that_a_cluster_does_not_have_is_refused(cluster, start, item, user):
    daemon = start(f"redis://{cluster.address(0)}/1", until="listening")
    wait_said(daemon, "which has no database 1")
    assert daemon.call("LIKE", user, item) == [1, 1]


def test_any_one_node_is_enough_to_find_the_others(cluster, start, user):
    for place in range(3):
        daemon = start(f"redis://{cluster.address(place)}")
        assert daemon.call("LIKE", user + place, f"post:{place + 1}")[0] == 1
        eventually(lambda daemon=daemon: daemon.health()["status"] == "ok", "all nodes to be used")


def test_replicas_may_be_named_too(own_cluster, start, user, item):
    daemon = start(f"redis://{own_cluster.address(3)}")
    assert daemon.call("LIKE", user, item)[0] == 1


def test_verify_reads_each_counter_from_its_node(cluster, start, user):
    daemon = start(cluster)
    items = [item for place in range(3) for item in items_of_node(cluster, place, 3, first=5_000)]
    for item in items:
        daemon.call("LIKE", user, item)
    eventually(lambda: int(daemon.info()["repairs_waiting"]) == 0, "all to be in Redis")
    found = run("likesctl", "verify", DATABASE_URL=daemon.database_url, REDIS_URL=cluster.url)
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"Redis: {len(items)} counters: 0 differences" in found.stdout
    with cluster.client() as client:
        client.set(f"counter:{items[4]}", "77")
    found = run("likesctl", "verify", DATABASE_URL=daemon.database_url, REDIS_URL=cluster.url)
    assert f"Redis: {len(items) - 1} counters: 0 differences" in found.stdout
    assert "1 without a version from likesd" in found.stdout


LEAST_RIGHTS = (
    "on >geheim resetkeys resetchannels -@all "
    "~likesd:generation* ~counter:* ~{counter:*}:version ~rate:*:likes ~recent_likes:* &likesd:* "
    "+auth +select +info +script|load +evalsha +time +mget +publish +subscribe "
    "+getrange +set +del +unlink +incr +expire +pttl +sismember +sadd +srem +scard +spop "
    "+cluster|nodes +cluster|myid +asking"
)


def test_the_least_rights_of_security_md_are_enough(own_cluster, start, own_postgres, user):
    cluster = own_cluster
    for node in cluster.nodes:
        with node.client() as client:
            client.execute_command("ACL", "SETUSER", "likesd", *LEAST_RIGHTS.split())
    url = cluster.url.replace("redis://", "redis://likesd:geheim@")
    daemon = start(url, RATE_LIMIT_REQUESTS=1_000, LOCAL_CACHE_TTL_MS=0)
    items = [items_of_node(cluster, place)[0] for place in range(3)]
    for item in items:
        assert daemon.call("LIKE", user, item) == [1, 1]
    eventually(lambda: daemon.info()["redis_counters"] == "read", f"the counters to be read:\n{daemon.log()}")
    key_slot = cluster.slot(f"rate:{user}:likes")
    source = cluster.owner(key_slot)
    cluster.open_slot(key_slot, source, (source + 1) % 3)
    cluster.hand_over(key_slot, source, (source + 1) % 3)
    for item in items:
        assert daemon.call("UNLIKE", user, item) == [1, 0]
    assert "NOPERM" not in daemon.log(), daemon.log()
    assert daemon.health()["status"] == "ok", daemon.health()
