"""likesctl migrate: creates the tables once, whoever runs it how often, and says what is in its way."""

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from support.daemon import run

SCHEMA_VERSION = 4
AT_ONCE = 6


@pytest.fixture
def database(postgres, number):
    """The name of an empty database."""
    name = f"empty{number()}"
    postgres.create_database(name)
    return name


def test_it_creates_the_schema_and_the_second_time_nothing(postgres, database):
    first = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert (first.returncode, first.stdout) == (
        0,
        f"schema created at version {SCHEMA_VERSION} in database {database}\n",
    )
    second = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert (second.returncode, second.stdout) == (0, f"already at version {SCHEMA_VERSION} in database {database}\n")
    with postgres.connect(database) as connection:
        types = connection.execute("SELECT id, name FROM item_types ORDER BY id").fetchall()
        assert types == [(1, "post"), (2, "reel"), (3, "comment")]
        assert connection.execute("SELECT version FROM likesd_schema").fetchall() == [(SCHEMA_VERSION,)]


def test_many_at_once_create_it_once(postgres, database):
    url = postgres.url(database)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda _: run("likesctl", "migrate", "--json", DATABASE_URL=url), range(AT_ONCE)))
    assert [one.returncode for one in done] == [0] * AT_ONCE
    answers = [json.loads(one.stdout) for one in done]
    assert [answer["to"] for answer in answers] == [SCHEMA_VERSION] * AT_ONCE
    # Nobody finds what another has half done.
    assert sorted(answer["from"] for answer in answers) == [0] + [SCHEMA_VERSION] * (AT_ONCE - 1)


def test_an_older_schema_is_upgraded_and_keeps_its_likes(postgres, database):
    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    with postgres.connect(database) as connection:
        # As version 1 left it.
        connection.execute("DROP TABLE lanes, cache_repairs, likesd_hosts, likesd_secret")
        connection.execute("UPDATE likesd_schema SET version = 1")
        connection.execute("INSERT INTO user_likes (user_id, item_id, item_type) VALUES (1, 2, 3)")
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert (done.returncode, done.stdout) == (
        0,
        f"schema upgraded from version 1 to {SCHEMA_VERSION} in database {database}\n",
    )
    with postgres.connect(database) as connection:
        assert connection.execute("SELECT user_id, item_id, item_type FROM user_likes").fetchall() == [(1, 2, 3)]
        assert connection.execute("SELECT * FROM lanes").fetchall() == []
        assert connection.execute("SELECT * FROM cache_repairs").fetchall() == []


def test_further_item_types_are_numbered_on_once(postgres, database):
    def migrate(types):
        return run("likesctl", "migrate", "--json", DATABASE_URL=postgres.url(database), ITEM_TYPES=types)

    assert json.loads(migrate("photo,post").stdout)["item_types_added"] == ["photo"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(migrate, [f"post,story,t{n}" for n in range(AT_ONCE)]))
    assert [one.returncode for one in done] == [0] * AT_ONCE
    with postgres.connect(database) as connection:
        rows = connection.execute("SELECT id, name FROM item_types ORDER BY id").fetchall()
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    assert sorted(name for _, name in rows) == sorted(
        ["post", "reel", "comment", "photo", "story", *(f"t{n}" for n in range(AT_ONCE))]
    )


def test_a_newer_schema_is_left_alone(postgres, database):
    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    with postgres.connect(database) as connection:
        connection.execute("UPDATE likesd_schema SET version = 99")
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert done.returncode == 8
    assert "99" in done.stderr
    assert "upgrade likesd" in done.stderr


def test_tables_it_did_not_make_are_left_alone(postgres, database):
    with postgres.connect(database) as connection:
        connection.execute("CREATE TABLE counters (mine int)")
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert done.returncode == 1
    assert '"counters" already exists' in done.stderr
    with postgres.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("counters",)]


