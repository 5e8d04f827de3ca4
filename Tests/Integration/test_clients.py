"""Clients as people have them: redis-cli, redis-benchmark, redis-py, socat."""

import asyncio
import re
import shutil
import subprocess

import pytest
import redis
import redis.asyncio
from support.database import drift

PROTOCOLS = pytest.mark.parametrize("protocol", [2, 3])


def program(*command, text=None):
    return subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("flag", ["-2", "-3"])
def test_redis_cli_talks_to_it(daemon, user, item, flag):
    def cli(*arguments):
        done = program("redis-cli", flag, "-s", daemon.socket, *arguments)
        assert done.returncode == 0
        return done.stdout.split()

    assert cli("LIKE", user, item) == ["1", "1"]
    assert cli("LIKE", user, item) == ["0", "1"]
    assert cli("COUNT", item) == ["1"]
    assert cli("LIKED", user, item) == ["1"]
    assert cli("UNLIKE", user, item) == ["1", "0"]
    assert cli("HEALTH")[:2] == ["status", "ok"]
    assert cli("LIKE", user)[:2] == ["ERR", "wrong"]


def test_redis_cli_takes_commands_one_after_the_other(daemon, user, item):
    done = program("redis-cli", "-s", daemon.socket, text=f"LIKE {user} {item}\nCOUNT {item}\nPING\nINFO server\n")
    assert done.returncode == 0
    assert done.stdout.split()[:4] == ["1", "1", "1", "PONG"]
    assert "# Server" in done.stdout


def benchmark(daemon, *command, requests=4000):
    done = program("redis-benchmark", "-s", daemon.socket, "-n", requests, "-c", 20, "-P", 8, "-r", 100, "-q", *command)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert re.search(r"[\d.]+ requests per second", done.stdout), done.stdout


def test_redis_benchmark_counts(daemon):
    benchmark(daemon, "COUNT", "post:__rand_int__")


def test_redis_benchmark_likes_and_the_books_are_exact_afterwards(start_daemon, own_postgres, own_redis):
    daemon = start_daemon(own_postgres, own_redis)
    benchmark(daemon, "LIKE", "__rand_int__", "post:__rand_int__")
    with own_postgres.connect() as sql:
        assert drift(sql) == []
        stored = sql.execute("SELECT count(*), count(DISTINCT user_id) FROM user_likes").fetchone()
    assert 0 < stored[0] <= 4000
    assert stored[1] <= 100
    with daemon.connect() as client:
        assert sum(client.call("MCOUNT", *(f"post:{number}" for number in range(100)))) == stored[0]


@PROTOCOLS
def test_redis_py_talks_to_it(daemon, user, item, protocol):
    with daemon.client(protocol) as client:
        assert client.ping()
        assert client.execute_command("LIKE", user, item) == [1, 1]
        assert client.execute_command("COUNT", item) == 1
        assert client.execute_command("MCOUNT", item, item) == [1, 1]
        health = client.execute_command("HEALTH")
        assert (health["status"] if protocol == 3 else health[1]) == "ok"
        with pytest.raises(redis.ResponseError, match="unknown item type"):
            client.execute_command("COUNT", "story:1")
        with client.pipeline(transaction=False) as pipeline:
            pipeline.execute_command("UNLIKE", user, item)
            pipeline.execute_command("COUNT", item)
            pipeline.execute_command("LIKED", user, item)
            assert pipeline.execute() == [[1, 0], 0, 0]


def test_redis_py_with_its_own_defaults_connects(daemon, item):
    with redis.Redis(unix_socket_path=str(daemon.socket)) as client:
        assert client.execute_command("COUNT", item) == 0
    with redis.from_url(f"unix://{daemon.socket}?db=0", client_name="feed", health_check_interval=1) as client:
        assert client.execute_command("COUNT", item) == 0
        assert client.client_getname() in ("feed", b"feed")


@PROTOCOLS
def test_redis_py_asyncio_talks_to_it(daemon, number, protocol):
    async def talk():
        client = redis.asyncio.Redis(unix_socket_path=str(daemon.socket), protocol=protocol, decode_responses=True)
        item, users = f"post:{number()}", [number() for _ in range(50)]
        async with client:
            replies = await asyncio.gather(*(client.execute_command("LIKE", user, item) for user in users))
            assert [changed for changed, _ in replies] == [1] * 50
            # One of the counts is that of the last like, none is of before its own.
            assert max(count for _, count in replies) == 50
            assert min(count for _, count in replies) >= 1
            assert await client.execute_command("COUNT", item) == 50
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.execute_command("LIKED", users[0], item)
                pipeline.execute_command("UNLIKE", users[0], item)
                pipeline.execute_command("LIKED", users[0], item)
                assert (await pipeline.execute())[::2] == [1, 0]

    asyncio.run(talk())


@pytest.mark.parametrize(
    "command",
    [["nc", "-NU", "{socket}"], ["socat", "-t60", "-", "UNIX-CONNECT:{socket}"]],
    ids=["nc", "socat"],
)
def test_a_shell_pipe_talks_to_it(daemon, user, item, command):
    if command[0] == "nc" and "-N" not in (program("nc", "-h").stderr or ""):
        # Another netcat than OpenBSD's has no Unix sockets.
        assert shutil.which("socat")
        return
    arguments = [part.format(socket=daemon.socket) for part in command]
    done = program(*arguments, text=f"LIKE {user} {item}\nCOUNT {item}\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["*2", ":1", ":1", ":1"]
