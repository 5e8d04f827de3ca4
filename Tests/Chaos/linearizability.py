"""Is there an order of a pair's operations that explains all replies, each taking effect between its call and reply?

A pair (user, item) is one bit. The search is Wing and Gong's with memory, as Lowe orders it: events are taken in the
order of time; when an operation returns, every configuration has to have it *done*, and those that cannot are dropped.
A configuration is (the bit, the open operations that are done). What keeps it small:

- An operation that changes nothing is done as soon as the bit suits it: it takes nothing from the others.
- Of open changes of the same kind, the one that returns first is done first: exchanged, they explain the same replies.
- Unknown changes have no reply to explain, so only their number counts. Between two configurations with the same bit
  and the same done operations, unknown likes used minus unknown unlikes used is the same: fewer used is never worse.
"""

import dataclasses

from .history import CHANGES, Violation, around

RULE = "exact per pair"
# For the bounds of counts only: a change of unknown outcome takes effect within this time or never. The longest fault,
# the longest lock and PostgreSQL's own timeouts together are well below. The check of the pair itself assumes nothing.
UNKNOWN_SECONDS_MAX = 60.0

CALL, RETURN, EXPIRY = range(3)


@dataclasses.dataclass(slots=True, eq=False)
class Step:
    """An operation whose reply is known: it needs the bit to be `before`, and leaves `after`."""

    operation: object
    before: int
    after: int
    leader: object = None  # sent earlier on the same connection, in one go: has to come first
    tied: bool = False  # has a leader, or is one: then it can't be exchanged with others of its kind
    open: bool = True

    @property
    def changes(self):
        return self.before != self.after


@dataclasses.dataclass(slots=True)
class PairCheck:
    """What the search found. `bounds`: (time, lowest, highest) the bit can be from that time on."""

    violations: list
    bounds: list


def step_of(operation):
    if operation.verb == "LIKED":
        return Step(operation, operation.reply, operation.reply)
    wanted = 1 if operation.verb == "LIKE" else 0
    return Step(operation, 1 - wanted if operation.reply[0] else wanted, wanted)


def check_pair(operations):
    """Operations of one pair: LIKE, UNLIKE, LIKED, in any order. At first the bit is 0."""
    return Search(operations).run()


