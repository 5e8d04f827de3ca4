"""The checks of counts, of replies and of waiting, on histories made by hand; and that they let an exact one pass."""

import pytest

from Chaos.checks import check_history
from Chaos.counts import CHANGE_RULE, READ_RULE, STALE_SECONDS_MAX
from Chaos.history import Disturbance, History, Operation
from Chaos.made import BROKEN, operation, random_source

TIMEOUT_SECONDS = 2.0
ITEM = "post:1"
UNCERTAIN = "UNCERTAIN no outcome"


def history_of(*operations, faults=()):
    history = History()
    history.operations = list(operations)
    history.disturbances = list(faults)
    return history


def rules(*operations, faults=()):
    return [violation.rule for violation in check_history(history_of(*operations, faults=faults), TIMEOUT_SECONDS)]


def like(user, count, invoked, returned, **options):
    return operation("LIKE", [1, count], invoked, returned, user=user, **options)


def unlike(user, count, invoked, returned, **options):
    return operation("UNLIKE", [1, count], invoked, returned, user=user, **options)


def count(value, invoked, returned, **options):
    return operation("COUNT", value, invoked, returned, **options)


def mcount(items, replies, invoked, returned):
    return Operation(0, 1, 0, "MCOUNT", None, items, invoked, returned, replies)


# A fault that never ends: counts may be old all the time.
SOME_FAULT = Disturbance("some fault", None, 0.0)

GOOD = {
    "counts of changes one after the other": [like(1, 1, 0, 1), like(2, 2, 2, 3), unlike(1, 1, 4, 5)],
    "the count of a change may have another that runs at the same time": [like(1, 2, 0, 5), like(2, 2, 1, 6)],
    "a COUNT before anything": [count(0, 0, 1)],
    "a COUNT that overlaps a like": [like(1, 1, 0, 10), count(0, 1, 2, host=1), count(1, 1, 2, host=2)],
    "an old COUNT of another host": [like(1, 1, 0, 1), count(0, 3, 4, host=1)],
    "an old COUNT of the same host after a restart": [like(1, 1, 0, 1), count(0, 3, 4, life=2)],
    "an unlike at the same time explains the older count": [
        like(1, 1, 0, 1),
        unlike(1, 0, 2, 9),
        count(0, 3, 4),
    ],
    "a like of unknown outcome may count or not": [
        operation("LIKE", UNCERTAIN, 0, 1),
        count(0, 2, 3),
        count(1, 2, 3),
    ],
    "a like that changed nothing tells a count of its own time": [
        like(1, 1, 0, 1),
        operation("LIKE", [0, 1], 2, 3),
    ],
    "each count of an MCOUNT": [like(1, 1, 0, 1), mcount((ITEM, "post:2"), [1, 0], 2, 3)],
}

BAD = {
    "a negative count": ([count(-1, 0, 1)], READ_RULE),
    "more than there ever were": ([like(1, 1, 0, 1), count(2, 2, 3, host=1)], READ_RULE),
    "the count of a change without the change": ([like(1, 0, 0, 1)], CHANGE_RULE),
    "the count of an unlike without it": ([like(1, 1, 0, 1), unlike(1, 1, 2, 3)], CHANGE_RULE),
    "the count of a change without an older one": ([like(1, 1, 0, 1), like(2, 1, 2, 3)], CHANGE_RULE),
    "the count of a like that changed nothing is from before its call": (
        [like(1, 1, 0, 1), operation("LIKE", [0, 0], 2, 3)],
        CHANGE_RULE,
    ),
    "a COUNT on the same host without the acknowledged change": ([like(1, 1, 0, 1), count(0, 2, 3)], READ_RULE),
    "another client's COUNT on that host": ([like(1, 1, 0, 1), count(0, 2, 3, client=5)], READ_RULE),
    "a COUNT in a pipeline behind the change": (
        [like(1, 1, 0, 1, pipeline=1, place=0), count(0, 0, 2, pipeline=1, place=1)],
        READ_RULE,
    ),
    "a like that changed nothing, in a pipeline behind a change that its count lacks": (
        [
            like(2, 1, 0, 1),
            like(1, 2, 2, 5, pipeline=1, place=0),
            operation("LIKE", [0, 1], 2, 6, user=2, pipeline=1, place=1),
        ],
        CHANGE_RULE,
    ),
    "a COUNT of another host that is older than allowed": (
        [like(1, 1, 0, 1), count(0, 2 + STALE_SECONDS_MAX, 3 + STALE_SECONDS_MAX, host=1)],
        READ_RULE,
    ),
    "one count of an MCOUNT": ([like(1, 1, 0, 1), mcount(("post:2", ITEM), [0, 0], 2, 3)], READ_RULE),
}


