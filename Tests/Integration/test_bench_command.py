"""likesctl bench against a real daemon: what it counts, what it changes, and that a stall shows in its latencies."""

import json
import pty
import signal
import socket
import subprocess
import threading
import time

import pytest
from support.daemon import binary, run
from support.processes import clean_environment
from support.waiting import eventually

STALL_SECONDS = 0.3


def bench(daemon, *arguments, status=0):
    """The JSON of one run."""
    done = run("likesctl", "bench", "--socket", daemon.socket, "--json", *arguments)
    assert done.returncode == status, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def start(daemon, *arguments, **environment):
    return subprocess.Popen(
        [binary("likesctl"), "bench", "--socket", daemon.socket, "--json", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=clean_environment(**environment),
    )  # fmt: skip


def served(daemon):
    """How many requests the daemon has taken so far."""
    return json.loads(daemon.run_ctl("info", "stats", "--json").stdout)["stats"]["total_commands_processed"]


def await_load(daemon, process, before):
    """Waits until so many requests came that they can only be those of the load."""

    def has_begun():
        assert process.poll() is None, process.communicate()
        return served(daemon) > before + 200

    eventually(has_begun, "the load to begin")


def own_pairs(number):
    """Options that keep a test's pairs apart from those of others: a seed of its own, and many items."""
    return ("--seed", number(), "--items", 1_000_000_000)


def latencies(found, verb):
    """[latency in ms, count] of each bucket."""
    return [(bound / 1000, count) for bound, count in found["verbs"][verb]["histogram"]]


# What it prints


def test_the_json_of_a_closed_loop_has_all_figures(daemon):
    found = bench(
        daemon, "--requests", 2000, "--connections", 7, "--pipeline", 3, "--mix", "count=3,liked", "--seed", "9"
    )
    assert found["requests"] == 2000
    assert (found["connections"], found["connections_least"], found["pipeline"]) == (7, 7, 3)
    assert (found["rate"], found["seed"]) == (None, 9)
    assert (found["errors"], found["late_sends"], found["send_lag_us_max"]) == ({}, 0, 0)
    assert found["ended"] == "finished"
    # What a closed loop has none of.
    assert (found["schedule_kept"], found["behind_us"], found["sends"]) == (None, None, None)
    assert found["seconds"] > 0
    assert found["cpu_seconds"] > 0
    assert found["per_second"] == pytest.approx(2000 / found["seconds"], rel=0.05)
    assert set(found["verbs"]) == {"COUNT", "LIKED"}
    assert sum(verb["requests"] for verb in found["verbs"].values()) == 2000
    for verb in found["verbs"].values():
        assert "changed" not in verb
        us = verb["us"]
        assert list(us) == ["min", "mean", "p50", "p90", "p99", "p99.9", "max"]
        assert 0 < us["min"] <= us["p50"] <= us["p90"] <= us["p99"] <= us["p99.9"] <= us["max"]
        assert us["min"] <= us["mean"] <= us["max"]
        assert sum(count for _, count in verb["histogram"]) == verb["requests"]
        bounds = [bound for bound, _ in verb["histogram"]]
        assert bounds == sorted(set(bounds))


def test_an_open_loop_sends_at_its_rate(daemon):
    found = bench(
        daemon, "--rate", 1000, "--duration", 2, "--connections", 5, "--mix", "count,mcount,mliked", "--batch", 9
    )
    assert (found["rate"], found["ended"]) == (1000, "finished")
    assert found["sends"] == found["requests"]
    assert found["schedule_kept"] == (found["late_sends"] * 1000 <= found["sends"])
    assert found["behind_us"] >= 0
    # The arrivals are those of the seed; only how long the last answers took is the machine's.
    assert 1800 < found["requests"] < 2200
    assert found["seconds"] >= 2
    assert set(found["verbs"]) == {"COUNT", "MCOUNT", "MLIKED"}


def test_the_text_has_a_line_for_each_verb(daemon):
    done = daemon.run_ctl("bench", "--requests", 300, "--mix", "count,liked", "--connections", 3)
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("closed loop", "seed 1", "p99.9 ms", "\nCOUNT ", "\nLIKED ", "\nall ", "errors: none"):
        assert words in done.stdout


def test_progress_is_for_terminals_alone(daemon):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [binary("likesctl"), "bench", "--socket", daemon.socket, "--rate", "200", "--duration", "1.5"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    with open(ours, "rb", buffering=0) as terminal:
        assert b"p99" in terminal.read(200)
        assert process.wait(60) == 0
    with open(theirs, "wb"), process.stdout:
        pass


def test_the_warm_up_is_not_counted(daemon):
    def requests(*options):
        return bench(daemon, "--rate", 500, *options)["requests"]

    # Arrivals follow from the seed: those of the warm-up and those of the rest are those of the whole.
    whole = requests("--duration", 2)
    assert requests("--duration", 1) + requests("--warmup", 1, "--duration", 1) == whole


# What it changes


def test_the_same_seed_again_changes_nothing_and_unlike_takes_all_back(daemon, number, sql):
    options = ("--requests", 1500, "--connections", 8, "--pipeline", 4, "--write", *own_pairs(number))

    def changed(verb, *other):
        found = bench(daemon, *options, "--mix", verb, *other)["verbs"][verb.upper()]
        assert found["requests"] == 1500
        return found["changed"]

    def likes():
        return sql.execute("SELECT count(*) FROM user_likes").fetchone()[0]

    before = likes()
    assert changed("like") == 1500
    assert likes() == before + 1500
    # Whichever connection sends it, and however it is timed.
    assert changed("like", "--connections", 3) == 0
    assert changed("unlike", "--pipeline", 1) == 1500
    assert likes() == before


def test_changes_are_refused_without_write(daemon, sql):
    before = sql.execute("SELECT count(*) FROM user_likes").fetchone()[0]
    for mix in ("like", "count=5,unlike=1"):
        done = daemon.run_ctl("bench", "--mix", mix, "--requests", 10)
        assert (done.returncode, done.stdout) == (64, "")
        assert "--write" in done.stderr
    assert sql.execute("SELECT count(*) FROM user_likes").fetchone()[0] == before


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--mix", "like=x"), "--mix"),
        (("--mix", "count,count"), "once"),
        (("--mix", "ping"), "there is no 'ping'"),
        (("--mix", "count=0"), "all weights are 0"),
        (("--keys", "zipf:0"), "exponent"),
        (("--keys", "zipf:11"), "exponent"),
        (("--keys", "random"), "uniform"),
        (("--rate", "0"), "--rate"),
        (("--rate", "10", "--pipeline", "2"), "--pipeline"),
        (("--duration", "0"), "--duration"),
        (("--duration", "0.0000001"), "--duration"),
        (("--duration", "1e3"), "--duration"),
        (("--rate", "+5"), "--rate"),
        (("--rate", "0x10"), "--rate"),
        (("--warmup", "-1"), "--warmup"),
        (("--batch", "1001"), "1000"),
        (("--type", "Post"), "--type"),
        (("--connections", "0"), "--connections"),
        (("--repair",), "bench takes no --repair"),
        (("post:1",), "usage: likesctl bench"),
    ],
)
def test_wrong_usage_is_64_and_says_what_is_right(arguments, named):
    done = run("likesctl", "bench", *arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert named in done.stderr


def test_options_of_bench_are_for_bench_alone():
    done = run("likesctl", "verify", "--rate", "5")
    assert done.returncode == 64
    assert "verify takes no --rate" in done.stderr


def test_without_a_server_it_is_69(folder, number):
    done = run("likesctl", "bench", "--socket", folder / f"none{number()}.sock")
    assert (done.returncode, done.stdout) == (69, "")
    assert "systemctl start likesd" in done.stderr


def test_an_unknown_type_is_refused_in_the_daemons_words(daemon):
    done = daemon.run_ctl("bench", "--type", "story", "--requests", 10)
    assert (done.returncode, done.stdout) == (1, "")
    assert "post, reel, comment" in done.stderr


def test_errors_are_counted_by_code_and_all_failed_is_1(start_daemon, number):
    limited = start_daemon(RATE_LIMIT_REQUESTS=3)
    options = ("--users", 1, "--mix", "like", "--write", "--connections", 1, *own_pairs(number))
    found = bench(limited, "--requests", 10, *options)
    assert (found["requests"], found["errors"]) == (3, {"RATELIMITED": 7})
    found = bench(limited, "--requests", 10, *options, status=1)
    assert (found["requests"], found["errors"]) == (0, {"RATELIMITED": 10})
    assert found["verbs"]["LIKE"]["us"] is None


def test_ctrl_c_ends_early_and_prints_what_was_measured(daemon):
    before = served(daemon)
    process = start(daemon, "--rate", 1000, "--duration", 3600)
    await_load(daemon, process, before)
    process.send_signal(signal.SIGINT)
    output, problems = process.communicate(timeout=60)
    assert (process.returncode, problems) == (0, "")
    found = json.loads(output)
    assert found["requests"] > 0
    # Not even those that were due at that moment are missing.
    assert found["errors"] == {}
    assert found["seconds"] < 3600
    assert found["ended"] == "interrupted"


def test_a_second_ctrl_c_does_not_wait_for_answers_and_counts_what_has_none(start_daemon):
    daemon = start_daemon()
    process = start(daemon, "--rate", 1000, "--duration", 3600, "--connections", 4, REQUEST_TIMEOUT_MS=60_000)
    await_load(daemon, process, 0)
    daemon.server.pause()

    def has_ended():
        # Two that come at once are one.
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    eventually(has_ended, "the end of the run")
    daemon.server.resume()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found = json.loads(output)
    assert found["ended"] == "interrupted"
    assert set(found["errors"]) <= {"NOANSWER"}
    assert found["sends"] == found["requests"] + sum(found["errors"].values())


def test_a_daemon_that_comes_back_is_used_again(start_daemon):
    daemon = start_daemon()
    process = start(daemon, "--duration", 3600, "--connections", 4, "--pipeline", 8)
    await_load(daemon, process, 0)
    daemon.kill()
    daemon.start()
    # It counts from 0 again.
    await_load(daemon, process, 0)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    found = json.loads(output)
    assert process.returncode == 0
    assert set(found["errors"]) == {"LOST"}
    assert 1 <= found["errors"]["LOST"] <= 4 * 8


def test_a_daemon_that_is_gone_for_good_ends_the_run_with_1(start_daemon):
    daemon = start_daemon()
    process = start(daemon, "--duration", 3600, "--connections", 4, "--pipeline", 8)
    await_load(daemon, process, 0)
    daemon.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert json.loads(output)["requests"] > 0


def test_what_was_due_while_the_daemon_was_gone_is_counted(start_daemon):
    daemon = start_daemon()
    rate = 1000
    process = start(daemon, "--rate", rate, "--duration", 3600, "--connections", 4)
    await_load(daemon, process, 0)
    daemon.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    found = json.loads(output)
    assert found["ended"] == "gone"
    assert set(found["errors"]) <= {"LOST", "NOTSENT"}
    # Random gaps: a tenth more or less is many deviations, whatever the moment at which it ended.
    due = found["requests"] + sum(found["errors"].values())
    assert due == pytest.approx(rate * found["seconds"], rel=0.1)
    # It is waited for longer than a second.
    assert found["errors"]["NOTSENT"] > rate


def test_connections_that_the_daemon_refuses_are_said(start_daemon):
    daemon = start_daemon(MAX_CONNECTIONS=12)
    options = ("--connections", 20, "--rate", 200, "--duration", 1)
    found = bench(daemon, *options)
    assert found["connections"] == 20
    assert found["connections_least"] <= 12
    assert set(found["errors"]) <= {"BUSY", "LOST"}
    assert "of 20 connections were open" in daemon.run_ctl("bench", *options).stdout


def test_a_connection_that_the_daemon_refuses_is_counted_once(start_daemon):
    daemon = start_daemon(MAX_CONNECTIONS=12)
    found = bench(daemon, "--connections", 200, "--requests", 2_000, "--pipeline", 1)
    assert found["requests"] + sum(found["errors"].values()) == pytest.approx(2_000, abs=200)
    # The daemon may close a connection before its request is read.
    assert found["errors"].get("LOST", 0) < found["errors"]["BUSY"] / 2


def bench_against(path, *connections):
    """One connection and 2 requests against a server of our own. Each of `connections` serves one, in turn."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(60)

        def serve():
            for talk in connections:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(60)
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        done = run("likesctl", "bench", "--socket", path, "--requests", 2, "--connections", 1, "--json")
        thread.join()
    return done, json.loads(done.stdout)


def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def answering(reply):
    """Answers whatever comes with this."""

    def talk(connection):
        while connection.recv(65536):
            connection.sendall(reply)

    return talk


def test_a_socket_that_only_echoes_is_no_likesd(folder, number):
    done, found = bench_against(folder / f"echo{number()}.sock", echo)
    assert done.returncode == 76
    assert "not understood" in found["error"]["message"]


@pytest.mark.parametrize("reply", [b"*2\r\n:1\r\n:1\r\n", b"+OK\r\n", b"$1\r\n1\r\n", b"$-1\r\n", b"HTTP/1.1 400\r\n"])
def test_replies_that_do_not_fit_the_requests_are_no_likesds(folder, number, reply):
    # What is tried out first is answered as by likesd.
    done, found = bench_against(folder / f"shape{number()}.sock", answering(b":0\r\n"), answering(reply))
    assert done.returncode == 76
    assert "not understood" in found["error"]["message"]


def test_a_connection_that_may_be_about_to_be_closed_is_left_alone_for_a_while(folder, number):
    pauses = []

    def refuse_once(connection):
        connection.recv(65536)
        refused = time.monotonic()
        connection.sendall(b"-BUSY too many connections\r\n")
        connection.recv(65536)
        pauses.append(time.monotonic() - refused)
        connection.sendall(b":0\r\n")
        answering(b":0\r\n")(connection)

    _, found = bench_against(folder / f"held{number()}.sock", answering(b":0\r\n"), refuse_once)
    assert (found["requests"], found["errors"]) == (1, {"BUSY": 1})
    assert pauses[0] >= 0.05


def test_a_rate_beyond_what_can_be_answered_is_said(daemon):
    # All are due within 0.05 s.
    done = daemon.run_ctl("bench", "--rate", 10_000_000, "--requests", 500_000, "--connections", 4)
    assert (done.returncode, done.stderr) == (0, "")
    assert "errors: none" in done.stdout
    assert "requests queued up at this rate" in done.stdout


def test_a_daemon_that_hangs_for_good_ends_the_run_with_1(start_daemon):
    daemon = start_daemon()
    process = start(daemon, "--duration", 3600, "--connections", 3, "--pipeline", 5, REQUEST_TIMEOUT_MS=10)
    await_load(daemon, process, 0)
    daemon.server.pause()
    output, _ = process.communicate(timeout=60)
    daemon.server.resume()
    assert process.returncode == 1
    found = json.loads(output)
    assert found["errors"] == {"NOANSWER": 3 * 5}
    assert found["ended"] == "silent"


# What an open loop is for


def test_a_stall_shows_in_every_request_that_was_due_meanwhile(start_daemon):
    daemon = start_daemon()
    rate = 1000
    options = ("--rate", rate, "--duration", 3, "--connections", 20)
    undisturbed = bench(daemon, *options)
    before = served(daemon)
    process = start(daemon, *options)
    await_load(daemon, process, before)
    daemon.server.pause()
    paused = time.monotonic()
    time.sleep(STALL_SECONDS)  # the fault itself: nothing is waited for
    stall_ms = (time.monotonic() - paused) * 1000
    daemon.server.resume()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found = json.loads(output)
    # None was left out, though each connection was blocked for longer than the time between two requests.
    assert found["requests"] == undisturbed["requests"]
    assert found["errors"] == {}
    quarter = stall_ms / 4
    due = rate * quarter / 1000
    for part in (1, 2, 3):
        waited = sum(count for ms, count in latencies(found, "COUNT") if ms > part * quarter)
        # A request due t after the beginning waits for the rest of the stall: as many in each quarter.
        assert waited > 0.6 * due * (4 - part), f"of those due, {waited} waited for {part} quarters of {stall_ms} ms"
    assert found["verbs"]["COUNT"]["us"]["max"] / 1000 > 0.9 * stall_ms
    # Only those due in the stall: most others were as quick as ever.
    assert found["verbs"]["COUNT"]["us"]["p50"] / 1000 < quarter
