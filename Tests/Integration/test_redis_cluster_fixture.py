"""The private Redis Cluster of tests, benchmark and `make run-cluster`: that it is one."""

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


def test_a_slot_that_is_taken_back_keeps_its_keys_and_what_lies_elsewhere_is_found(folder, number):
    cluster = RedisCluster(folder / f"cluster{number()}").start()
    try:
        keys = [f"{{tag}}{place}" for place in range(20)]
        slot = cluster.slot(keys[0])
        source = cluster.owner(slot)
        target = (source + 1) % 3
        with cluster.client() as client:
            for key in keys:
                client.set(key, f"value of {key}", ex=1000)
            cluster.open_slot(slot, source, target)
            cluster.hand_over(slot, source, target, *keys[:7])
            found = cluster.troubles()
            assert any("importing state" in trouble for trouble in found), found
            assert sum("whose slot" in trouble for trouble in found) == 7, found
            cluster.take_slot_back(slot, source, target)
            cluster.check()
            assert [client.get(key) for key in keys] == [f"value of {key}" for key in keys]
            assert all(client.ttl(key) > 900 for key in keys)
            cluster.move_slot(slot, source, target)
            cluster.settled()
            cluster.check()
            assert cluster.owner(slot) == target
    finally:
        cluster.stop()


def test_a_node_joins_and_leaves(folder, number):
    cluster = RedisCluster(folder / f"cluster{number()}", 3, 1).start()
    try:
        place = cluster.add_node()
        slot = cluster.owners()[0][0][0]
        cluster.move_slot(slot, 0, place)
        cluster.settled()
        assert cluster.owner(slot) == place
        cluster.move_slot(slot, place, 0)
        cluster.settled()
        cluster.remove_node()
        cluster.wait_settled()
        cluster.check()
    finally:
        cluster.stop()
