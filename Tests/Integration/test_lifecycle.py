"""Start, stop, crash: the socket, the exit status, what systemd is told, and what is kept."""

import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
from support.daemon import Daemon, binary, run
from support.database import drift, likes, split
from support.processes import clean_environment, die_with_parent
from support.waiting import eventually
from support.wire import Wire


def test_sigterm_answers_what_is_under_way_and_exits_with_0(start_daemon, own_postgres, own_redis, number):
    daemon = start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=60000)
    item, user = f"post:{number()}", number()
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_postgres.connect(autocommit=False) as holder, own_postgres.connect() as sql, daemon.connect() as client:
        holder.execute("SELECT FROM counters WHERE item_id = %s AND item_type = %s FOR UPDATE", split(item))
        client.send(client.form("LIKE", user, item))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        eventually(lambda: sql.execute(waiting).fetchone()[0], "the like to be under way")
        daemon.server.send(signal.SIGTERM)
        eventually(lambda: not can_connect(daemon.socket), "no new connections")
        holder.commit()
        assert client.read() == [1, 2]
        assert client.at_end()
        assert daemon.server.wait() == 0
        assert likes(sql, item) >= {user}


def can_connect(path):
    try:
        with Wire(path):
            return True
    except OSError:
        return False


def test_a_request_after_a_rest_has_all_of_its_time(start_daemon, number):
    """Its time begins when it comes, not when the daemon last woke up."""
    timeout_s = 0.3
    daemon = start_daemon(REQUEST_TIMEOUT_MS=int(timeout_s * 1000))
    item = f"post:{number()}"
    with daemon.connect() as client:
        for _ in range(12):
            # The rest is what is tested: longer than a request may take.
            time.sleep(1.5 * timeout_s)
            asked = time.monotonic()
            reply = client.call("LIKE", number(), item)
            # On a slow machine a request may miss its deadline, but none is refused before.
            assert isinstance(reply, list) or time.monotonic() - asked >= 0.9 * timeout_s, reply


