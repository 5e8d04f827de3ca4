"""RELOAD, SIGHUP and `likesctl reload`: the file is applied as a whole or not at all, and the caller learns which."""

import json
import os
import pwd
import signal
import subprocess

import pytest
from support.daemon import Daemon, binary
from support.processes import clean_environment
from support.service_manager import ServiceManager
from support.waiting import eventually

CONFIGURATION_ERROR = 78
PERMISSION_DENIED = 77


@pytest.fixture
def configured(postgres, redis_server, place):
    """A daemon with a file; `rewrite` puts other settings there."""
    path = place / "likesd.conf"
    fixed = f"DATABASE_URL={postgres.url()}\nREDIS_URL={redis_server.url}\nLIKESD_SOCKET={place}/likesd.sock\n"

    def rewrite(text):
        path.write_text(fixed + text)

    rewrite("RATE_LIMIT_REQUESTS=0\n")
    cleared = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "LIKESD_SOCKET", "RATE_LIMIT_REQUESTS", "LOG_LEVEL"))
    daemon = Daemon(place, None, None, ["--config", path], **cleared)
    daemon.rewrite, daemon.file = rewrite, path
    daemon.start()
    yield daemon
    assert daemon.stop() == 0


def names(reply):
    """The reply to RELOAD: what was applied, and what needs a restart."""
    assert [reply[0], reply[2]] == [b"applied", b"restart"]
    return {name.decode() for name in reply[1]}, {name.decode() for name in reply[3]}


def test_new_values_are_in_force_at_once(configured, user, number):
    for _ in range(3):
        assert configured.call("LIKE", user, f"post:{number()}")[0] == 1
    configured.rewrite("RATE_LIMIT_REQUESTS=2\nMAX_CONNECTIONS=50\nLOG_LEVEL=warning\n")
    assert names(configured.call("RELOAD")) == (
        {"RATE_LIMIT_REQUESTS", "MAX_CONNECTIONS", "LOG_LEVEL"},
        set(),
    )
    limited = number()
    for _ in range(2):
        assert configured.call("LIKE", limited, f"post:{number()}")[0] == 1
    assert configured.call("LIKE", limited, f"post:{number()}").code == "RATELIMITED"
    with configured.connect() as client:
        assert client.call("CONFIG", "GET", "maxclients") == [b"maxclients", b"50"]
    # Once more: there is nothing new.
    assert names(configured.call("RELOAD")) == (set(), set())


def test_lifetimes_in_redis_change(configured, cache, user, item):
    configured.rewrite("RATE_LIMIT_REQUESTS=0\nCACHE_TTL_SECONDS=600\nRECENT_LIKES_TTL=500\n")
    assert names(configured.call("RELOAD"))[0] == {"CACHE_TTL_SECONDS", "RECENT_LIKES_TTL"}
    assert configured.call("LIKE", user, item) == [1, 1]
    # Give or take two minutes.
    assert 470 <= cache.ttl(f"counter:{item}") <= 730
    assert 400 < cache.ttl(f"recent_likes:{user}") <= 500


def test_what_needs_a_restart_is_named_and_stays(configured, item, user):
    configured.rewrite("RATE_LIMIT_REQUESTS=0\nITEM_TYPES=post,story\nREQUEST_TIMEOUT_MS=9000\nCACHE_TTL_SECONDS=60\n")
    assert names(configured.call("RELOAD")) == ({"CACHE_TTL_SECONDS"}, {"ITEM_TYPES", "REQUEST_TIMEOUT_MS"})
    assert configured.call("LIKE", user, "story:1").code == "ERR"
    assert b"restart_needed:ITEM_TYPES,REQUEST_TIMEOUT_MS\r\n" in configured.call("INFO", "server")
    configured.rewrite("RATE_LIMIT_REQUESTS=0\nCACHE_TTL_SECONDS=60\n")
    assert names(configured.call("RELOAD")) == (set(), set())
    assert b"restart_needed:\r\n" in configured.call("INFO", "server")


def test_a_wrong_file_changes_nothing_and_is_said_with_its_lines(configured, number):
    configured.rewrite("RATE_LIMIT_REQUESTS=1\nLOG_LEVEL=loud\nNONSENSE=1\n")
    reply = configured.call("RELOAD")
    assert reply.code == "CONFIG"
    for line in (5, 6):
        assert f"{configured.file}:{line}: " in reply
        assert f"{configured.file}:{line}: " in configured.log()
    user = number()
    for _ in range(3):
        assert configured.call("LIKE", user, f"post:{number()}")[0] == 1


