"""Restarts, an upgrade, a crash, a hang and reloads, under a load of real likes; then the books are compared.

The tests of this file are one story, told in order: the load begins with the first and ends with the last.
"""

import re
import signal

import pytest
from administering import CONFIGURATION, set_settings, status_text
from books import compare
from conftest import PACKAGE_FOLDER
from load import Load
from support.waiting import eventually

# RestartSec=1 and the start itself, on a busy machine.
CRASH_SECONDS_MAX = 15
# WatchdogSec=10s, then TimeoutStopSec=20s if the signal can't be taken, then a start.
HANG_SECONDS_MAX = 60
RESTARTS_IN_A_ROW = 10
# Limits.crashesInARowMax: after so many it waits for half a minute.
CRASHES_IN_A_ROW = 5
RESTART_SLOWEST_MS_MAX = 5000
RESIDENT_BYTES_MAX = 200 << 20


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        yield container


@pytest.fixture(scope="module")
def beginning(tree):
    """The place in the journal where the boot is over: until then PostgreSQL and Redis are not there yet."""
    return tree.cursor()


@pytest.fixture(scope="module")
def load(tree, beginning, seed):
    load = Load(tree, seed)
    yield load
    load.kill()


@pytest.fixture
def watch(load, figure):
    """`with watch("restart") as seen:`, and a line of what was seen."""

    def during(name):
        return Watched(load, name, figure)

    return during


class Watched:
    def __init__(self, load, name, figure):
        self.name = name
        self.figure = figure
        self.context = load.during(name)

    def __enter__(self):
        self.seen = self.context.__enter__()
        return self.seen

    def __exit__(self, *problem):
        self.context.__exit__(*problem)
        if problem[0] is None:
            self.figure(f"{self.name}: {self.seen}")


def resident_bytes(tree):
    status = tree.read(f"/proc/{tree.main_pid()}/status")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def assert_nothing_noticed(seen):
    """Every request had a plain answer; no connection ended or was refused."""
    assert (seen.refused, seen.missing, seen.ended, seen.errors) == (0, 0, 0, {}), str(seen)
    assert seen.answered > 0


def assert_nobody_refused(seen):
    assert (seen.refused, seen.missing) == (0, 0), str(seen)


def test_a_quiet_stretch(watch):
    with watch("quiet") as seen:
        pass
    assert_nothing_noticed(seen)


def test_the_status_line_is_alive(tree, load):
    load.settle()
    eventually(lambda: re.search(r"[1-9][0-9,]* likes/s", status_text(tree)), "rates in the status line", 30)
    first = status_text(tree)
    eventually(lambda: status_text(tree) != first, f"another status line than '{first}'", 30)
    assert status_text(tree).startswith("ok")


@pytest.mark.parametrize("number", [1, 2])
def test_a_restart_is_noticed_by_nobody(tree, watch, number):
    before = tree.main_pid()
    with watch(f"restart {number}") as seen:
        tree.run("systemctl", "restart", "likesd")
    assert tree.main_pid() != before
    assert_nothing_noticed(seen)
    assert seen.slowest_ms < RESTART_SLOWEST_MS_MAX


def test_many_restarts_one_after_the_other_are_noticed_by_nobody(tree, watch):
    with watch(f"{RESTARTS_IN_A_ROW} restarts in a row") as seen:
        for _ in range(RESTARTS_IN_A_ROW):
            tree.run("systemctl", "restart", "likesd")
    assert_nothing_noticed(seen)
    assert seen.slowest_ms < RESTART_SLOWEST_MS_MAX


def test_no_client_stays_in_the_file_descriptor_store(tree):
    """But for the record of how this run goes, it is empty again."""

    def kept():
        return int(tree.show("likesd", "NFileDescriptorStore")["NFileDescriptorStore"])

    eventually(lambda: kept() == 1, "the store to hold the record alone", 30)


def test_an_upgrade_is_noticed_by_nobody(tree, watch):
    before, socket_before = tree.main_pid(), tree.show("likesd.socket", "ActiveEnterTimestampMonotonic")
    version = package_version(tree)
    with watch("upgrade") as seen:
        tree.run("apt-get", "install", "-y", f"/{PACKAGE_FOLDER}/higher.deb")
    assert package_version(tree) != version
    assert tree.main_pid() != before
    assert tree.show("likesd.socket", "ActiveEnterTimestampMonotonic") == socket_before
    assert_nothing_noticed(seen)
    assert seen.slowest_ms < RESTART_SLOWEST_MS_MAX


