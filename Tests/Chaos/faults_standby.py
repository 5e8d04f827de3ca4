"""The standby that answers counts fails: it stands still, lags, hangs, dies, and stops being a standby."""

from .faults import fault
from .faults_likesd import with_link

LAG_SECONDS = (0.1, 2.0)
AGAIN_SECONDS = 0.2


@fault("standby stands still", "standby")
def replay_paused(cluster, hold):
    """It has the log and does not replay it, while it answers as before; healed by going on."""
    with cluster.standby.connect() as sql:
        sql.execute("SELECT pg_wal_replay_pause()")
        hold.wait()
        sql.execute("SELECT pg_wal_replay_resume()")


@fault("standby lags", "standby")
def standby_lags(cluster, hold):
    """It replays each commit later, by less than LOCAL_CACHE_TTL_MS or by more; healed by no delay."""
    cluster.standby.set("recovery_min_apply_delay", f"{1000 * hold.random.uniform(*LAG_SECONDS):.0f}ms")
    hold.wait()
    cluster.standby.set("recovery_min_apply_delay", None)


@fault("standby cut off from its primary", "standby")
def replication_frozen(cluster, hold):
    """A black hole on the way of the log: it takes itself for up to date; healed by forwarding what was held back."""
    cluster.proxy.set("wal", "freeze")
    try:
        hold.wait()
    finally:
        cluster.proxy.set("wal", "pass")


@fault("standby hangs", "standby")
def standby_hangs(cluster, hold):
    """SIGSTOP of all its processes; healed by SIGCONT, whereupon late counts arrive."""
    cluster.standby.pause()
    try:
        hold.wait()
    finally:
        cluster.standby.resume()


@fault("standby killed", "standby")
def standby_killed(cluster, hold):
    """kill -9 of all its processes; healed by starting it."""
    cluster.standby.kill()
    hold.wait()
    cluster.standby.start()


@fault("standby promoted", "standby", "postgres")
def standby_promoted(cluster, hold):
    """It takes writes, and gets none; healed by a new standby in its place."""
    cluster.standby.promote()
    hold.wait()
    cluster.renew_standby()


@fault("standby's sessions terminated", "standby")
def sessions_terminated(cluster, hold):
    """pg_terminate_backend of those at work, again and again; nothing is left to heal."""
    with cluster.standby.connect() as sql:
        for _ in hold.every(AGAIN_SECONDS):
            sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'likesd%'")


@fault("standby out of one host's reach", "standby*")
def standby_refused(cluster, hold):
    """Connections are cut and refused, those of other hosts are not; healed by listening again."""
    with_link(cluster, hold, "standby", "refuse")


@fault("standby frozen for one host", "standby*")
def standby_frozen(cluster, hold):
    """A black hole; healed by forwarding what was held back: counts arrive late."""
    with_link(cluster, hold, "standby", "freeze")


@fault("standby slow for one host", "standby*")
def standby_slow(cluster, hold):
    """Every piece is late: its counts are older than it says; healed by no delay."""
    with_link(cluster, hold, "standby", "pass", delay=hold.random.uniform(0.005, 0.2))
