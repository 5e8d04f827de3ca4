"""The companion command: what it prints, its exit statuses, and what it says when something is in the way."""

import grp
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest
from support.daemon import binary, run
from support.manual import commands
from support.processes import unprivileged_user

SILENT = None


class FakeDaemon:
    """A socket with an answer of our choosing. `answer`: the bytes of one reply; SILENT: none, the connection open."""

    def __init__(self, path, answer):
        self.path = path
        self.request = b""
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.answer = answer
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            self.request = connection.recv(65536)
            if self.answer is not SILENT:
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX) as last:
            # A serve that nobody connected to ends by this.
            if self.thread.is_alive():
                last.connect(str(self.path))
        self.thread.join()
        self.listener.close()


@pytest.fixture
def path(folder, number):
    """A socket's path that is not taken."""
    return folder / f"ctl{number()}.sock"


def ctl(path, *arguments, **environment):
    return run("likesctl", "--socket", path, *arguments, **environment)


# With the daemon


def test_like_count_liked_and_unlike_print_what_a_script_can_read(daemon, user, item):
    assert daemon.run_ctl("like", user, item).stdout == "changed=1 count=1\n"
    assert daemon.run_ctl("like", user, item).stdout == "changed=0 count=1\n"
    assert daemon.run_ctl("count", item).stdout == "1\n"
    assert daemon.run_ctl("liked", user, item).stdout == "1\n"
    assert daemon.run_ctl("unlike", user, item).stdout == "changed=1 count=0\n"
    done = daemon.run_ctl("liked", user, item)
    assert (done.stdout, done.returncode) == ("0\n", 0)


def test_several_items_get_a_line_each(daemon, user, item, number):
    other = f"reel:{number()}"
    daemon.run_ctl("like", user, other)
    assert daemon.run_ctl("count", item, other).stdout == f"{item} 0\n{other} 1\n"
    assert daemon.run_ctl("liked", user, item, other).stdout == f"{item} 0\n{other} 1\n"


def test_json_is_json(daemon, user, item):
    def read(*arguments):
        return json.loads(daemon.run_ctl(*arguments, "--json").stdout)

    who = {"user": str(user), "item": item}
    assert read("like", user, item) == {**who, "changed": True, "count": 1}
    assert read("count", item) == [{"item": item, "count": 1}]
    assert read("count", item, "post:0") == [{"item": item, "count": 1}, {"item": "post:0", "count": 0}]
    assert read("liked", user, item) == [{**who, "liked": True}]
    other = {"user": str(user), "item": "post:0", "liked": False}
    assert read("liked", user, item, "post:0") == [{**who, "liked": True}, other]
    assert read("health")["status"] == "ok"
    assert read("ping") == {"reply": "PONG"}
    assert all(isinstance(section, dict) for section in read("info").values())


def test_an_error_is_json_where_the_answer_would_have_been(daemon, user, path):
    def error(done, status):
        assert (done.returncode, done.stderr) == (status, "")
        [member] = json.loads(done.stdout).items()
        assert member[0] == "error"
        assert set(member[1]) == {"code", "message", "next"}
        return member[1]

    refused = error(daemon.run_ctl("like", user, "story:1", "--json"), 1)
    assert refused["code"] == "ERR"
    assert refused["message"].startswith("unknown item type 'story'")
    assert error(daemon.run_ctl("--json", "count"), 64)["next"].startswith("usage: likesctl count ")
    assert error(run("likesctl", "count", "--json", "--nothing"), 64)["code"] == "USAGE"
    missing = error(ctl(path, "count", "post:1", "--json"), 69)
    assert missing["code"] == "UNREACHABLE"
    assert "systemctl start likesd" in missing["next"]
    wrong = error(run("likesctl", "migrate", "--json", "--config", "/nonexistent"), 78)
    assert (wrong["code"], wrong["next"]) == ("CONFIG", None)
    with FakeDaemon(path, b"-BUSY later\r\n"):
        assert error(ctl(path, "count", "post:1", "--json"), 5) == {
            "code": "BUSY",
            "message": "later",
            "next": "repeat a little later",
        }


def test_an_unknown_section_of_info_is_wrong_usage_and_the_sections_are_listed(daemon):
    sections = [line[2:].lower() for line in daemon.run_ctl("info").stdout.splitlines() if line.startswith("# ")]
    done = daemon.run_ctl("info", "nosuch")
    assert (done.returncode, done.stdout) == (64, "")
    assert "'nosuch'" in done.stderr
    assert ", ".join(sections) in done.stderr
    for section in sections:
        assert list(json.loads(daemon.run_ctl("info", section.upper(), "--json").stdout)) == [section]
    assert set(json.loads(daemon.run_ctl("info", "all", "--json").stdout)) == set(sections)
    # Redis answers so, too; client libraries ask for sections of their own.
    assert daemon.call("INFO", "nosuch") == b""


