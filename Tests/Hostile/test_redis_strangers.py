"""A stranger in the same Redis: says things on likesd's channels, and writes to its keys, in the right form."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support.daemon import run
from support.database import counter
from support.redis_server import RedisServer
from support.seals import Sealer
from support.waiting import eventually

MARKER = "likesd:generation"
CHANNEL = "likesd:counters:0"
SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"
IMPOSSIBLE = 2**63 - 1
# What is cached is not read again in the time of a test.
FOR_LONG = {"LOCAL_CACHE_TTL_MS": 600_000}


def version_key(item):
    return f"{{counter:{item}}}:version"


def words(version):
    """Of what stands beside a counter: token, version and seal."""
    return re.split("[.:!]", version)[:3]


def least_rights():
    """The words behind the user's name and password, as docs/security.md has them."""
    command = re.search(r"ACL SETUSER likesd on >PASSWORD(.*?)\n\n", SECURITY.read_text(), re.DOTALL)
    return command.group(1).split()


class House:
    """A Redis with several users; likesd is the default one, with the least rights."""

    def __init__(self, server):
        self.server = server
        self.url = server.url
        default = server.client()
        default.execute_command("ACL", "SETUSER", "owner", "on", "nopass", "~*", "&*", "+@all")
        default.execute_command("ACL", "SETUSER", "tenant", "on", "nopass", "~tenant:*", "&*", "+@all")
        default.execute_command("ACL", "SETUSER", "default", "on", "nopass", *least_rights())

    def as_user(self, name):
        return self.server.client(username=name, password="any")


@pytest.fixture(scope="module")
def house(folder, number):
    server = RedisServer(folder / f"redis{number()}").start()
    yield House(server)
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def database(migrated_cluster, folder, number):
    server = migrated_cluster.copy(folder / f"pg{number()}").start()
    yield server
    server.stop()


@pytest.fixture
def stranger(house):
    """One who may do everything there."""
    with house.as_user("owner") as client:
        yield client


@pytest.fixture
def hosts(start_daemon, database, house):
    """Two that read Redis, and keep what they have read."""
    both = [start_daemon(database, house, **FOR_LONG) for _ in range(2)]
    for host in both:
        reads_redis(host)
    return both


@pytest.fixture
def sql(database):
    with database.connect() as connection:
        yield connection


def reads_redis(host):
    eventually(lambda: host.info()["redis_counters"] == "read", "Redis to be read", 30)


def token(client):
    return client.get(MARKER).split()[4]


def test_the_least_rights_are_enough(hosts, stranger, sql, number):
    item, user = f"post:{number()}", number()
    assert hosts[0].call("LIKE", user, item) == [1, 1]
    assert hosts[0].call("LIKE", user, item) == [0, 1]
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == 1, "the count")
        assert host.health() == {"status": "ok", "database": "healthy", "redis": "healthy"}
        assert "NOPERM" not in host.log()
        assert "refuses" not in host.log()
    assert stranger.get(f"counter:{item}") == "1"
    assert stranger.smembers(f"recent_likes:{user}") == {item}
    # What looks newer is told with its count.
    sealed = Sealer(sql).version(token(stranger), item, 7, 40)
    stranger.mset({f"counter:{item}": 7, version_key(item): sealed})
    assert hosts[0].call("UNLIKE", user, item) == [1, 0]
    assert [host.info()["forged_counters"] for host in hosts] == ["0", "0"]


def test_a_user_who_may_get_in_place_of_getrange_will_do(start_daemon, own_postgres, own_redis, number):
    words = ["+get" if word == "+getrange" else word for word in least_rights()]
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "default", "on", "nopass", *words)
    host = start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=0)
    reads_redis(host)
    item = f"post:{number()}"
    for user in (1, 2):
        assert host.call("LIKE", user, item) == [1, user]
    before = int(host.info()["redis_hits"])
    assert host.call("COUNT", item) == 2
    assert int(host.info()["redis_hits"]) == before + 1


@pytest.fixture
def tenant(house):
    """One who may use no key of likesd's, but every channel."""
    with house.as_user("tenant") as client:
        yield client


