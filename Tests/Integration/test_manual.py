"""The man pages and the commented configuration file say what the programs do."""

import re

import pytest
from support.daemon import DEFAULTS, run
from support.manual import PAGES, ROOT, command_options, commands, items, options, page, section
from support.wire import Map

CONF = ROOT / "packaging/likesd.conf"
FACTS = re.compile(r"Default: (?P<default>.*?)\. Range: (?P<range>.*?)\. Applied by: (?P<by>reload|restart)\.")


def effective(path):
    """The values in force with this file and no environment."""
    done = run("likesd", "--config", path, "--check-config")
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def defaults():
    return effective("/dev/null")


@pytest.fixture(scope="module")
def settings():
    """What likesd.conf(5) says of each setting: default, range, and what applies it."""
    described = {}
    for tag, body in items(section(page("likesd.conf.5"), "SETTINGS")).items():
        facts = FACTS.search(body)
        assert facts, f"no 'Default: … Range: … Applied by: …' below {tag}: {body}"
        described[tag.split("=")[0]] = facts.groupdict()
    return described


def allowed(name):
    """What the daemon says is allowed for a setting, in the words of its own refusal."""
    wrong = {
        "LIKESD_SOCKET": "/" * 108,
        "DATABASE_URL": "mysql://localhost/likes",
        "DATABASE_REPLICA_URLS": "mysql://localhost/likes",
        "ITEM_TYPES": ",".join(f"t{number}" for number in range(65)),
    }
    done = run("likesd", "--check-config", **{name: wrong.get(name, "x")})
    assert done.returncode == 78, done.stderr
    return done.stderr.split("is not allowed: ")[1]


# likesd.conf(5) and likesd.conf


def test_every_setting_is_described_with_its_default(settings, defaults):
    described = {name: facts["default"] for name, facts in settings.items()}
    assert described == {name: value or "empty" for name, value in defaults.items()}


def test_every_range_is_that_of_the_daemon(settings):
    for name, facts in settings.items():
        said, words = facts["range"], allowed(name)
        if found := re.search(r"from (\d+) to (\d+)|of (1) to (\d+ bytes)", words):
            none = "0, or " if "0, or a whole number" in words else ""
            assert said == none + " to ".join(part for part in found.groups() if part), name
        elif found := re.search(r"at most (\d+) types", words):
            assert said == f"1 to {found.group(1)} names"
        elif found := re.search(r"one of (.*)", words):
            assert said == found.group(1), name
        elif name == "REDIS_URL":
            assert all(scheme in words for scheme in re.split(", | or ", said)), words
        else:
            assert "libpq" in said, name
            assert "libpq" in words, name


def test_the_configuration_file_shows_every_setting_with_its_default(defaults, tmp_path):
    uncommented = re.sub(r"^#(?=[A-Z_]+=)", "", CONF.read_text(), flags=re.M)
    path = tmp_path / "likesd.conf"
    path.write_text(uncommented)
    assert effective(path) == defaults
    shown = re.findall(r"^([A-Z_]+)=", uncommented, re.M)
    assert shown == list(defaults)
    assert not re.search(r"^[A-Z_]+=", CONF.read_text(), re.M), "a setting is not commented out"


def test_the_configuration_file_and_the_page_agree(settings):
    blocks = re.findall(r"^# Range: (.*)\. Applied by: (reload|restart)\.\n#([A-Z_]+)=", CONF.read_text(), re.M)
    assert {name: (allowed, by) for allowed, by, name in blocks} == {
        name: (facts["range"], facts["by"]) for name, facts in settings.items()
    }


