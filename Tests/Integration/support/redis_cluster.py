"""A private Redis Cluster on ports of this machine, with its primaries, and as many replicas of each as are wanted."""

import contextlib
from pathlib import Path

import redis

from .redis_server import RedisServer
from .sentinels import FAST_REPLICATION, free_ports
from .waiting import eventually

SLOTS = 16_384
# A node is given up after so long, where an installation waits for 15 s.
NODE_TIMEOUT_MS = 1_000


class RedisCluster:
    """The nodes, primaries first, then the replicas of each. Each is a `RedisServer` with its own ways to fail."""

    def __init__(self, folder, primaries=3, replicas=0, *options):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.first = primaries
        count = primaries * (1 + replicas)
        ports = free_ports(2 * count)
        # The ports of the bus are told, since the usual ones, higher by 10,000, may be too high or taken.
        self.buses = ports[count:]
        self.nodes = [
            RedisServer(
                self.folder / f"node{place}",
                *("--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
                *("--cluster-port", self.buses[place], "--cluster-node-timeout", NODE_TIMEOUT_MS),
                *FAST_REPLICATION,
                *options,
                port=ports[place],
            )
            for place in range(count)
        ]

    @property
    def url(self):
        """As REDIS_URL names a cluster: any of its nodes."""
        return f"redis://{','.join(self.address(place) for place in range(self.first))}/"

    def address(self, place):
        return f"127.0.0.1:{self.nodes[place].port}"

    def start(self):
        """Starts all nodes and waits until they serve all slots and every replica follows."""
        try:
            for node in self.nodes:
                node.start()
            self._share_slots()
            self._meet()
            eventually(self._agreed, "the nodes of a cluster to know each other")
            self._follow()
            eventually(self._followed, "the replicas of a cluster to follow")
        except BaseException:
            self.stop()
            raise
        return self

    def _share_slots(self):
        for place, node in enumerate(self.nodes):
            with node.client() as client:
                # Two nodes of one epoch would have to settle first which of them gives way.
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
                if place < self.first:
                    begin, end = (SLOTS * (place + more) // self.first for more in (0, 1))
                    client.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end - 1)

    def _meet(self):
        with self.nodes[0].client() as client:
            for node, bus in zip(self.nodes[1:], self.buses[1:], strict=True):
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

    def _follow(self):
        for place in range(self.first, len(self.nodes)):
            primary = self.id(place % self.first)
            with self.nodes[place].client() as client:
                client.execute_command("CLUSTER", "REPLICATE", primary)

    def _agreed(self):
        return all(
            facts["cluster_state"] == "ok" and facts["cluster_known_nodes"] == str(len(self.nodes))
            for facts in map(self.facts, self.nodes)
        )

    def _followed(self):
        for place in range(self.first, len(self.nodes)):
            with self.nodes[place].client() as client:
                if client.info("replication").get("master_link_status") != "up":
                    return False
        # The others have to have heard of it: a primary without a replica does not wait for one.
        with self.nodes[0].client() as client:
            return client.execute_command("CLUSTER", "NODES").count("slave") == len(self.nodes) - self.first

    def id(self, place):
        with self.nodes[place].client() as client:
            return client.execute_command("CLUSTER", "MYID")

    @staticmethod
    def facts(node):
        """CLUSTER INFO of one node."""
        with node.client() as client:
            told = client.execute_command("CLUSTER", "INFO")
        if isinstance(told, dict):
            return told
        return dict(line.split(":", 1) for line in told.splitlines() if ":" in line)

    def primaries(self):
        """The running nodes that are primaries now."""
        found = []
        for node in self.nodes:
            if node.server is None:
                continue
            with node.client() as client:
                if client.info("replication")["role"] == "master":
                    found.append(node)
        return found

    def flush(self):
        """Drops all keys of all slots."""
        for node in self.primaries():
            with node.client() as client:
                client.flushall()

    def client(self, **options):
        """A client that finds each key's node by itself."""
        return redis.RedisCluster(
            host="127.0.0.1", port=self.nodes[0].port, decode_responses=True, socket_timeout=30, **options
        )

    def stop(self):
        with contextlib.ExitStack() as all_of_them:
            for node in self.nodes:
                all_of_them.callback(node.stop)