def package_version(tree):
    return tree.run("dpkg-query", "-W", "-f", "${Version}", "likesd").output


def test_a_reload_keeps_the_process_and_takes_new_values(tree, watch):
    before = tree.main_pid()
    set_settings(tree, LOCAL_CACHE_TTL_MS=1234)
    with watch("reload") as seen:
        done = tree.run("systemctl", "reload", "likesd")
    assert done.status == 0
    assert tree.main_pid() == before
    assert_nothing_noticed(seen)
    set_settings(tree, LOCAL_CACHE_TTL_MS=2345)
    done = tree.ctl("reload")
    assert "LOCAL_CACHE_TTL_MS" in done.output, done


def test_a_reload_names_what_needs_a_restart(tree):
    set_settings(tree, LOCAL_CACHE_ENTRIES=5000)
    done = tree.ctl("reload")
    assert re.search(r"restart.*LOCAL_CACHE_ENTRIES|LOCAL_CACHE_ENTRIES.*restart", done.output, re.DOTALL), done


def test_a_reload_of_a_wrong_file_changes_nothing_and_says_where(tree, watch):
    path = tree.root / CONFIGURATION.lstrip("/")
    good = path.read_text(encoding="utf-8")
    before, cursor = tree.main_pid(), tree.cursor()
    line = set_settings(tree, RATE_LIMIT_REQUESTS=1, LOCAL_CACHE_TTL_MS="soon")
    try:
        with watch("reload of a wrong file") as seen:
            failed = tree.run("systemctl", "reload", "likesd", ok=None)
            direct = tree.ctl("reload", ok=None)
        assert failed.status != 0
        assert direct.status == 78, direct
        where = f"{CONFIGURATION}:{line}: LOCAL_CACHE_TTL_MS"
        assert where in direct.errors, direct
        eventually(lambda: where in tree.journal("-u", "likesd", after=cursor), f"'{where}' in the journal", 15)
        assert tree.main_pid() == before
        assert_nothing_noticed(seen)
        # All or nothing: the good line above the wrong one is not in force either.
        for user_item in ("post:900001", "post:900002"):
            assert tree.ctl("like", "77", user_item).status == 0
    finally:
        path.write_text(good, encoding="utf-8")
    assert tree.run("systemctl", "reload", "likesd").status == 0
    assert tree.run("systemctl", "is-active", "likesd").output.strip() == "active"


def test_a_kill_refuses_nobody_and_is_over_soon(tree, watch):
    restarts = int(tree.show("likesd", "NRestarts")["NRestarts"])
    before = tree.main_pid()
    with watch("SIGKILL") as seen:
        tree.run("systemctl", "kill", "-s", "KILL", "likesd")
        eventually(lambda: tree.main_pid() not in (0, before), "another process", CRASH_SECONDS_MAX)
    assert_nobody_refused(seen)
    assert seen.ended > 0, "the load did not notice: was anything killed?"
    assert seen.slowest_ms < CRASH_SECONDS_MAX * 1000
    assert int(tree.show("likesd", "NRestarts")["NRestarts"]) == restarts + 1


def test_a_crash_loop_is_slowed_down_and_takes_no_socket_along(tree, watch):
    """systemd's default start limit would stop both units after five starts in ten seconds."""
    tree.run("systemctl", "restart", "likesd")
    cursor = tree.cursor()
    with watch(f"{CRASHES_IN_A_ROW} crashes in a row, ended by a restart") as seen:
        for _ in range(CRASHES_IN_A_ROW):
            eventually(lambda: is_active(tree, "likesd.service"), "the service", CRASH_SECONDS_MAX)
            tree.run("systemctl", "kill", "-s", "KILL", "likesd")
            eventually(lambda: not is_active(tree, "likesd.service"), "the end of it", CRASH_SECONDS_MAX)
        said = f"likesd crashed {CRASHES_IN_A_ROW} times in a row"
        eventually(lambda: said in status_text(tree), f"'{said}' in the status", CRASH_SECONDS_MAX)
        assert tree.show("likesd", "ActiveState")["ActiveState"] == "activating"
        assert is_active(tree, "likesd.socket")
        # Who comes is told at once.
        refused = tree.ctl("ping", ok=None)
        assert (refused.status != 0, said in refused.output + refused.errors) == (True, True), refused
        tree.run("systemctl", "restart", "likesd")
        assert is_active(tree, "likesd.service")
    assert_nobody_refused(seen)
    assert said in tree.journal("-u", "likesd", after=cursor)


