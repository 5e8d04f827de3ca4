"""A password given as a credential works, and stands nowhere else."""

import re
import subprocess

import pytest
from administering import as_postgres, example_drop_in, like_once, restart, wait_until_ok
from support.waiting import eventually

PASSWORD, WRONG_PASSWORD = "s3cret-f2a9c1", "s3cret-0b77de"
FOLDER = "/etc/likesd/credentials"


@pytest.fixture(scope="module")
def tree(boot_ready):
    with boot_ready() as container:
        # By standard input, so that the word is in no list of processes.
        container.put("/root/password.sql", f"ALTER ROLE likesd PASSWORD '{PASSWORD}'", 0o644)
        container.run("install", "-m", "644", "/root/password.sql", "/var/tmp/password.sql")
        as_postgres(container, "psql", "-q", "-f", "/var/tmp/password.sql")
        container.run("rm", "/root/password.sql", "/var/tmp/password.sql")
        container.run("install", "-d", "-m", "0700", FOLDER)
        put_credential(container, PASSWORD)
        example_drop_in(container, "credentials")
        restart(container)
        wait_until_ok(container)
        yield container


def put_credential(container, password):
    container.put(f"{FOLDER}/DATABASE_URL", f"postgresql://likesd:{password}@127.0.0.1/likes\n", 0o600)


def sayings(tree):
    """All that anybody gets to see, by where it is seen."""
    pid = tree.main_pid()
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, timeout=30, check=True)
    environment = (tree.root / f"proc/{pid}/environ").read_text(encoding="utf-8", errors="replace")
    credentials = {"CREDENTIALS_DIRECTORY": FOLDER}
    return {
        "journal": tree.run("journalctl", "-q", "--no-pager", "-o", "export").output,
        "ps": processes.stdout,
        "command line": tree.read(f"/proc/{pid}/cmdline"),
        "environment": environment,
        "INFO": tree.ctl("info").output,
        "METRICS": tree.ctl("metrics").output,
        "HEALTH": str(tree.health()),
        "status": tree.run("systemctl", "status", "--no-pager", "-l", "likesd", ok=None).output,
        "properties": tree.run("systemctl", "show", "likesd").output,
        "check-config": tree.run(
            "likesd", "--config", "/etc/likesd/likesd.conf", "--check-config", **credentials
        ).output,
        "migrate": str(tree.run("likesctl", "migrate", ok=None, **credentials)),
        "verify": str(tree.run("likesctl", "verify", ok=None, **credentials)),
    }


def test_the_credential_is_what_it_connects_with(tree):
    like_once(tree, 1, "post:201")
    rows = tree.sql("SELECT DISTINCT client_addr FROM pg_stat_activity WHERE usename = 'likesd'")
    assert rows == [["127.0.0.1"]]


def test_the_password_stands_nowhere(tree):
    said = sayings(tree)
    assert [where for where, text in said.items() if PASSWORD in text] == []
    # It was looked for where something is said at all.
    assert [where for where, text in said.items() if not text] == []
    assert re.search(r"DATABASE_URL.*\*{2,}", said["check-config"]), said["check-config"]


def test_the_companion_command_takes_the_credential_too(tree):
    assert tree.run("likesctl", "migrate", CREDENTIALS_DIRECTORY=FOLDER).status == 0
    assert tree.run("likesctl", "verify", CREDENTIALS_DIRECTORY=FOLDER).status == 0


def test_only_root_and_the_daemon_read_it(tree):
    assert tree.run("stat", "-c", "%a %U", f"{FOLDER}/DATABASE_URL").output.strip() == "600 root"
    denied = tree.run("runuser", "-u", "nobody", "--", "cat", f"{FOLDER}/DATABASE_URL", ok=None)
    assert denied.status != 0


def test_a_wrong_password_stands_nowhere_either(tree):
    put_credential(tree, WRONG_PASSWORD)
    restart(tree)
    eventually(lambda: "password" in tree.health().get("message", ""), "the refusal")
    said = sayings(tree)
    assert [where for where, text in said.items() if WRONG_PASSWORD in text or PASSWORD in text] == []
    put_credential(tree, PASSWORD)
    restart(tree)
    wait_until_ok(tree)


def test_a_credential_that_is_wrong_in_itself_does_not_tell_it(tree):
    tree.put(f"{FOLDER}/DATABASE_URL", f"postgresql://likesd:{WRONG_PASSWORD}@[127.0.0.1/likes\n", 0o600)
    cursor = tree.cursor()
    tree.run("systemctl", "restart", "likesd", ok=None)
    eventually(lambda: "credential DATABASE_URL" in tree.journal("-u", "likesd", after=cursor), "the error to be told")
    assert WRONG_PASSWORD not in tree.run("journalctl", "-q", "--no-pager", "-o", "export").output
    put_credential(tree, PASSWORD)
    restart(tree)
    wait_until_ok(tree)
