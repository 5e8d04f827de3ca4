"""A Redis Cluster that lets scripts use declared keys only: one item a command, and the same guarantees."""

import contextlib

import pytest
import redis
from support.database import drift
from support.load import Load
from support.ports import free_ports
from support.redis_cluster import RedisCluster
from support.relay import StrictRelay
from support.waiting import eventually


class Source:
    """REDIS_URL, as start_daemon wants it."""

    def __init__(self, url):
        self.url = url


@pytest.fixture
def strict(folder, number):
    """(the cluster, the relays in front of its nodes, whose ports the nodes announce)."""
    ports = free_ports(3)
    cluster = RedisCluster(folder / f"strict{number()}", announced=ports)
    with contextlib.ExitStack() as all_of_them:
        relays = [
            all_of_them.enter_context(StrictRelay(port, node.port))
            for port, node in zip(ports, cluster.nodes, strict=True)
        ]
        all_of_them.callback(cluster.stop)
        cluster.start()
        yield cluster, relays


@pytest.fixture
def start(start_daemon):
    return lambda cluster, **settings: start_daemon(redis=Source(cluster.url), **settings)


def test_likes_and_counts_are_exact_and_other_hosts_hear_of_them(strict, start, own_postgres, user):
    cluster, relays = strict
    daemon, other = start(cluster, RATE_LIMIT_REQUESTS=1_000), start(cluster)
    items = [f"post:{number}" for number in range(1, 31)]
    assert [other.call("COUNT", item) for item in items] == [0] * len(items)
    for item in items:
        assert daemon.call("LIKE", user, item) == [1, 1]
        assert daemon.call("LIKE", user, item) == [0, 1]
        assert daemon.call("LIKE", user + 1, item) == [1, 2]
    for item in items[:10]:
        assert daemon.call("UNLIKE", user, item) == [1, 1]
    wanted = [1] * 10 + [2] * 20
    assert [daemon.call("COUNT", item) for item in items] == wanted
    eventually(lambda: [other.call("COUNT", item) for item in items] == wanted, "the other host to hear of all")
    with cluster.client() as client:
        for item, count in zip(items, wanted, strict=True):
            eventually(
                lambda item=item, count=count: client.get(f"counter:{item}") == str(count), f"{item} to be in its node"
            )
        eventually(lambda: client.scard(f"recent_likes:{user + 1}") == 30, "the recent likes to be in their node")
        eventually(lambda: client.scard(f"recent_likes:{user}") == 20, "those taken back to be gone")
        assert int(client.get(f"rate:{user}:likes")) == 70
    # One probe of each connection for calls, and none since.
    assert [relay.refused for relay in relays] == [2, 2, 2]
    assert all(relay.passed > 0 for relay in relays)
    assert daemon.health()["status"] == "ok", daemon.health()
    cluster.check()
    with own_postgres.connect() as sql:
        assert drift(sql) == []


def test_counts_are_read_from_redis_and_put_there(strict, start, user):
    cluster, _ = strict
    first = start(cluster, RATE_LIMIT_REQUESTS=1_000)
    items = [f"post:{number}" for number in range(1, 31)]
    for item in items:
        first.call("LIKE", user, item)
    cluster.flush()
    second = start(cluster)
    assert [second.call("COUNT", item) for item in items] == [1] * len(items)
    with cluster.client() as client:
        for item in items:
            eventually(lambda item=item: client.get(f"counter:{item}") == "1", f"{item} to be put into its node")
    third = start(cluster)
    eventually(lambda: third.info()["redis_counters"] == "read", "the counters to be read")
    reads = int(third.info()["database_reads"])
    assert [third.call("COUNT", item) for item in items] == [1] * len(items)
    assert int(third.info()["database_reads"]) == reads


def test_slots_that_move_leave_no_stray_key_and_no_wrong_count(strict, start, own_postgres, user):
    cluster, _ = strict
    daemon = start(cluster, LOCAL_CACHE_TTL_MS=0)
    items = [f"post:{number}" for number in range(1, 4)]
    loads = [Load(daemon, item, user + 10_000 * place) for place, item in enumerate(items)]
    with contextlib.ExitStack() as all_of_them:
        for load in loads:
            all_of_them.enter_context(load)
        for key in [f"counter:{item}" for item in items]:
            key_slot = cluster.slot(key)
            source = cluster.owner(key_slot)
            target = (source + 1) % 3
            cluster.open_slot(key_slot, source, target)
            for load in loads:
                load.wait(3)
            # Half of the item.
            cluster.hand_over(key_slot, source, target, key)
            for load in loads:
                load.wait(3)
            cluster.finish_slot(key_slot, source, target)
            for load in loads:
                load.wait(3)
    cluster.settled()
    cluster.check()
    eventually(lambda: daemon.health()["status"] == "ok", f"all to be well again:\n{daemon.log()}")
    assert [daemon.call("COUNT", item) for item in items] == [load.likes for load in loads]
    with own_postgres.connect() as sql:
        assert drift(sql) == []


@pytest.mark.parametrize("state", ["settled", "open", "half moved", "moved"])
def test_the_rate_limit_is_exact(strict, start, user, number, state):
    cluster, _ = strict
    daemon = start(cluster, RATE_LIMIT_REQUESTS=10)
    key = f"rate:{user}:likes"
    key_slot = cluster.slot(key)
    source = cluster.owner(key_slot)
    target = (source + 1) % 3
    like = lambda: daemon.client().execute_command("LIKE", user, f"post:{number()}")  # noqa: E731
    for _ in range(4):
        assert like()[0] == 1
    if state != "settled":
        cluster.open_slot(key_slot, source, target)
    if state in ("half moved", "moved"):
        cluster.hand_over(key_slot, source, target, key)
    if state == "moved":
        cluster.finish_slot(key_slot, source, target)
    for _ in range(6):
        assert like()[0] == 1
    with pytest.raises(redis.ResponseError, match="RATELIMITED|over 10 likes"):
        like()