def test_a_user_without_rights_is_told_what_to_grant(postgres, database):
    with postgres.connect(database) as connection:
        connection.execute(f"CREATE ROLE {database} LOGIN")
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database).replace("postgres@", f"{database}@"))
    assert done.returncode == 77
    assert f'GRANT CREATE ON SCHEMA public TO "{database}"' in done.stderr


def test_a_right_that_is_missing_is_named_with_its_object(postgres, database):
    def migrate(types):
        url = postgres.url(database).replace("postgres@", f"{database}@")
        return run("likesctl", "migrate", DATABASE_URL=url, ITEM_TYPES=types)

    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    with postgres.connect(database) as connection:
        connection.execute(f"CREATE ROLE {database} LOGIN")
        done = migrate("post")
        for rights in ["SELECT ON likesd_schema", "SELECT, INSERT, UPDATE ON item_types"]:
            assert done.returncode == 77
            assert f'GRANT {rights} TO "{database}"' in done.stderr
            connection.execute(f"GRANT {rights} TO {database}")
            done = migrate("photo")
        assert done.returncode == 0
        connection.execute("UPDATE likesd_schema SET version = 3")
        done = migrate("photo")
        assert done.returncode == 77
        assert "run this as the owner of the tables, postgres" in done.stderr


def test_an_owner_is_told_of_the_right_that_it_lacks_and_others_to_be_the_owner(postgres, database):
    def migrate(role):
        done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database).replace("postgres@", f"{role}@"))
        return done.returncode, done.stderr.rstrip().rpartition("\nNext: ")[2]

    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    owner, other = f"{database}owner", f"{database}other"
    grant = "GRANT CREATE ON SCHEMA public TO "
    with postgres.connect(database) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN; CREATE ROLE {other} LOGIN")
        connection.execute("DROP TABLE lanes, cache_repairs, likesd_hosts, likesd_secret")
        connection.execute("UPDATE likesd_schema SET version = 1")
        for table in ["user_likes", "counters", "item_types", "likesd_schema"]:
            connection.execute(f"ALTER TABLE {table} OWNER TO {owner}")
        connection.execute(f"GRANT SELECT ON likesd_schema TO {other}")
        instead = f"run this as the owner of the tables, {owner}: a role that does not own them may not alter them"
        assert migrate(other) == (77, f"{instead}; that one first needs, from the owner of the schema: {grant}{owner}")
        assert migrate(owner) == (77, f'as the owner of the schema run: {grant}"{owner}"')
        connection.execute(f"{grant}{owner}")
        assert migrate(other) == (77, instead)
        assert migrate(owner)[0] == 0


