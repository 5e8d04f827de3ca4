"""Redis fails: it hangs, dies, forgets, remembers what is no longer so, refuses, and is replaced."""

from support.waiting import eventually

from .faults import fault
from .load import HOT_ITEMS, HOT_USERS, WARM_ITEMS

SNAPSHOT = "dump.rdb"


def restart(cluster, keep_snapshot):
    """Dead, then back with its snapshot or without; the snapshot serves once."""
    snapshot = cluster.redis.folder / SNAPSHOT
    cluster.redis.kill()
    if not keep_snapshot:
        snapshot.unlink(missing_ok=True)
    cluster.redis.start()
    snapshot.unlink(missing_ok=True)


@fault("Redis hangs", "redis")
def redis_hangs(cluster, hold):
    """SIGSTOP; healed by SIGCONT, whereupon it executes what it was sent meanwhile."""
    cluster.redis.pause()
    try:
        hold.wait()
    finally:
        cluster.redis.resume()


@fault("Redis killed, back empty", "redis")
def redis_killed(cluster, hold):
    """kill -9, gone for a while; healed by starting it without data."""
    cluster.redis.kill()
    (cluster.redis.folder / SNAPSHOT).unlink(missing_ok=True)
    hold.wait()
    cluster.redis.start()


@fault("Redis back with an old snapshot", "redis")
def redis_snapshot(cluster, hold):
    """SAVE, changes, kill -9, back at once with what was saved: its counters are those of the past."""
    with cluster.redis.client() as cache:
        cache.save()
    hold.wait()
    restart(cluster, keep_snapshot=True)


@fault("Redis flushed", "redis")
def redis_flushed(cluster, hold):
    """FLUSHALL, several times; nothing is left to heal."""
    with cluster.redis.client() as cache:
        for _ in hold.every(0.5):
            cache.flushall()


@fault("Redis out of memory", "redis")
def redis_out_of_memory(cluster, hold):
    """Every write is refused with -OOM; healed by lifting the limit."""
    limit_memory(cluster.redis, hold, "noeviction", lambda _: 1)


@fault("Redis evicting", "redis")
def redis_evicting(cluster, hold):
    """Random keys vanish with every write, counters without their versions too; healed by lifting the limit."""
    limit_memory(cluster.redis, hold, "allkeys-random", lambda used: used - 4096)


def limit_memory(server, hold, policy, limit):
    with server.client() as cache:
        cache.config_set("maxmemory-policy", policy)
        cache.config_set("maxmemory", limit(cache.info("memory")["used_memory"]))
        try:
            hold.wait()
        finally:
            cache.config_set("maxmemory", 0)


@fault("Redis read-only", "redis")
def redis_read_only(cluster, hold):
    """It becomes the replica of nobody and answers -READONLY; healed by making it a master again."""
    with cluster.redis.client() as cache:
        cache.replicaof("127.0.0.1", "1")
        try:
            hold.wait()
        finally:
            cache.replicaof("NO", "ONE")


@fault("Redis connections killed", "redis")
def redis_connections_killed(cluster, hold):
    """CLIENT KILL of all, again and again; nothing is left to heal."""
    with cluster.redis.client() as cache:
        for _ in hold.every(0.4):
            for kind in ("normal", "pubsub"):
                cache.client_kill_filter(_type=kind, skipme=True)


@fault("Redis subscriptions killed", "redis")
def redis_subscriptions_killed(cluster, hold):
    """Only those who listen lose their connections, and with them messages; nothing is left to heal."""
    with cluster.redis.client() as cache:
        for _ in hold.every(0.2):
            cache.client_kill_filter(_type="pubsub", skipme=True)


@fault("Redis scripts flushed", "redis")
def redis_scripts_flushed(cluster, hold):
    """-NOSCRIPT for whoever goes by a script's digest; nothing is left to heal."""
    with cluster.redis.client() as cache:
        for _ in hold.every(0.1):
            cache.script_flush()


# Deletes what is still not ours, in one step as well.
WEED = """
for _, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind == 'list' or (kind == 'string' and redis.call('GET', key) == 'not ours') then redis.call('DEL', key) end
end
"""


def plant(cache, key, kind):
    """In one step: what a host writes in between would be of another type than what is put on it."""
    with cache.pipeline(transaction=True) as step:
        step.delete(key)
        step.rpush(key, "not ours") if kind == "list" else step.set(key, "not ours")
        step.execute()


def foreign_values(hold):
    """What to plant under some of our keys."""
    planted = {}
    for item in hold.random.sample([*HOT_ITEMS, *WARM_ITEMS], 6):
        planted[f"counter:{item}"] = hold.random.choice(["list", "word"])
        planted[f"{{counter:{item}}}:version"] = hold.random.choice(["list", "word"])
    return {**planted, **dict.fromkeys((f"recent_likes:{user}" for user in HOT_USERS), "list")}


@fault("wrong types under our keys in Redis", "redis")
def redis_wrong_types(cluster, hold):
    """Somebody else's lists, strings and words under our names; healed by deleting those that are still there."""
    planted = foreign_values(hold)
    with cluster.redis.client() as cache:
        for key, kind in planted.items():
            plant(cache, key, kind)
        hold.wait()
        cache.eval(WEED, len(planted), *planted)


@fault("Redis fails over to a lagging replica", "redis")
def redis_fails_over(cluster, hold):
    """Replication hangs, changes go on, then the replica takes over behind the same address, without the changes."""
    cluster.spare.start()
    with cluster.spare.client() as replica:
        replica.replicaof("127.0.0.1", str(cluster.replication_port))
        eventually(lambda: replica.info("replication")["master_link_status"] == "up", "the replica to have all")
        cluster.proxy.set("replication", "freeze")
        hold.wait()
        replica.replicaof("NO", "ONE")
    cluster.fail_over()
    cluster.proxy.cut("replication")
    cluster.proxy.set("replication", "pass")
    cluster.spare.kill()
    (cluster.spare.folder / SNAPSHOT).unlink(missing_ok=True)
