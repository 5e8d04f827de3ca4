"""An upgrade from before the group likesd-clients: nobody is shut out, nobody keeps more than he had."""

import pytest
from administering import drop_in
from conftest import PACKAGE_FOLDER
from container import Container
from load import connect_as_application, group_number
from support.waiting import eventually

FORMER, PACKAGE, HIGHER = (f"/{PACKAGE_FOLDER}/{name}.deb" for name in ("former", "likesd", "higher"))
SOCKET = "/run/likesd/likesd.sock"
FORMER_FILE = "/etc/tmpfiles.d/likesd-former-group.conf"
# One that the administrator chose, and one that nobody did.
CHOSEN, FOREIGN = "games", "nogroup"
BY_UNIT = f"""[Service]
Type=oneshot
User=nobody
SupplementaryGroups=likesd
ExecStart=/usr/bin/likesctl --socket {SOCKET} ping
"""


@pytest.fixture(scope="module")
def tree(base_with_packages, work, names):
    """A host with a package from before 0.1.0 on it, and those who use its socket."""
    name = names()
    container = Container(base_with_packages, work / name, name)
    try:
        container.start()
        install(container, FORMER)
        container.run("useradd", "--groups", "likesd", "application")
        container.run("useradd", "--no-user-group", "--gid", "likesd", "second.application")
        # As a directory service may give them: a member who is no user of this machine.
        container.shell("sed -i '/^likesd:/s/$/,far-away/' /etc/group")
        container.put("/etc/systemd/system/by-unit.service", BY_UNIT)
        drop_in(container, "group", f"[Socket]\nSocketGroup={CHOSEN}\n", unit="likesd@two.socket")
        container.run("cp", "-a", "/etc/likesd/likesd.conf", "/etc/likesd/likesd@two.conf")
        container.run("systemctl", "enable", "--now", "likesd@two.socket", "likesd@two.service")
        yield container
    finally:
        container.stop()


def install(container, package, *options):
    words = ("apt-get", "install", "-y", "--no-install-recommends", *options, package)
    return container.run(*words, DEBIAN_FRONTEND="noninteractive").output


def members(container, group):
    return set(filter(None, container.run("getent", "group", group).output.strip().split(":")[3].split(",")))


def owner(container, socket=SOCKET):
    return container.run("stat", "-c", "%a %U %G", socket).output.strip()


def may_connect(container, group, path="likesd/likesd.sock"):
    """Whether a process that has this group, and no other of ours, gets in."""
    try:
        client = connect_as_application(container, group_number(container, group), path)
    except PermissionError:
        return False
    with client:
        return client.call("PING") == "PONG"


def reboot(container):
    container.power_off()
    container.start()
    eventually(lambda: container.socket.exists(), "the socket")


@pytest.fixture(scope="module")
def connected(tree):
    """A process from before the upgrade: it has the group likesd alone, whatever is written afterwards."""
    with connect_as_application(tree, group_number(tree, "likesd")) as client:
        assert client.call("PING") == "PONG"
        yield client


@pytest.fixture(scope="module")
def upgrade(tree, connected):
    """What the upgrade said."""
    assert owner(tree) == "660 likesd likesd"
    before = tree.show("likesd.socket", "ActiveEnterTimestampMonotonic")
    said = install(tree, PACKAGE)
    assert tree.show("likesd.socket", "ActiveEnterTimestampMonotonic") == before
    return said


def test_an_upgrade_carries_the_members_over_and_removes_nobody(tree, upgrade):
    assert members(tree, "likesd-clients") == {"application", "second.application"}
    assert members(tree, "likesd") == {"application", "far-away"}
    assert "added members of likesd: application second.application" in upgrade
    assert "manually: far-away" in upgrade


def test_who_was_there_stays_and_comes_again_with_the_group_it_has(tree, upgrade, connected):
    assert connected.call("PING") == "PONG"
    assert may_connect(tree, "likesd")
    tree.run("systemctl", "start", "by-unit")


def test_who_is_started_anew_gets_in_by_the_new_group(tree, upgrade):
    assert owner(tree) == "660 likesd likesd-clients"
    assert may_connect(tree, "likesd-clients")
    assert tree.run("runuser", "-u", "second.application", "--", "likesctl", "ping").output.strip() == "PONG"
    assert not may_connect(tree, FOREIGN)


def test_a_socket_that_the_administrator_gave_away_is_left_alone(tree, upgrade):
    assert owner(tree, "/run/likesd/likesd@two.sock") == f"660 likesd {CHOSEN}"
    assert not may_connect(tree, "likesd-clients", "likesd/likesd@two.sock")
    assert may_connect(tree, CHOSEN, "likesd/likesd@two.sock")


def test_who_leaves_the_former_group_reads_no_settings_any_more(tree, upgrade):
    """As NEWS says it."""
    tree.run("gpasswd", "-d", "application", "likesd")
    assert tree.run("runuser", "-u", "application", "--", "likesctl", "ping").output.strip() == "PONG"
    denied = tree.run("runuser", "-u", "application", "--", "cat", "/etc/likesd/likesd.conf", ok=None)
    assert "Permission denied" in denied.errors


@pytest.mark.parametrize("anew", ["the socket", "the machine"])
def test_a_socket_that_is_made_anew_is_open_to_both(tree, upgrade, anew):
    if anew == "the socket":
        tree.run("systemctl", "restart", "likesd.socket")
    else:
        reboot(tree)
    assert owner(tree) == "660 likesd likesd-clients"
    assert [may_connect(tree, group) for group in ("likesd-clients", "likesd", FOREIGN)] == [True, True, False]
    tree.run("systemctl", "start", "by-unit")


def test_the_next_upgrade_does_it_no_second_time(tree, upgrade):
    tree.run("gpasswd", "-d", "second.application", "likesd-clients")
    tree.run("rm", FORMER_FILE)
    install(tree, HIGHER)
    assert members(tree, "likesd-clients") == {"application"}
    assert not (tree.root / FORMER_FILE.lstrip("/")).exists()


def test_without_the_file_the_socket_is_for_the_new_group_alone(tree, upgrade):
    reboot(tree)
    assert owner(tree) == "660 likesd likesd-clients"
    assert [may_connect(tree, group) for group in ("likesd-clients", "likesd", FOREIGN)] == [True, False, False]


def test_a_downgrade_shuts_nobody_out_at_once(tree, upgrade):
    with connect_as_application(tree, group_number(tree)) as client:
        assert client.call("PING") == "PONG"
        install(tree, FORMER, "--allow-downgrades")
        assert client.call("PING") == "PONG"
    assert may_connect(tree, "likesd-clients")


def test_back_again_both_get_in(tree, upgrade):
    install(tree, PACKAGE)
    assert members(tree, "likesd-clients") == {"application", "second.application"}
    assert may_connect(tree, "likesd-clients")


def test_a_purge_takes_the_file_along(tree, upgrade):
    assert (tree.root / FORMER_FILE.lstrip("/")).exists()
    tree.run("rm", "/etc/systemd/system/by-unit.service")
    tree.run("dpkg", "-P", "likesd")
    assert not (tree.root / FORMER_FILE.lstrip("/")).exists()
    assert not (tree.root / "run/likesd").exists()