@pytest.mark.parametrize("operations", GOOD.values(), ids=GOOD)
def test_possible_counts_pass(operations):
    assert rules(*operations, faults=[SOME_FAULT]) == []


@pytest.mark.parametrize(("operations", "rule"), BAD.values(), ids=BAD)
def test_impossible_counts_are_found(operations, rule):
    assert rules(*operations, faults=[SOME_FAULT]) == [rule]


def test_without_any_fault_counts_of_other_hosts_are_young():
    operations = [like(1, 1, 0, 1), count(0, 10, 11, host=1)]
    assert rules(*operations) == [READ_RULE]
    assert rules(*operations, faults=[Disturbance("some fault", None, 0.0, 2.0)]) == []


def test_an_exact_service_passes(seed):
    """Counts of changes, of reads and of old caches, all true: nothing is found, however they overlap."""
    for number in range(40):
        source = random_source(seed, f"counts {number}")
        operations = exact_service(source, source.choice([1, 30]), source.choice([5, 100]))
        assert rules(*operations, faults=[SOME_FAULT]) == [], number


def exact_service(source, pause_seconds, users):
    """All clients on one host; each operation takes effect at a random moment between its call and its reply."""
    free, planned = [0.0] * 6, []
    for _ in range(400):
        client = source.randrange(len(free))
        invoked = free[client] + source.random() * pause_seconds
        effect = invoked + source.random()
        free[client] = effect + source.random()
        verb = source.choice(["LIKE", "UNLIKE", "COUNT", "LIKED"])
        planned.append((effect, verb, invoked, free[client], client))
    likes, operations = set(), []
    for _, verb, invoked, returned, client in sorted(planned):
        user = source.randrange(users)
        changed = int((user in likes) != (verb == "LIKE"))
        if verb == "COUNT":
            operations.append(count(len(likes), invoked, returned, client=client))
            continue
        if verb == "LIKED":
            reply = int(user in likes)
        else:
            (likes.add if verb == "LIKE" else likes.discard)(user)
            reply = [changed, len(likes)] if source.random() < 0.95 else UNCERTAIN
        operations.append(operation(verb, reply, invoked, returned, user=user, client=client))
    return operations


def test_replies_of_another_kind_are_found():
    assert rules(operation("LIKE", "ERR no such command", 0, 1)) == ["every reply is of its kind"]
    assert rules(operation("LIKED", "UNCERTAIN why", 0, 1)) == ["every reply is of its kind"]
    assert rules(operation("LIKED", 2, 0, 1)) == ["every reply is of its kind"]
    assert rules(operation("COUNT", [1], 0, 1)) == ["every reply is of its kind"]
    for code in ("UNAVAILABLE", "UNCERTAIN", "BUSY", "RATELIMITED"):
        assert rules(operation("UNLIKE", f"{code} why", 0, 1)) == []


def test_a_connection_that_breaks_is_found_if_the_process_lives_on():
    broken = operation("COUNT", BROKEN, 5, 6)
    assert rules(broken, count(0, 4, 7)) == []
    assert rules(broken, count(0, 7, 8)) == ["no connection breaks"]
    assert rules(broken, count(0, 7, 8, life=2)) == []
    assert rules(broken, count(0, 7, 8, host=1)) == []


def test_waiting_for_ever_is_found_but_not_what_a_stop_of_ours_took():
    waited = count(0, 0, 30)
    assert rules(waited) == ["everything is answered"]
    assert rules(waited, faults=[Disturbance("likesd stopped", 0, 1.0, 29.0)]) == []
    assert rules(waited, faults=[Disturbance("likesd stopped", 1, 1.0, 29.0)]) == ["everything is answered"]


def test_a_history_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "history.jsonl"
    written = History(path)
    written.add([like(1, 1, 0.25, 1.5), count(1, 2, 3), operation("LIKE", BROKEN, 4, 5)])
    disturbance = written.began("some fault", 2, 0.5)
    written.healed(disturbance, 1.25)
    written.close()
    read = History.read(path)
    assert [o.line() for o in read.operations] == [o.line() for o in written.operations]
    assert read.disturbances == written.disturbances
