"""Completion in bash and zsh: all commands and options, and nothing that likesctl would refuse."""

import os

import pytest
from support.completion import FOLDER, Zsh, in_bash, screen_shows, terminal
from support.daemon import run
from support.manual import command_options, commands, options
from support.waiting import eventually

TYPES = {"post", "reel", "comment"}


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    with Zsh(tmp_path_factory.mktemp("zsh"), ITEM_TYPES="post,reel,comment") as shell:
        yield shell


@pytest.fixture(params=["bash", "zsh"])
def complete(request):
    """A shell's completion: complete(line) gives its offers as a set."""
    if request.param == "bash":
        return lambda line: set(in_bash(line, ITEM_TYPES="post,reel,comment"))
    zsh = request.getfixturevalue("zsh")
    return lambda line: set(zsh.complete(line))


def without_marks(offers):
    """Offers without the '=' or ':' behind which more is typed."""
    return {offer.rstrip("=:") for offer in offers}


def test_all_commands_are_offered(complete):
    assert set(commands()) <= complete("likesctl ")
    assert complete("likesctl un") == {"unlike"}


def test_the_options_of_each_command_are_offered(complete):
    for command in commands():
        offered = without_marks(complete(f"likesctl {command} --"))
        assert command_options(command) | {"--help", "--version"} <= offered, command


def test_no_option_is_offered_that_the_command_refuses(complete):
    # `migrate --sql` prints nothing but statements; elsewhere a wrong option is said before anything is done.
    for command in commands():
        offered = without_marks(offer for offer in complete(f"likesctl {command} --") if offer.startswith("--"))
        for option in offered - command_options(command) - {"--help", "--version", "--sql"}:
            pytest.fail(f"{command} {option}")


def test_an_options_beginning_is_completed(complete):
    assert without_marks(complete("likesctl verify --rep")) == {"--repair"}
    assert without_marks(complete("likesctl bench --wa")) == {"--warmup"}


def test_closed_sets_are_offered(complete):
    assert complete("likesctl info me") == {"memory"}
    assert {"uniform", "zipf", "hot"} <= without_marks(complete("likesctl bench --keys "))
    assert without_marks(complete("likesctl verify --type ")) == TYPES
    verbs = {"like", "unlike", "count", "mcount", "liked", "mliked"}
    assert without_marks(complete("likesctl bench --mix ")) == verbs
    assert without_marks(complete("likesctl help ver")) == {"verify"}


def test_sections_of_info_are_those_of_the_daemon(complete, daemon):
    text = daemon.run_ctl("info").stdout
    sections = {line[2:].lower() for line in text.splitlines() if line.startswith("# ")}
    assert complete("likesctl info ") == sections


def test_item_types_are_offered_where_an_item_goes(complete):
    for line in ("like 1 ", "unlike 1 ", "count ", "count post:1 ", "liked 1 ", "liked 1 post:1 "):
        assert without_marks(complete(f"likesctl {line}")) == TYPES, line
    assert without_marks(complete("likesctl count re")) == {"reel"}
    for line in ("like ", "like 1 post:1 ", "liked ", "health ", "count post:", "count post:4"):
        # Where no word is wanted any more, zsh offers the options.
        assert {offer for offer in complete(f"likesctl {line}") if not offer.startswith("-")} == set(), line


def test_files_are_offered_for_the_options_that_name_one(complete, tmp_path):
    (tmp_path / "likesd.conf").touch()
    for line in ("likesctl migrate --config ", "likesctl verify --config=", "likesd --config ", "likesd --config="):
        offered = complete(f"{line}{tmp_path}/lik")
        assert {os.path.basename(offer) for offer in offered} == {"likesd.conf"}, line
    assert "likesd.conf" in {os.path.basename(o) for o in complete(f"likesctl --socket {tmp_path}/")}


def test_options_before_the_command_do_not_confuse_it(complete):
    assert complete("likesctl --socket x heal") == {"health"}
    assert complete("likesctl --json --socket=x info cl") == {"clients"}


def test_the_daemons_options_are_offered(complete):
    assert options(run("likesd", "--help").stdout) <= without_marks(complete("likesd --"))


# Words that bash parts at '=' and ':'


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("likesctl bench --mix=co", ["count="]),
        ("likesctl bench --mix=count=80,unl", ["80,unlike="]),
        ("likesctl bench --mix count=80,unl", ["80,unlike="]),
        ("likesctl bench --mix count,lik", ["count,like=", "count,liked="]),
        ("likesctl bench --mix count=80,cou", []),
        ("likesctl bench --keys zi", ["zipf", "zipf:"]),
        ("likesctl like 1 po", ["post:"]),
        ("likesctl count post:1 re", ["reel:"]),
        ("likesctl count -- po", ["post:"]),
        ("likesctl count -- --", []),
        ("likesctl verify --type=po", ["post"]),
        ("likesctl nonsense ", []),
        ("likesd --conf", ["--config"]),
    ],
)
def test_bash_is_offered_what_stands_behind_its_word_break(line, offered):
    assert in_bash(line, ITEM_TYPES="post,reel") == offered


def test_bash_completes_at_a_terminal(tmp_path):
    # Nothing of bash-completion is there.
    with terminal("bash", "--norc", "--noprofile", "-i", PS1="", HOME=tmp_path) as keyboard:
        seen = bytearray()
        os.write(keyboard, f"source {FOLDER}/likesctl.bash; echo re''ady\n".encode())
        eventually(lambda: screen_shows(keyboard, b"ready\r\n", seen), "bash to begin")
        os.write(keyboard, b"likesctl bench --mix=count=80,unl\t1 --wri\t")
        eventually(lambda: screen_shows(keyboard, b"--mix=count=80,unlike=1 --write ", seen), f"completion: {seen}")
