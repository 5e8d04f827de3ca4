"""What likesd makes of its two connections to Redis: of the subscription when it breaks, of both on the wrong server."""

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