def test_a_schema_that_the_role_may_not_use_is_named(postgres, database):
    url = postgres.url(database).replace("postgres@", f"{database}@")
    with postgres.connect(database) as connection:
        connection.execute(f"CREATE ROLE {database} LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        done = run("likesctl", "migrate", DATABASE_URL=url)
        assert done.returncode == 77
        assert f'or as its owner run: GRANT USAGE, CREATE ON SCHEMA public TO "{database}"' in done.stderr
        assert run("likesctl", "migrate", DATABASE_URL=postgres.url(database)).returncode == 0
        done = run("likesctl", "migrate", DATABASE_URL=url)
        assert done.returncode == 77
        assert f"the role {database} may not use the schema public of the database {database}" in done.stderr
        assert f'GRANT USAGE ON SCHEMA public TO "{database}"' in done.stderr


def test_a_table_that_is_missing_is_said_although_the_version_is_right(postgres, database):
    url = postgres.url(database)
    run("likesctl", "migrate", DATABASE_URL=url)
    with postgres.connect(database) as connection:
        connection.execute("DROP TABLE lanes")
        for _ in range(2):
            done = run("likesctl", "migrate", DATABASE_URL=url)
            assert done.returncode == 9
            assert f"already at version {SCHEMA_VERSION}" in done.stdout
            assert "lanes no-table: the table lanes is missing; next: " in done.stdout
        done = run("likesctl", "migrate", "--json", DATABASE_URL=url)
        assert (done.returncode, done.stderr) == (9, "")
        (misfit,) = json.loads(done.stdout)["misfits"]
        assert (misfit["table"], misfit["kind"]) == ("lanes", "no-table")
        connection.execute(misfit["sql"])
        assert run("likesctl", "migrate", DATABASE_URL=url).returncode == 0
        # The types may be there, under another name.
        connection.execute("ALTER TABLE item_types RENAME TO elsewhere")
        done = run("likesctl", "migrate", DATABASE_URL=url)
        assert done.returncode == 9
        assert "item_types no-table" in done.stdout
        assert "\nitem types not added: item_types cannot be read as it is; run this again once " in done.stdout
        # Nobody has verified yet.
        assert f" run this, then run DATABASE_URL={shlex.quote(url)} likesctl verify --repair: CREATE" in done.stdout
        answer = json.loads(run("likesctl", "migrate", "--json", DATABASE_URL=url).stdout)
        assert (answer["item_types_added"], answer["misfits"][0]["kind"]) == (None, "no-table")


def test_a_server_without_writes_is_told_apart(postgres, database):
    with postgres.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    assert done.returncode == 69
    assert "takes no writes" in done.stderr


def test_a_migrated_server_without_writes_is_no_error(postgres, database):
    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    with postgres.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert run("likesctl", "migrate", DATABASE_URL=postgres.url(database)).returncode == 0


def test_a_missing_database_is_named_with_the_command_that_creates_it(postgres):
    done = run("likesctl", "migrate", DATABASE_URL=postgres.url("nowhere"))
    assert done.returncode == 69
    assert f"\nNext: sudo -u postgres createdb -h {postgres.folder} -O postgres nowhere\n" in done.stderr


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("postgresql://u:hush@127.0.0.1:1/likes", 69),
        ("host=/nowhere password='hush' dbname=likes", 69),
        ("postgresql://u@/likes?host=/nowhere&password=hush", 69),
        ("postgresql://u:hush@h/likes?nothing=1", 78),
        ("postgresql://u:hush@h/likes?hush=1", 78),
        ("postgresql://u:hu/hush@h/likes", 78),
        ("mysql://u:hush@h/likes", 78),
    ],
)
def test_a_password_is_never_printed(url, status):
    done = run("likesctl", "migrate", DATABASE_URL=url)
    assert done.returncode == status
    assert "hush" not in done.stdout + done.stderr


def test_the_file_is_read_and_the_environment_wins(postgres, database, folder):
    file = folder / f"{database}.conf"
    file.write_text(f"# a test's\nDATABASE_URL='{postgres.url(database)}'\nITEM_TYPES=photo\n")
    done = run("likesctl", "migrate", "--config", file, "--json", ITEM_TYPES="video")
    assert json.loads(done.stdout) == {
        "database": database,
        "from": 0,
        "to": SCHEMA_VERSION,
        "item_types_added": ["video"],
        "side_by_side": False,
        "misfits": [],
        "warnings": [],
    }


def schema_of(postgres, database):
    """The tables and their rows as SQL, but for those that differ: when they were made, and the secret."""
    return postgres.dump(database, "--exclude-table-data=likesd_schema", "--exclude-table-data=likesd_secret")


def secret_of(postgres, database):
    with postgres.connect(database) as connection:
        (secret,) = connection.execute("SELECT secret FROM likesd_secret").fetchone()
    return secret


