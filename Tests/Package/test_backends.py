"""From inside the sandbox to the backends: over Unix sockets and over TCP, with and without passwords and a network."""

import os
import re
from pathlib import Path

import pytest
from administering import (
    as_postgres,
    example_drop_in,
    exposure,
    like_once,
    remove_drop_ins,
    restart,
    set_settings,
    wait_until_ok,
)
from support.waiting import eventually

EXPOSURE_MAX = 0.9
EXPOSURE_OF_UNIX_ONLY_MAX = 0.3
DATABASE_PASSWORD, REDIS_PASSWORD = "db/pass word", "cache-word"
ENCODED_DATABASE_PASSWORD = "db%2Fpass%20word"
REDIS_SOCKET = "/run/redis/redis-server.sock"


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        yield container


@pytest.fixture(autouse=True)
def settings_as_shipped(tree):
    """Each test begins with the package's own settings, and leaves none behind."""
    shipped = tree.read("/etc/likesd/likesd.conf")
    yield
    (tree.root / "etc/likesd/likesd.conf").write_text(shipped, encoding="utf-8")
    remove_drop_ins(tree)


@pytest.fixture(scope="module")
def tcp_passwords(tree):
    """Servers that let nobody in over TCP without a password."""
    as_postgres(tree, "psql", "-c", f"ALTER ROLE likesd PASSWORD '{DATABASE_PASSWORD}'")
    tree.run("redis-cli", "config", "set", "requirepass", REDIS_PASSWORD)
    yield
    tree.run("redis-cli", "-a", REDIS_PASSWORD, "config", "set", "requirepass", "")


@pytest.fixture
def redis_socket(tree):
    """Debian's Redis with a Unix socket, opened as the example says."""
    example = tree.read("/usr/share/doc/likesd/examples/drop-ins/unix-sockets-only.conf")
    lines = re.findall(r"^# +(unixsocket(?:perm)? .+)$", example, re.MULTILINE)
    assert len(lines) == 2, example
    path = tree.root / "etc/redis/redis.conf"
    before = path.read_text(encoding="utf-8")
    path.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")
    tree.run("systemctl", "restart", "redis-server")
    yield REDIS_SOCKET
    path.write_text(before, encoding="utf-8")
    tree.run("systemctl", "restart", "redis-server")


def connections(tree):
    """The ends of the daemon's connections to its backends: 'tcp', 'unix', by PostgreSQL's and Redis' own words."""
    rows = tree.sql(
        "SELECT CASE WHEN client_addr IS NULL THEN 'unix' ELSE 'tcp' END FROM pg_stat_activity WHERE usename = 'likesd'"
    )
    return {row[0] for row in rows}


def test_its_exposure_is_small(tree, figure):
    level = exposure(tree)
    figure(f"exposure: {level}")
    assert level <= EXPOSURE_MAX
    tree.run("systemd-analyze", "security", "--threshold=9", "likesd.service")
    offline = ("security", "--offline=true", "--threshold=9", "/lib/systemd/system/likesd.service")
    tree.run("systemd-analyze", *offline)


def test_its_units_are_right(tree):
    units = ("likesd.service", "likesd.socket", "likesd@two.service", "likesd@two.socket")
    done = tree.run("systemd-analyze", "verify", *(f"/lib/systemd/system/{unit}" for unit in units))
    assert "likesd" not in done.output + done.errors, done


def test_the_sandbox_is_there(tree):
    """Not only in the unit: in the kernel's account of the process."""
    status = dict(line.split(":\t", 1) for line in tree.read(f"/proc/{tree.main_pid()}/status").splitlines())
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0
    assert status["Uid"].split()[0] != "0"


def test_as_installed(tree):
    """PostgreSQL over its Unix socket, Redis over TCP."""
    restart(tree)
    wait_until_ok(tree)
    like_once(tree, 1, "post:101")
    assert connections(tree) == {"unix"}


def test_over_tcp_with_passwords(tree, tcp_passwords):
    set_settings(
        tree,
        DATABASE_URL=f"postgresql://likesd:{ENCODED_DATABASE_PASSWORD}@localhost:5432/likes",
        REDIS_URL=f"redis://:{REDIS_PASSWORD}@localhost:6379/0",
    )
    restart(tree)
    wait_until_ok(tree)
    like_once(tree, 1, "post:102")
    assert connections(tree) == {"tcp"}
    assert tree.run("runuser", "-u", "likesd", "--", "likesctl", "verify").status == 0


def test_a_wrong_password_is_told_and_what_to_do(tree, tcp_passwords):
    set_settings(tree, DATABASE_URL="postgresql://likesd:wrong-word@127.0.0.1/likes")
    restart(tree)
    health = eventually(lambda: "password" in tree.health().get("message", "") and tree.health(), "the refusal")
    assert health["status"] == "down"
    assert "DATABASE_URL" in health["message"] or "password" in health["message"]
    assert "wrong-word" not in str(health)


def test_with_unix_sockets_alone(tree, redis_socket, figure):
    """The example, as the text in it says, and no network at all."""
    example_drop_in(tree, "unix-sockets-only")
    set_settings(tree, DATABASE_URL="postgresql:///likes", REDIS_URL=f"unix://{redis_socket}?db=0")
    restart(tree)
    wait_until_ok(tree)
    like_once(tree, 1, "post:103")
    assert connections(tree) == {"unix"}
    pid = tree.outer_pid(tree.main_pid())
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink(f"/proc/{tree.pid}/ns/net")
    names = [line.split(":")[0].strip() for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]]
    assert names == ["lo"]
    level = exposure(tree)
    figure(f"exposure with Unix sockets alone: {level}")
    assert level <= EXPOSURE_OF_UNIX_ONLY_MAX


def test_the_example_for_other_hosts_is_right(tree):
    example_drop_in(tree, "other-hosts")
    assert "127.0.0.0/8" in tree.show("likesd", "IPAddressAllow")["IPAddressAllow"]
    assert re.search(r"\b10\.", tree.show("likesd", "IPAddressAllow")["IPAddressAllow"])
    restart(tree)
    wait_until_ok(tree)


def test_a_backend_that_goes_and_comes_back(tree):
    for unit, word in (("redis-server", "degraded"), ("postgresql", "down")):
        tree.run("systemctl", "stop", unit)
        eventually(lambda: tree.health()["status"] == word, f"{word} without {unit}", 30)  # noqa: B023
        tree.run("systemctl", "start", unit)
        wait_until_ok(tree)
    assert tree.show("likesd", "NRestarts")["NRestarts"] == "0"
