"""The two connections to Redis: the subscription that breaks, and both of them on a server that takes no writes."""

from support.waiting import eventually

# Longer than any test: what is seen sooner was not seen because an entry expired.
LONG_MS = 600_000


def test_a_lost_subscription_empties_the_local_cache(start_daemon, own_postgres, own_redis, number):
    hosts = [start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=LONG_MS) for _ in range(3)]
    item = f"post:{number()}"
    assert [host.call("COUNT", item) for host in hosts] == [0, 0, 0]
    with own_redis.client() as client:
        client.client_kill_filter(_type="pubsub")
        assert hosts[0].call("LIKE", number(), item) == [1, 1]
    for host in hosts:
        eventually(lambda host=host: host.call("COUNT", item) == 1, "the count to be read again")
        host.wait_healthy()


def test_a_replica_is_refused_with_what_to_do(own_postgres, own_redis, start_daemon):
    with own_redis.client() as client:
        client.replicaof("192.0.2.1", "6379")
        daemon = start_daemon(own_postgres, own_redis, until="listening")

        def refused():
            health = daemon.health()
            return health["database"] == "healthy" and "replica" in health.get("message", "") and health

        health = eventually(refused, "the replica to be refused")
        assert health["status"] == "degraded"
        assert "point REDIS_URL at the primary" in health["message"]
        client.replicaof("NO", "ONE")
    daemon.wait_healthy()


def test_a_primary_that_becomes_a_replica_is_given_up(own_postgres, own_redis, start_daemon, number):
    daemon = start_daemon(own_postgres, own_redis)
    item = f"post:{number()}"
    assert daemon.call("LIKE", number(), item) == [1, 1]
    with own_redis.client() as client:
        client.replicaof("192.0.2.1", "6379")
        assert daemon.call("LIKE", number(), item) == [1, 2]
        eventually(lambda: "replica" in daemon.health().get("message", ""), "the replica to be refused")
        assert daemon.call("LIKE", number(), item) == [1, 3]
        assert daemon.call("COUNT", item) == 3
        client.replicaof("NO", "ONE")
        daemon.wait_healthy()
        assert daemon.call("COUNT", item) == 3
        # Its data is of another generation now: what is missing there is set once somebody asks.
        eventually(
            lambda: daemon.call("COUNT", item) == 3 and client.get(f"counter:{item}") == "3", "Redis to have the count"
        )


def test_why_a_server_hung_up_is_said(own_postgres, own_redis, start_daemon):
    with own_redis.client() as client:
        client.config_set("maxclients", "1")
        daemon = start_daemon(own_postgres, own_redis, until="listening")
        eventually(lambda: "max number of clients reached" in daemon.health().get("message", ""), "Redis' words")
        client.config_set("maxclients", "100")
    daemon.wait_healthy()
