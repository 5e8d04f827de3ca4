"""What can go wrong, and the plan of what goes wrong when. Each fault breaks something, holds, and heals it."""

import dataclasses
import random
import time

# How long faults hold, by weight: shorter than REQUEST_TIMEOUT_MS, about it, and well beyond it.
HOLDS_SECONDS = [((0.1, 0.8), 4), ((0.8, 3.0), 4), ((3.0, 7.0), 2)]
GAP_SECONDS = (0.3, 2.0)
RUNNING_MAX = 2
OVERLAP_SHARE = 0.5
# In a long run nothing is wrong for this long now and then, so that counts have to be fresh again in the middle of it.
CALM_SECONDS = 45.0
CALM_EVERY_SECONDS = 180.0

REGISTRY = {}

# How Redis is set up in a run, and what those faults claim that only it can have.
TOPOLOGIES = {"single": "redis", "sentinels": "sentinels", "cluster": "cluster"}


def names_of(topology):
    """The faults that such a run can have."""
    others = tuple(claim for other, claim in TOPOLOGIES.items() if other != topology)
    return sorted(name for name, one in REGISTRY.items() if not any(c.startswith(others) for c in one.claims))


@dataclasses.dataclass(frozen=True)
class Fault:
    """`claims` are the parts it needs for itself: two faults with a common part never overlap."""

    name: str
    claims: tuple
    needs_host: bool
    seconds: tuple | None
    run: object


def fault(name, *claims, seconds=None):
    """Registers a function of (cluster, hold). A claim that ends in `*` is of the fault's host. `seconds`: how long at
    least and at most, where HOLDS_SECONDS would show nothing."""

    def register(function):
        assert name not in REGISTRY, name
        assert function.__doc__, f"{name}: say what breaks and what heals"
        needs_host = any(claim.endswith("*") for claim in claims)
        REGISTRY[name] = Fault(name, claims, needs_host, seconds, function)
        return function

    return register


@dataclasses.dataclass
class Planned:
    """A fault at its place in time, with all that was drawn for it."""

    fault: Fault
    at: float
    seconds: float
    host: int | None
    seed: int

    @property
    def claims(self):
        return {claim.replace("*", str(self.host)) for claim in self.fault.claims}

    @property
    def end(self):
        return self.at + self.seconds


class Hold:
    """What a running fault knows: its host, its random numbers, and how long it has to last."""

    def __init__(self, planned, stop):
        self.host = planned.host
        self.seconds = planned.seconds
        self.random = random.Random(planned.seed)
        self.stop = stop
        self.end = time.monotonic() + planned.seconds

    @property
    def left(self):
        return max(0.0, self.end - time.monotonic())

    def wait(self):
        """Until it is time to heal, or the run is given up."""
        self.stop.wait(self.left)

    def every(self, seconds):
        """Again and again, until it is time to heal."""
        while True:
            yield
            if self.left <= 0 or self.stop.wait(min(seconds, self.left)):
                return


def plan(seed, seconds, hosts, only=None, topology="single"):
    """The faults of a run: at most two at a time, all chosen by the seed and by nothing else."""
    source = random.Random(f"faults {seed}")
    names = sorted(only or names_of(topology))
    planned, at, next_calm = [], 1.0, CALM_EVERY_SECONDS
    # Every kind comes once before any comes twice.
    bag = []
    while at < seconds:
        if at > next_calm:
            at = max(p.end for p in planned) + CALM_SECONDS
            next_calm = at + CALM_EVERY_SECONDS
            continue
        if not bag:
            bag = source.sample(names, len(names))
        drawn = draw(source, bag, at, hosts, [p for p in planned if p.end > at])
        if drawn is None:
            at = max(p.end for p in planned) + source.uniform(*GAP_SECONDS)
            continue
        planned.append(drawn)
        running = sorted(p.end for p in planned if p.end > at)
        gap = source.uniform(*GAP_SECONDS)
        if len(running) < RUNNING_MAX and source.random() < OVERLAP_SHARE:
            at += min(gap, drawn.seconds * source.random())
        else:
            at = running[0 if len(running) == RUNNING_MAX else -1] + gap
    return [p for p in planned if p.at < seconds]


def draw(source, bag, at, hosts, running):
    """The first of the bag that fits beside what is running, or None."""
    taken = set().union(*(p.claims for p in running))
    weights = [weight for _, weight in HOLDS_SECONDS]
    for place, name in enumerate(bag):
        chosen = REGISTRY[name]
        seconds = source.uniform(*(chosen.seconds or source.choices(HOLDS_SECONDS, weights)[0][0]))
        host = source.randrange(hosts) if chosen.needs_host else None
        candidate = Planned(chosen, at, seconds, host, source.getrandbits(32))
        if not candidate.claims & taken:
            del bag[place]
            return candidate
    return None
