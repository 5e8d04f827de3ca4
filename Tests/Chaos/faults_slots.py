"""The slots of a Redis Cluster move under load, and some do not arrive."""

from .faults import fault
from .faults_redis import SNAPSHOT
from .load import HOT_ITEMS, HOT_USERS, WARM_ITEMS, WARM_USERS, WIDE_ITEMS

KEYS = [f"counter:{item}" for item in [*HOT_ITEMS, *WARM_ITEMS, *WIDE_ITEMS[:40]]]
KEYS += [f"recent_likes:{user}" for user in [*HOT_USERS, *WARM_USERS]]
# Open at the same time.
OPEN_MAX = 5
# How long a slot stays as it is, by weight: redis-cli goes on at once, a person who was interrupted does not.
STAYS_SECONDS = [((0.0, 0.0), 4), ((0.0, 0.1), 4), ((0.1, 1.0), 3), ((1.0, 4.0), 1)]
RANGE_SLOTS = 30
MARKERS = "likesd:generation:*"


def stay(hold):
    limits, weights = zip(*STAYS_SECONDS, strict=True)
    hold.stop.wait(hold.random.uniform(*hold.random.choices(limits, weights)[0]))


class Move:
    """One slot on its way from a node to another."""

    def __init__(self, nodes, hold, slot, target=None):
        self.nodes = nodes
        self.hold = hold
        self.slot = slot
        self.source = nodes.owner(slot)
        others = [place for place in sorted(nodes.owners()) if place != self.source]
        self.target = hold.random.choice(others) if target is None else target

    def open(self):
        self.nodes.open_slot(self.slot, self.source, self.target)

    def hand_over_some(self):
        """A part of the keys: also an item's count without its version."""
        with self.nodes.nodes[self.source].client() as client:
            keys = client.execute_command("CLUSTER", "GETKEYSINSLOT", self.slot, 100)
        some = hold_sample(self.hold, keys)
        if some:
            self.nodes.hand_over(self.slot, self.source, self.target, *some)

    def finish(self):
        self.nodes.finish_slot(self.slot, self.source, self.target)

    def take_back(self):
        self.nodes.take_slot_back(self.slot, self.source, self.target)

    def back(self):
        self.nodes.move_slot(self.slot, self.target, self.source)


def hold_sample(hold, keys):
    return hold.random.sample(keys, hold.random.randint(0, len(keys)))


def slots_of_load(nodes, hold, count):
    return list(dict.fromkeys(nodes.slot(key) for key in hold.random.sample(KEYS, count)))


def move_some(cluster, hold, end):
    """Several slots, each opened, half moved, and ended, with stays in between, again and again."""
    for _ in hold.every(0.05):
        moves = [
            Move(cluster.nodes, hold, slot)
            for slot in slots_of_load(cluster.nodes, hold, hold.random.randint(1, OPEN_MAX))
        ]
        for move in moves:
            move.open()
        stay(hold)
        for move in moves:
            move.hand_over_some()
            stay(hold)
        for move in moves:
            end(move)
        cluster.nodes.settled()


@fault("slots move", "cluster")
def slots_move(cluster, hold):
    """Some that are busy are opened, half moved, moved and closed, at once or after seconds; all moves are finished."""
    move_some(cluster, hold, Move.finish)


@fault("slots are taken back on their way", "cluster")
def slots_taken_back(cluster, hold):
    """Some that are busy are opened and half moved, then go back, or on; no slot is left open."""
    move_some(cluster, hold, lambda move: hold.random.choice([Move.take_back, Move.take_back, Move.finish])(move))


@fault("a node is killed with slots on their way", "cluster")
def node_killed_between(cluster, hold):
    """kill -9 of the source or the target of half moved slots; its replica knows of no move. Healed by starting it, and
    by giving the moves up: what had been handed over is lost."""
    nodes = cluster.nodes
    owners = nodes.owners()
    source, target = hold.random.sample(sorted(owners), 2)
    mine = [slot for slot in slots_of_load(nodes, hold, len(KEYS)) if nodes.owner(slot) == source]
    moves = [Move(nodes, hold, slot, target) for slot in hold.random.sample(mine, OPEN_MAX)]
    for move in moves:
        move.open()
        move.hand_over_some()
    stay(hold)
    killed = hold.random.choice([source, target])
    nodes.nodes[killed].kill()
    nodes.wait_replaced(killed)
    hold.wait()
    (nodes.nodes[killed].folder / SNAPSHOT).unlink(missing_ok=True)
    nodes.nodes[killed].start()
    if killed == source:
        # A node that imports a slot takes no news of its owner: for it the slot is nobody's, and the cluster is down.
        for move in moves:
            nodes.stop_importing(move.slot, target)
    nodes.wait_settled()
    # A slot of the target that did not move is where its successor is.
    successor = nodes.owner(owners[target][0][0])
    for move in moves:
        nodes.give_slot_up(move.slot, nodes.owner(move.slot), successor)


@fault("a range of slots moves there and back", "cluster")
def range_moves(cluster, hold):
    """Neighbouring slots of a node go to another, and come back with what changed meanwhile."""
    nodes = cluster.nodes
    (first,) = slots_of_load(nodes, hold, 1)
    source = nodes.owner(first)
    ranges = nodes.owners()[source]
    slots = [
        slot
        for slot in range(first - RANGE_SLOTS // 2, first + RANGE_SLOTS // 2)
        if any(begin <= slot <= end for begin, end in ranges)
    ]
    target = hold.random.choice([place for place in sorted(nodes.owners()) if place != source])
    moves = [Move(nodes, hold, slot, target) for slot in slots]
    move_all(moves)
    hold.wait()
    for move in moves:
        move.back()
    nodes.settled()


def move_all(moves):
    for move in moves:
        move.open()
        move.finish()


@fault("the slot of a node's marker moves", "cluster")
def marker_moves(cluster, hold):
    """It takes the marker along to a node where it says nothing, and comes back; other data stays where it is."""
    nodes = cluster.nodes
    source = hold.random.choice(sorted(nodes.owners()))
    with nodes.nodes[source].client() as client:
        markers = list(client.scan_iter(MARKERS, count=1000))
    moves = [Move(nodes, hold, slot) for slot in sorted({nodes.slot(marker) for marker in markers})]
    move_all(moves)
    hold.wait()
    for move in moves:
        move.back()
    nodes.settled()


@fault("a new node gets slots, and loses them again", "cluster")
def node_comes_and_goes(cluster, hold):
    """An empty primary joins, gets some that are busy, and gives them back; healed by removing it."""
    nodes = cluster.nodes
    place = nodes.add_node()
    moves = [Move(nodes, hold, slot, place) for slot in slots_of_load(nodes, hold, 12)]
    move_all(moves)
    hold.wait()
    for move in moves:
        move.back()
    nodes.settled()
    nodes.remove_node()
    nodes.wait_settled()