@pytest.mark.parametrize("number_", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_daemon_stops_at_once_and_takes_its_socket_along(start_daemon, number_):
    daemon = start_daemon()
    with daemon.connect() as idle:
        assert idle.call("PING") == "PONG"
        daemon.server.send(number_)
        assert daemon.server.wait() == 0
        assert idle.at_end()
    assert not daemon.socket.exists()


def test_sighup_does_not_end_it(start_daemon):
    daemon = start_daemon()
    daemon.server.send(signal.SIGHUP)
    for _ in range(10):
        assert daemon.call("PING") == "PONG"
    assert daemon.server.running


def test_a_stale_socket_of_a_killed_daemon_is_replaced(start_daemon, item, user):
    daemon = start_daemon()
    assert daemon.call("LIKE", user, item) == [1, 1]
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.call("LIKED", user, item) == 1


def test_a_socket_in_use_is_left_alone(daemon, postgres, redis_server, place):
    second = Daemon(place, postgres.url(), redis_server.url, LIKESD_SOCKET=daemon.socket).start(until=None)
    assert second.server.wait() == 1
    assert str(daemon.socket) in second.log()
    assert daemon.call("PING") == "PONG"


def test_a_file_that_is_no_socket_is_left_alone(postgres, redis_server, place):
    precious = place / "likesd.sock"
    precious.write_text("precious")
    refused = Daemon(place, postgres.url(), redis_server.url).start(until=None)
    assert refused.server.wait() in (1, 78)
    assert str(precious) in refused.log()
    assert precious.read_text() == "precious"


@pytest.mark.parametrize(("mode", "bits"), [(None, 0o660), ("0600", 0o600), ("0666", 0o666)])
def test_the_socket_has_the_configured_mode(start_daemon, mode, bits):
    daemon = start_daemon(LIKESD_SOCKET_MODE=mode)
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == bits


@pytest.mark.parametrize("name", ["missing/likesd.sock", "x" * 120])
def test_a_socket_that_cannot_be_made_is_said(postgres, redis_server, place, name):
    path = place / name
    refused = Daemon(place, postgres.url(), redis_server.url, LIKESD_SOCKET=path).start(until=None)
    assert refused.server.wait() in (1, 78)
    assert str(path)[:60] in refused.log()


def test_killing_the_daemon_loses_no_acknowledged_like(start_daemon, own_postgres, own_redis, number):
    """Eight clients, each with a stream of likes; SIGKILL in the middle of it."""
    daemon = start_daemon(own_postgres, own_redis)
    items = [f"post:{number()}" for _ in range(4)]
    acknowledged, sent = [], []
    enough = threading.Event()

    def client(users):
        try:
            with daemon.connect() as connection:
                for user in users:
                    burst = [(user, item) for item in items]
                    sent.extend(burst)
                    connection.send(b"".join(connection.form("LIKE", *pair) for pair in burst))
                    for pair in burst:
                        assert connection.read()[0] == 1
                        acknowledged.append(pair)
                    if len(acknowledged) > 300:
                        enough.set()
        except OSError:
            return

    threads = [threading.Thread(target=client, args=([number() for _ in range(2000)],), daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    daemon.kill()
    for thread in threads:
        thread.join(60)
    with own_postgres.connect() as sql:
        stored = {(user, item) for item in items for user in likes(sql, item)}
        # A transaction that was on the wire at the end may still commit, it was answered to nobody.
        assert set(acknowledged) <= stored <= set(sent)
        assert drift(sql) == []
    daemon.start()
    with daemon.connect() as connection:
        # What the callers were told is what the next daemon says.
        for user, item in acknowledged:
            connection.send(connection.form("LIKED", user, item))
            assert connection.read() == 1


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(postgres, redis_server, place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(place / "notify"))
        notify.settimeout(60)
        daemon = Daemon(place, postgres.url(), redis_server.url, NOTIFY_SOCKET=place / "notify").start(until=None)
        try:
            told = ""
            while "READY=1" not in told:
                told += notify.recv(4096).decode() + "\n"
            assert daemon.call("PING") == "PONG"
            while "STATUS=" not in told:
                told += notify.recv(4096).decode() + "\n"
        finally:
            daemon.server.send(signal.SIGTERM)
        while "STOPPING=1" not in told:
            told += notify.recv(4096).decode() + "\n"
        assert daemon.server.wait() == 0


def test_a_socket_passed_by_systemd_is_used_and_kept(postgres, redis_server, place):
    path = place / "passed.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(16)
        environment = clean_environment(
            LISTEN_FDS=1,
            LISTEN_FDNAMES="client",
            LIKESD_SOCKET=place / "ignored.sock",
            DATABASE_URL=postgres.url(),
            REDIS_URL=redis_server.url,
        )
        # LISTEN_PID has to be the daemon's own id, and the socket its descriptor 3.
        script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "$0"'
        process = subprocess.Popen(
            ["bash", "-c", script, str(binary("likesd"))],
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            preexec_fn=die_with_parent,
        )
        try:
            with Wire(path) as client:
                assert client.call("PING") == "PONG"
            assert not (place / "ignored.sock").exists()
        finally:
            process.terminate()
            assert process.wait(60) == 0
        # The socket is systemd's: clients queue on it while the daemon is away.
        assert path.exists()


def test_version_and_help_need_nothing():
    version = run("likesd", "--version")
    assert version.returncode == 0
    assert version.stdout.startswith("likesd ")
    usage = run("likesd", "--help")
    assert usage.returncode == 0
    for option in ("--config", "--check-config", "--version"):
        assert option in usage.stdout


def test_an_unknown_option_is_wrong_usage():
    done = run("likesd", "--frobnicate")
    assert done.returncode == 64
    assert "--frobnicate" in done.stderr
