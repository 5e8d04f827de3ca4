"""Histories made by hand or by a simulated service, for the tests of the checks."""

import random

from .history import Operation

BROKEN = "broken"


def operation(verb, reply, invoked, returned, user=1, item="post:1", host=0, client=0, life=1, pipeline=0, place=0):
    """One operation; the reply of a change may be `changed` alone."""
    if verb in ("LIKE", "UNLIKE") and isinstance(reply, int):
        reply = [reply, 0]
    reply = None if reply is BROKEN else reply
    who = user if verb in ("LIKE", "UNLIKE", "LIKED") else None
    return Operation(host, life, client, verb, who, (item,), invoked, returned, reply, pipeline, place)


def random_pair(source, length, clients, lie=False):
    """Operations of one pair on a service that is exact, or that lies once in its replies."""
    free = [0.0] * clients
    planned = []
    for turn in range(length):
        client = source.randrange(clients)
        effect = invoked = free[client] + source.random()
        returned = 0.0
        sent_together = source.choice([1, 1, 2, 3])
        for place in range(sent_together):
            effect += source.random() * 3
            returned = max(returned, effect + source.random() * 3)
            verb = source.choice(["LIKE", "UNLIKE", "LIKED"])
            pipeline = turn + 1 if sent_together > 1 else 0
            planned.append((effect, verb, invoked, returned, {"client": client, "pipeline": pipeline, "place": place}))
        free[client] = returned
    state, operations = 0, []
    for _, verb, invoked, returned, sender in sorted(planned, key=lambda entry: entry[0]):
        fate = source.random()
        if verb == "LIKED":
            operations.append(operation(verb, state, invoked, returned, **sender))
            continue
        wanted = 1 if verb == "LIKE" else 0
        if fate < 0.1:
            reply = "UNAVAILABLE not stored"
        else:
            reply = [int(state != wanted), 0]
            if fate > 0.3 or state == wanted:
                state = wanted
            if fate > 0.85:
                reply = BROKEN
            elif fate <= 0.3 and reply[0] == 1:
                # Never took effect, and nobody knows.
                reply = "UNCERTAIN no outcome"
        operations.append(operation(verb, reply, invoked, returned, **sender))
    if lie:
        known = [o for o in operations if o.answered]
        if known:
            chosen = source.choice(known)
            if chosen.verb == "LIKED":
                chosen.reply = 1 - chosen.reply
            else:
                chosen.reply = [1 - chosen.reply[0], 0]
    return operations


def goes_before(one, other):
    """Whether one was sent in front of the other, in one go."""
    same = one.pipeline and (one.client, one.pipeline) == (other.client, other.pipeline)
    return same and one.place < other.place


def is_linearizable(operations):
    """The same question, answered by trying every order: slow, and too simple to be wrong."""
    known = [o for o in operations if o.answered]
    unknown = [o for o in operations if o.unknown]
    seen = set()

    def search(state, left, maybe):
        key = state, frozenset(map(id, left)), frozenset(map(id, maybe))
        if not left:
            return True
        if key in seen:
            return False
        seen.add(key)
        first_return = min(o.returned for o in left)
        for o in left:
            if o.invoked > first_return or any(goes_before(other, o) for other in left):
                continue
            bit = o.reply if o.verb == "LIKED" else o.reply[0]
            if o.verb == "LIKED":
                fits, after = state == bit, state
            else:
                after = 1 if o.verb == "LIKE" else 0
                fits = bit == (state != after)
            if fits and search(after, [other for other in left if other is not o], maybe):
                return True
        for o in maybe:
            if o.invoked <= first_return:
                after = 1 if o.verb == "LIKE" else 0
                if search(after, left, [other for other in maybe if other is not o]):
                    return True
        return False

    return search(0, known, unknown)


def random_source(seed, number):
    return random.Random(f"{seed} {number}")
