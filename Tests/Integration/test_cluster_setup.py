"""A Redis Cluster as users set it up, wrongly at times, or later than likesd."""

import contextlib
import shutil

import pytest
from support.daemon import run
from support.load import Load
from support.redis_cluster import SLOTS, RedisCluster, redis_cli
from support.waiting import eventually


class Source:
    """REDIS_URL, as start_daemon wants it."""

    def __init__(self, url):
        self.url = url


@pytest.fixture
def make(folder, number):
    """Makes clusters that the test starts."""
    with contextlib.ExitStack() as all_of_them:

        def made(*arguments, **options):
            cluster = RedisCluster(folder / f"setup{number()}", *arguments, **options)
            all_of_them.callback(shutil.rmtree, cluster.folder, ignore_errors=True)
            all_of_them.callback(cluster.stop)
            return cluster

        yield made


@pytest.fixture
def start(start_daemon):
    return lambda url, **settings: start_daemon(redis=Source(url), **settings)


def wait_said(daemon, *words):
    """In HEALTH."""
    eventually(
        lambda: daemon.answers() and all(word in daemon.health().get("message", "") for word in words),
        f"HEALTH to say {words}:\n{daemon.log()}",
    )


def wait_well(daemon):
    eventually(lambda: daemon.health()["status"] == "ok", f"all to be well:\n{daemon.log()}")


def likes_reach_redis(daemon, cluster, user, count=12):
    """Likes of items of all nodes."""
    with cluster.client() as client:
        for place in range(count):
            item = f"post:{user * 100 + place}"
            assert daemon.call("LIKE", user, item) == [1, 1]
            eventually(lambda item=item: client.get(f"counter:{item}") == "1", f"{item} to be in its node")


def test_a_cluster_that_gets_its_slots_after_the_start_is_used(make, start, user):
    cluster = make(3)
    for node in cluster.nodes:
        node.start()
    daemon = start(cluster.url, until="listening")
    wait_said(daemon, f"{SLOTS} slots have no node", "redis-cli --cluster")
    assert daemon.call("LIKE", user, "post:1") == [1, 1]
    cluster.start_serving()
    wait_well(daemon)
    likes_reach_redis(daemon, cluster, user + 1)


def test_a_cluster_that_is_set_up_anew_is_used_with_its_new_nodes(make, start, user):
    cluster = make(3)
    cluster.start()
    daemon = start(cluster.url)
    likes_reach_redis(daemon, cluster, user)
    for node in cluster.nodes:
        with node.client() as client:
            client.flushall()
            client.execute_command("CLUSTER", "RESET", "HARD")
    assert daemon.call("LIKE", user + 1, "post:1") == [1, 1]
    cluster.start_serving()
    eventually(lambda: nodes_of(daemon) == ids_of(cluster), f"the new nodes to be known:\n{daemon.log()}")
    wait_well(daemon)
    likes_reach_redis(daemon, cluster, user + 2)


def test_a_node_that_left_for_another_cluster_is_named_and_not_used(make, start, user):
    cluster, other = make(3, 0, "--cluster-require-full-coverage", "no"), make(3)
    cluster.start()
    other.start()
    stranger = other.address(0)
    daemon = start(f"redis://{cluster.address(0)},{stranger}/")
    # While a node is missing the nodes are asked every half second, each in its turn.
    cluster.nodes[2].kill()
    words = f"Redis {stranger} does not belong to the Redis Cluster in use; next: take it out of REDIS_URL"
    eventually(lambda: words in daemon.log(), f"the stranger to be named:\n{daemon.log()}")
    cluster.nodes[2].start()
    wait_well(daemon)
    assert nodes_of(daemon) == ids_of(cluster)
    likes_reach_redis(daemon, cluster, user)
    assert daemon.log().count("does not belong") == 1
    for node in other.nodes:
        with node.client() as client:
            assert client.dbsize() == 0


def nodes_of(daemon):
    """The ids that INFO names."""
    lines = daemon.call("INFO", "backends").decode().splitlines()
    return {line.split(",id=")[1].split(",")[0] for line in lines if ",id=" in line}


def ids_of(cluster):
    return {cluster.id(place) for place in range(len(cluster.nodes))}


