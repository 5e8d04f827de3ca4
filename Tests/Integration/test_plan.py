"""`likesctl plan`: it asks nobody, and the documents show what it prints."""

import json
import re
from pathlib import Path

import pytest
from support.daemon import run

DOCUMENT = Path(__file__).parents[2] / "docs/scaling.md"
EXAMPLE = re.compile(r"^    \$ likesctl (plan .*)\n\n((?:    .*\n|\n)*)", re.M)
LOAD = ("--likes", 30_000, "--counts", 500_000, "--users", 10_000_000, "--likes-stored", 10**9)


def examples():
    return EXAMPLE.findall(DOCUMENT.read_text())


@pytest.mark.parametrize(("line", "shown"), examples())
def test_the_documents_show_what_it_prints(line, shown):
    # Nothing is there to be asked: no daemon, no PostgreSQL, no Redis, no file.
    nowhere = {"LIKESD_SOCKET": "/nowhere", "DATABASE_URL": "postgresql://nowhere.invalid/likes", "PATH": "/nowhere"}
    done = run("likesctl", *line.split(), **nowhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == re.sub(r"^    ", "", shown, flags=re.M).rstrip("\n") + "\n"


def test_there_is_an_example_for_each_size():
    assert [re.search(r"--likes (\d+)", line)[1] for line, _ in examples()] == ["1000", "30000", "100000", "1000"]


def test_in_json_are_the_same_numbers():
    told = json.loads(run("likesctl", "plan", "--json", *LOAD).stdout)
    text = run("likesctl", "plan", *LOAD).stdout
    assert told["carried"] is True
    assert told["redis"]["primaries"] > 1
    assert re.search(r"hosts +(\d+)", text)[1] == str(told["hosts"]["number"])
    assert f"max_connections = {told['postgresql']['max_connections']} " in text
    shares = [limit["share"] for limit in told["limits"]]
    assert shares == sorted(shares, reverse=True)
    assert told["limits"][0]["what"] in text
    assert {"hosts", "redis", "postgresql", "standbys", "limits"} <= set(told)


def test_what_is_missing_is_named_in_json_too():
    done = run("likesctl", "plan", "--likes", 1, "--counts", 1, "--json")
    assert done.returncode == 64
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "USAGE"
    assert error["message"] == "plan needs --users and --likes-stored"
    assert error["next"].startswith("add what you expect, as in 'likesctl plan --likes ")