def test_a_section_that_the_daemon_does_not_have_is_not_taken_for_an_empty_one(path):
    with FakeDaemon(path, b"$0\r\n\r\n"):
        assert ctl(path, "info", "coherence").returncode == 76


def test_ping_health_info_and_metrics_answer(daemon):
    assert daemon.run_ctl("ping").stdout == "PONG\n"
    assert daemon.run_ctl("ping", "two words").stdout == "two words\n"
    done = daemon.run_ctl("health")
    assert done.returncode == 0
    assert "status ok\n" in done.stdout
    assert daemon.run_ctl("info").stdout.startswith("# ")
    assert "# TYPE " in daemon.run_ctl("metrics").stdout


def test_a_wrong_request_is_refused_with_the_daemons_words(daemon, user):
    done = daemon.run_ctl("like", user, "story:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "story" in done.stderr
    assert "post, reel, comment" in done.stderr


def test_the_socket_is_taken_from_the_option_then_the_environment(daemon, path):
    assert run("likesctl", "ping", LIKESD_SOCKET=daemon.socket).returncode == 0
    assert run("likesctl", "ping", "--socket", daemon.socket, LIKESD_SOCKET=path).returncode == 0
    assert run("likesctl", f"--socket={daemon.socket}", "ping").returncode == 0


# Without the daemon


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"-ERR no\r\n", 1),
        (b"-RATELIMITED wait 3 s\r\n", 4),
        (b"-BUSY later\r\n", 5),
        (b"-UNAVAILABLE no database\r\n", 6),
        (b"-UNCERTAIN ask\r\n", 7),
        (b"-NOPERM ask root\r\n", 77),
        (b"-CONFIG f:1: wrong\r\n", 78),
        (b"-NOPROTO 2 or 3\r\n", 1),
        (b"-NEW of a later version\r\n", 1),
        # What a message says is not looked at.
        (b"-ERR reload refused, nothing changed: f:1: wrong\r\n", 1),
        (b"-ERR RELOAD is for root and the user likesd runs as: sudo likesctl reload\r\n", 1),
        (b"+OK\r\n", 76),
        (b"HTTP/1.1 400\r\n", 76),
    ],
)
def test_each_refusal_has_its_exit_status(path, reply, status):
    with FakeDaemon(path, reply):
        done = ctl(path, "like", 1, "post:1")
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("likesctl: ")


@pytest.mark.parametrize(("health", "status"), [("ok", 0), ("degraded", 2), ("down", 3)])
def test_health_exits_by_what_it_found(path, health, status):
    reply = f'*4\r\n$6\r\nstatus\r\n${len(health)}\r\n{health}\r\n$7\r\nmessage\r\n$6\r\ndo "x"\r\n'
    with FakeDaemon(path, reply.encode()):
        done = ctl(path, "health")
    assert done.returncode == status
    assert done.stdout == f'status {health}\nmessage do "x"\n'


@pytest.mark.parametrize(("arguments", "status"), [(("like", 1, "post:1"), 7), (("count", "post:1"), 75)])
def test_a_daemon_that_does_not_answer_is_given_up(path, arguments, status):
    with FakeDaemon(path, SILENT):
        done = ctl(path, *arguments, REQUEST_TIMEOUT_MS=10)
    assert done.returncode == status
    assert "no answer within" in done.stderr


@pytest.mark.parametrize(("arguments", "status"), [(("unlike", 1, "post:1"), 7), (("count", "post:1"), 69)])
def test_a_connection_that_ends_leaves_a_change_uncertain(path, arguments, status):
    with FakeDaemon(path, b"*2\r\n:1"):
        done = ctl(path, *arguments)
    assert done.returncode == status


def test_arguments_can_hold_anything_without_becoming_a_second_request(path):
    with FakeDaemon(path, b"-ERR no\r\n") as fake:
        ctl(path, "count", "post:1\r\nLIKE 1 post:2")
    assert fake.request == b"*2\r\n$5\r\nCOUNT\r\n$21\r\npost:1\r\nLIKE 1 post:2\r\n"


def test_without_a_socket_it_says_how_to_start_the_daemon(path):
    done = ctl(path, "ping")
    assert done.returncode == 69
    assert str(path) in done.stderr
    assert "systemctl start likesd" in done.stderr
    assert "make run" in done.stderr


