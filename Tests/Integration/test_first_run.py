"""What an operator is told whose servers are not there yet, or refuse: the next command, ready to be run."""

import re
import socket

import pytest
from redis import ResponseError
from support.advice import AS_USER, NEXT, next_of, run_as_told
from support.daemon import Daemon, run
from support.redis_server import RedisServer
from support.waiting import eventually

STEPS_MAX = 8


def follow(daemon, until="ok"):
    """Does what HEALTH says, command by command; returns them, without the users they are for."""
    done = []
    while len(done) < STEPS_MAX:

        def news():
            health = daemon.health()
            if health["status"] == until:
                return "well"
            found = NEXT.match(health.get("message", ""))
            # While PostgreSQL is being connected to, what Redis needs is all there is to say.
            if not found or health["database"] == "unhealthy" and found.group(2) == "Redis":
                return None
            return found.group(1) if found.group(1) not in done else None

        command = eventually(news, f"something new after {done}: {daemon.health()}")
        if command == "well":
            return [AS_USER.sub("", command) for command in done]
        run_as_told(command)
        done.append(command)
    raise AssertionError(f"not led anywhere: {done}")


def told(daemon, words):
    return eventually(lambda: words in (said := daemon.health().get("message", "")) and said, f"HEALTH to say {words}")


def test_a_first_run_is_led_from_nothing_to_the_first_like(start_daemon, own_postgres, folder, number):
    own_postgres.stop()
    redis = RedisServer(folder / f"redis{number()}")
    url = f"postgresql://new-comer@/fresh%20start?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, redis, until="listening", database_url=url)
    assert told(daemon, "then: start Redis").startswith(
        f"next: pg_isready -h {own_postgres.folder} -p 5432 has to find it: start PostgreSQL there, or correct "
        "DATABASE_URL in the environment (PostgreSQL: "
    )
    own_postgres.start()
    told(daemon, "createuser")
    assert follow(daemon, until="degraded") == [
        f"createuser -h {own_postgres.folder} new-comer",
        f"createdb -h {own_postgres.folder} -O new-comer 'fresh start'",
        f"DATABASE_URL='{url}' likesctl migrate",
    ]
    assert next_of(daemon) == f"start Redis with 'unixsocket {redis.socket}', or correct REDIS_URL in the environment"
    redis.start()
    try:
        daemon.wait_healthy()
        assert "message" not in daemon.health()
        assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]
    finally:
        redis.stop()
    # The log says it as well.
    assert f"next: createdb -h {own_postgres.folder}" in AS_USER.sub("", daemon.log().replace("sudo -u postgres ", ""))


def test_a_role_without_rights_is_led_to_each_of_them(start_daemon, own_postgres, number):
    with own_postgres.connect() as sql:
        sql.execute('CREATE ROLE "no body" NOLOGIN')
        sql.execute("REVOKE CONNECT ON DATABASE likes FROM PUBLIC")
    own_postgres.let_in('local all "no body" trust')
    url = f"postgresql://no%20body@/likes?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, until="listening", database_url=url)
    assert follow(daemon) == [
        f"""psql -h {own_postgres.folder} -c 'ALTER ROLE "no body" LOGIN'""",
        f"""psql -h {own_postgres.folder} -c 'GRANT CONNECT ON DATABASE "likes" TO "no body"'""",
        f"""psql -h {own_postgres.folder} -d likes -c 'GRANT USAGE ON SCHEMA public TO "no body"; """
        """GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "no body"'""",
    ]
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]


def test_a_right_on_the_lanes_alone_that_is_missing_is_said(start_daemon, own_postgres):
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        sql.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app")
        sql.execute("REVOKE INSERT ON lanes FROM app")
    url = f"postgresql://app@/likes?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, until="listening", database_url=url)
    told(daemon, "the role app lacks the right to INSERT on public.lanes")
    assert follow(daemon) == [f"psql -h {own_postgres.folder} -d likes -c 'GRANT INSERT ON public.lanes TO app'"]


def test_a_schema_that_the_role_may_not_use_is_named_and_nobody_is_sent_to_migrate(start_daemon, own_postgres, number):
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        sql.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app")
        sql.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    url = f"postgresql://app@/likes?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, until="listening", database_url=url)
    told(daemon, "the role app may not use the schema public of the database likes")
    verify = run("likesctl", "verify", DATABASE_URL=url)
    assert verify.returncode == 77
    assert "the role app may not use the schema public" in verify.stderr
    assert follow(daemon) == [f"""psql -h {own_postgres.folder} -d likes -c 'GRANT USAGE ON SCHEMA public TO "app"'"""]
    assert "migrate" not in daemon.log()
    assert daemon.call("LIKE", number(), f"post:{number()}") == [1, 1]


