"""The examples work as they stand there."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
import redis
from support.daemon import binary
from support.manual import ROOT
from support.processes import clean_environment

EXAMPLES = ROOT / "packaging/examples"
METRICS = EXAMPLES / "prometheus/likesd-metrics"
ALERTS = EXAMPLES / "prometheus/likesd-alerts.yml"


def run_example(*command):
    """Runs a command with this build's likesctl on the PATH; what it printed."""
    environment = clean_environment()
    environment["PATH"] = f"{binary('likesctl').parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


@pytest.fixture
def likes():
    """The Python example as a module."""
    spec = importlib.util.spec_from_file_location("likes_example", EXAMPLES / "likes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fresh_daemon(start_daemon, own_postgres, own_redis):
    """A daemon on servers in which nothing has been liked: the items of the examples are always the same."""
    return start_daemon(own_postgres, own_redis)


def test_the_python_example(fresh_daemon):
    assert run_example(sys.executable, EXAMPLES / "likes.py", fresh_daemon.socket) == (
        "like:   (True, 1)\n"
        "again:  (False, 1)\n"
        "count:  1\n"
        "liked:  [True, False]\n"
        "many:   [[1, 1], [1, 1]]\n"
        "counts: [1, 1, 1]\n"
        "unlike: (True, 0)\n"
        "unlike: (True, 0)\n"
        "unlike: (True, 0)\n"
    )


def test_the_shell_example(fresh_daemon):
    assert run_example("sh", EXAMPLES / "likes.sh", fresh_daemon.socket) == (
        "changed=1 count=1\n"
        "1\n"
        "user 123 likes post:456\n"
        '[{"item":"post:456","count":1},{"item":"reel:7","count":0}]\n'
        ":1\n:1\n"
        "changed=1 count=0\n"
    )


@pytest.mark.parametrize("code", ["BUSY", "UNAVAILABLE", "UNCERTAIN"])
def test_the_python_example_repeats_what_is_temporary(likes, code):
    client = likes.Likes("/nowhere.sock")
    answers = [redis.ResponseError(f"{code} later"), redis.ConnectionError("gone"), [1, 5]]

    def answer(*request):
        assert request == ("LIKE", 1, "post:2")
        reply = answers.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    client.client.execute_command = answer
    assert client.like(1, "post:2") == (True, 5)
    assert not answers


def test_the_python_example_leaves_a_rate_limit_and_a_wrong_request_to_its_caller(likes, start_daemon, user, number):
    client = likes.Likes(str(start_daemon(RATE_LIMIT_REQUESTS=1).socket))
    assert client.like(user, f"post:{number()}")[0]
    with pytest.raises(likes.RateLimitedError):
        client.like(user, f"post:{number()}")
    with pytest.raises(redis.ResponseError, match="unknown item type"):
        client.count("story:1")


def samples(path):
    """The samples of a file for Prometheus: (name, labels) of each."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([a-z_]+)\{(.*)\} [0-9.+-]+(?:e[+-]\d+)?", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [match.groups() for match in found]


def test_the_scrape_labels_everything_and_takes_no_foreign_name(daemon, tmp_path):
    run_example(METRICS, tmp_path, daemon.socket)
    (path,) = tmp_path.iterdir()
    assert path.name == "likesd.prom"
    found = samples(path)
    assert ("likesd_up", 'daemon="likesd"') in found
    assert ("likesd_requests_total", 'daemon="likesd",command="like"') in found
    for name, labels in found:
        assert name.startswith("likesd_"), name
        assert labels.startswith('daemon="likesd"'), name
    text = path.read_text()
    assert len(found) == len([line for line in daemon.run_ctl("metrics").stdout.splitlines() if line[0] != "#"]) + 1
    for kind in ("HELP", "TYPE"):
        described = re.findall(rf"^# {kind} (\w+) ", text, re.M)
        assert len(described) == len(set(described))
        assert {re.sub("_(bucket|sum|count)$", "", name) for name, _ in found} == set(described)


def test_the_scrape_says_that_a_daemon_is_down(tmp_path):
    environment = clean_environment()
    environment["PATH"] = f"{binary('likesctl').parent}{os.pathsep}{environment['PATH']}"
    subprocess.run([METRICS, tmp_path, tmp_path / "likesd@two.sock"], env=environment, check=True, timeout=60)
    assert samples(tmp_path / "likesd@two.prom") == [("likesd_up", 'daemon="likesd@two"')]


def test_the_alerts_ask_for_metrics_that_there_are(postgres, start_daemon, tmp_path):
    daemon = start_daemon(DATABASE_REPLICA_URLS=postgres.url())
    run_example(METRICS, tmp_path, daemon.socket)
    there = {name for name, _ in samples(tmp_path / "likesd.prom")} | {"node_textfile_mtime_seconds"}
    expressions = re.findall(r"expr: (?:>-\n)?(.*(?:\n {10}\S.*)*)", ALERTS.read_text())
    asked = {name for text in expressions for name in re.findall(r"\b(?:likesd|node|process)_\w+", text)}
    assert len(asked) >= 6
    assert asked <= there
    refused = {labels for name, labels in samples(tmp_path / "likesd.prom") if name == "likesd_errors_total"}
    for code in re.search(r'code=~"([A-Z|]+)"', ALERTS.read_text()).group(1).split("|"):
        assert f'daemon="likesd",code="{code}"' in refused
