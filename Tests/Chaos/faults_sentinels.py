"""Redis fails behind Sentinels, which promote another server; and Sentinels fail."""

import redis
from support.waiting import eventually

from .faults import fault

# Sentinels promote no replica that was cut off for longer: ten times their down-after-milliseconds.
LAGGING_SECONDS = (0.5, 3.0)


def wait_promoted(sentinels, former):
    def promoted():
        try:
            return sentinels.primary() is not former
        except redis.RedisError as problem:
            raise AssertionError(problem) from problem

    eventually(promoted, "another primary")


@fault("the primary is killed behind Sentinels", "sentinels")
def primary_killed(cluster, hold):
    """kill -9, a replica is promoted; healed by starting it, empty: a primary again, until the Sentinels demote it."""
    sentinels = cluster.sentinels
    former = sentinels.primary()
    former.kill()
    wait_promoted(sentinels, former)
    hold.wait()
    former.start()
    sentinels.wait_settled()


@fault("the primary hangs behind Sentinels, and wakes deposed", "sentinels")
def primary_hangs(cluster, hold):
    """SIGSTOP until another is promoted; healed by SIGCONT: it executes what it was sent, and is then demoted."""
    sentinels = cluster.sentinels
    former = sentinels.primary()
    former.pause()
    try:
        wait_promoted(sentinels, former)
        hold.wait()
    finally:
        former.resume()
    sentinels.wait_settled()


@fault("a planned failover behind Sentinels", "sentinels")
def planned_failover(cluster, hold):
    """SENTINEL FAILOVER, while the old primary goes on taking writes; it heals by itself."""
    cluster.sentinels.fail_over()
    hold.wait()
    cluster.sentinels.wait_settled()


@fault("a replica that lacks writes is promoted", "sentinels", seconds=LAGGING_SECONDS)
def lagging_promoted(cluster, hold):
    """Replication ends, changes go on, the primary is killed; healed by starting it, empty."""
    sentinels = cluster.sentinels
    former = sentinels.primary()
    replica = next(server for server in sentinels.servers if server is not former)
    with replica.client() as lagging, former.client() as primary:
        lagging.config_set("masterauth", "wrong")
        primary.client_kill_filter(_type="replica")
        hold.wait()
        former.kill()
        wait_promoted(sentinels, former)
        lagging.config_set("masterauth", "")
    former.start()
    sentinels.wait_settled()


@fault("a Sentinel is killed", "sentinels")
def sentinel_killed(cluster, hold):
    """kill -9 of one; healed by starting it."""
    one = hold.random.choice(cluster.sentinels.sentinels)
    one.kill()
    hold.wait()
    one.start()


@fault("a Sentinel hangs", "sentinels")
def sentinel_hangs(cluster, hold):
    """SIGSTOP of one; healed by SIGCONT: it speaks of what it knew before, until the others tell it."""
    one = hold.random.choice(cluster.sentinels.sentinels)
    one.pause()
    try:
        hold.wait()
    finally:
        one.resume()


@fault("no Sentinel is left, and connections are lost", "sentinels")
def sentinels_gone(cluster, hold):
    """kill -9 of all, and CLIENT KILL: nobody knows whether the primary is still one; healed by starting them."""
    primary = cluster.sentinels.primary()
    for one in cluster.sentinels.sentinels:
        one.kill()
    with primary.client() as client:
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)
    hold.wait()
    for one in cluster.sentinels.sentinels:
        one.start()
    cluster.sentinels.wait_settled()
