"""The private Redis Cluster of tests and benchmark: that it is one."""

import subprocess

import pytest
from support.processes import is_alive
from support.redis_cluster import SLOTS, RedisCluster
from support.waiting import eventually


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_private_cluster_serves_all_slots(folder, number, replicas):
    cluster = RedisCluster(folder / f"cluster{number()}", 3, replicas).start()
    try:
        pids = [node.server.pid for node in cluster.nodes]
        assert len(pids) == 3 * (1 + replicas)
        assert len(cluster.primaries()) == 3
        assert all(cluster.facts(node)["cluster_slots_ok"] == str(SLOTS) for node in cluster.nodes)
        checked = subprocess.run(
            ["redis-cli", "--cluster", "check", cluster.address(0)], capture_output=True, text=True, timeout=60
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "All 16384 slots covered" in checked.stdout
        with cluster.client() as client:
            for key in range(300):
                client.set(f"key{key}", key)
        keys = [count_keys(node) for node in cluster.primaries()]
        assert sum(keys) == 300
        assert all(keys)
        cluster.flush()
        assert [count_keys(node) for node in cluster.primaries()] == [0, 0, 0]
    finally:
        cluster.stop()
    assert not any(is_alive(pid) for pid in pids)


def count_keys(node):
    with node.client() as client:
        return client.dbsize()


def test_a_replica_takes_the_place_of_a_primary_that_was_killed(folder, number):
    cluster = RedisCluster(folder / f"cluster{number()}", 3, 1).start()
    try:
        cluster.nodes[0].kill()
        eventually(lambda: cluster.nodes[3] in cluster.primaries(), "the replica to be a primary")
        eventually(lambda: cluster.facts(cluster.nodes[1])["cluster_state"] == "ok", "all slots to be served again")
    finally:
        cluster.stop()