def execute_script(postgres, database, **settings):
    done = run("likesctl", "migrate", "--sql", "--config", "/dev/null", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    with postgres.connect(database) as connection:
        connection.execute(done.stdout)


def test_its_sql_makes_the_same_tables(postgres, database, number):
    run("likesctl", "migrate", DATABASE_URL=postgres.url(database), ITEM_TYPES="photo,post")
    other = f"empty{number()}"
    postgres.create_database(other)
    execute_script(postgres, other, ITEM_TYPES="photo,post")
    made = schema_of(postgres, other)
    assert "CREATE TABLE public.cache_repairs" in made
    # Each database has one of its own, and keeps it.
    secret = secret_of(postgres, other)
    assert secret != secret_of(postgres, database)
    execute_script(postgres, other, ITEM_TYPES="photo,post")
    assert secret_of(postgres, other) == secret
    assert "photo" in made
    assert made == schema_of(postgres, database)
    execute_script(postgres, other, ITEM_TYPES="photo,post")
    assert schema_of(postgres, other) == made
    done = run("likesctl", "migrate", "--json", DATABASE_URL=postgres.url(other), ITEM_TYPES="photo,post")
    assert json.loads(done.stdout)["from"] == SCHEMA_VERSION


def test_its_sql_upgrades_and_leaves_a_newer_schema_alone(postgres, database):
    run("likesctl", "migrate", DATABASE_URL=postgres.url(database))
    made = schema_of(postgres, database)
    with postgres.connect(database) as connection:
        connection.execute("DROP TABLE lanes, cache_repairs, likesd_hosts, likesd_secret")
        connection.execute("UPDATE likesd_schema SET version = 1")
    execute_script(postgres, database)
    assert schema_of(postgres, database) == made
    with postgres.connect(database) as connection:
        assert connection.execute("SELECT version FROM likesd_schema").fetchall() == [(SCHEMA_VERSION,)]
        connection.execute("UPDATE likesd_schema SET version = 99")
    execute_script(postgres, database)
    with postgres.connect(database) as connection:
        assert connection.execute("SELECT version FROM likesd_schema").fetchall() == [(99,)]


# Partitions


def partitions_of(postgres, database):
    """The bounds of the partitions of user_likes."""
    with postgres.connect(database) as connection:
        rows = connection.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class JOIN pg_inherits ON oid = inhrelid "
            "WHERE inhparent = 'user_likes'::regclass"
        ).fetchall()
    return {bound for (bound,) in rows}


def bounds(count):
    return {f"FOR VALUES WITH (modulus {count}, remainder {n})" for n in range(count)}


def test_partitions_are_made_in_an_empty_database_and_the_same_again_is_fine(postgres, database):
    url = postgres.url(database)
    first = run("likesctl", "migrate", "--partitions", 8, DATABASE_URL=url)
    assert (first.returncode, first.stdout) == (
        0,
        f"schema created at version {SCHEMA_VERSION} in database {database}\nuser_likes has 8 partitions\n",
    )
    assert partitions_of(postgres, database) == bounds(8)
    again = run("likesctl", "migrate", "--partitions=8", "--json", DATABASE_URL=url)
    assert json.loads(again.stdout)["partitions"] == 8
    assert run("likesctl", "migrate", DATABASE_URL=url).returncode == 0


@pytest.mark.parametrize("before", [(), ("--partitions", 4)])
def test_tables_in_another_layout_are_left_alone_and_what_to_do_is_said(postgres, database, before):
    url = postgres.url(database)
    assert run("likesctl", "migrate", *before, DATABASE_URL=url).returncode == 0
    made = schema_of(postgres, database)
    refused = run("likesctl", "migrate", "--partitions", 8, DATABASE_URL=url)
    assert refused.returncode == 1
    assert "user_likes already exists without 8 partitions" in refused.stderr
    assert "operations.md" in refused.stderr
    script = run("likesctl", "migrate", "--partitions", 8, "--sql", "--config", "/dev/null").stdout
    with postgres.connect(database) as connection, pytest.raises(psycopg.errors.RaiseException, match="8 partitions"):
        connection.execute(script)
    assert schema_of(postgres, database) == made