def test_a_missing_file_is_said(configured):
    configured.file.unlink()
    reply = configured.call("RELOAD")
    assert reply.code == "CONFIG"
    assert str(configured.file) in reply
    assert configured.call("PING") == "PONG"
    configured.rewrite("RATE_LIMIT_REQUESTS=0\n")


def test_many_problems_make_a_short_reply(configured):
    configured.rewrite("".join(f"NONSENSE{number}=1\n" for number in range(1_000)))
    reply = configured.call("RELOAD")
    assert "and 984 more" in reply
    assert configured.log().count("reload refused") == 17


def test_no_secret_is_in_a_reply(configured):
    configured.file.write_text("DATABASE_URL=mysql://app:s3cret@db/likes\n")
    assert "s3cret" not in configured.call("RELOAD")
    assert "s3cret" not in configured.log()
    configured.rewrite("RATE_LIMIT_REQUESTS=0\n")


def test_sighup_reloads(configured):
    configured.rewrite("RATE_LIMIT_REQUESTS=7\n")
    configured.server.send(signal.SIGHUP)
    eventually(lambda: "applied RATE_LIMIT_REQUESTS" in configured.log(), "the reload")
    configured.rewrite("RATE_LIMIT_REQUESTS=x\n")
    configured.server.send(signal.SIGHUP)
    eventually(lambda: f"{configured.file}:4: RATE_LIMIT_REQUESTS" in configured.log(), "the refusal")
    assert configured.server.running


def test_likesctl_reload_tells_the_caller(configured):
    done = configured.run_ctl("reload")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing changed\n", "")
    configured.rewrite("RATE_LIMIT_REQUESTS=7\nITEM_TYPES=post\n")
    done = configured.run_ctl("reload")
    assert done.returncode == 0
    assert done.stdout == "applied RATE_LIMIT_REQUESTS\nrestart required for ITEM_TYPES\n"
    done = configured.run_ctl("reload", "--json")
    assert done.stdout == '{"applied":[],"restart":["ITEM_TYPES"]}\n'
    configured.rewrite("RATE_LIMIT_REQUESTS=x\n")
    done = configured.run_ctl("reload")
    assert done.returncode == CONFIGURATION_ERROR
    assert f"{configured.file}:4: RATE_LIMIT_REQUESTS: 'x' is not allowed" in done.stderr


def test_without_a_file_there_is_nothing_to_reload(daemon):
    reply = daemon.call("RELOAD")
    assert reply.code == "CONFIG"
    assert "likesd was started without --config, so there is no file to read" in reply
    error = json.loads(daemon.run_ctl("reload", "--json").stdout)["error"]
    assert error["next"] == "start it with --config FILE"


def as_nobody(arguments, socket):
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        [str(binary("likesctl")), "--socket", str(socket), *arguments],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )


def test_others_may_not_reload(configured):
    if os.getuid() != 0:
        # Only root can become somebody else here; the daemon's own user, at least, may.
        assert configured.run_ctl("reload").returncode == 0
        return
    configured.socket.chmod(0o666)
    done = as_nobody(["reload"], configured.socket)
    assert done.returncode == PERMISSION_DENIED, done.stderr
    assert f"sudo likesctl reload --socket {configured.socket}" in done.stderr
    assert as_nobody(["ping"], configured.socket).returncode == 0


def test_systemd_sees_it_reloading_until_the_new_settings_are_in_force(postgres, redis_server, place):
    path = place / "likesd.conf"
    path.write_text("RATE_LIMIT_REQUESTS=1\n")
    with ServiceManager(
        place, postgres.url(), redis_server.url, ["--config", path], RATE_LIMIT_REQUESTS=None, LOG_LEVEL=None
    ) as manager:
        manager.start()
        path.write_text("RATE_LIMIT_REQUESTS=2\n")
        with manager.connect() as client:
            assert names(client.call("RELOAD"))[0] == {"RATE_LIMIT_REQUESTS"}
        # Told before the reply.
        manager.wait_for("READY=1", count=2)
        states = [message.splitlines()[0] for message in manager.messages]
        assert [state for state in states if state in ("READY=1", "RELOADING=1")] == [
            "READY=1",
            "RELOADING=1",
            "READY=1",
        ]
        assert "MONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
        assert manager.stop() == 0
