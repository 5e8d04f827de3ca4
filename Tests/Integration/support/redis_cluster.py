"""A private Redis Cluster on ports of this machine, with its primaries, and as many replicas of each as are wanted."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import redis
from redis.crc import key_slot

from .ports import free_ports
from .redis_server import RedisServer
from .sentinels import FAST_REPLICATION
from .waiting import eventually

SLOTS = 16_384
# A node is given up after so long, where an installation waits for 15 s.
NODE_TIMEOUT_MS = 1_000
MIGRATE_TIMEOUT_MS = 5_000
KEYS_AT_ONCE = 1_000

# The two steps that end the move of a slot as if it had never begun. In between neither node takes anything for it, so
# no key is left behind, and no older value gets in the place of a newer one. ARGV: the slot, how many keys at most, and
# for the second step what the first one returned.
GIVE_BACK = """
local given = {}
for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], ARGV[2])) do
    local left, value = redis.call('PTTL', key), redis.call('DUMP', key)
    if value then
        for _, word in ipairs({key, math.max(0, left), value}) do given[#given + 1] = word end
    end
    redis.call('DEL', key)
end
redis.call('CLUSTER', 'SETSLOT', ARGV[1], 'STABLE')
return given
"""
TAKE_BACK = """
redis.call('CLUSTER', 'SETSLOT', ARGV[1], 'STABLE')
for i = 3, #ARGV, 3 do redis.call('RESTORE', ARGV[i], ARGV[i + 1], ARGV[i + 2], 'REPLACE') end
"""


class RedisCluster:
    """The nodes, primaries first, then the replicas of each. Each is a `RedisServer` with its own ways to fail."""

    def __init__(self, folder, primaries=3, replicas=0, *options, announced=()):
        """`announced`: the ports that the nodes name as theirs, in their order, where those are not their own."""
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.first = primaries
        self.options = options
        self.announced = announced
        self.nodes = []
        # The ports of the bus are told, since the usual ones, higher by 10,000, may be too high or taken.
        self.buses = []
        count = primaries * (1 + replicas)
        ports = free_ports(2 * count)
        for place in range(count):
            self._make(place, ports[place], ports[count + place])

    def _make(self, number, port, bus):
        self.buses.append(bus)
        announced = ("--cluster-announce-port", self.announced[number]) if self.announced else ()
        self.nodes.append(
            RedisServer(
                self.folder / f"node{number}",
                *("--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
                *("--cluster-port", bus, "--cluster-node-timeout", NODE_TIMEOUT_MS),
                *announced,
                *FAST_REPLICATION,
                *self.options,
                port=port,
            )
        )

    @property
    def url(self):
        """As REDIS_URL names a cluster: any of its nodes."""
        return f"redis://{','.join(self.address(place) for place in range(self.first))}/"

    def address(self, place):
        return f"127.0.0.1:{self._announced(place)}"

    def _announced(self, place):
        return self.announced[place] if self.announced else self.nodes[place].port

    def start(self):
        """Starts all nodes and waits until they serve all slots and every replica follows."""
        try:
            for node in self.nodes:
                node.start()
            self.start_serving()
        except BaseException:
            self.stop()
            raise
        return self

    def start_serving(self):
        """Makes a cluster of nodes that know nothing of each other."""
        self._share_slots()
        self._meet()
        eventually(self._agreed, "the nodes of a cluster to know each other")
        self._follow()
        eventually(self._followed, "the replicas of a cluster to follow")

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

    def running(self):
        return [node for node in self.nodes if node.server is not None]

    def owners(self, asked=None):
        """{place: ranges of slots}, as a running node has it."""
        found = {}
        with (asked or self.running()[0]).client() as client:
            for begin, end, primary, *_ in client.execute_command("CLUSTER", "SLOTS"):
                found.setdefault(self.place_of(primary[1]), []).append((begin, end))
        return found

    def replica(self, place):
        """The place of a node that follows this one."""
        for other, node in enumerate(self.nodes):
            if other == place or node.server is None:
                continue
            with node.client() as client:
                if client.info("replication").get("master_port") == self.nodes[place].port:
                    return other
        raise AssertionError(f"nobody follows {self.address(place)}")

    def wait_replaced(self, place):
        """Until another node has its slots; it may be dead, or hang."""

        def is_replaced():
            # A node that imports one of its slots takes no news of its owner.
            others = [node for node in self.running() if node is not self.nodes[place]]
            return any(place not in self.owners(node) for node in others)

        eventually(is_replaced, f"another node in the place of {self.address(place)}")

    def place_of(self, port):
        return next(place for place in range(len(self.nodes)) if self._announced(place) == port)

    def owner(self, slot):
        """The place of the node that has the slot."""
        for place, ranges in self.owners().items():
            if any(begin <= slot <= end for begin, end in ranges):
                return place
        raise AssertionError(f"slot {slot} has no owner")

    def owner_of(self, key):
        return self.owner(self.slot(key))

    @staticmethod
    def slot(key):
        return key_slot(key.encode())

    # Slots move one by one: they are opened, their keys are handed over, and they are closed.

    def open_slot(self, slot, source, target):
        """Between two nodes: the keys can be handed over."""
        with self.nodes[source].client() as old, self.nodes[target].client() as new:
            new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
            old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id(target))

    def hand_over(self, slot, source, target, *keys):
        """These keys, or all that the slot has."""
        with self.nodes[source].client() as old:
            found = keys or old.execute_command("CLUSTER", "GETKEYSINSLOT", slot, KEYS_AT_ONCE)
            if found:
                port = self.nodes[target].port
                old.execute_command("MIGRATE", "127.0.0.1", port, "", 0, MIGRATE_TIMEOUT_MS, "REPLACE", "KEYS", *found)
        return found

    def close_slot(self, slot, source, target):
        """As redis-cli ends it: the new owner hears of it first. The former one refuses while it has keys."""
        new = self.id(target)
        others = [place for place in range(len(self.nodes)) if place not in (target, source)]
        for place in (target, source, *others):
            node = self.nodes[place]
            if node.server is None:
                continue
            with node.client() as client:
                # A replica is told by its primary.
                if client.info("replication")["role"] == "master":
                    client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new)

    def finish_slot(self, slot, source, target):
        """Moves what an open slot still has, and ends its move."""
        while self.hand_over(slot, source, target):
            pass
        self.close_slot(slot, source, target)

    def move_slot(self, slot, source, target):
        self.open_slot(slot, source, target)
        self.finish_slot(slot, source, target)

    def take_slot_back(self, slot, source, target):
        """Ends the move of an open slot as if it had never begun."""
        with self._binary(source) as old, self._binary(target) as new:
            new.execute_command("ASKING")
            given = new.eval(GIVE_BACK, 0, slot, KEYS_AT_ONCE)
            old.eval(TAKE_BACK, 0, slot, KEYS_AT_ONCE, *given)

    def stop_importing(self, slot, target):
        """Until then the target takes no news of who owns the slot: it believes in the source, also in a dead one."""
        with self.nodes[target].client() as client:
            client.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")

    def give_slot_up(self, slot, source, target):
        """Ends a move after one of the two was replaced by a replica, which knows of no move: `source` and `target`
        are who has taken their places. What had been handed over is dropped."""
        with self._binary(source) as old, self._binary(target) as new:
            old.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
            new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
            new.execute_command("ASKING")
            new.eval(GIVE_BACK, 0, slot, KEYS_AT_ONCE)

    def _binary(self, place):
        """One connection, since ASKING holds for the next command on it."""
        path = str(self.nodes[place].socket)
        return redis.Redis(unix_socket_path=path, socket_timeout=30, single_connection_client=True)

    def add_node(self):
        """A primary without slots; its place."""
        place = len(self.nodes)
        self._make(place, *free_ports(2))
        self.nodes[place].start()
        with self.nodes[place].client() as client:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.buses[0])
        eventually(self._agreed, "the nodes of a cluster to know the new one")
        return place

    def remove_node(self):
        """The last of all nodes, which has no slots."""
        place = len(self.nodes) - 1
        id = self.id(place)
        node = self.nodes[place]
        node.kill()
        self.nodes.pop()
        self.buses.pop()
        for other in self.nodes:
            with other.client() as client:
                client.execute_command("CLUSTER", "FORGET", id)
        shutil.rmtree(node.folder)

    def settled(self):
        """Waits until all nodes agree about the slots."""
        eventually(self._agree_about_slots, "the nodes to agree about the slots")

    def _agree_about_slots(self):
        views = set()
        for node in self.running():
            with node.client() as client:
                slots = client.execute_command("CLUSTER", "SLOTS")
            views.add(str(sorted((begin, end, primary[1]) for begin, end, primary, *_ in slots)))
        return len(views) == 1

    def wait_settled(self):
        """Until all nodes agree, serve all slots, and every node without slots follows one with some."""

        def is_settled():
            try:
                owners = self.owners()
                return (
                    self._agreed()
                    and self._agree_about_slots()
                    and all(self._has_role(place, place in owners) for place in range(len(self.nodes)))
                )
            except redis.RedisError as problem:
                raise AssertionError(problem) from problem

        eventually(is_settled, "all nodes of a cluster to be back in their roles")

    def _has_role(self, place, has_slots):
        with self.nodes[place].client() as client:
            facts = client.info("replication")
        if has_slots:
            return facts["role"] == "master" and facts["connected_slaves"] > 0
        return facts["role"] == "slave" and facts["master_link_status"] == "up"

    def troubles(self):
        """What redis-cli has to say against the cluster, and every key that lies where its slot is not."""
        said = redis_cli("--cluster", "check", f"127.0.0.1:{self.running()[0].port}")
        wanted = ("[OK] All nodes agree about slots configuration.", f"[OK] All {SLOTS} slots covered.")
        found = [f"redis-cli misses {line}:\n{said}" for line in wanted if line not in said]
        found += [line for line in said.splitlines() if "WARNING" in line or "[ERR]" in line]
        owners = self.owners()
        for place, node in enumerate(self.nodes):
            if node.server is None:
                continue
            with node.client() as client:
                if client.info("replication")["role"] != "master":
                    continue
                for key in client.scan_iter("*", count=KEYS_AT_ONCE):
                    slot = self.slot(key)
                    if not any(begin <= slot <= end for begin, end in owners.get(place, [])):
                        found.append(f"{self.address(place)} has {key}, whose slot {slot} it does not have")
        return found

    def check(self):
        """That nothing is said against the cluster."""
        found = self.troubles()
        assert not found, found

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


def redis_cli(*arguments):
    """What it said, to either of its outputs."""
    done = subprocess.run(
        ["redis-cli", *map(str, arguments)],
        # It colours what it says even where nobody sees that.
        env={**os.environ, "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr
