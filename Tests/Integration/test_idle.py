"""What a host costs PostgreSQL and Redis while nobody asks it for anything."""

import time

from support.waiting import eventually

HOSTS = 3
# Waited for on each, one in Limits.beatMs.
BEATS = 15
STATEMENTS_PER_SECOND = 0.6
# Promised is one a second.
COMMANDS_PER_SECOND = 0.9


def transactions(sql):
    """Each of a host's statements is a transaction of its own. Those of this session are in another database."""
    row = sql.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = 'likes'").fetchone()
    return row[0]


def commands(cache):
    """All but INFO, by which they are counted."""
    return sum(values["calls"] for name, values in cache.info("commandstats").items() if name != "cmdstat_info")


def beats(cache):
    return cache.info("commandstats")["cmdstat_publish"]["calls"]


def test_an_idle_host_asks_little_of_postgresql_and_of_redis(start_daemon, own_postgres, own_redis):
    for _ in range(HOSTS):
        start_daemon(own_postgres, own_redis)
    with own_postgres.connect("postgres") as sql, own_redis.client() as cache:
        # The first passes and looks come one after the other.
        eventually(lambda: beats(cache) >= HOSTS * 3, "the hosts to have settled")
        before, begun = (transactions(sql), commands(cache)), time.monotonic()
        wanted = beats(cache) + HOSTS * BEATS
        eventually(lambda: beats(cache) >= wanted, "the hosts to beat")
        seconds = time.monotonic() - begun
        # What sessions did reaches the statistics a second later at most, when it is next their turn.
        statements, calls = transactions(sql) - before[0], commands(cache) - before[1]
    assert statements <= HOSTS * STATEMENTS_PER_SECOND * seconds, f"{statements} in {seconds:.0f} s"
    assert calls <= HOSTS * COMMANDS_PER_SECOND * seconds, f"{calls} in {seconds:.0f} s"
    assert statements >= HOSTS * seconds / 10, "they were counted"