@pytest.mark.parametrize("seal", ["none", "made up", "another's", "its own"])
def test_a_forged_message_changes_no_count(hosts, tenant, sql, number, seal):
    item, other = f"post:{number()}", f"post:{number()}"
    with tenant.pubsub() as heard:
        heard.subscribe(CHANNEL)
        assert hosts[0].call("LIKE", 1, item) == [1, 1]
        assert hosts[0].call("LIKE", 1, other) == [1, 1]
        said = []

        def both():
            message = heard.get_message(ignore_subscribe_messages=True, timeout=1)
            if message:
                words = message["data"].split()
                said.append((words[0], dict(zip(words[1::3], words[3::3], strict=True))))
            return len([1 for _, entries in said if item in entries or other in entries]) == 2

        eventually(both, "what the host says")
    name = said[-1][0]
    seals = {key: value.partition(":")[2] for _, entries in said for key, value in entries.items()}
    for host in hosts:
        assert host.call("MCOUNT", item, other) == [1, 1]
    words = {"none": "", "made up": ":" + "A" * 17, "another's": ":" + seals[other], "its own": ":" + seals[item]}
    for version in (2, 1000, 2**53 - 1, IMPOSSIBLE):
        tenant.publish(CHANNEL, f"{name} {item} 666 {version}{words[seal]}")
        tenant.publish(CHANNEL, f"{name} {item} 666 {version}")
    # Behind it comes what a host says.
    assert hosts[1].call("LIKE", 2, other) == [1, 2]
    eventually(lambda: hosts[0].call("COUNT", other) == 2, "the message behind the forged ones")
    for host in hosts:
        assert host.call("COUNT", item) == 1
        if seal != "none":
            assert int(host.info()["forged_messages"]) >= 3
            assert "ignoring a message in Redis" in host.log()
    assert hosts[1].call("LIKE", 2, item) == [1, 2]
    eventually(lambda: hosts[0].call("COUNT", item) == 2, "a true message")
    assert counter(sql, item) == (2, 2)
    assert [host.info()["databases_gone_back"] for host in hosts] == ["0", "0"]


FORGERIES = {
    "without a seal": lambda token, seal, version: f"{token}.{version}",
    "with a seal made up": lambda token, seal, version: f"{token}.{version}:{'A' * 17}:------",
    "with the seal of another count": lambda token, seal, version: f"{token}.{version}:{seal}:------",
}


@pytest.mark.parametrize("version", [1, 2**53 - 1, IMPOSSIBLE])
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_counter_is_not_believed_and_gives_way(
    start_daemon, database, house, stranger, sql, number, forgery, version
):
    item = f"post:{number()}"
    hosts = [start_daemon(database, house, LOCAL_CACHE_TTL_MS=0) for _ in range(2)]
    for host in hosts:
        reads_redis(host)
    assert hosts[0].call("LIKE", 1, item) == [1, 1]
    name, _, seal = words(stranger.get(version_key(item)))
    forged = FORGERIES[forgery](name, seal, version)

    def forge():
        stranger.mset({f"counter:{item}": 666, version_key(item): forged})

    for host in hosts:
        forge()
        assert host.call("COUNT", item) == 1
    # The right one is filled in, or set once the forged one is gone.
    eventually(lambda: stranger.get(f"counter:{item}") == "1", "the counter to be set again")
    forge()
    assert hosts[0].call("LIKE", 2, item) == [1, 2]
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == 2, "the right count", 1)
    eventually(lambda: stranger.get(f"counter:{item}") == "2", "the counter to be set again")
    assert [host.info()["databases_gone_back"] for host in hosts] == ["0", "0"]
    assert counter(sql, item) == (2, 2)


