"""What tests of a take-over have in common."""

import shlex

from .daemon import run

# What the reference may have to wait, in seconds, whatever the take-over does.
HELD_UP_MAX = 5


def migrate(url, *options, **environment):
    return run("likesctl", "migrate", *options, timeout=120, DATABASE_URL=url, **environment)


def adopted(url, *options, **environment):
    done = migrate(url, "--adopt", *options, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def verify(url, redis, *options):
    return run("likesctl", "verify", *options, timeout=120, DATABASE_URL=url, REDIS_URL=redis.url)


def tables(sql):
    return {row[0] for row in sql.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def leftovers(sql):
    """Triggers and functions of the take-over."""
    triggers = sql.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").fetchall()
    return triggers + sql.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'likesd%'").fetchall()


def long_silent(sql):
    """As if hosts that have been stopped had been so for a while: the way back waits until it is sure of that."""
    sql.execute("UPDATE likesd_hosts SET seen_at = now() - interval '1 minute'")


def command_of(said, **environment):
    """Runs the command that a refusal names, as a shell would: it comes last."""
    words = shlex.split(said[said.rindex("likesctl migrate") :])
    return run(*words, timeout=120, **environment)
