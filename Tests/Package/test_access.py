"""Who gets in, and when no more do; completions and manuals, as a user finds them."""

import json

import pytest
from administering import EXAMPLES, set_settings, wait_until_ok
from load import connect_as_application, group_number
from support.waiting import eventually
from support.wire import WireError

CONNECTIONS = 5
CONFIGURATION_MODE = "640 root likesd"


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        yield container


@pytest.fixture(scope="module")
def group(tree):
    """The number of the group that applications are in."""
    return group_number(tree)


def test_the_servers_it_recommends_are_there(tree):
    for unit in ("postgresql", "redis-server"):
        assert tree.run("systemctl", "is-active", unit).output.strip() == "active"


def test_the_socket_is_for_its_group_and_nobody_else(tree):
    listed = tree.run("ls", "-l", "/run/likesd/likesd.sock").output.split()
    assert (listed[0], *listed[2:4]) == ("srw-rw----", "likesd", "likesd-clients")
    assert not (tree.root / "etc/tmpfiles.d/likesd-former-group.conf").exists()


def test_an_application_uses_the_socket_and_reads_no_settings(tree):
    tree.run("useradd", "--groups", "likesd-clients", "application")
    assert tree.run("runuser", "-u", "application", "--", "likesctl", "ping").output.strip() == "PONG"
    denied = tree.run("runuser", "-u", "application", "--", "cat", "/etc/likesd/likesd.conf", ok=None)
    assert "Permission denied" in denied.errors


def test_who_reads_the_settings_is_no_application(tree):
    tree.run("useradd", "--groups", "likesd", "auditor")
    assert tree.run("runuser", "-u", "auditor", "--", "cat", "/etc/likesd/likesd.conf").output
    denied = tree.run("runuser", "-u", "auditor", "--", "likesctl", "ping", ok=None)
    assert "sudo usermod -aG likesd-clients auditor" in denied.errors, denied


def test_the_configuration_is_for_root_and_the_daemon(tree):
    assert tree.run("stat", "-c", "%a %U %G", "/etc/likesd/likesd.conf").output.strip() == CONFIGURATION_MODE


def connected(tree):
    return json.loads(tree.ctl("--json", "info", "clients").output)["clients"]["connected_clients"]


def test_root_gets_in_when_all_connections_are_taken(tree, group):
    # All of them are one application's here.
    set_settings(tree, MAX_CONNECTIONS=CONNECTIONS, MAX_CONNECTIONS_PER_USER=2 * CONNECTIONS)
    tree.ctl("reload")
    # The one that asks is a client itself; earlier ones may still count for a moment.
    eventually(lambda: connected(tree) == 1, "an empty house", 15)
    taken = [connect_as_application(tree, group) for _ in range(CONNECTIONS)]
    try:
        assert [connection.call("PING") for connection in taken] == ["PONG"] * CONNECTIONS
        refused = connect_as_application(tree, group)
        reply = refused.read()
        assert isinstance(reply, WireError)
        assert reply.code == "BUSY"
        refused.close()
        assert tree.health()["status"] == "ok"
        set_settings(tree, MAX_CONNECTIONS=CONNECTIONS + 1, MAX_CONNECTIONS_PER_USER=2 * CONNECTIONS)
        tree.ctl("reload")
        with connect_as_application(tree, group) as one_more:
            assert one_more.call("PING") == "PONG"
    finally:
        for connection in taken:
            connection.close()
        set_settings(tree, MAX_CONNECTIONS=None, MAX_CONNECTIONS_PER_USER=None)
        tree.ctl("reload")


def test_a_client_starts_what_was_stopped(tree):
    """`systemctl stop likesd` leaves the socket; who connects waits for the start, and is served."""
    tree.run("systemctl", "stop", "likesd.service")
    assert tree.run("systemctl", "is-active", "likesd.service", ok=None).output.strip() == "inactive"
    assert tree.ctl("ping").output.strip() == "PONG"
    wait_until_ok(tree)


def test_an_application_may_not_reload(tree, group):
    with connect_as_application(tree, group) as connection:
        reply = connection.call("RELOAD")
    assert isinstance(reply, WireError), reply
    assert reply.code == "NOPERM"


@pytest.mark.parametrize("command", ["likesd", "likesctl"])
def test_bash_completes(tree, command):
    """Also where bash-completion itself is not installed."""
    path = f"/usr/share/bash-completion/completions/{command}"
    assert command in tree.shell(f"source {path} && complete -p {command}").output


def test_bash_completes_the_first_word(tree):
    line = (
        "source /usr/share/bash-completion/completions/likesctl; COMP_WORDS=(likesctl rel) COMP_CWORD=1 "
        "COMP_LINE='likesctl rel' COMP_POINT=12; "
        "$(complete -p likesctl | sed 's/.*-F \\([^ ]*\\).*/\\1/') likesctl rel likesctl; echo \"${COMPREPLY[*]}\""
    )
    assert "reload" in tree.shell(line).output


@pytest.mark.parametrize("page", ["8 likesd", "1 likesctl", "5 likesd.conf", "7 likesd-protocol"])
def test_a_manual_page_is_found(tree, page):
    section, name = page.split()
    path = tree.run("man", "-w", section, name).output.strip()
    assert path.endswith(f"/{name}.{section}.gz")
    text = tree.run("man", section, name, MANWIDTH="80", MANPAGER="cat").output
    assert "NAME" in text


def test_the_configuration_as_shipped_is_the_default(tree):
    """Every line of it is a comment, and it is accepted."""
    shipped = tree.run("likesd", "--config", "/etc/likesd/likesd.conf", "--check-config").output
    plain = tree.run("likesd", "--check-config").output
    assert shipped == plain


def test_the_example_for_the_shell_works(tree):
    said = tree.run("runuser", "-u", "likesd", "--", "sh", f"{EXAMPLES}/likes.sh").output
    assert "user 123 likes post:456" in said


def test_the_example_for_metrics_works(tree):
    """Installed as the text beside it says, for a node exporter whose folder is there."""
    folder = "/var/lib/prometheus/node-exporter"
    tree.run("install", "-d", folder)
    tree.run("install", "-m", "0755", f"{EXAMPLES}/prometheus/likesd-metrics", "/usr/local/bin/")
    units = [f"{EXAMPLES}/prometheus/likesd-metrics.{kind}" for kind in ("service", "timer")]
    tree.run("install", "-m", "0644", *units, "/etc/systemd/system/")
    tree.run("systemctl", "daemon-reload")
    tree.run("systemctl", "enable", "--now", "likesd-metrics.timer")

    def written():
        return 'likesd_up{daemon="likesd"} 1' in tree.read(f"{folder}/likesd.prom")

    eventually(written, "the metrics in node exporter's folder", 30)
    tree.run("systemctl", "disable", "--now", "likesd-metrics.timer")
