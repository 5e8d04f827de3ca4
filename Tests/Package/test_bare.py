"""On a Debian without any database: the package installs, the service is up and says what to do, and that works."""

import re

import pytest
from administering import next_command, status_text
from conftest import PACKAGE_FOLDER
from support.waiting import eventually

UNITS = ("likesd.socket", "likesd.service")
STATUS_SECONDS_MAX = 30
STEPS_MAX = 8
# What an operator answers to apt's question.
ANSWERS = {"apt install": "apt install -y", "apt-get install": "apt-get install -y"}


@pytest.fixture(scope="module")
def bare(boot):
    with boot() as container:
        yield container


def test_it_installs_without_a_question(bare):
    done = bare.run("apt-get", "install", "-y", "--no-install-recommends", f"/{PACKAGE_FOLDER}/likesd.deb")
    said = done.output + done.errors
    assert not re.search(r"dpkg-reconfigure|\[Y/n\]|frontend|warning:|error", said, re.IGNORECASE), said


@pytest.mark.parametrize("unit", UNITS)
def test_its_unit_is_enabled_and_active(bare, unit):
    assert bare.run("systemctl", "is-enabled", unit).output.strip() == "enabled"
    assert bare.run("systemctl", "is-active", unit).output.strip() == "active"


def test_its_system_is_well(bare):
    assert bare.run("systemctl", "is-system-running", ok=None).output.strip() == "running"


def test_its_watchdog_and_its_state_are_known(bare):
    shown = bare.show("likesd", "StatusText", "NRestarts", "WatchdogUSec", "Type")
    assert shown["NRestarts"] == "0"
    assert shown["WatchdogUSec"] == "10s"
    assert shown["Type"] == "notify"
    eventually(lambda: status_text(bare), "a status line", STATUS_SECONDS_MAX)


def test_without_a_database_it_says_what_is_missing(bare):
    health = bare.health()
    assert health["status"] == "down"
    assert health["database"] == "unhealthy"
    assert next_command(health["message"]), health


def test_its_status_shows_the_next_command(bare):
    # 80 columns and no -l, as on a terminal.
    said = bare.run("systemctl", "status", "likesd", COLUMNS="80").output
    command = next_command(status_text(bare))
    assert command, said
    assert command in said, said


def final_status(container):
    """The status line once it says that all is well, or what to do."""
    text = status_text(container)
    assert text.startswith("ok") or next_command(text), text
    return text


def helped(container, command):
    return lambda: next_command(status_text(container)) != command


def test_its_commands_one_after_the_other_lead_to_ok(bare, figure):
    """Nothing but what the status line says is run. While it says what likesd is at, there is nothing to run."""
    done = []
    for _ in range(STEPS_MAX):
        before = eventually(lambda: final_status(bare), f"ok, or a next command, after {done}", STATUS_SECONDS_MAX)
        if before.startswith("ok"):
            break
        command = next_command(before)
        assert command not in done, f"{command!r} did not help: {before!r}"
        done.append(command)
        for asked, answered in ANSWERS.items():
            command = command.replace(asked, answered)
        bare.shell(command, seconds=240, DEBIAN_FRONTEND="noninteractive")
        has_helped = helped(bare, next_command(before))
        eventually(has_helped, f"'{command}' to help", STATUS_SECONDS_MAX)
    eventually(lambda: bare.health()["status"] == "ok", f"health after {done}", STATUS_SECONDS_MAX)
    figure("first run: " + " → ".join(done))


def test_then_it_takes_likes(bare):
    assert bare.ctl("like", "123", "post:456").output.strip() == "changed=1 count=1"
    assert bare.sql("SELECT count(*) FROM user_likes") == [["1"]]


def test_a_user_outside_the_group_is_told_what_to_do(bare):
    denied = bare.run("runuser", "-u", "nobody", "--", "likesctl", "health", ok=None)
    assert denied.status not in (0, None)
    assert "permission denied" in denied.errors.lower()
    assert "sudo usermod -aG likesd-clients nobody" in denied.errors, denied


def test_a_user_of_the_group_gets_in(bare):
    bare.run("useradd", "--groups", "likesd-clients", "application")
    assert bare.run("runuser", "-u", "application", "--", "likesctl", "count", "post:456").output.strip() == "1"


def test_it_started_once(bare):
    assert bare.show("likesd", "NRestarts")["NRestarts"] == "0"
