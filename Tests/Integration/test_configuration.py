"""Configuration: the file, the environment over it, and errors that say where."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from support.daemon import Daemon, binary, run
from support.processes import clean_environment, unprivileged_user
from support.waiting import eventually

CONFIGURATION_ERROR = 78
DEFAULTS = {
    "LIKESD_SOCKET": "/run/likesd/likesd.sock",
    "LIKESD_SOCKET_MODE": "0660",
    "DATABASE_URL": "postgresql:///likes",
    "DATABASE_REPLICA_URLS": "",
    "REDIS_URL": "redis://localhost:6379/0",
    "CACHE_TTL_SECONDS": "3600",
    "RECENT_LIKES_TTL": "86400",
    "RECENT_LIKES_MAX": "1000",
    "RATE_LIMIT_REQUESTS": "100",
    "RATE_LIMIT_WINDOW_SECONDS": "60",
    "ITEM_TYPES": "post,reel,comment",
    "LOCAL_CACHE_ENTRIES": "1000000",
    "LOCAL_CACHE_TTL_MS": "1000",
    "REQUEST_TIMEOUT_MS": "5000",
    "REDIS_TIMEOUT_MS": "100",
    "MAX_CONNECTIONS": "4096",
    "MAX_CONNECTIONS_PER_USER": "0",
    "CLIENT_MEMORY_MAX_BYTES": "0",
    "LOG_LEVEL": "info",
}


@pytest.fixture
def write(tmp_path):
    """Writes a configuration file and returns its path."""

    def write(text):
        path = tmp_path / "likesd.conf"
        path.write_text(text)
        return path

    return write


def check(*arguments, **environment):
    return run("likesd", "--check-config", *arguments, **environment)


def effective(*arguments, **environment):
    done = check(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_the_defaults_are_those_documented(write):
    assert effective("--config", write("")) == DEFAULTS


def test_a_file_may_have_comments_blank_lines_and_blanks(write):
    values = effective(
        "--config",
        write("# comment\n\n  RATE_LIMIT_REQUESTS = 7  \nITEM_TYPES=post,story\n   # more\nLOG_LEVEL=debug\n"),
    )
    assert values["RATE_LIMIT_REQUESTS"] == "7"
    assert values["ITEM_TYPES"] == "post,story"
    assert values["LOG_LEVEL"] == "debug"


def test_the_environment_comes_over_the_file(write):
    path = write("RATE_LIMIT_REQUESTS=7\nMAX_CONNECTIONS=9\n")
    values = effective("--config", path, RATE_LIMIT_REQUESTS=8)
    assert values["RATE_LIMIT_REQUESTS"] == "8"
    assert values["MAX_CONNECTIONS"] == "9"


def test_what_is_checked_can_be_read_again(write):
    first = check("--config", write("RATE_LIMIT_REQUESTS=7\nITEM_TYPES=post,story\n"))
    again = check("--config", write(first.stdout))
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RATE_LIMITS", "1"),
        ("RATE_LIMIT_REQUESTS", "abc"),
        ("RATE_LIMIT_REQUESTS", "-1"),
        ("RATE_LIMIT_REQUESTS", "1.5"),
        ("RATE_LIMIT_REQUESTS", "99999999999999999999"),
        ("CACHE_TTL_SECONDS", "0"),
        ("REQUEST_TIMEOUT_MS", "0"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_CONNECTIONS_PER_USER", "-1"),
        ("CLIENT_MEMORY_MAX_BYTES", "1000"),
        ("LIKESD_SOCKET_MODE", "0999"),
        ("LIKESD_SOCKET_MODE", "rw"),
        ("ITEM_TYPES", "Post"),
        ("ITEM_TYPES", "post,post"),
        ("ITEM_TYPES", "post,,reel"),
        ("ITEM_TYPES", "1st"),
        ("ITEM_TYPES", "a" * 33),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "rediss://localhost"),
        ("REDIS_URL", "redis://localhost:port/0"),
        ("REDIS_URL", "redis://localhost/x"),
        ("DATABASE_URL", "mysql://localhost/likes"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_is_an_error_with_file_and_line_or_variable(write, name, value):
    path = write(f"# first line\n{name}={value}\n")
    for done in (check("--config", path), run("likesd", "--config", path)):
        assert done.returncode == CONFIGURATION_ERROR
        assert f"{path}:2" in done.stderr
        assert name in done.stderr
    if name in DEFAULTS:
        for done in (check("--config", write(""), **{name: value}), run("likesd", **{name: value})):
            assert done.returncode == CONFIGURATION_ERROR
            assert name in done.stderr


def test_all_errors_of_a_file_are_reported_at_once(write):
    path = write("NONSENSE=1\nMAX_CONNECTIONS=many\nno equals sign\nLOG_LEVEL=info\n")
    done = check("--config", path)
    assert done.returncode == CONFIGURATION_ERROR
    for line in (1, 2, 3):
        assert f"{path}:{line}" in done.stderr


def test_a_line_of_the_file_is_checked_even_where_the_environment_overrides_it(write):
    done = check("--config", write("MAX_CONNECTIONS=many\n"), MAX_CONNECTIONS=5)
    assert done.returncode == CONFIGURATION_ERROR


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    done = check("--config", tmp_path / "missing.conf")
    assert done.returncode == CONFIGURATION_ERROR
    assert "missing.conf" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "visible"),
    [
        ("DATABASE_URL", "postgresql://app:s3cret@db:5432/likes", "app"),
        ("DATABASE_URL", "postgresql://db/likes?user=app&password=s3cret", "app"),
        ("DATABASE_URL", "host=db user=app password=s3cret", "app"),
        ("DATABASE_URL", "host=db user=app password = 's3cret'", "app"),
        ("REDIS_URL", "redis://:s3cret@cache:6379/0", "cache"),
        ("REDIS_URL", "redis://app:s3cret@cache/1", "app"),
        ("REDIS_URL", "unix://:s3cret@/run/redis.sock?db=0", "/run/redis.sock"),
    ],
)
def test_secrets_are_masked(write, name, value, visible):
    for done in (check("--config", write(f"{name}={value}\n")), check(**{name: value})):
        assert done.returncode == 0, done.stderr
        assert "s3cret" not in done.stdout + done.stderr
        assert visible in done.stdout


def test_secrets_are_not_in_the_error_about_them(write):
    for name, value in [("REDIS_URL", "redis://:s3cret@cache:port/0"), ("DATABASE_URL", "mysql://a:s3cret@db/likes")]:
        done = check("--config", write(f"{name}={value}\n"))
        assert done.returncode == CONFIGURATION_ERROR
        assert "s3cret" not in done.stdout + done.stderr


def test_a_relative_socket_is_shown_with_its_folder_unless_that_is_too_long(tmp_path):
    # tmp_path itself may be too long.
    short = Path(tempfile.mkdtemp(dir="/tmp"))

    def shown(folder):
        folder.mkdir(parents=True)
        done = subprocess.run(
            [binary("likesd"), "--check-config"], cwd=folder, env=clean_environment(LIKESD_SOCKET="./l.sock"),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)["LIKESD_SOCKET"]

    try:
        assert shown(short / "here") == str(short / "here/l.sock")
    finally:
        shutil.rmtree(short)
    assert shown(tmp_path / ("d" * 107)) == "./l.sock"


def test_checking_does_nothing_else(write, tmp_path):
    socket = tmp_path / "l.sock"
    done = check("--config", write(""), LIKESD_SOCKET=socket, DATABASE_URL="postgresql://nowhere.invalid/x")
    assert done.returncode == 0
    assert not socket.exists()


def test_the_references_database_url_works(start_daemon, postgres, user, item):
    url = postgres.url().replace("postgresql://", "postgresql+asyncpg://")
    assert start_daemon(DATABASE_URL=url).call("LIKE", user, item) == [1, 1]


def test_the_references_names_are_understood_and_slips_are_named(write, postgres, number):
    theirs = {"RECENT_LIKES_TTL_SECONDS": "7", "RECENT_LIKES_MAX_SIZE": "8", "DEBUG": "true"}
    text = "".join(f"{name}={value}\n" for name, value in theirs.items())
    for values in (effective("--config", write(text)), effective(**theirs)):
        assert (values["RECENT_LIKES_TTL"], values["RECENT_LIKES_MAX"], values["LOG_LEVEL"]) == ("7", "8", "debug")
    done = check("--config", write("RECENT_LIKES_TTL=7\nRECENT_LIKES_TTL_SECONDS=8"))
    assert done.returncode == CONFIGURATION_ERROR
    assert "likesd.conf:2: RECENT_LIKES_TTL_SECONDS: line 1 says otherwise" in done.stderr
    slip = "'DATABASE_URI' is no setting and is ignored: is DATABASE_URL meant?"
    done = check(DATABASE_URI="postgresql:///other", APP_NAME="likes")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [f"<4>environment: {slip}"]
    url = postgres.create_database(f"slip{number()}")
    done = run("likesctl", "migrate", DATABASE_URL=url, DATABASE_URI="postgresql:///other")
    assert (done.returncode, done.stderr) == (0, f"likesctl: environment: {slip}\n")


def test_a_daemon_takes_its_settings_from_a_file(postgres, redis_server, folder, number, write):
    place = folder / f"c{number()}"
    path = write(
        f"LIKESD_SOCKET={place}/from-file.sock\nDATABASE_URL={postgres.url()}\nREDIS_URL={redis_server.url}\n"
        "RATE_LIMIT_REQUESTS=1\nITEM_TYPES=post,story\n"
    )
    daemon = Daemon(
        place,
        None,
        None,
        arguments=["--config", path],
        LIKESD_SOCKET=None,
        DATABASE_URL=None,
        REDIS_URL=None,
        RATE_LIMIT_REQUESTS=None,
    )
    daemon.socket = place / "from-file.sock"
    daemon.start()
    try:
        user, item = number(), f"story:{number()}"
        assert daemon.call("LIKE", user, item) == [1, 1]
        assert daemon.call("LIKE", user, item).code == "RATELIMITED"
    finally:
        assert daemon.stop() == 0


def test_no_password_is_ever_logged(start_daemon, own_postgres, own_redis):
    daemon = start_daemon(
        own_postgres,
        own_redis,
        until="listening",
        database_url=f"postgresql://postgres:s3cret@/nowhere?host={own_postgres.folder}",
        REDIS_URL=f"unix://:s3cret@{own_redis.socket}",
    )
    eventually(lambda: daemon.health().get("message"), "a message")
    assert "s3cret" not in daemon.log()
    assert "s3cret" not in str(daemon.health())


@pytest.fixture
def credentials(tmp_path):
    """Writes credentials as the service manager hands them over; returns their folder."""
    folder = tmp_path / "credentials"
    folder.mkdir()

    def put(**values):
        for name, value in values.items():
            (folder / name).write_bytes(value.encode())
        return folder

    return put


def test_a_credential_comes_over_the_file_and_the_environment_over_it(write, credentials):
    path = write("DATABASE_URL=postgresql://file/likes\nREDIS_URL=redis://file\n")
    folder = credentials(
        DATABASE_URL="postgresql://app:s3cret@credential/likes\n", REDIS_URL="redis://:s3cret@credential"
    )
    done = check("--config", path, CREDENTIALS_DIRECTORY=folder, REDIS_URL="redis://environment")
    assert "DATABASE_URL=postgresql://app:***@credential/likes\n" in done.stdout
    assert "REDIS_URL=redis://environment:6379/0\n" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_only_settings_that_may_hold_a_secret_are_credentials(credentials):
    folder = credentials(LOG_LEVEL="loud", OTHER="nonsense", **{"tls.key": "s3cret"})
    assert effective(CREDENTIALS_DIRECTORY=folder)["LOG_LEVEL"] == "info"


@pytest.mark.parametrize("program", ["likesd", "likesctl"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "credential DATABASE_URL: it is empty"),
        ("mysql://app:s3cret@db/likes", "credential DATABASE_URL: this value is not allowed"),
        ("postgresql://app:s3cret@db/likes\nmore", "credential DATABASE_URL: it has to be one line"),
        ("postgresql://app:s3cret@db/" + "x" * 65_536, "credential DATABASE_URL: more than 65536 bytes"),
    ],
)
def test_a_bad_credential_is_an_error_that_names_it_and_not_the_secret(write, credentials, program, value, words):
    folder = credentials(DATABASE_URL=value)
    mode = "--check-config" if program == "likesd" else "migrate"
    # The environment overrides it; a credential must not turn out to be wrong on the day that goes away.
    for environment in ({}, {"DATABASE_URL": "postgresql:///likes"}):
        done = run(program, mode, "--config", write(""), CREDENTIALS_DIRECTORY=folder, **environment)
        assert done.returncode == CONFIGURATION_ERROR
        assert words in done.stderr
        assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("program", ["likesd", "likesctl"])
def test_a_folder_of_credentials_that_is_not_there_is_an_error(write, tmp_path, program):
    mode = "--check-config" if program == "likesd" else "migrate"
    done = run(program, mode, "--config", write(""), CREDENTIALS_DIRECTORY=tmp_path / "missing")
    assert done.returncode == CONFIGURATION_ERROR
    assert f"CREDENTIALS_DIRECTORY: {tmp_path}/missing: No such file or directory" in done.stderr


def test_a_file_that_cannot_be_read_is_told_by_the_reason(folder, tmp_path):
    missing = check("--config", tmp_path / "missing.conf")
    assert missing.returncode == CONFIGURATION_ERROR
    assert "No such file or directory: check the path given to --config" in missing.stderr
    # Root may read everything. Anybody else is kept out by the file's mode as well.
    user = unprivileged_user()
    become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    program, file = folder / "likesd", folder / "closed.conf"
    shutil.copy(binary("likesd"), program)
    file.touch()
    file.chmod(0)
    done = subprocess.run(
        [program, "--check-config", "--config", file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **become,
    )  # fmt: skip
    assert done.returncode == CONFIGURATION_ERROR
    name = (user or pwd.getpwuid(os.getuid())).pw_name
    assert f"Permission denied: let the user {name} read it" in done.stderr
    assert "check the path" not in done.stderr


def test_a_credential_that_cannot_be_read_is_an_error(write, credentials):
    folder = credentials()
    (folder / "REDIS_URL").mkdir()
    done = check("--config", write(""), CREDENTIALS_DIRECTORY=folder)
    assert done.returncode == CONFIGURATION_ERROR
    assert f"credential REDIS_URL: {folder}/REDIS_URL cannot be read: Is a directory" in done.stderr


def test_daemon_and_migrate_work_from_credentials_and_show_no_secret(
    own_postgres, own_redis, folder, number, credentials
):
    """Passwords that are needed: wherever they went, they would be found in what likesd shows."""
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN PASSWORD 's3cret'")
        sql.execute("CREATE DATABASE fresh OWNER app")
    own_postgres.let_in("local all app scram-sha-256")
    with own_redis.client() as client:
        client.config_set("requirepass", "s3cret")
    place = credentials(
        DATABASE_URL=f"postgresql://app:s3cret@/fresh?host={own_postgres.folder}\r\n",
        REDIS_URL=f"unix://:s3cret@{own_redis.socket}?db=0\n",
    )
    unset = {"DATABASE_URL": None, "REDIS_URL": None}
    daemon = Daemon(folder / f"d{number()}", None, None, CREDENTIALS_DIRECTORY=place, **unset).start("listening")

    def message(words):
        return eventually(lambda: words in (said := daemon.health().get("message", "")) and said, words)

    try:
        assert f"CREDENTIALS_DIRECTORY={place} likesctl migrate" in message("the database fresh has no likesd tables")
        done = run("likesctl", "migrate", "--config", "/dev/null", CREDENTIALS_DIRECTORY=place)
        assert done.returncode == 0, done.stderr
        daemon.wait_healthy()
        assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
        # A wrong password is what servers and libraries talk about.
        with own_postgres.connect() as sql:
            sql.execute("ALTER ROLE app PASSWORD 'other'")
            sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'likesd%'")
        message("correct the password in the credential DATABASE_URL")
        shown = [done.stdout, done.stderr, daemon.log(), Path(f"/proc/{daemon.server.pid}/cmdline").read_text()]
        shown += [Path(f"/proc/{daemon.server.pid}/environ").read_text()]
        for request in (("HEALTH",), ("INFO",), ("METRICS",), ("CONFIG", "GET", "*")):
            shown.append(daemon.call(*request))
        assert "s3cret" not in str(shown)
    finally:
        assert daemon.stop() == 0