def test_verify_finds_forged_counters_and_raises_no_version_to_theirs(
    start_daemon, database, house, stranger, sql, number
):
    item = f"post:{number()}"
    host = start_daemon(database, house)
    reads_redis(host)
    assert host.call("LIKE", 1, item) == [1, 1]
    stranger.mset({f"counter:{item}": 666, version_key(item): f"{token(stranger)}.{IMPOSSIBLE}:{'A' * 17}:------"})
    url = house.url.replace("unix://", "unix://owner:any@")
    for options in (["--verbose"], ["--repair"], []):
        done = run("likesctl", "verify", *options, DATABASE_URL=database.url(), REDIS_URL=url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (f"counter:{item} foreign" in done.stdout) == (options == ["--verbose"])
    assert counter(sql, item) == (1, 1)


@pytest.mark.parametrize(("age_seconds", "is_believed"), [(5, True), (27, False), (3600, False), (-60, False)])
def test_what_is_put_back_is_believed_for_25_seconds(
    start_daemon, database, house, stranger, sql, number, age_seconds, is_believed
):
    item = f"post:{number()}"
    host = start_daemon(database, house)
    reads_redis(host)
    sealed = Sealer(sql).version(token(stranger), item, 41, 0, age_seconds)
    stranger.mset({f"counter:{item}": 41, version_key(item): sealed})
    assert host.call("COUNT", item) == (41 if is_believed else 0)
    if not is_believed:
        eventually(lambda: stranger.get(f"counter:{item}") == "0", "the right count in Redis")
    assert host.info()["forged_counters"] == "0"


def test_without_postgresql_what_a_host_has_sealed_is_told_however_old(
    start_daemon, own_postgres, house, stranger, number
):
    item, forged = f"post:{number()}", f"post:{number()}"
    stranger.flushall()
    host = start_daemon(own_postgres, house)
    reads_redis(host)
    with own_postgres.connect() as sql:
        sealed = Sealer(sql).version(token(stranger), item, 41, 7, 3600)
    stranger.mset({f"counter:{item}": 41, version_key(item): sealed})
    stranger.mset({f"counter:{forged}": 666, version_key(forged): sealed})
    own_postgres.stop()
    eventually(lambda: host.health()["database"] != "healthy", "PostgreSQL to be missed")
    assert host.call("COUNT", item) == 41
    assert "UNAVAILABLE" in str(host.call("COUNT", forged))


def test_an_old_version_written_with_zeros_in_front_keeps_no_newer_one_out(hosts, stranger, sql, number):
    """Redis compares versions as text; the seal is right."""
    item = f"post:{number()}"
    assert hosts[0].call("LIKE", 1, item) == [1, 1]
    eventually(lambda: hosts[1].call("COUNT", item) == 1, "the first like at the other host")
    name, version, seal = words(stranger.get(version_key(item)))
    stranger.set(version_key(item), f"{name}.{int(version):019d}:{seal}:------")
    assert hosts[0].call("LIKE", 2, item) == [1, 2]
    eventually(lambda: hosts[1].call("COUNT", item) == 2, "the second like at the other host", 30)
    eventually(lambda: stranger.get(f"counter:{item}") == "2", "it in Redis", 30)
    assert hosts[0].info()["forged_counters"] != "0"


def test_messages_repeated_without_end_make_little_work_and_hold_up_no_like(hosts, house, tenant, number):
    item, other = f"post:{number()}", f"post:{number()}"
    said = []
    with tenant.pubsub() as heard:
        heard.subscribe(CHANNEL)

        def hear():
            message = heard.get_message(ignore_subscribe_messages=True, timeout=1)
            if message and f" {item} " in message["data"]:
                said.append(message["data"])
            return len(said) == 2

        for user in (1, 2):
            assert hosts[0].call("LIKE", user, item) == [1, user]
        eventually(hear, "what the host says of its likes")
    before = [host.info() for host in hosts]
    likes = 0
    while min(grown(host, info, "counters_heard") for host, info in zip(hosts, before, strict=True)) < 20_000:
        with tenant.pipeline(transaction=False) as pipe:
            for _ in range(250):
                pipe.publish(CHANNEL, said[1])
                pipe.publish(CHANNEL, said[0])
            pipe.execute()
        likes += 1
        assert hosts[likes % 2].call("LIKE", number(), other) == [1, likes]
    for host, info in zip(hosts, before, strict=True):
        assert grown(host, info, "repairs_told") <= 2


def grown(host, before, name):
    return int(host.info()[name]) - int(before[name])


MARKERS = {
    "of the last era": lambda words: [words[0], words[1], "999999999", *words[3:]],
    "of a later timeline": lambda words: [words[0], words[1].replace(":1:", ":99:"), *words[2:]],
    "of a later timeline of other tables": lambda words: [words[0], f"{words[1]}1".replace(":1:", ":99:"), *words[2:]],
    "of other transactions": lambda words: [*words[:3], "4611686018427387904:4611686018427387904:", *words[4:]],
    "of another token": lambda words: [*words[:4], "ffffffffffff", words[5]],
    "of another database": lambda words: [words[0], "7000000000000000001:1:1.2.3", *words[2:]],
}


@pytest.mark.parametrize("marker", MARKERS)
def test_a_forged_marker_is_replaced_and_decides_nothing(hosts, stranger, sql, number, marker):
    item = f"post:{number()}"
    assert hosts[0].call("LIKE", 1, item) == [1, 1]
    forged = " ".join(MARKERS[marker](stranger.get(MARKER).split()))
    stranger.set(MARKER, forged)
    stranger.mset({f"counter:{item}": 666, version_key(item): f"ffffffffffff:{IMPOSSIBLE}:{'A' * 17}"})
    for user, host in enumerate(hosts, 2):
        assert host.call("LIKE", user, item) == [1, user]
    eventually(lambda: stranger.get(MARKER) not in (None, forged), "the marker to be replaced", 30)
    for host in hosts:
        host.wait_healthy()
        reads_redis(host)
        eventually(lambda host=host: host.call("COUNT", item) == 3, "the count", 30)
        assert host.info()["databases_gone_back"] == "0"
    assert stranger.get(MARKER).split()[2] != "999999999"


def test_a_strangers_beats_are_none(hosts, stranger, number):
    """Numbers on a host's own channel, before it has said them."""
    channels = stranger.pubsub_channels("likesd:host:*")
    assert len(channels) >= 2
    for channel in channels:
        for beat in [*range(200), IMPOSSIBLE, -1, "x", 2**64]:
            stranger.publish(channel, beat)
    item = f"post:{number()}"
    for user, host in enumerate(hosts, 1):
        assert host.call("LIKE", user, item) == [1, user]
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == 2, "the count")


