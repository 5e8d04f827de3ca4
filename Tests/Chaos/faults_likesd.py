"""likesd fails, and its links fail."""

from .cluster import HOSTS
from .faults import fault
from .proxy import ANSWER, REQUEST

# A moment between two cuts in which connections can be made anew.
AGAIN_SECONDS = 0.7
# Enough for something to be sent, not for REDIS_TIMEOUT_MS to pass.
ON_ITS_WAY_SECONDS = (0.01, 0.08)
# Longer than a hung connection of either kind is waited for.
HELD_SECONDS = 4.5
# Less than REQUEST_TIMEOUT_MS: what is sent again is answered before the first one arrives.
SEVERED_SECONDS = 1.2
LANE = "likesd lane"
ALL_LINKS = [f"postgres{host}" for host in range(HOSTS)]


@fault("likesd killed", "likesd*")
def likesd_killed(cluster, hold):
    """kill -9 under load; healed by starting it anew."""
    cluster.hosts[hold.host].kill_and_start(hold.wait)


@fault("likesd killed with write-throughs on their way", "likesd*", "redis*")
def likesd_killed_before_redis(cluster, hold):
    """What was committed at last never comes to Redis, and nobody who lives knows of it; healed by starting it anew."""
    host = cluster.hosts[hold.host]
    link = host.links["redis"]

    def lose_and_wait():
        cluster.proxy.cut(link)
        cluster.proxy.set(link, "pass")
        hold.wait()

    cluster.proxy.hold(link)
    hold.stop.wait(hold.random.uniform(*ON_ITS_WAY_SECONDS))
    host.kill_and_start(lose_and_wait)


@fault("likesd killed with a batch on its way", "likesd*", "postgres*")
def likesd_killed_before_commit(cluster, hold):
    """A batch of the dead arrives when its successor is at work; healed by starting that, and forwarding the batch."""
    host = cluster.hosts[hold.host]
    cluster.proxy.hold(host.links["postgres"])
    try:
        hold.stop.wait(hold.random.uniform(*ON_ITS_WAY_SECONDS))
        host.kill_and_start(hold.wait)
    finally:
        cluster.proxy.set(host.links["postgres"], "pass")


@fault("likesd stopped", "likesd*")
def likesd_stopped(cluster, hold):
    """SIGSTOP: its connections stay, it does nothing, and goes on later with what it knew; healed by SIGCONT."""
    daemon = cluster.hosts[hold.host].daemon
    daemon.server.pause()
    try:
        hold.wait()
    finally:
        daemon.server.resume()


def with_link(cluster, hold, backend, mode, **options):
    link = cluster.hosts[hold.host].links[backend]
    cluster.proxy.set(link, mode, **options)
    try:
        hold.wait()
    finally:
        cluster.proxy.set(link, "pass")


@fault("Redis out of one host's reach", "redis*")
def redis_refused(cluster, hold):
    """Connections are cut and refused, those of other hosts are not; healed by listening again."""
    with_link(cluster, hold, "redis", "refuse")


@fault("Redis frozen for one host", "redis*")
def redis_frozen(cluster, hold):
    """A black hole; healed by forwarding all that was held back, which then runs late."""
    with_link(cluster, hold, "redis", "freeze")


@fault("Redis slow for one host", "redis*")
def redis_slow(cluster, hold):
    """Every piece is late, by less than REDIS_TIMEOUT_MS or by more; healed by no delay."""
    with_link(cluster, hold, "redis", "pass", delay=hold.random.uniform(0.02, 0.2))


@fault("Redis frozen and cut for one host, again and again", "redis*")
def redis_flaps(cluster, hold):
    """Frozen, then cut with what was held back lost, then passing; healed by passing."""
    link = cluster.hosts[hold.host].links["redis"]
    try:
        for _ in hold.every(AGAIN_SECONDS):
            cluster.proxy.set(link, "freeze")
            hold.stop.wait(hold.random.uniform(0.02, 0.3))
            cluster.proxy.cut(link)
            cluster.proxy.set(link, "pass")
    finally:
        cluster.proxy.set(link, "pass")