def is_active(tree, unit):
    return tree.run("systemctl", "is-active", unit, ok=None).output.strip() == "active"


def test_a_hang_is_ended_by_the_watchdog_and_refuses_nobody(tree, watch):
    restarts = int(tree.show("likesd", "NRestarts")["NRestarts"])
    before, cursor = tree.main_pid(), tree.cursor()
    with watch("hang") as seen:
        tree.run("systemctl", "kill", "-s", "STOP", "--kill-who=main", "likesd")
        eventually(lambda: tree.main_pid() not in (0, before), "the watchdog", HANG_SECONDS_MAX)
    assert_nobody_refused(seen)
    assert seen.slowest_ms < HANG_SECONDS_MAX * 1000
    said = tree.journal("-u", "likesd", after=cursor)
    assert "Watchdog timeout" in said
    assert "likesd crashed with SIGABRT, sent by process 1, while reading" in said
    assert int(tree.show("likesd", "NRestarts")["NRestarts"]) == restarts + 1


def test_a_restart_after_all_that_is_noticed_by_nobody(tree, watch):
    with watch("restart 3") as seen:
        tree.run("systemctl", "restart", "likesd")
    assert_nothing_noticed(seen)


def test_a_restart_by_signal_is_noticed_by_nobody(tree, watch):
    """As `kill PID` does; Restart=always brings it back after RestartSec."""
    before = tree.main_pid()
    with watch("SIGTERM") as seen:
        tree.run("systemctl", "kill", "-s", signal.SIGTERM.name, "--kill-who=main", "likesd")
        eventually(lambda: tree.main_pid() not in (0, before), "another process", CRASH_SECONDS_MAX)
    assert_nothing_noticed(seen)


def test_nothing_is_lost_and_nothing_doubled(tree, load, figure):
    """What was acknowledged is what PostgreSQL has, every `changed` was exact, and counters are counts."""
    wanted, replies, problems = load.end()
    assert problems == []
    found = compare(tree, wanted, replies)
    figure(f"books: {found.summary}")
    assert found.differences == []
    assert tree.run("runuser", "-u", "likesd", "--", "likesctl", "verify").status == 0


def test_its_memory_stays_small(tree, figure):
    size = resident_bytes(tree)
    figure(f"resident memory in the end: {size / (1 << 20):.1f} MiB")
    assert size < RESIDENT_BYTES_MAX


# What has to be in the journal after all this, and nothing beside it.
EXPECTED = (
    r"Watchdog timeout",
    r"Killing process \d+ \(likesd\)",
    r"Main process exited, code=(killed|dumped), status=(9/KILL|6/ABRT)",
    r"Failed with result '(signal|watchdog|timeout|core-dump)'",
    r"LOCAL_CACHE_TTL_MS: 'soon'",
    r"^restart required for: LOCAL_CACHE_ENTRIES$",
    r"Reload failed|reload: Control process exited|Control process exited, code=exited, status=78",
    r"Reload operation timed out|Failed to reload",
    # What a crash leaves behind, and the process after it says.
    r"^likesd crashed with SIGABRT, sent by process 1, while reading ",
    r"^the previous process ended unexpectedly after \d+ s while reading .*, crash \d+ in a row$",
    rf"^likesd crashed {CRASHES_IN_A_ROW} times in a row: it serves again in \d+ s, or at once after",
    # Killed before it had said that it is ready.
    r"^Failed to start likesd\.service",
)


def test_the_journal_holds_nothing_unexpected(tree, beginning):
    said = tree.journal("-p", "warning", "-u", "likesd", "-u", "likesd.socket", after=beginning)
    entries = said.splitlines()
    unexpected = [entry for entry in entries if not any(re.search(pattern, entry) for pattern in EXPECTED)]
    assert not unexpected, "\n".join(unexpected)
    # Each of these was ours: one kill, those in a row, one hang.
    ends = [entry for entry in entries if "Main process exited" in entry]
    assert len(ends) == 1 + CRASHES_IN_A_ROW + 1, "\n".join(ends)