def test_hosts_that_reached_a_primary_before_and_after_its_first_replica_agree(make, start, user):
    """The replica gives it another master_replid, which is part of the name of the server's life."""
    cluster = make(3, 1)
    cluster.start()
    early, late = start(cluster.url), start(cluster.url)
    late.server.pause()
    replica = cluster.replica(0)
    cluster.nodes[replica].kill()
    cluster.nodes[0].kill()
    cluster.nodes[0].start()
    wait_well(early)
    cluster.nodes[replica].start()
    with cluster.nodes[replica].client() as client:
        eventually(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")
    late.server.resume()
    wait_well(late)

    def agreed():
        tokens = [set(host.info()["redis_generation"].split(",")) for host in (early, late)]
        return tokens[0] == tokens[1] and "" not in tokens[0] and tokens[0]

    before = eventually(agreed, "both to use the same data")
    with Load(early, "post:1", user) as first, Load(late, "post:2", user) as second:
        first.wait(100)
        second.wait(100)
        assert agreed() == before


def test_a_primary_that_restarts_gets_one_marker_from_all_hosts(make, start, user):
    """For two seconds it answers CLUSTERDOWN. Each host tries its marker again and again meanwhile."""
    cluster = make(3)
    cluster.start()
    hosts = [start(cluster.url), start(cluster.url)]
    for host in hosts:
        wait_well(host)
    before = set(hosts[0].info()["redis_generation"].split(","))
    cluster.nodes[0].kill()
    wait_said(hosts[0], f"Redis {cluster.address(0)}: ")
    cluster.nodes[0].start()
    for host in hosts:
        wait_well(host)
    tokens = [set(host.info()["redis_generation"].split(",")) for host in hosts]
    assert tokens[0] == tokens[1]
    assert len(before & tokens[0]) == 2, "the other nodes keep their data"
    for host in hosts:
        assert host.log().count("using Redis' generation") == 4, host.log()
    with cluster.nodes[0].client() as client:
        assert len(list(client.scan_iter("likesd:generation:*"))) == 1


def test_nodes_that_are_all_down_at_the_start_are_used_once_they_are_up(make, start, user):
    cluster = make(3)
    daemon = start(cluster.url, until="listening")
    eventually(lambda: daemon.answers() and daemon.health()["redis"] == "unhealthy", "the loss to be noticed")
    assert cluster.address(0).split(":")[0] in daemon.health()["message"]
    assert daemon.call("LIKE", user, "post:1") == [1, 1]
    cluster.start()
    wait_well(daemon)
    likes_reach_redis(daemon, cluster, user + 1)


def test_a_node_that_is_down_at_the_start_costs_its_own_slots(make, start, user):
    cluster = make(3, 0, "--cluster-require-full-coverage", "no")
    cluster.start()
    cluster.nodes[0].kill()
    daemon = start(cluster.url, until="listening")
    wait_said(daemon, f"Redis {cluster.address(0)}: ")
    eventually(
        lambda: not any(cluster.address(place) in daemon.health()["message"] for place in (1, 2)),
        "the others to be used",
    )
    for place in range(12):
        assert daemon.call("LIKE", user, f"post:{place}") == [1, 1]
    cluster.nodes[0].start()
    wait_well(daemon)
    likes_reach_redis(daemon, cluster, user + 1)


def test_a_cluster_that_serves_nothing_while_a_node_is_down_costs_no_error(make, start, user):
    """cluster-require-full-coverage, which is Redis' default."""
    cluster = make(3)
    cluster.start()
    daemon = start(cluster.url, LOCAL_CACHE_TTL_MS=0, RATE_LIMIT_REQUESTS=1_000)
    loads = [Load(daemon, f"post:{place}", user + 10_000 * place) for place in range(3)]
    with contextlib.ExitStack() as all_of_them:
        for load in loads:
            all_of_them.enter_context(load)
        cluster.nodes[2].kill()
        eventually(lambda: cluster.facts(cluster.nodes[0])["cluster_state"] == "fail", "the cluster to serve nothing")
        for load in loads:
            load.wait(5)
        wait_said(daemon, f"Redis {cluster.address(2)}: ", "The cluster is down", "redis-cli --cluster check")
        for load in loads:
            load.wait(50)
        # What is refused stands there once for each kind of task and node.
        refused = [line for line in daemon.log().splitlines() if "CLUSTERDOWN" in line]
        assert len(refused) <= 6, refused
        cluster.nodes[2].start()
        wait_well(daemon)
        for load in loads:
            load.wait(5)
    likes_reach_redis(daemon, cluster, user + 100_000)
    with cluster.client() as client:
        for load in loads:
            eventually(
                lambda load=load: client.get(f"counter:{load.item}") in (None, str(load.likes)), f"{load.item}'s count"
            )
    cluster.check()


def test_wrong_passwords_are_told_with_the_node(make, start, user):
    cluster = make(3)
    cluster.start()
    for node in cluster.nodes:
        with node.client() as client:
            client.execute_command("ACL", "SETUSER", "likesd", "on", ">geheim", "~*", "&*", "+@all")
    daemon = start(cluster.url.replace("//", "//likesd:falsch@"), until="listening")
    wait_said(daemon, "AUTH", "WRONGPASS", "REDIS_URL")
    assert "falsch" not in daemon.log() + daemon.health()["message"]
    assert daemon.call("LIKE", user, "post:1") == [1, 1]


def test_one_node_with_another_password_costs_its_own_slots(make, start, user):
    cluster = make(3)
    cluster.start()
    for node in cluster.nodes:
        password = "anders" if node is cluster.nodes[1] else "geheim"
        with node.client() as client:
            client.execute_command("ACL", "SETUSER", "likesd", "on", f">{password}", "~*", "&*", "+@all")
    daemon = start(cluster.url.replace("//", "//likesd:geheim@"), until="listening")
    wait_said(daemon, f"Redis {cluster.address(1)}: ", "WRONGPASS")
    for place in range(12):
        assert daemon.call("LIKE", user, f"post:{place}") == [1, 1]
    with cluster.nodes[1].client() as client:
        client.execute_command("ACL", "SETUSER", "likesd", "resetpass", ">geheim")
    wait_well(daemon)
    likes_reach_redis(daemon, cluster, user + 1)


@pytest.mark.parametrize(("missing", "is_of_cluster"), [("subscribe", False), ("cluster|nodes", True)])
def test_a_missing_right_is_told_and_only_what_may_be_missing(make, start, missing, is_of_cluster):
    cluster = make(1)
    cluster.start()
    with cluster.nodes[0].client() as client:
        client.execute_command("ACL", "SETUSER", "likesd", "on", ">geheim", "~*", "&*", "+@all", f"-{missing}")
    daemon = start(cluster.url.replace("//", "//likesd:geheim@"), until="listening")
    wait_said(daemon, "NOPERM", missing, "ACL SETUSER")
    assert ("+cluster|nodes" in daemon.health()["message"]) == is_of_cluster


def test_resharding_as_operators_do_it_under_load_leaves_the_cluster_clean(make, start, user):
    cluster = make(3)
    cluster.start()
    hosts = [start(cluster.url, LOCAL_CACHE_TTL_MS=0), start(cluster.url)]
    loads = [Load(hosts[place % 2], f"post:{place}", user + 10_000 * place) for place in range(6)]
    first = cluster.address(0)
    with contextlib.ExitStack() as all_of_them:
        for load in loads:
            all_of_them.enter_context(load)
        said = redis_cli(
            *("--cluster", "reshard", first, "--cluster-from", cluster.id(0), "--cluster-to", cluster.id(1)),
            *("--cluster-slots", 1_000, "--cluster-yes"),
        )
        assert "ERR" not in said, said
        said = redis_cli("--cluster", "rebalance", first, "--cluster-threshold", 1)
        assert "ERR" not in said, said
        for load in loads:
            load.wait(3)
    cluster.settled()
    cluster.check()
    for host in hosts:
        wait_well(host)
        for load in loads:
            eventually(lambda host=host, load=load: host.call("COUNT", load.item) == load.likes, "the hosts to agree")
    with cluster.client() as client:
        for load in loads:
            eventually(
                lambda load=load: client.get(f"counter:{load.item}") in (None, str(load.likes)), f"{load.item}'s count"
            )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1:7001,/", "REDIS_URL"),
        ("redis://127.0.0.1:7001,127.0.0.1:99999/", "port"),
        ("redis://127.0.0.1:7001,127.0.0.1:7002/1", "database"),
        ("redis://127.0.0.1:7001,127.0.0.1:7001/", "twice"),
        ("redis://geheim@127.0.0.1:7001,other@127.0.0.1:7002/", "REDIS_URL"),
    ],
)
def test_a_wrong_url_of_a_cluster_is_refused_before_the_start(url, said):
    found = run("likesd", "--check-config", DATABASE_URL="postgresql:///likes", REDIS_URL=url)
    assert found.returncode != 0, found.stdout + found.stderr
    assert said in found.stderr, found.stderr
    assert "geheim" not in found.stderr