def hold_link(cluster, hold, backend):
    link = cluster.hosts[hold.host].links[backend]
    try:
        for _ in hold.every(HELD_SECONDS):
            cluster.proxy.hold(link)
    finally:
        cluster.proxy.set(link, "pass")


def sever_link(cluster, hold, backend):
    link = cluster.hosts[hold.host].links[backend]
    try:
        for _ in hold.every(SEVERED_SECONDS):
            cluster.proxy.set(link, "pass")
            cluster.proxy.hold(link)
            # Until something is on its way.
            hold.stop.wait(hold.random.uniform(*ON_ITS_WAY_SECONDS))
            cluster.proxy.sever(link)
    finally:
        cluster.proxy.set(link, "pass")


@fault("Redis lost with commands on their way, which arrive late", "redis*")
def redis_severed(cluster, hold):
    """Connections end at the daemon, what it sent runs a second later, again and again; healed by forwarding it."""
    sever_link(cluster, hold, "redis")


@fault("PostgreSQL lost with statements on their way, which arrive late", "postgres*")
def postgres_severed(cluster, hold):
    """Connections end at the daemon, its batch runs when it was long sent again; healed by forwarding it."""
    sever_link(cluster, hold, "postgres")


@fault("Redis commands arrive late, new connections work", "redis*")
def redis_late(cluster, hold):
    """What was connected is frozen, again and again; healed by forwarding all of it, long after it was given up."""
    hold_link(cluster, hold, "redis")


@fault("PostgreSQL statements arrive late, new connections work", "postgres*", seconds=(4.0, 9.0))
def postgres_late(cluster, hold):
    """What was connected is frozen; healed by forwarding it, when another connection has long taken its place."""
    hold_link(cluster, hold, "postgres")


@fault("PostgreSQL out of one host's reach", "postgres*")
def postgres_refused(cluster, hold):
    """Connections are cut and refused, those of other hosts are not; healed by listening again."""
    with_link(cluster, hold, "postgres", "refuse")


@fault("PostgreSQL frozen for one host", "postgres*")
def postgres_frozen(cluster, hold):
    """A black hole; healed by forwarding what was held back: statements of lost connections run late."""
    with_link(cluster, hold, "postgres", "freeze")


@fault("PostgreSQL slow for one host", "postgres*")
def postgres_slow(cluster, hold):
    """Every piece is late; healed by no delay."""
    with_link(cluster, hold, "postgres", "pass", delay=hold.random.uniform(0.02, 0.3))


def lose_again_and_again(cluster, hold, what):
    link = cluster.hosts[hold.host].links["postgres"]
    try:
        for _ in hold.every(AGAIN_SECONDS):
            cluster.proxy.lose(link, what, LANE)
    finally:
        cluster.proxy.set(link, "pass")


@fault("lane lost before its statement arrived", "postgres*")
def lane_lost_before(cluster, hold):
    """A batch never reaches PostgreSQL, its connection is cut, again and again; nothing is left to heal."""
    lose_again_and_again(cluster, hold, REQUEST)


@fault("lane lost after its commit", "postgres*")
def lane_lost_after(cluster, hold):
    """PostgreSQL commits, its answer is lost with the connection, again and again; nothing is left to heal."""
    lose_again_and_again(cluster, hold, ANSWER)


@fault("PostgreSQL frozen for all hosts", *ALL_LINKS)
def postgres_frozen_for_all(cluster, hold):
    """A black hole between all hosts and PostgreSQL; healed by forwarding what was held back."""
    for link in cluster.links_to("postgres"):
        cluster.proxy.set(link, "freeze")
    try:
        hold.wait()
    finally:
        for link in cluster.links_to("postgres"):
            cluster.proxy.set(link, "pass")


@fault("PostgreSQL out of all hosts' reach", *ALL_LINKS)
def postgres_refused_for_all(cluster, hold):
    """Cut and refused for all; healed by listening again, whereupon all hosts come at once."""
    for link in cluster.links_to("postgres"):
        cluster.proxy.set(link, "refuse")
    try:
        hold.wait()
    finally:
        for link in cluster.links_to("postgres"):
            cluster.proxy.set(link, "pass")
