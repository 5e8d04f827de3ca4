"""Backup, restore and move are done as docs/operations.md says: its commands run here as they stand there."""

import pytest
from support.daemon import run
from support.database import drift
from support.handbook import Operator, blocks
from support.postgres import Postgres
from support.waiting import eventually

# Nothing but what this is about brings a count up to date.
FOR_EVER = {"LOCAL_CACHE_TTL_MS": 600_000, "CACHE_TTL_SECONDS": 3_600}


@pytest.fixture
def operator(place, own_redis):
    return Operator(place, own_redis)


@pytest.fixture
def new_postgres(folder, number):
    """Another server, without any database of likesd's."""
    server = Postgres.create(folder / f"new{number()}").start()
    yield server
    server.stop()


@pytest.fixture
def role(own_postgres):
    """The daemon's role, which the commands make the owner of what they create."""
    with own_postgres.connect() as sql:
        sql.execute("CREATE ROLE likesd LOGIN")


def like(host, number, item, count):
    for _ in range(count):
        reply = host.call("LIKE", number(), item)
        assert reply[0] == 1
    return reply[1]


def eventually_told(hosts, items, counts):
    for host in hosts:
        eventually(lambda host=host: host.call("MCOUNT", *items) == counts, f"all hosts to tell {counts}", 30)
        host.wait_healthy()


@pytest.mark.parametrize("partitions", [0, 3])
def test_a_dump_is_restored_while_hosts_run(start_daemon, own_postgres, own_redis, operator, number, role, partitions):
    items = [f"post:{number()}", f"post:{number()}"]
    if partitions:
        with own_postgres.connect() as sql:
            sql.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        url = own_postgres.url()
        assert run("likesctl", "migrate", "--partitions", partitions, DATABASE_URL=url).returncode == 0
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    assert like(hosts[0], number, items[0], 2) == 2
    dump, _ = blocks("Back up")
    into_place, into_empty, verify = blocks("Restore a dump")
    operator.follow(dump, own_postgres)
    # pg_restore --clean can't drop the keys of partitions.
    for restore in (into_empty,) if partitions else (into_place, into_empty):
        assert like(hosts[0], number, items[0], 3) == 5
        assert like(hosts[1], number, items[1], 1) == 1
        eventually_told(hosts, items, [5, 1])
        operator.follow(restore, own_postgres, hosts[0])
        eventually_told(hosts, items, [2, 0])
        operator.follow(verify, own_postgres, hosts[0])
    with own_postgres.connect() as sql:
        assert drift(sql) == []
    assert like(hosts[1], number, items[1], 1) == 1


def beats(postgres):
    """The last sign of life of each host."""
    with postgres.connect() as sql:
        return dict(sql.execute("SELECT lane, beat FROM likesd_hosts").fetchall())


@pytest.mark.parametrize("others", ["running", "stopped"])
def test_a_data_directory_is_put_back(start_daemon, own_postgres, own_redis, operator, number, others):
    items = [f"post:{number()}", f"post:{number()}"]
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    assert like(hosts[0], number, items[0], 2) == 2
    _, copy = blocks("Back up")
    put_back, verify, forget = blocks("Put a data directory back")
    operator.follow(copy, own_postgres)
    copied = beats(own_postgres)
    assert like(hosts[0], number, items[0], 3) == 5
    assert like(hosts[1], number, items[1], 1) == 1
    eventually_told(hosts, items, [5, 1])
    eventually(
        lambda: all(beat > copied[lane] for lane, beat in beats(own_postgres).items()),
        "the data directory to lack a sign of life of each host",
    )
    if others == "stopped":
        for host in hosts:
            host.stop()
    done = []
    operator.follow(
        put_back,
        own_postgres,
        sudo_systemctl_stop_postgresql=lambda: done.append(own_postgres.stop()),
        sudo_systemctl_start_postgresql=lambda: done.append(own_postgres.start()),
    )
    assert len(done) == 2
    if others == "stopped":
        operator.follow(forget, own_postgres)
        hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    eventually_told(hosts, items, [2, 0])
    operator.follow(verify, own_postgres, hosts[0])
    assert like(hosts[1], number, items[1], 1) == 1


def test_likes_move_to_another_postgresql(start_daemon, own_postgres, new_postgres, own_redis, operator, number):
    item = f"post:{number()}"
    with own_postgres.connect() as sql:
        # Its numbers of transactions are ahead of the new server's, as they are of any that is new.
        for _ in range(1_500):
            sql.execute("SELECT pg_current_xact_id()")
    hosts = [start_daemon(own_postgres, own_redis, **FOR_EVER) for _ in range(2)]
    assert like(hosts[0], number, item, 3) == 3
    eventually_told(hosts, [item], [3])
    leave, arrive, change = blocks("Move to another PostgreSQL")
    operator.follow(leave[:1], own_postgres)
    for host in hosts:
        eventually(lambda host=host: host.run_ctl("health").returncode == 3, "each host to say that it takes no likes")
        assert host.call("LIKE", number(), item).code == "UNAVAILABLE"
        assert host.call("COUNT", item) == 3
    operator.follow(leave[1:], own_postgres)
    operator.follow(arrive, new_postgres)

    def edit():
        hosts[position].settings["DATABASE_URL"] = new_postgres.url()

    def restart():
        hosts[position].stop()
        hosts[position].start()

    for position in range(2):
        operator.follow(change, new_postgres, hosts[position], sudoedit=edit, sudo_systemctl_restart_likesd=restart)
        assert like(hosts[position], number, item, 1) == 4 + position
    own_postgres.stop()
    eventually_told(hosts, [item], [5])
    with new_postgres.connect() as sql:
        assert drift(sql) == []
    with own_redis.client() as cache:
        marker, before = cache.get("likesd:generation"), beats(new_postgres)
        eventually(
            lambda: all(beat > before[lane] + 1 for lane, beat in beats(new_postgres).items()),
            "all hosts to look around twice",
            30,
        )
        assert cache.get("likesd:generation") == marker
