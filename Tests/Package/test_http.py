"""likes-http of the package: disabled until it is wanted, and able to do its work within its sandbox."""

import json

import pytest
from support.waiting import eventually

UNITS = ("likes-http.socket", "likes-http.service")


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        yield container


@pytest.fixture(scope="module")
def enabled(tree):
    tree.run("systemctl", "enable", "--now", "likes-http.socket")
    return tree


def ask(tree, method, target, body=None):
    """One request over HTTP, by nothing but bash: its status and its JSON."""
    text = "" if body is None else json.dumps(body)
    head = f"{method} {target} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\nContent-Length: {len(text)}"
    line = f"exec 3<>/dev/tcp/127.0.0.1/8000; printf '{head}\\r\\n\\r\\n{text}' >&3; cat <&3"
    answer = tree.run("bash", "-c", line).output
    head, _, content = answer.replace("\r\n", "\n").partition("\n\n")
    return int(head.split()[1]), json.loads(content)


@pytest.mark.parametrize("unit", UNITS)
def test_it_is_disabled_until_it_is_wanted(tree, unit):
    assert tree.run("systemctl", "is-enabled", unit, ok=1).output.strip() == "disabled"
    assert tree.run("systemctl", "is-active", unit, ok=3).output.strip() == "inactive"


def test_it_answers_once_it_is_enabled(enabled):
    status, answer = ask(enabled, "POST", "/v1/like", {"user_id": 123, "item_id": 456})
    assert (status, answer["status"]) == (200, "liked")
    assert enabled.ctl("count", "post:456").output.strip() == "1"
    assert ask(enabled, "GET", "/ready")[0] == 200


def test_it_may_open_the_socket_and_read_no_settings(enabled):
    facts = enabled.run("cat", f"/proc/{enabled.main_pid('likes-http')}/status").output
    fields = dict(line.split(":\t", 1) for line in facts.splitlines())
    ids = enabled.run("id", "-u", "likes-http").output.strip()
    group = enabled.run("getent", "group", "likesd-clients").output.split(":")[2]
    assert set(fields["Uid"].split()) == {ids}
    assert set(fields["Gid"].split()) == {group}
    assert int(fields["CapPrm"], 16) == 0
    enabled.run("setpriv", "--reuid=likes-http", "--regid=likesd-clients", "--clear-groups", "cat",
                "/etc/likesd/likesd.conf", ok=1)  # fmt: skip


def test_restarts_of_both_refuse_nobody(enabled):
    for unit in ("likes-http", "likesd"):
        enabled.run("systemctl", "restart", unit)
        eventually(lambda: ask(enabled, "GET", "/v1/count?item_id=456")[0] == 200, "an answer")


def test_it_is_watched(enabled):
    shown = enabled.show("likes-http", "NRestarts", "WatchdogUSec", "Type")
    assert shown == {"NRestarts": "0", "WatchdogUSec": "10s", "Type": "notify"}