def test_a_socket_left_behind_is_told_apart_from_a_file(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    done = ctl(path, "ping")
    assert done.returncode == 69
    assert "left it behind" in done.stderr
    path.unlink()
    path.touch()
    done = ctl(path, "ping")
    assert done.returncode == 69
    assert "not a socket" in done.stderr


def test_permission_denied_names_the_group_that_may(path, folder):
    user = unprivileged_user()
    if user is None:
        # Without root: a socket of one's own, closed to oneself.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            path.chmod(0o060)
            done = ctl(path, "ping")
        assert done.returncode == 77
        assert grp.getgrgid(os.getgid()).gr_name in done.stderr
        return
    program = folder / "likesctl"
    shutil.copy(binary("likesctl"), program)

    def ping(socket=path, *options):
        return subprocess.run(
            [program, "--socket", socket, "ping", *options],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            user=user.pw_uid, group=user.pw_gid, extra_groups=[],
        )  # fmt: skip

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o660)
        done = ping()
        assert done.returncode == 77
        # Nobody is sent into root's group, nor told to change a folder that others may share.
        assert not re.search("usermod|chgrp|chmod", done.stderr)
        assert "give its socket a folder of its own" in done.stderr
        other = next(entry for entry in grp.getgrall() if entry.gr_gid not in (0, user.pw_gid))
        os.chown(path, -1, other.gr_gid)
        assert f"usermod -aG {other.gr_name} {user.pw_name}" in ping().stderr
        path.chmod(0o600)
        done = ping()
        assert done.returncode == 77
        assert "LIKESD_SOCKET_MODE" in done.stderr
        closed = folder / f"closed{path.stem}"
        closed.mkdir(mode=0o700)
        error = json.loads(ping(closed / "x" / "s.sock", "--json").stdout)["error"]
        assert error["code"] == "NOPERM"
        assert f"the folder {closed} of " in error["message"]
        assert "search that folder" in error["next"]


def assert_not_likesd(socket, name):
    # Redis knows PING and INFO as well.
    for arguments in [("health",), ("count", "post:1"), ("bench", "--requests", 1), ("ping",), ("info",), ("reload",)]:
        done = run("likesctl", *arguments, "--socket", socket)
        assert (done.returncode, done.stdout) == (76, ""), (arguments, done)
        assert f"a socket of {name}, not of likesd" in done.stderr


def test_another_server_is_not_taken_for_likesd(own_redis):
    assert_not_likesd(own_redis.socket, "redis")
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "-@all", "+acl")
        assert_not_likesd(own_redis.socket, "redis")
        # It says nothing about itself to those who have no password.
        client.execute_command("ACL", "SETUSER", "default", "+@all", "resetpass", ">secret")
        assert_not_likesd(own_redis.socket, "another server")


def test_a_daemon_that_closes_before_it_greets_is_believed(path):
    with FakeDaemon(path, b"+PONG\r\n"):
        done = ctl(path, "ping")
    assert (done.returncode, done.stdout) == (0, "PONG\n")


# The command line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--help"),
        (("lik", "1", "post:1"), "there is no command 'lik'"),
        (("like", "1"), "usage: likesctl like"),
        (("like", "1", "post:1", "post:2"), "usage: likesctl like"),
        (("count",), "usage: likesctl count"),
        (("liked", "1"), "usage: likesctl liked"),
        (("like", "-5", "post:1"), "'-5'"),
        (("like", "1", "-post:1"), "'-post:1'"),
        (("ping", "--loud"), "'--loud'"),
        (("metrics", "--json"), "--json"),
        (("ping", "--config", "x"), "--config"),
        (("migrate", "--socket", "x"), "--socket"),
        (("ping", "--socket"), "--socket needs a value"),
        (("ping", "--socket", "/" + "s" * 107), "107"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_right(arguments, named):
    done = run("likesctl", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert named in done.stderr


def test_a_negative_id_behind_two_dashes_is_the_daemons_to_refuse(daemon):
    done = daemon.run_ctl("like", "--", "-5", "post:1")
    assert done.returncode == 1
    assert "-5" in done.stderr


def test_help_and_version_are_printed_without_a_daemon():
    for arguments in (("--help",), ("-h",), ("help",)):
        done = run("likesctl", *arguments)
        assert done.returncode == 0
        assert "Exit status:" in done.stdout
    for command in commands():
        done = run("likesctl", command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: likesctl {command}")
    assert run("likesctl", "--version").stdout.startswith("likesctl ")


def test_output_that_can_not_be_written_is_no_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [binary("likesctl"), "--help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 74
    assert "could not be written" in done.stderr