@pytest.mark.parametrize(
    ("line", "password", "statement", "words"),
    [
        (
            "local all app scram-sha-256",
            ":s3cret",
            "ALTER ROLE app PASSWORD 'other'",
            "next: correct the password in DATABASE_URL in the environment, or the role if it does not exist, "
            "or set the password: "
            "sudo -u postgres psql -h FOLDER -c '\\password \"app\"' (PostgreSQL: ",
        ),
        (
            "local all app scram-sha-256",
            "",
            "ALTER ROLE app PASSWORD 'other'",
            "next: put the password of app into DATABASE_URL in the environment (PostgreSQL: ",
        ),
        (
            "local all app peer",
            ":s3cret",
            "SELECT",
            " in DATABASE_URL in the environment, or connect over TCP with a password (PostgreSQL: ",
        ),
        (
            "local all app reject",
            ":s3cret",
            "SELECT",
            'next: add the line \'local "likes" "app" scram-sha-256\' to PostgreSQL\'s pg_hba.conf, then: '
            "sudo -u postgres psql -h FOLDER -c 'SELECT pg_reload_conf()' (PostgreSQL: ",
        ),
        (
            "",
            ":s3cret",
            "SELECT",
            'next: add the line \'local "likes" "app" scram-sha-256\' to PostgreSQL\'s pg_hba.conf, then: ',
        ),
        (
            "local all app trust",
            "",
            "ALTER ROLE app CONNECTION LIMIT 0",
            "next: close connections to PostgreSQL, or raise its max_connections (PostgreSQL: ",
        ),
    ],
    ids=["wrong password", "no password", "peer", "rejected", "no line", "too many connections"],
)
def test_who_is_not_let_in_is_told_why(start_daemon, own_postgres, line, password, statement, words):
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE app LOGIN")
        sql.execute(statement)
    own_postgres.let_in(line)
    url = f"postgresql://app{password}@/likes?host={own_postgres.folder}"
    daemon = start_daemon(own_postgres, until="listening", database_url=url)
    words = words.replace("FOLDER", str(own_postgres.folder))
    message = told(daemon, words)
    assert "LOCATION" not in message
    assert words.removeprefix("next: ").split(" (PostgreSQL")[0] in daemon.log()
    assert "s3cret" not in daemon.log() + message
    # likesctl says the same: it has no codes, only the server's words.
    done = run("likesctl", "migrate", DATABASE_URL=url)
    assert words.removeprefix("next: ").split(" (PostgreSQL")[0] in done.stderr
    assert done.returncode == (69 if "max_connections" in words else 77)
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("password", "options", "words"),
    [
        ("wanted", "", "next: put the password into REDIS_URL in the environment"),
        ("wanted", ":s3cret@", "next: correct the password in REDIS_URL in the environment (Redis: "),
        (None, ":s3cret@", "next: take the password out of REDIS_URL in the environment (Redis: "),
    ],
    ids=["none given", "wrong", "none wanted"],
)
def test_what_redis_refuses_is_told(start_daemon, own_redis, password, options, words):
    if password:
        with own_redis.client() as client:
            client.config_set("requirepass", password)
    daemon = start_daemon(redis=own_redis, until="listening", REDIS_URL=f"unix://{options}{own_redis.socket}")
    assert "s3cret" not in told(daemon, words) + daemon.log()
    eventually(lambda: daemon.health()["status"] == "degraded", "PostgreSQL to be there")


def test_a_redis_that_does_not_know_auth_repeats_the_password_to_nobody(start_daemon, folder, number):
    redis = RedisServer(folder / f"redis{number()}", "--rename-command", "AUTH", "").start()
    try:
        url = f"unix://bob:s3cret-word@{redis.socket}"
        with redis.client() as client, pytest.raises(ResponseError, match="s3cret-word"):
            client.execute_command("AUTH", "bob", "s3cret-word")
        daemon = start_daemon(redis=redis, until="listening", REDIS_URL=url)
        assert "s3cret" not in told(daemon, "AUTH: ERR unknown command 'AUTH'") + daemon.log()
        eventually(lambda: daemon.health()["status"] == "degraded", "PostgreSQL to be there")
        done = daemon.run_ctl("verify", REDIS_URL=url)
        assert "AUTH: ERR unknown command" in done.stdout + done.stderr
        assert "s3cret" not in done.stdout + done.stderr
    finally:
        redis.stop()


def test_a_database_of_redis_that_is_not_there_is_told(start_daemon, own_redis):
    daemon = start_daemon(redis=own_redis, until="listening", REDIS_URL=f"unix://{own_redis.socket}?db=99")
    told(daemon, "next: name a lower database in REDIS_URL in the environment (Redis: ")


def test_a_host_whose_name_is_not_found_is_told(start_daemon):
    daemon = start_daemon(
        until="listening", database_url="postgresql://db.invalid/likes", REDIS_URL="redis://cache.invalid"
    )
    message = told(
        daemon, "then: getent hosts cache.invalid has to find it: otherwise correct REDIS_URL in the environment"
    )
    assert message.startswith("next: getent hosts db.invalid has to find it: otherwise correct DATABASE_URL")


def statuses(notify):
    """The status lines, as they come."""
    while True:
        for line in notify.recv(4096).decode().splitlines():
            if line.startswith("STATUS="):
                yield line.removeprefix("STATUS=")


def wait_for_status(notify, pattern):
    return next(line for line in statuses(notify) if re.fullmatch(pattern, line))


def test_systemd_is_told_the_next_command_and_then_the_rates(own_postgres, own_redis, folder, number):
    place = folder / f"s{number()}"
    place.mkdir()
    url = own_postgres.create_database("empty")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(place / "notify"))
        notify.settimeout(60)
        daemon = Daemon(place, url, own_redis.url, NOTIFY_SOCKET=place / "notify").start("listening")
        try:
            load = r"\d clients?, 0 likes/s, 0 counts/s"
            line = wait_for_status(
                notify, rf"down: next: .*likesctl migrate \(PostgreSQL: the database empty .*; {load}"
            )
            run_as_told(NEXT.search(line).group(1))
            healthy = "PostgreSQL and Redis healthy"
            wait_for_status(notify, f"ok: {load}; {healthy}")
            item = f"post:{number()}"
            with daemon.connect() as client:
                # Enough for a rate, whenever the lines come.
                for _ in range(200):
                    client.call("LIKE", number(), item)
                    client.call("COUNT", item)
                wait_for_status(notify, f"ok: 1 client, [1-9][0-9]* likes/s, [1-9][0-9]* counts/s; {healthy}")
                wait_for_status(notify, f"ok: 1 client, 0 likes/s, 0 counts/s; {healthy}")
        finally:
            assert daemon.stop() == 0