def test_another_secret_is_found_and_nothing_has_to_be_restarted(hosts, stranger, sql, number):
    items = [f"post:{number()}" for _ in range(3)]
    for item in items:
        assert hosts[0].call("LIKE", 1, item) == [1, 1]
    marker = stranger.get(MARKER)
    statement = re.search(r"UPDATE likesd_secret.*?;", SECURITY.read_text(), re.DOTALL).group(0)
    sql.execute(statement)
    eventually(lambda: stranger.get(MARKER) not in (None, marker), "a marker with the new seal", 30)
    for user, host in enumerate(hosts, 2):
        for item in items:
            assert host.call("LIKE", user, item) == [1, user]
    for host in hosts:
        eventually(lambda host=host: "likesd_secret changed" in host.log(), "the host to find it", 30)
        reads_redis(host)
        eventually(lambda host=host: host.call("MCOUNT", *items) == [3, 3, 3], "the counts", 30)
    assert [host.info()["forged_markers"] for host in hosts] == ["0", "0"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM likesd_secret",
        "ALTER TABLE likesd_secret DROP CONSTRAINT likesd_secret_secret_check; UPDATE likesd_secret SET secret = 'x'",
    ],
)
def test_a_secret_that_is_none_is_said_with_what_to_do(start_daemon, own_postgres, own_redis, number, statement):
    host = start_daemon(own_postgres, own_redis)
    item = f"post:{number()}"
    assert host.call("LIKE", 1, item) == [1, 1]
    with own_postgres.connect() as sql:
        sql.execute(statement)

        def advice():
            return re.search(
                r"; otherwise (sudo .*) \(PostgreSQL: .*has no secret of .*\)", str(host.health().get("message"))
            )

        command = shlex.split(eventually(advice, "it to be said", 30).group(1))
        assert command[:4] == ["sudo", "-u", "postgres", "psql"]
        sql.execute(command[-1])
    host.wait_healthy()
    assert host.call("LIKE", 2, item) == [1, 2]
