"""What HEALTH says is to be done next, and doing it as an operator would."""

import os
import re
import subprocess

from .daemon import binary
from .postgres import programs
from .processes import clean_environment

NEXT = re.compile(r"next: (.*?) \((PostgreSQL|Redis): ")
# On the machine of an operator likesctl is run as the daemon's user, PostgreSQL's programs as its administrator.
AS_USER = re.compile(r"^sudo -u \S+ ")
# Here all run as ourselves.
WITHOUT_SUDO = 'sudo() { shift 2; env "$@"; }; '
# What comes first where nobody restores anything, as in the tests, and does not have to be waited for.
IN_WORDS = re.compile(r"^a restore may be running: wait for it; otherwise (?:name only the schema [^;]*?, or )?")


def next_of(daemon):
    """What HEALTH says is to be done next."""
    found = NEXT.match(daemon.health().get("message", ""))
    return found and found.group(1)


def run_as_told(command):
    """All of it, where none of likesd's settings are in the environment: it has to name those that it needs."""
    path = os.pathsep.join([str(programs()), str(binary("likesctl").parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", WITHOUT_SUDO + IN_WORDS.sub("", command)],
        env={**clean_environment(PGUSER="postgres"), "PATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, (command, done.stdout, done.stderr)
