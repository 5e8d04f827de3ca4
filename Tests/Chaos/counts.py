"""Can the counts in the replies be what the item had at a moment that the guarantees allow?

From the check of pairs follows, for each moment, the lowest and highest count that an item can have had. A count is
wrong when no moment of its window fits it. The window ends with the reply, and begins

- for the count of a change: with the change itself; of one that changed nothing: with its call, or the change in front
  of it in its pipeline;
- for COUNT: with the newest change of the item that the same process had acknowledged before the call. Without one,
  as far back as counts may be old: the limit on staleness, longer while faults are about.
"""

import bisect
import dataclasses
import itertools

from .history import CHANGES, Violation, around

CHANGE_RULE = "the count of a change is of its own time"
READ_RULE = "counts are fresh"
# What the contract allows when a host died or was cut off, and the longest fault itself.
STALE_SECONDS_MAX = 30.0 + 15.0
# With no fault in the last minute: LOCAL_CACHE_TTL_MS, and as much again for a busy machine.
CALM_STALE_SECONDS_MAX = 2.0
CALM_AFTER_SECONDS = 35.0
BLOCK = 256


@dataclasses.dataclass(slots=True)
class Anchor:
    """A change that the count has to contain. Alone: no other operation of its pair overlaps it."""

    operation: object
    alone: bool