def test_an_older_schema_in_partitions_is_upgraded(postgres, database):
    url = postgres.url(database)
    run("likesctl", "migrate", "--partitions", 4, DATABASE_URL=url)
    with postgres.connect(database) as connection:
        connection.execute("DROP TABLE lanes, cache_repairs, likesd_hosts, likesd_secret")
        connection.execute("UPDATE likesd_schema SET version = 1")
    assert run("likesctl", "migrate", "--partitions", 8, DATABASE_URL=url).returncode == 1
    assert run("likesctl", "migrate", "--partitions", 4, DATABASE_URL=url).returncode == 0


def test_its_sql_makes_the_same_partitions(postgres, database, number):
    run("likesctl", "migrate", "--partitions", 3, DATABASE_URL=postgres.url(database))
    other = f"empty{number()}"
    postgres.create_database(other)
    script = run("likesctl", "migrate", "--partitions", 3, "--sql", "--config", "/dev/null")
    with postgres.connect(other) as connection:
        for _ in range(2):
            connection.execute(script.stdout)
    assert partitions_of(postgres, other) == bounds(3)
    assert schema_of(postgres, other) == schema_of(postgres, database)


@pytest.mark.parametrize("count", ["1", "257", "0", "-4", "4.0", "many", ""])
def test_numbers_of_partitions_out_of_bounds_are_refused(count):
    done = run("likesctl", "migrate", f"--partitions={count}", DATABASE_URL="host=/nowhere")
    assert done.returncode == 64
    assert "--partitions" in done.stderr


def commands_of_the_handbook(heading):
    """The lines of SQL below a heading of docs/operations.md."""
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    part = text.split(f"\n### {heading}\n")[1].split("\n#")[0]
    return "\n".join(line[4:] for line in part.splitlines() if line.startswith("    ") and "sudo " not in line)


def test_likes_are_moved_into_partitions_as_the_handbook_says(postgres, database):
    url = postgres.url(database)
    assert run("likesctl", "migrate", DATABASE_URL=url).returncode == 0
    with postgres.connect(database) as connection:
        connection.execute(
            "INSERT INTO user_likes SELECT u, i, '2026-01-02', 1 FROM generate_series(1, 50) u, generate_series(1, 9) i"
        )
        connection.execute(
            "INSERT INTO counters SELECT item_id, item_type, count(*) FROM user_likes GROUP BY item_id, item_type"
        )
        connection.execute(commands_of_the_handbook("Likes in partitions"))
        moved = connection.execute("SELECT count(*), max(created_at)::date::text FROM user_likes").fetchall()
    assert moved == [(450, "2026-01-02")]
    assert partitions_of(postgres, database) == bounds(16)
    assert run("likesctl", "migrate", "--partitions", 16, DATABASE_URL=url).returncode == 0
    # 10: there is no Redis here.
    verified = run("likesctl", "verify", "--quiet", DATABASE_URL=url, REDIS_URL="unix:///nowhere?db=0")
    assert (verified.returncode, verified.stdout) == (10, "")


def test_its_sql_needs_no_server_and_is_no_json():
    done = run("likesctl", "migrate", "--sql", "--config", "/dev/null", DATABASE_URL="host=/nowhere")
    assert done.returncode == 0
    assert run("likesctl", "migrate", "--sql", "--json").returncode == 64
    assert run("likesctl", "verify", "--sql").returncode == 64
    assert run("likesctl", "verify", "--partitions", 4).returncode == 64


def test_a_wrong_file_is_refused_with_every_line_that_is_wrong(folder):
    file = folder / "wrong.conf"
    file.write_text("LOG_LEVEL=info\nRATE_LIMIT_REQUESTS=abc\nFOO=1\n")
    done = run("likesctl", "migrate", "--config", file)
    assert done.returncode == 78
    assert f"{file}:2: RATE_LIMIT_REQUESTS: 'abc' is not allowed" in done.stderr
    assert f"{file}:3: unknown setting 'FOO'" in done.stderr
    assert run("likesctl", "migrate", "--config", folder / "none.conf").returncode == 78
