"""A second instance, edits that stay, what is disabled stays disabled; then it is removed and purged."""

import re

import pytest
from administering import CONFIGURATION, like_once, set_settings, wait_until_ok
from conftest import PACKAGE_FOLDER
from support.waiting import eventually

PACKAGE, HIGHER = f"/{PACKAGE_FOLDER}/likesd.deb", f"/{PACKAGE_FOLDER}/higher.deb"
UNITS = ("likesd.socket", "likesd.service")
SECOND_UNITS = ("likesd@two.socket", "likesd@two.service")
SECOND_SOCKET = "/run/likesd/likesd@two.sock"


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        yield container


def install(tree, *arguments):
    # No answer to anything: a question is a failure.
    return tree.run("apt-get", "install", "-y", *arguments)


def states(tree, units=UNITS):
    enabled = [tree.run("systemctl", "is-enabled", unit, ok=None).output.strip() for unit in units]
    active = [tree.run("systemctl", "is-active", unit, ok=None).output.strip() for unit in units]
    return list(zip(enabled, active, strict=True))


def test_a_second_instance_runs_beside_the_first(tree):
    tree.run("cp", "-a", CONFIGURATION, "/etc/likesd/likesd@two.conf")
    tree.run("systemctl", "enable", "--now", *SECOND_UNITS)
    eventually(lambda: tree.health(SECOND_SOCKET)["status"] == "ok", "the second instance in good health", 30)
    assert states(tree, SECOND_UNITS) == [("enabled", "active")] * 2
    assert tree.main_pid("likesd@two") != tree.main_pid("likesd")
    like_once(tree, 7, "post:301", "--socket", SECOND_SOCKET)
    # Both are hosts over the same database.
    assert tree.ctl("count", "post:301").output.strip() == "1"
    assert tree.ctl("--socket", SECOND_SOCKET, "liked", "7", "post:301").output.strip() == "1"


def test_each_instance_reloads_its_own_file(tree):
    first, second = (tree.main_pid(unit) for unit in ("likesd", "likesd@two"))
    set_settings(tree, "/etc/likesd/likesd@two.conf", LOCAL_CACHE_TTL_MS=777)
    tree.run("systemctl", "reload", "likesd@two")
    assert "nothing changed" in tree.ctl("reload").output
    assert "nothing changed" in tree.ctl("--socket", SECOND_SOCKET, "reload").output
    assert (tree.main_pid("likesd"), tree.main_pid("likesd@two")) == (first, second)


def test_an_upgrade_restarts_both_instances_and_neither_socket(tree):
    names = ("likesd", "likesd@two")
    before = [tree.main_pid(name) for name in names]
    sockets = [tree.show(f"{name}.socket", "ActiveEnterTimestampMonotonic") for name in names]
    install(tree, HIGHER)
    after = [tree.main_pid(name) for name in names]
    assert all(a != b and b != 0 for a, b in zip(before, after, strict=True)), (before, after)
    assert [tree.show(f"{name}.socket", "ActiveEnterTimestampMonotonic") for name in names] == sockets
    eventually(lambda: tree.health(SECOND_SOCKET)["status"] == "ok", "the second instance in good health", 30)


def test_the_second_instance_goes_and_the_first_stays(tree):
    tree.run("systemctl", "disable", "--now", *SECOND_UNITS)
    assert not (tree.root / SECOND_SOCKET.lstrip("/")).exists()
    assert tree.socket.exists()
    wait_until_ok(tree)


def test_an_edit_of_the_configuration_is_kept(tree):
    set_settings(tree, RECENT_LIKES_MAX=1234)
    edited = tree.read(CONFIGURATION)
    install(tree, "--reinstall", HIGHER)
    assert tree.read(CONFIGURATION) == edited
    install(tree, "--allow-downgrades", PACKAGE)
    assert tree.read(CONFIGURATION) == edited
    assert tree.run("stat", "-c", "%a %U %G", CONFIGURATION).output.strip() == "640 root likesd"
    wait_until_ok(tree)


def test_a_wrong_file_keeps_it_from_starting_until_it_is_right(tree):
    cursor = tree.cursor()
    line = set_settings(tree, LOG_LEVEL="loud")
    tree.run("systemctl", "restart", "likesd", ok=None)
    where = f"{CONFIGURATION}:{line}: LOG_LEVEL"
    eventually(lambda: where in tree.journal("-u", "likesd", after=cursor), f"'{where}' in the journal", 15)
    # Nobody is refused meanwhile, and nothing but the file has to be mended.
    assert tree.run("systemctl", "is-active", "likesd.socket").output.strip() == "active"
    set_settings(tree, LOG_LEVEL=None)
    wait_until_ok(tree)
    assert states(tree) == [("enabled", "active")] * 2


def test_what_is_disabled_stays_disabled_over_an_upgrade(tree):
    tree.run("systemctl", "disable", "--now", *UNITS)
    install(tree, HIGHER)
    assert states(tree) == [("disabled", "inactive")] * 2
    tree.run("systemctl", "enable", "--now", *UNITS)
    wait_until_ok(tree)
    assert states(tree) == [("enabled", "active")] * 2


def test_what_is_only_stopped_is_not_lost_by_an_upgrade(tree):
    """As with every package of Debian's: enabled means running after an upgrade."""
    tree.run("systemctl", "stop", *UNITS)
    install(tree, "--allow-downgrades", PACKAGE)
    assert [enabled for enabled, _ in states(tree)] == ["enabled", "enabled"]
    tree.run("systemctl", "start", *UNITS)
    wait_until_ok(tree)


def test_removing_keeps_the_configuration_alone(tree):
    pid = tree.main_pid()
    tree.run("dpkg", "-r", "likesd")
    assert not (tree.root / f"proc/{pid}").exists()
    assert not tree.socket.exists()
    assert tree.read(CONFIGURATION)
    assert [active for _, active in states(tree)] == ["inactive", "inactive"]
    assert not (tree.root / "usr/sbin/likesd").exists()


def test_installed_again_it_is_as_it_was(tree):
    install(tree, PACKAGE)
    wait_until_ok(tree)
    assert "RECENT_LIKES_MAX=1234" in tree.read(CONFIGURATION)
    assert states(tree) == [("enabled", "active")] * 2


def test_purging_leaves_nothing(tree):
    # What administrators and others leave beside it.
    tree.run("cp", "-a", CONFIGURATION, "/etc/likesd/likesd@two.conf")
    tree.run("systemctl", "enable", "--now", *SECOND_UNITS)
    tree.put("/etc/systemd/system/likesd.service.d/own.conf", "[Service]\nNice=1\n")
    tree.run("systemctl", "set-property", "likesd.service", "CPUWeight=50")
    tree.run("rm", "-r", f"/{PACKAGE_FOLDER}")
    tree.run("dpkg", "-r", "likesd")
    tree.run("dpkg", "-P", "likesd")
    found = tree.run("find", "/", "-xdev", "-name", "*likesd*").output
    assert found == ""
    assert tree.run("find", "/run", "-xdev", "-name", "*likesd*").output == ""
    assert tree.run("find", "/tmp", "/var/tmp", "-xdev", "-name", "*likesd*").output == ""
    tree.run("systemctl", "daemon-reload")
    assert (
        "likesd"
        not in tree.run("systemctl", "list-units", "--all", "--type=service,socket", "--plain", "--no-legend").output
    )
    assert not re.search(r"likesd", tree.run("ps", "-e", "-o", "args", ok=None).output)


def test_the_system_is_well_without_it(tree):
    assert tree.run("systemctl", "is-system-running", ok=None).output.strip() == "running"
