"""Settings and files that are not what they should be: nothing secret is shown, and nobody waits for ever."""

import os

import pytest
from support.daemon import run

SECRET = "hush-hush"
CONFIGURATION, FAILURE = 78, 1
SECONDS_MAX = 20


@pytest.mark.parametrize(
    "url",
    [
        f"host=/nowhere pasword={SECRET}",
        f"host=/nowhere PASSWORD={SECRET}",
        f"host=/nowhere password_={SECRET}",
        f"postgresql:///likes?host=/nowhere&Password={SECRET}",
        f"postgresql:///likes?host=/nowhere&pass%77ord2={SECRET}",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_REPLICA_URLS"])
def test_a_word_that_libpq_does_not_know_is_refused_and_its_value_not_shown(name, url):
    done = run("likesd", "--check-config", timeout=SECONDS_MAX, **{name: url})
    assert done.returncode == CONFIGURATION
    assert name in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        f"host=/nowhere password=my {SECRET} x",
        f"host=/nowhere password=my {SECRET}=x",
        f"host=/nowhere password=my {SECRET} = x",
        f'host=/nowhere password=my "{SECRET}" {SECRET}="x',
        f"postgresql://u:p {SECRET}@h/db?x=y",
        f"postgresql://u:p@h/db?password=my&{SECRET}=x",
        f"postgresql://u:p@h/db?password=my&{SECRET}",
        f"postgresql://u:p@h/db?password=my&x={SECRET}={SECRET}",
        f"postgresql://u:p@[{SECRET}/db",
    ],
)
@pytest.mark.parametrize("command", [["likesd", "--check-config"], ["likesctl", "migrate"]])
def test_a_part_of_a_password_that_libpq_takes_for_a_word_is_not_shown(url, command):
    done = run(*command, timeout=SECONDS_MAX, DATABASE_URL=url)
    assert done.returncode == CONFIGURATION, done.stderr
    assert "DATABASE_URL" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        f"host=/nowhere options='-c x.y={SECRET}'",
        f"postgresql:///likes?host=/nowhere&options=-c%20x.y%3D{SECRET}",
        f"host=/nowhere sslpassword={SECRET} password={SECRET}",
    ],
)
def test_what_may_hold_a_secret_is_not_shown(url):
    done = run("likesd", "--check-config", timeout=SECONDS_MAX, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "host=/nowhere" in done.stdout
    assert SECRET not in done.stdout + done.stderr


BLANKS = ["\u00a0", "\u2003", "\u0085", "\u200b"]


@pytest.mark.parametrize(
    "url",
    [f"host=/nowhere password=x{blank}{SECRET}" for blank in BLANKS]
    + [f"password=x{blank}host={SECRET} host=/nowhere" for blank in BLANKS],
)
def test_a_blank_that_libpq_takes_for_a_part_of_the_password_is_one(url):
    done = run("likesd", "--check-config", timeout=SECONDS_MAX, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "host=/nowhere" in done.stdout
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [f"host=/nowhere{blank}password={SECRET}" for blank in BLANKS]
    + [
        f"host=h sslmode=require\u00a0password={SECRET}",
        f"host=h port=5432,password={SECRET}",
        f"host=/nowhere dbname=postgresql://u:{SECRET}@h/x",
        f"host=/nowhere dbname='host=h password={SECRET}'",
        f"postgresql://u:p@h/db#password={SECRET}",
        f"postgresql://u:p@h/postgresql%3A%2F%2Fu%3A{SECRET}%40h%2Fx",
        f"postgresql://h?dbname=postgresql://u:{SECRET}%40h/x",
        f"postgresql://u%3A{SECRET}@h/db",
    ],
)
@pytest.mark.parametrize("command", [["likesd", "--check-config"], ["likesd"], ["likesctl", "migrate"]])
def test_a_name_that_looks_like_words_or_a_url_is_refused_and_not_shown(place, url, command):
    done = run(*command, timeout=SECONDS_MAX, DATABASE_URL=url, LIKESD_SOCKET=place / "likesd.sock")
    assert done.returncode == CONFIGURATION, done.stderr
    assert "DATABASE_URL" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [f"redis://h,password={SECRET}", f"redis://h\u00a0password={SECRET}", f"unix:///run/r.sock,password={SECRET}"],
)
def test_a_redis_that_looks_like_words_is_refused_and_not_shown(url):
    done = run("likesd", "--check-config", timeout=SECONDS_MAX, REDIS_URL=url)
    assert done.returncode == CONFIGURATION, done.stderr
    assert "REDIS_URL" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def make_fifo(path):
    os.mkfifo(path)


