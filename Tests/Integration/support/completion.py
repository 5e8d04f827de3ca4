"""The shells' completion of likesd and likesctl, driven as the shells do it."""

import contextlib
import os
import pty
import re
import signal
import subprocess
from pathlib import Path

from .processes import clean_environment
from .waiting import eventually

FOLDER = Path(__file__).parents[3] / "packaging/completions"
WORD_BREAKS = "=:"


def readline_words(line):
    """The words of a line as readline hands them to a completion; the last one is where the cursor stands."""
    words = []
    for word in re.split(r"\s+", line.lstrip()):
        words += [part for part in re.split(f"([{WORD_BREAKS}])", word) if part] or [""]
    return words


def in_bash(line, **environment):
    """What bash offers for the last word of `line`."""
    program = line.split()[0]
    script = (
        'source "$1"; line=$2; shift 2; COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); '
        'spec=$(complete -p "${COMP_WORDS[0]}"); [[ $spec =~ -F\\ ([^ ]+) ]]; "${BASH_REMATCH[1]}"; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", FOLDER / f"{program}.bash", line, *readline_words(line)],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [offer for offer in done.stdout.split("\n") if offer]


@contextlib.contextmanager
def terminal(*command, **environment):
    """An interactive program at a terminal of its own: its process id, and the terminal's other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, clean_environment(TERM="dumb", **environment))
    try:
        os.set_blocking(terminal, False)
        yield terminal
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def screen_shows(terminal, wanted, seen):
    """Reads what the terminal has; whether `wanted` has been shown by now."""
    with contextlib.suppress(BlockingIOError):
        while True:
            seen += os.read(terminal, 65536)
    return wanted in seen


class Zsh:
    """A zsh that writes down what its completion offers instead of showing it."""

    SETUP = """
        PS1= PROMPT_EOL_MARK= fpath=($FOLDER $fpath)
        unsetopt zle_bracketed_paste
        autoload -Uz compinit && compinit -u -D
        compadd() {
            local -a hits
            if [[ " ${(j: :)@[1,(i)(-|--)]}" != *\\ -[AOD]* ]]; then
                builtin compadd -O hits "$@"
                print -rl -- $hits >>$OFFERS
            fi
            builtin compadd "$@"
        }
        capture() { _main_complete; compstate[insert]= compstate[list]=; print END >>$OFFERS }
        zle -C capture complete-word capture
        bindkey '^I' capture
        print READY >>$OFFERS
    """

    def __init__(self, folder, **environment):
        self.folder = Path(folder)
        self.offers = self.folder / "offers"
        self.environment = {
            "OFFERS": self.offers, "FOLDER": FOLDER, "HOME": folder, "ZDOTDIR": folder, **environment,
        }  # fmt: skip

    def __enter__(self):
        self.offers.touch()
        (self.folder / ".zshrc").write_text(self.SETUP)
        self.stack = contextlib.ExitStack()
        self.terminal = self.stack.enter_context(terminal("zsh", "-i", **self.environment))
        self.seen = bytearray()
        eventually(lambda: self.has("READY"), "zsh to begin")
        return self

    def __exit__(self, *_):
        self.stack.close()

    def has(self, mark):
        # Somebody has to read the terminal, or zsh waits for it.
        screen_shows(self.terminal, b"", self.seen)
        return self.offers.read_text().endswith(f"{mark}\n")

    def complete(self, line):
        """What zsh offers for the last word of `line`."""
        self.offers.write_text("")
        os.write(self.terminal, b"\x15" + line.encode() + b"\t")
        eventually(lambda: self.has("END"), f"an end of {line!r}; the screen: {bytes(self.seen)!r}")
        return [offer for offer in self.offers.read_text().split("\n")[:-2] if offer]
