"""Nodes of a Redis Cluster fail one at a time, while the others go on."""

from support.waiting import eventually

from .faults import fault
from .faults_redis import SNAPSHOT, WEED, foreign_values, limit_memory, plant

# A replica that was cut off for longer is not promoted by itself; here it is told to.
LAGGING_SECONDS = (0.5, 3.0)


def chosen(cluster, hold):
    """The place of one of the primaries."""
    return hold.random.choice(sorted(cluster.nodes.owners()))


def server(cluster, hold):
    return cluster.nodes.nodes[chosen(cluster, hold)]


@fault("a node is killed, and its replica promoted", "cluster")
def node_killed(cluster, hold):
    """kill -9 until its replica has its slots; healed by starting it, empty: it becomes the replica."""
    nodes = cluster.nodes
    place = chosen(cluster, hold)
    nodes.nodes[place].kill()
    nodes.wait_replaced(place)
    hold.wait()
    (nodes.nodes[place].folder / SNAPSHOT).unlink(missing_ok=True)
    nodes.nodes[place].start()
    nodes.wait_settled()


@fault("a node hangs, and wakes deposed", "cluster")
def node_hangs(cluster, hold):
    """SIGSTOP until its replica has its slots; healed by SIGCONT: it executes what it was sent, and then learns it."""
    nodes = cluster.nodes
    place = chosen(cluster, hold)
    nodes.nodes[place].pause()
    try:
        nodes.wait_replaced(place)
        hold.wait()
    finally:
        nodes.nodes[place].resume()
    nodes.wait_settled()


@fault("a node hangs for a moment", "cluster", seconds=(0.05, 0.9))
def node_hangs_shortly(cluster, hold):
    """SIGSTOP for less than its node timeout; healed by SIGCONT: it executes what it was sent."""
    one = server(cluster, hold)
    one.pause()
    try:
        hold.wait()
    finally:
        one.resume()
    cluster.nodes.wait_settled()


@fault("a planned failover of a node", "cluster")
def node_fails_over(cluster, hold):
    """CLUSTER FAILOVER: the primary waits until its replica has all, and follows it; it heals by itself."""
    nodes = cluster.nodes
    place = chosen(cluster, hold)
    with nodes.nodes[nodes.replica(place)].client() as client:
        client.execute_command("CLUSTER", "FAILOVER")
    nodes.wait_replaced(place)
    hold.wait()
    nodes.wait_settled()


@fault("a replica that lacks writes takes its node's place", "cluster", seconds=LAGGING_SECONDS)
def node_taken_over(cluster, hold):
    """Replication ends, changes go on, then CLUSTER FAILOVER TAKEOVER: they are lost, and the primary follows."""
    nodes = cluster.nodes
    place = chosen(cluster, hold)
    with nodes.nodes[nodes.replica(place)].client() as replica, nodes.nodes[place].client() as primary:
        replica.config_set("masterauth", "wrong")
        primary.client_kill_filter(_type="replica")
        hold.wait()
        replica.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")
        replica.config_set("masterauth", "")
    nodes.wait_replaced(place)
    nodes.wait_settled()


@fault("a node and its replica are gone", "cluster")
def shard_gone(cluster, hold):
    """kill -9 of both: some slots are nobody's, and the others refuse all; healed by starting both, empty."""
    nodes = cluster.nodes
    place = chosen(cluster, hold)
    both = [nodes.nodes[place], nodes.nodes[nodes.replica(place)]]
    for one in both:
        one.kill()
        (one.folder / SNAPSHOT).unlink(missing_ok=True)
    hold.wait()
    for one in both:
        one.start()
    nodes.wait_settled()


@fault("a node killed, back empty", "cluster")
def node_back_empty(cluster, hold):
    """kill -9, and started without data before its replica takes its place, again and again."""
    restart_again(cluster, hold, keep_snapshot=False)


@fault("a node back with an old snapshot", "cluster")
def node_back_with_snapshot(cluster, hold):
    """SAVE, changes, kill -9, back at once with what was saved: its counters are those of the past."""
    restart_again(cluster, hold, keep_snapshot=True)


def restart_again(cluster, hold, keep_snapshot):
    one = server(cluster, hold)
    snapshot = one.folder / SNAPSHOT
    if keep_snapshot:
        with one.client() as client:
            client.save()
    hold.wait()
    if not keep_snapshot:
        snapshot.unlink(missing_ok=True)
    one.kill()
    one.start()
    snapshot.unlink(missing_ok=True)
    cluster.nodes.wait_settled()


@fault("a node flushed", "cluster")
def node_flushed(cluster, hold):
    """FLUSHALL, several times; nothing is left to heal."""
    with server(cluster, hold).client() as client:
        for _ in hold.every(0.5):
            client.flushall()


@fault("a node out of memory", "cluster")
def node_out_of_memory(cluster, hold):
    """Every write is refused with -OOM; healed by lifting the limit."""
    limit_memory(server(cluster, hold), hold, "noeviction", lambda _: 1)


@fault("a node evicting", "cluster")
def node_evicting(cluster, hold):
    """Random keys vanish with every write, counters without their versions too; healed by lifting the limit."""
    limit_memory(server(cluster, hold), hold, "allkeys-random", lambda used: used - 4096)


@fault("a node that cannot save", "cluster")
def node_cannot_save(cluster, hold):
    """Every write is refused with -MISCONF; healed by taking its snapshots back."""
    one = server(cluster, hold)
    in_the_way = one.folder / SNAPSHOT
    in_the_way.unlink(missing_ok=True)
    in_the_way.mkdir()
    with one.client() as client:
        try:
            client.config_set("save", "3600 1000000")
            client.bgsave()
            failed = lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err"  # noqa: E731
            eventually(failed, "a snapshot to fail")
            hold.wait()
        finally:
            client.config_set("save", "")
            in_the_way.rmdir()


@fault("connections to a node killed", "cluster")
def node_connections_killed(cluster, hold):
    """CLIENT KILL of all, again and again; nothing is left to heal."""
    kill_again(cluster, hold, 0.4, "normal", "pubsub")


@fault("subscriptions to a node killed", "cluster")
def node_subscriptions_killed(cluster, hold):
    """Only those who listen lose their connections, and with them messages; nothing is left to heal."""
    kill_again(cluster, hold, 0.2, "pubsub")


def kill_again(cluster, hold, seconds, *kinds):
    with server(cluster, hold).client() as client:
        for _ in hold.every(seconds):
            for kind in kinds:
                client.client_kill_filter(_type=kind, skipme=True)


@fault("a node's scripts flushed", "cluster")
def node_scripts_flushed(cluster, hold):
    """-NOSCRIPT for whoever goes by a script's digest; nothing is left to heal."""
    with server(cluster, hold).client() as client:
        for _ in hold.every(0.1):
            client.script_flush()


@fault("wrong types under our keys in a cluster", "cluster")
def wrong_types(cluster, hold):
    """Somebody else's lists, strings and words under our names; healed by deleting those that are still there."""
    planted = foreign_values(hold)
    for key, kind in planted.items():
        with cluster.cache_of(key) as cache:
            plant(cache, key, kind)
    hold.wait()
    for key in planted:
        with cluster.cache_of(key) as cache:
            cache.eval(WEED, 1, key)
