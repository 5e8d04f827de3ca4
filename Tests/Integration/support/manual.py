"""The man pages as a reader sees them, and what the programs say about themselves."""

import re
import subprocess
from pathlib import Path

from .daemon import run
from .processes import clean_environment

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "packaging/man"


def page(name):
    """A page as text, in lines so long that nothing is broken."""
    done = subprocess.run(
        ["mandoc", "-T", "utf8", "-O", "width=999", PAGES / name],
        env=clean_environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    # Bold and underlined characters come with a backspace, as for a typewriter.
    return re.sub(".\b", "", done.stdout)


def section(text, title):
    """What stands below a heading of a page, up to the next."""
    found = re.search(rf"^{re.escape(title)}\n(.*?)(?=^\S|\Z)", text, re.M | re.S)
    assert found, f"there is no section {title}"
    return found.group(1)


def items(text):
    """The tags of all lists in a page's section, with what is said about each, up to the next tag."""
    # A short tag stands in the line of what is said about it.
    below = r"^ {5}(\S.*)\n( {9,}\S.*\n(?:\n| {9,}.*\n)*)"
    beside = r"^ {5}(\S{1,4}) {2,5}(\S.*\n)"
    found = {}
    for match in re.finditer(f"{below}|{beside}", text, re.M):
        tag, body = (part for part in match.groups() if part is not None)
        found[tag] = re.sub(r"\s+", " ", body).strip()
    return found


def options(help_text):
    """The long options that a help text names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_text))


def commands():
    """likesctl's commands, from its help."""
    listed = re.findall(r"^  ([a-z]+)\b", run("likesctl", "--help").stdout.split("Exit status:")[0], re.M)
    assert "like" in listed
    return listed


def command_options(command):
    """The options that a command's usage shows."""
    usage = run("likesctl", command, "--help").stdout.split("\n\n")[0]
    assert usage.startswith("usage:")
    return options(usage)