def test_docs_and_the_page_agree(settings):
    text = (ROOT / "docs/configuration.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    assert [row[0].strip("`") for row in rows] == list(effective("/dev/null"))
    for name, default, _, by, *_ in rows:
        facts = settings[name.strip("`")]
        assert (default.strip("`") or "empty") == facts["default"], name
        assert by == facts["by"], name


def another(facts):
    """An allowed number that is not the default."""
    lowest, highest = (int(number) for number in re.search(r"(\d+) to (\d+)$", facts["range"]).groups())
    return next(number for number in (lowest + 1, highest) if str(number) != facts["default"])


def test_a_reload_applies_what_is_described_so(settings, start_daemon, tmp_path, number):
    other = {
        "LIKESD_SOCKET": "/other.sock", "LIKESD_SOCKET_MODE": "0600", "DATABASE_URL": "postgresql:///other",
        "DATABASE_REPLICA_URLS": "postgresql:///another", "REDIS_URL": "redis://other", "ITEM_TYPES": "other",
        "LOG_LEVEL": "warning",
    }  # fmt: skip
    path = tmp_path / "likesd.conf"
    path.write_text("")
    daemon = start_daemon(arguments=["--config", path], **dict.fromkeys(DEFAULTS))
    path.write_text("".join(f"{name}={other.get(name) or another(facts)}\n" for name, facts in settings.items()))
    reply = daemon.call("RELOAD")
    names = {"reload": reply[1], "restart": reply[3]}
    # What the environment says goes over the file, and so is no change.
    overridden = {"LIKESD_SOCKET", "DATABASE_URL", "REDIS_URL"}
    for by, found in names.items():
        documented = {name for name, facts in settings.items() if facts["by"] == by}
        assert {name.decode() for name in found} == documented - overridden, by


# likesctl(1) and likesd(8)


@pytest.mark.parametrize("name", sorted(path.name for path in PAGES.iterdir()))
def test_a_page_names_the_version_it_is_of(name):
    version = run("likesd", "--version").stdout.splitlines()[0]
    assert page(name).rstrip().splitlines()[-1].startswith(version)


def test_every_command_is_described():
    text = page("likesctl.1")
    described = {word for tag in items(section(text, "COMMANDS")) for word in re.findall(r"\b[a-z]+\b", tag)}
    shown = {word for line in section(text, "SYNOPSIS").splitlines() for word in line.split("[")[0].split()}
    for command in commands():
        assert command in described
        assert command in shown


def test_every_option_of_a_command_is_described():
    text = page("likesctl.1")
    general = options(" ".join(items(section(text, "DESCRIPTION"))))
    own = {"verify": "VERIFYING", "bench": "MEASURING", "plan": "PLANNING", "migrate": "COMMANDS"}
    own |= dict.fromkeys(("likes", "likers", "import", "export", "forget", "remove"), "COMMANDS")
    assert options(run("likesctl", "--help").stdout) - {"--repair"} <= general
    for command in commands():
        described = set(general)
        if command in own:
            described |= options(" ".join(items(section(text, own[command]))))
        assert command_options(command) <= described, command


@pytest.mark.parametrize(("command", "title"), [("verify", "VERIFYING"), ("bench", "MEASURING"), ("plan", "PLANNING")])
def test_defaults_are_those_that_the_help_names(command, title):
    text = run("likesctl", command, "--help").stdout
    described = items(section(page("likesctl.1"), title))
    said = re.findall(r"^  (--[a-z-]+)(.*\n(?:   .*\n)*)", text, re.M)
    checked = 0
    for option, words in said:
        for value in re.findall(r"default (\S+)\)", re.sub(r"\s+", " ", words)):
            body = next(body for tag, body in described.items() if option in tag.split())
            assert re.search(rf"\bdefault {re.escape(value)}\)", body), option
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("name", ["likesctl.1", "likesd.8", "likes-http.8"])
def test_every_exit_status_is_described(name):
    program = name.split(".")[0]
    text = run(program, "--help").stdout
    if program == "likesctl":
        statuses = re.findall(r"^  (\d+) ", text.split("Exit status:")[1], re.M)
    else:
        statuses = re.findall(r"(\d+) ", next(line for line in text.splitlines() if line.startswith("Exit status:")))
    assert re.findall(r"^ +(\d+) ", section(page(name), "EXIT STATUS"), re.M) == statuses


@pytest.mark.parametrize("program", ["likesd", "likes-http"])
def test_every_option_of_the_daemons_is_described(program):
    described = options(" ".join(items(section(page(f"{program}.8"), "DESCRIPTION"))))
    assert described == options(run(program, "--help").stdout.replace("'likes-http --help'", ""))


def test_every_difference_that_verify_reports_is_described():
    source = (ROOT / "Sources/likesctl/Verify/Difference.swift").read_text()
    kinds = set(re.findall(r'"((?:counter|redis)-[a-z]+)"', source))
    assert kinds
    assert kinds <= set(re.findall(r"[a-z]+-[a-z]+", section(page("likesctl.1"), "VERIFYING")))


# likesd-protocol(7)


def test_every_command_of_the_socket_is_described(daemon):
    verbs = {name.decode().upper() for name in daemon.call("COMMAND", "LIST")}
    described = {word for tag in items(section(page("likesd-protocol.7"), "COMMANDS")) for word in tag.split()}
    assert "LIKE" in verbs
    assert verbs <= described


def test_arguments_are_those_that_the_daemon_documents(daemon):
    described = list(items(section(page("likesd-protocol.7"), "COMMANDS")))
    with daemon.connect(protocol=3) as client:
        documentation = client.call("COMMAND", "DOCS")
    assert isinstance(documentation, Map)
    for name, facts in documentation:
        tag = next(tag for tag in described if name.decode().upper() in tag.split())
        for argument in dict(facts).get(b"arguments", []):
            word = dict(argument)[b"name"].decode()
            if word in ("user", "item", "section", "text"):
                assert word in re.split(r"[\[\] ]+", tag), tag


def test_the_words_for_an_unknown_command_are_the_daemons(daemon):
    said = f"-{daemon.call('FOO')}"
    assert f"    {said}\n" in (ROOT / "docs/protocol.md").read_text()
    shown = re.search(r"^-ERR unknown command .*", (PAGES / "likesd-protocol.7").read_text(), re.M)
    assert shown, "likesd-protocol(7) has no example"
    assert said.startswith(shown.group().removesuffix("..."))


def test_every_error_code_is_described():
    codes = re.findall(r'case \w+ = "([A-Z]+)"', (ROOT / "Sources/LikesProtocol/ErrorReply.swift").read_text())
    assert "ERR" in codes
    assert list(items(section(page("likesd-protocol.7"), "ERROR REPLIES"))) == codes


def test_limits_are_those_of_the_docs():
    """In both directions: no row and no large number stands in one of the two alone."""
    text = (ROOT / "docs/protocol.md").read_text().split("## Limits")[1].split("\n## ")[0]
    source = (PAGES / "likesd-protocol.7").read_text().split("\n.Sh LIMITS\n")[1].split("\n.Sh ")[0]
    documented = re.findall(r"^\| [^|]+ \| `?([\d,]+|[A-Z_]{2,})\b", text, re.M)
    described = re.findall(r'^\.It "[^"]+" Ta "([\d,]+|[A-Z_]{2,})\b', source, re.M)
    assert len(documented) >= 16
    assert described == documented
    large = r"\b[\d,]*\d{3}\b"
    assert set(re.findall(large, source)) == set(re.findall(large, text))
