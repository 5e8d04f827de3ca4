"""PostgreSQL fails: it hangs, dies, refuses, blocks, and finishes what nobody waits for any more."""

import contextlib
import os
import signal

import psycopg
from support.database import split

from .faults import fault
from .faults_likesd import LANE
from .load import HOT_ITEMS, WARM_ITEMS

LOOK_SECONDS = 0.005


@fault("PostgreSQL sessions terminated", "postgres")
def sessions_terminated(cluster, hold):
    """pg_terminate_backend of those at work, in the middle of their batches; nothing is left to heal."""
    with cluster.sql() as sql:
        for _ in hold.every(0.05):
            sql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'likesd%' AND state = 'active' AND random() < 0.3"
            )


@fault("PostgreSQL sessions cancelled", "postgres")
def sessions_cancelled(cluster, hold):
    """pg_cancel_backend of those at work: the statement fails, the connection stays; nothing is left to heal."""
    with cluster.sql() as sql:
        for _ in hold.every(0.05):
            sql.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'likesd%' AND state = 'active'"
            )


@fault("PostgreSQL shut down at once", "postgres")
def postgres_shut_down(cluster, hold):
    """Immediate shutdown: transactions are lost, committed ones recovered; healed by starting it."""
    cluster.postgres.server.send(signal.SIGQUIT)
    cluster.postgres.server.wait()
    hold.wait()
    cluster.postgres.start()


@fault("PostgreSQL killed", "postgres")
def postgres_killed(cluster, hold):
    """kill -9 of all its processes; healed by starting it, which recovers what was committed."""
    cluster.postgres.kill()
    hold.wait()
    cluster.postgres.start()


@fault("PostgreSQL hangs", "postgres")
def postgres_hangs(cluster, hold):
    """SIGSTOP of all its processes; healed by SIGCONT, whereupon late statements run."""
    cluster.postgres.pause()
    try:
        hold.wait()
    finally:
        cluster.postgres.resume()


@fault("a lane's PostgreSQL process hangs", "postgres")
def lane_hangs(cluster, hold):
    """SIGSTOP of one process in the middle of a batch, with its locks; healed by SIGCONT: it may commit."""
    stop_one_lane(cluster, hold, cut=False)


@fault("a zombie: a lane is cut off, its transaction goes on later", "postgres")
def lane_is_zombie(cluster, hold):
    """As above, and the daemons lose their connections meanwhile; healed by SIGCONT: it may commit, unheard."""
    stop_one_lane(cluster, hold, cut=True)


def stop_one_lane(cluster, hold, cut):
    with cluster.sql() as sql:
        at_work = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
        for _ in hold.every(LOOK_SECONDS):
            pids = [row[0] for row in sql.execute(at_work, (LANE,))]
            if pids:
                break
        else:
            return
        pid = hold.random.choice(pids)
        # Ended before it could be stopped: as good as never found at work.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            try:
                if cut:
                    for link in cluster.links_to("postgres"):
                        cluster.proxy.cut(link)
                hold.wait()
            finally:
                os.kill(pid, signal.SIGCONT)


@fault("PostgreSQL takes no writes", "postgres")
def postgres_read_only(cluster, hold):
    """default_transaction_read_only for all sessions; healed by taking it back."""
    cluster.postgres.set("default_transaction_read_only", "on")
    try:
        hold.wait()
    finally:
        cluster.postgres.set("default_transaction_read_only", None)


@fault("PostgreSQL connections used up", "postgres")
def connections_used_up(cluster, hold):
    """likesd's sessions end and strangers take all places; healed by their leaving."""
    with contextlib.ExitStack() as strangers, cluster.sql() as sql:
        for _ in hold.every(0.05):
            sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'likesd%'")
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    strangers.enter_context(cluster.sql())


@fault("a counter is locked", "postgres")
def counter_locked(cluster, hold):
    """Somebody holds the rows of two counters; healed by their rollback."""
    with cluster.postgres.connect(autocommit=False) as stranger:
        for item in sorted([hold.random.choice(HOT_ITEMS), hold.random.choice(WARM_ITEMS)]):
            stranger.execute("SELECT FROM counters WHERE item_id = %s AND item_type = %s FOR UPDATE", split(item))
        hold.wait()
        stranger.rollback()


@fault("the table of likes is locked", "postgres")
def table_locked(cluster, hold):
    """Somebody's maintenance lets nobody at user_likes, not even readers; healed by their rollback."""
    with cluster.postgres.connect(autocommit=False) as stranger:
        stranger.execute("LOCK TABLE user_likes IN ACCESS EXCLUSIVE MODE")
        hold.wait()
        stranger.rollback()