class Search:
    def __init__(self, operations):
        self.operations = operations
        self.pending = []
        self.configurations = {(0, frozenset()): (0, 0)}
        # Unknown changes by the bit they leave: called so far, and those that may still come.
        self.unknown = [0, 0]
        self.fresh = [0, 0]
        self.violations = []
        self.bounds = [(float("-inf"), 0, 0)]
        # Where in `bounds` the bit came to rest as one of the two, and the only operation since then.
        self.rest = None
        self.first = None

    def run(self):
        for time, kind, what in self.events():
            if kind == RETURN:
                if what.open:
                    self.returned(what)
            elif kind == EXPIRY:
                # It has taken effect by now, or never will: both are remembered until a reply tells.
                self.configurations = self.explain(None)
                self.fresh[what] -= 1
            elif isinstance(what, Step):
                self.pending.append(what)
            else:
                self.unknown[what] += 1
                self.fresh[what] += 1
            self.note_bounds(time)
            self.note_rest(time, what)
        return PairCheck(self.violations, self.bounds)

    def events(self):
        events, last_sent = [], {}
        for operation in sorted(self.operations, key=lambda operation: (operation.invoked, operation.place)):
            if operation.unknown:
                after = 1 if operation.verb == "LIKE" else 0
                events.append((operation.invoked, CALL, after))
                events.append((operation.invoked + UNKNOWN_SECONDS_MAX, EXPIRY, after))
            elif operation.answered:
                step = step_of(operation)
                if operation.pipeline:
                    step.leader = last_sent.get((operation.client, operation.pipeline))
                    if step.leader:
                        step.tied = step.leader.tied = True
                    last_sent[operation.client, operation.pipeline] = step
                events.append((operation.invoked, CALL, step))
                events.append((operation.returned, RETURN, step))
        # A call and a return at the same moment overlap: calls come first. The sort keeps the order of pipelines.
        events.sort(key=lambda event: event[:2])
        return events

    def returned(self, step):
        found = self.explain(step)
        self.pending.remove(step)
        step.open = False
        if found:
            self.configurations = found
            return
        operation = step.operation
        what = f"{operation.user} {operation.items[0]}: nothing explains {operation.verb} → {operation.reply}"
        self.violations.append(Violation(RULE, what, operation.returned, around(self.operations, operation.invoked)))
        # Go on with either bit, and ask nothing of what was open: one fault, one finding.
        for other in self.pending:
            other.open = False
        self.pending.clear()
        self.configurations = {(0, frozenset()): (0, 0), (1, frozenset()): (0, 0)}

    def explain(self, target):
        """All configurations that have the target done, which then needs no more mention; without one, all."""
        found, seen = {}, {}
        work = list(self.configurations.items())
        while work:
            (bit, done), used = work.pop()
            done = self.with_readers(bit, done)
            if target in done:
                key = bit, done - {target}
                if key not in found or used < found[key]:
                    found[key] = used
                continue
            key = bit, done
            if key in seen and seen[key] <= used:
                continue
            seen[key] = used
            if target is None:
                found[key] = used
            work += [((1 - bit, done | {step}), used) for step in self.next_changes(bit, done)]
            # Without a target it is about the bounds, for which old unknown changes have had their time.
            if used[1 - bit] < self.unknown[1 - bit] and (target or self.fresh[1 - bit]):
                more = (used[0] + bit, used[1] + 1 - bit)
                work.append(((1 - bit, done), more))
        return found

    def with_readers(self, bit, done):
        """Everything open that this bit suits and that changes nothing is done; leaders stand before followers."""
        for step in self.pending:
            if step.before == step.after == bit and step not in done and self.may_come(step, done):
                done = done | {step}
        return done

    def next_changes(self, bit, done):
        first = None
        for step in self.pending:
            if step.before != bit or not step.changes or step in done or not self.may_come(step, done):
                continue
            if step.tied:
                yield step
            elif first is None or step.operation.returned < first.operation.returned:
                first = step
        if first:
            yield first

    def may_come(self, step, done):
        return step.leader is None or not step.leader.open or step.leader in done

    def note_bounds(self, time):
        """The bit between this event and the next: that of any configuration, or what open operations make of it."""
        low = min(bit for bit, _ in self.configurations)
        high = max(bit for bit, _ in self.configurations)
        if low == high and (self.fresh[1 - low] or self.can_change(low)):
            low, high = 0, 1
        if (low, high) != self.bounds[-1][1:]:
            self.bounds.append((time, low, high))

    def note_rest(self, time, what):
        """A bit at rest stays what it is until the next operation, whose reply, if it is alone, tells what it was."""
        if self.rest is not None and self.first is None and isinstance(what, Step):
            self.first = what
        elif self.rest is not None and what is self.first:
            self.tell_rest()
        elif self.pending or any(self.fresh):
            self.rest = self.first = None
        elif self.rest is None and self.bounds[-1][1:] == (0, 1):
            self.rest = len(self.bounds)
            self.bounds.append((time, 0, 1))

    def tell_rest(self):
        step, rest = self.first, self.rest
        self.rest = self.first = None
        # Still there: nothing explained the reply, so it tells nothing.
        if rest == len(self.bounds) - 1:
            return
        settled = self.bounds.pop()
        self.bounds[rest] = (self.bounds[rest][0], step.before, step.before)
        if step.changes:
            self.bounds.append((step.operation.invoked, 0, 1))
        self.bounds.append(settled)

    def can_change(self, bit):
        changes = [step for step in self.pending if step.changes and step.before == bit]
        return any(step not in done for step in changes for _, done in self.configurations)


def by_pair(operations):
    """The operations that are about one pair each."""
    pairs = {}
    for operation in operations:
        if operation.verb == "LIKED" or operation.verb in CHANGES:
            pairs.setdefault((operation.user, operation.items[0]), []).append(operation)
    return pairs