class Bounds:
    """The lowest and highest count of an item, as steps in time; the sum of those of its pairs."""

    def __init__(self, bounds_of_pairs):
        differences = []
        for bounds in bounds_of_pairs:
            for (_, low, high), (time, next_low, next_high) in itertools.pairwise(bounds):
                differences.append((time, next_low - low, next_high - high))
        differences.sort()
        self.times, self.low, self.high = [float("-inf")], [0], [0]
        for time, low, high in differences:
            if time != self.times[-1]:
                self.times.append(time)
                self.low.append(self.low[-1])
                self.high.append(self.high[-1])
            self.low[-1] += low
            self.high[-1] += high
        # A window of many seconds on a hot item spans thousands of steps: whole blocks are looked up.
        self.low_blocks = [min(self.low[at : at + BLOCK]) for at in range(0, len(self.low), BLOCK)]
        self.high_blocks = [max(self.high[at : at + BLOCK]) for at in range(0, len(self.high), BLOCK)]

    def between(self, begin, end, including_before=True):
        """(lowest, highest) from begin to end; at a step both sides count, unless the window begins with it."""
        first = max(0, (bisect.bisect_left if including_before else bisect.bisect_right)(self.times, begin) - 1)
        last = bisect.bisect_right(self.times, end)
        return (
            self.best(min, self.low, self.low_blocks, first, last),
            self.best(max, self.high, self.high_blocks, first, last),
        )

    @staticmethod
    def best(choose, values, blocks, first, last):
        first_block, last_block = -(-first // BLOCK), last // BLOCK
        if first_block >= last_block:
            return choose(values[first:last])
        found = [choose(blocks[first_block:last_block])]
        if first < first_block * BLOCK:
            found.append(choose(values[first : first_block * BLOCK]))
        if last_block * BLOCK < last:
            found.append(choose(values[last_block * BLOCK : last]))
        return choose(found)

    def since(self, anchor, end):
        """(lowest, highest) from the moment the anchor took effect, wherever between its call and reply that was."""
        operation = anchor.operation
        if not anchor.alone:
            return self.between(operation.invoked, end, including_before=False)
        during = self.between(operation.invoked, min(operation.returned, end), including_before=False)
        # Before the reply the bounds leave both open; after its effect only one is true.
        low, high = (during[0] + 1, during[1]) if operation.verb == "LIKE" else (during[0], during[1] - 1)
        if end > operation.returned:
            # The step at its reply has the effect; what stood just before it is in `during`.
            later = self.between(operation.returned, end, including_before=False)
            low, high = min(low, later[0]), max(high, later[1])
        return low, high


def anchors_of(operations):
    """The changes of a pair that changed it, each with whether it was alone. Unknown ones may come long after."""
    doubtful_from = min((operation.invoked for operation in operations if operation.unknown), default=float("inf"))
    answered = [operation for operation in operations if operation.answered]
    answered.sort(key=lambda operation: operation.invoked)
    latest = float("-inf")
    for place, operation in enumerate(answered):
        following = answered[place + 1].invoked if place + 1 < len(answered) else float("inf")
        if operation.verb in CHANGES and operation.reply[0] == 1:
            # A read that overlaps is company too: its reply can settle the bounds before the change's own does.
            yield Anchor(operation, latest < operation.invoked and operation.returned < min(following, doubtful_from))
        latest = max(latest, operation.returned)


class Acknowledged:
    """The changes of an item that one process has acknowledged."""

    def __init__(self, anchors):
        anchors.sort(key=lambda anchor: anchor.operation.returned)
        self.returned = [anchor.operation.returned for anchor in anchors]
        self.newest = list(
            itertools.accumulate(anchors, lambda a, b: b if b.operation.invoked > a.operation.invoked else a)
        )

    def before(self, time):
        place = bisect.bisect_left(self.returned, time)
        return self.newest[place - 1] if place else None


def newest(anchors):
    """The one called last, or None. Of one pipeline, the last in it."""
    found = [anchor for anchor in anchors if anchor]
    return max(found, key=lambda anchor: (anchor.operation.invoked, anchor.operation.place)) if found else None


@dataclasses.dataclass(slots=True, eq=False)
class Reading:
    """One item's count in one reply."""

    operation: object
    count: int


class ItemCheck:
    """The counts of one item in all replies."""

    def __init__(self, item, operations_by_pair, bounds_by_pair, readings, is_calm):
        self.item = item
        self.readings = readings
        self.is_calm = is_calm
        self.bounds = Bounds(bounds_by_pair)
        self.changes = [o for operations in operations_by_pair for o in operations if o.verb in CHANGES]
        self.anchors = {}
        by_life, by_pipeline = {}, {}
        for operations in operations_by_pair:
            for anchor in anchors_of(operations):
                operation = anchor.operation
                self.anchors[id(operation)] = anchor
                by_life.setdefault((operation.host, operation.life), []).append(anchor)
                if operation.pipeline:
                    by_pipeline.setdefault((operation.client, operation.pipeline), []).append(anchor)
        self.acknowledged = {life: Acknowledged(anchors) for life, anchors in by_life.items()}
        self.pipelined = by_pipeline

    def violations(self):
        for reading in self.readings:
            operation, count = reading.operation, reading.count
            rule, since, (low, high) = self.window(operation)
            if count < 0 or not low <= count <= high:
                what = f"{self.item}: {operation.verb} says {count}; possible {since} were {low} to {high}"
                yield Violation(rule, what, operation.returned, self.readable(operation))

    def window(self, operation):
        end = operation.returned
        if operation.verb in CHANGES:
            anchor = self.anchors.get(id(operation))
            if anchor:
                return CHANGE_RULE, "from the change itself", self.bounds.since(anchor, end)
            anchor = newest(self.sent_before(operation))
            if anchor:
                return CHANGE_RULE, "since the change in front of it", self.bounds.since(anchor, end)
            return CHANGE_RULE, "since its call", self.bounds.between(operation.invoked, end)
        known = self.sent_before(operation)
        acknowledged = self.acknowledged.get((operation.host, operation.life))
        if acknowledged:
            known.append(acknowledged.before(operation.invoked))
        anchor = newest(known)
        calm = self.is_calm(operation.invoked, end)
        oldest = operation.invoked - (CALM_STALE_SECONDS_MAX if calm else STALE_SECONDS_MAX)
        if anchor and anchor.operation.invoked > oldest:
            since = f"since the acknowledged change called at {anchor.operation.invoked:.6f}"
            return READ_RULE, since, self.bounds.since(anchor, end)
        since = f"in the last {operation.invoked - oldest:.0f} s" + (" without any fault" if calm else "")
        return READ_RULE, since, self.bounds.between(oldest, end)

    def sent_before(self, operation):
        """The changes in front of it in its pipeline: it stands behind their effects."""
        if not operation.pipeline:
            return []
        together = self.pipelined.get((operation.client, operation.pipeline), [])
        return [anchor for anchor in together if anchor.operation.place < operation.place]

    def readable(self, operation):
        return around({*self.changes, operation}, operation.invoked)


def readings_of(operations):
    """Every count that was told, by item."""
    readings = {}
    for operation in operations:
        if not operation.answered:
            continue
        if operation.verb in CHANGES:
            told = [(operation.items[0], operation.reply[1])]
        elif operation.verb == "COUNT":
            told = [(operation.items[0], operation.reply)]
        elif operation.verb == "MCOUNT":
            told = zip(operation.items, operation.reply, strict=True)
        else:
            continue
        for item, count in told:
            readings.setdefault(item, []).append(Reading(operation, count))
    return readings


class Calm:
    """Whether nothing was wrong for long enough that no host may have old counts."""

    def __init__(self, disturbances):
        self.disturbed = sorted((d.began, float("inf") if d.healed is None else d.healed) for d in disturbances)
        self.begins = [began for began, _ in self.disturbed]
        # The latest healing of all that began so far: with it one look-up answers for all of them.
        self.healed = list(itertools.accumulate((healed for _, healed in self.disturbed), max))

    def __call__(self, begin, end):
        place = bisect.bisect_right(self.begins, end)
        return place == 0 or self.healed[place - 1] < begin - CALM_AFTER_SECONDS