def link_to_zero(path):
    os.symlink("/dev/zero", path)


def make_folder(path):
    path.mkdir()


def link_to_nothing(path):
    os.symlink("/nowhere/at-all", path)


ODD_FILES = [make_fifo, link_to_zero, link_to_nothing, make_folder]


@pytest.mark.parametrize("make", ODD_FILES)
@pytest.mark.parametrize("command", [["likesd", "--check-config"], ["likesctl", "migrate"]])
def test_what_is_no_file_is_refused_at_once(place, make, command):
    odd = place / "likesd.conf"
    make(odd)
    done = run(*command, "--config", odd, timeout=SECONDS_MAX)
    assert done.returncode == CONFIGURATION, done.stderr
    assert str(odd) in done.stderr


@pytest.mark.parametrize("make", ODD_FILES)
@pytest.mark.parametrize("command", [["likesd", "--check-config"], ["likesctl", "migrate"]])
def test_a_credential_that_is_no_file_is_refused_at_once(place, make, command):
    make(place / "REDIS_URL")
    done = run(*command, "--config", "/dev/null", timeout=SECONDS_MAX, CREDENTIALS_DIRECTORY=place)
    assert done.returncode == CONFIGURATION, done.stderr
    assert "REDIS_URL" in done.stderr


@pytest.mark.parametrize("make", ODD_FILES)
def test_a_file_that_became_something_else_is_refused_by_reload(start_daemon, place, make):
    file = place / "likesd.conf"
    file.write_text("LOG_LEVEL=debug\n")
    daemon = start_daemon(arguments=["--config", file], LOG_LEVEL=None)
    file.unlink()
    make(file)
    reply = daemon.call("RELOAD")
    assert any(words in str(reply) for words in ("regular file", "directory", "symbolic link")), reply
    assert daemon.call("PING") == "PONG"


def test_a_link_in_the_place_of_the_lock_is_refused_at_once(place):
    target = place / "elsewhere"
    target.write_text("precious\n")
    (place / "likesd.sock.lock").symlink_to(target)
    done = run("likesd", timeout=SECONDS_MAX, LIKESD_SOCKET=place / "likesd.sock")
    assert done.returncode == FAILURE
    assert "symbolic link" in done.stderr
    assert target.read_text() == "precious\n"


def test_a_pipe_in_the_place_of_the_lock_is_refused_at_once(place):
    os.mkfifo(place / "likesd.sock.lock")
    done = run("likesd", timeout=SECONDS_MAX, LIKESD_SOCKET=place / "likesd.sock")
    assert done.returncode == FAILURE
    assert "lock" in done.stderr


def make_hard_link(path):
    victim = path.with_name("victim")
    victim.write_text("1")
    os.link(victim, path)
    return victim


def make_long(path):
    path.write_text("somebody's notes, by the name of the lock")
    return path


def make_another_users(path):
    path.write_text("1")
    os.chown(path, 65534, 65534)
    return path


FOREIGN_FILES = [(make_hard_link, "hard link"), (make_long, "process' number")]
if os.geteuid() == 0:  # nobody else may give a file away
    FOREIGN_FILES.append((make_another_users, "another user"))


@pytest.mark.parametrize(("make", "words"), FOREIGN_FILES)
def test_another_file_in_the_place_of_the_lock_is_refused_and_stays_as_it_was(place, make, words):
    victim = make(place / "likesd.sock.lock")
    before = victim.read_bytes()
    done = run("likesd", timeout=SECONDS_MAX, LIKESD_SOCKET=place / "likesd.sock")
    assert done.returncode == FAILURE
    assert words in done.stderr
    assert "remove it" in done.stderr
    assert victim.read_bytes() == before
    assert (place / "likesd.sock.lock").exists()


def test_a_lock_put_in_the_place_of_ones_own_is_left_there(start_daemon):
    daemon = start_daemon()
    lock = daemon.socket.with_name(daemon.socket.name + ".lock")
    lock.unlink()
    lock.write_text("1")
    daemon.stop()
    assert lock.read_text() == "1"


def test_a_socket_in_the_abstract_namespace_is_refused():
    done = run("likesd", "--check-config", timeout=SECONDS_MAX, LIKESD_SOCKET="@likesd")
    assert done.returncode == CONFIGURATION
    assert "LIKESD_SOCKET" in done.stderr
    assert "abstract" in done.stderr
