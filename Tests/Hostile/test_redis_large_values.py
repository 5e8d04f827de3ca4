"""Values under likesd's keys that take longer to be read than a call to Redis may."""

import pytest
from support.waiting import eventually

MARKER = "likesd:generation"
# Redis takes longer to hand them over than REDIS_TIMEOUT_MS.
LARGE_BYTES = 250 << 20
SHORT = {"REDIS_TIMEOUT_MS": 30}


def version_key(item):
    return f"{{counter:{item}}}:version"


def reads_redis(host):
    return host.info()["redis_counters"] == "read"


@pytest.fixture
def item(number):
    return f"post:{number()}"


@pytest.fixture
def owner(own_redis):
    with own_redis.client() as client:
        yield client


def becomes_right(host, owner, item, other):
    """Without a look of anybody's at what is there: each would cost the connection, and with it all others their
    counters."""

    def is_replaced():
        assert host.call("MCOUNT", item, other) == [0, 0]
        return owner.strlen(f"counter:{item}") == 1

    eventually(is_replaced, "the right count in its place", 30)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    host.wait_healthy()


def test_a_count(start_daemon, own_postgres, own_redis, owner, item, number):
    host = start_daemon(own_postgres, own_redis, **SHORT)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    owner.setrange(f"counter:{item}", LARGE_BYTES, "7")
    # Kept by nobody but the keys' owner, it would be there for ever.
    assert owner.ttl(f"counter:{item}") == -1
    becomes_right(host, owner, item, f"post:{number()}")


def test_a_count_beside_a_version_that_looks_newer(start_daemon, own_postgres, own_redis, owner, item, number):
    """What Redis keeps is told to the host, which takes it away: its beginning is enough."""
    host = start_daemon(own_postgres, own_redis, **SHORT)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    token = owner.get(MARKER).split()[4]
    owner.set(version_key(item), f"{token}.{2**53 - 1}:{17 * 'A'}:------")
    owner.setrange(f"counter:{item}", LARGE_BYTES, "7")
    becomes_right(host, owner, item, f"post:{number()}")


def test_a_version(start_daemon, own_postgres, own_redis, owner, item, number):
    host = start_daemon(own_postgres, own_redis, **SHORT)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    token = owner.get(MARKER).split()[4]
    owner.set(f"counter:{item}", 7)
    owner.setrange(version_key(item), LARGE_BYTES, "7")
    owner.setrange(version_key(item), 0, f"{token}.9")
    becomes_right(host, owner, item, f"post:{number()}")
    assert owner.strlen(version_key(item)) < 100


def test_a_marker(start_daemon, own_postgres, own_redis, owner, item, number):
    host = start_daemon(own_postgres, own_redis, **SHORT)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    owner.delete(MARKER)
    owner.setrange(MARKER, LARGE_BYTES, "7")
    assert host.call("COUNT", item) == 0
    eventually(lambda: owner.strlen(MARKER) < 1_000, "a marker of the host's", 30)
    becomes_right(host, owner, item, f"post:{number()}")


def test_a_count_over_which_redis_ends_the_connection(start_daemon, own_postgres, own_redis, owner, item, number):
    host = start_daemon(own_postgres, own_redis)
    eventually(lambda: reads_redis(host), "Redis to be read", 30)
    owner.config_set("client-output-buffer-limit", "normal 16777216 0 0")
    owner.setrange(f"counter:{item}", 100 << 20, "7")
    becomes_right(host, owner, item, f"post:{number()}")
