"""Documents whose commands are run as they stand there."""

import os
import re
import subprocess

from .daemon import binary
from .manual import ROOT
from .postgres import programs
from .processes import clean_environment, unprivileged_user

SUDO = """#!/bin/sh
# sudo [-u USER] COMMAND …, on a machine that has no other users than PostgreSQL's.
user=
if [ "$1" = -u ]; then user=$2; shift 2; fi
if [ "$user" = postgres ] && [ -n "$SERVER_UID" ]; then
    exec setpriv --reuid="$SERVER_UID" --regid="$SERVER_GID" --clear-groups "$@"
fi
exec "$@"
"""
CURL = """#!/bin/sh
PATH=${PATH#*:}
exec curl $HTTP_PLACES "$@"
"""
REDIS_CLI = """#!/bin/sh
PATH=${PATH#*:}
exec redis-cli -s "$REDIS_SOCKET" "$@"
"""


def section(title, document="operations.md"):
    """What stands below a heading of a document, up to the next one."""
    text = (ROOT / "docs" / document).read_text()
    return re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", text, re.M | re.S).group(1)


def blocks(title, document="operations.md"):
    """The commands below a heading of a document, a list for each block of them."""
    part = section(title, document)
    found = re.findall(r"(?:^ {4,}\S.*\n)+", part, re.M)
    return [[line.strip() for line in block.splitlines()] for block in found]


def parts(text):
    """The commands in a text, and what stands between ``` marks, in order: pairs of a kind and lines. The kind is
    `commands`, or the word behind the mark.
    """
    found = re.finditer(r"^```(\w+)\n(.*?)^```|(?:^ {4,}\S[^\n]*\n)+", text, re.M | re.S)
    return [
        (part.group(1) or "commands", [line.strip() for line in (part.group(2) or part.group()).splitlines()])
        for part in found
    ]


class Operator:
    """Types what stands in the document. What systemd or an editor would do are functions, by the whole line."""

    def __init__(self, folder, redis):
        self.folder = folder
        self.redis = redis
        self.done = {}
        shims = folder / "bin"
        shims.mkdir()
        for name, text in {"sudo": SUDO, "redis-cli": REDIS_CLI, "curl": CURL}.items():
            (shims / name).write_text(text)
            (shims / name).chmod(0o755)
        self.path = os.pathsep.join([str(shims), str(programs()), str(binary("likesctl").parent), os.environ["PATH"]])

    def follow(self, commands, postgres, daemon=None, database="likes", http=None, **functions):
        """`functions`: what to do in place of a line that begins so, with _ for each space; the first that fits. What
        it returns is printed. `http`: addresses of the document, and the port at which each really is.
        Returns what is printed, warnings too.
        """
        user = unprivileged_user()
        environment = clean_environment(
            PATH=self.path,
            PGHOST=postgres.folder,
            PGUSER="postgres",
            DATABASE_URL=postgres.url(database),
            REDIS_URL=self.redis.url,
            REDIS_SOCKET=self.redis.socket,
            LIKESD_SOCKET=daemon.socket if daemon else "/nowhere",
            HTTP_PLACES=" ".join(f"--connect-to {name}:127.0.0.1:{port}" for name, port in (http or {}).items()),
            SERVER_UID=user.pw_uid if user else "",
            SERVER_GID=user.pw_gid if user else "",
        )
        given, printed = [], ""
        for command in commands:
            function = next(
                (do for words, do in functions.items() if command.startswith(words.replace("_", " "))), None
            )
            if function:
                printed += function() or ""
            elif command.startswith("data="):
                given = [f"data={postgres.data}"]
            else:
                done = subprocess.run(
                    ["bash", "-c", "\n".join([*given, command])],
                    env=environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                    capture_output=True, text=True, timeout=60,
                )  # fmt: skip
                assert done.returncode == 0, (command, done.stdout, done.stderr)
                printed += done.stdout + done.stderr
        return printed
