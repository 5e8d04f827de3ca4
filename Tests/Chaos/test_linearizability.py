"""The checker of pairs: it finds what is wrong, and nothing else."""

import pytest

from Chaos.linearizability import UNKNOWN_SECONDS_MAX, check_pair
from Chaos.made import BROKEN, is_linearizable, operation, random_pair, random_source

UNCERTAIN = "UNCERTAIN no outcome"
UNAVAILABLE = "UNAVAILABLE never sent"

GOOD = {
    "nothing": [],
    "one after the other": [
        operation("LIKED", 0, 0, 1),
        operation("LIKE", 1, 2, 3),
        operation("LIKE", 0, 4, 5),
        operation("LIKED", 1, 6, 7),
        operation("UNLIKE", 1, 8, 9),
        operation("UNLIKE", 0, 10, 11),
    ],
    "a read that overlaps a like may be before it or after it": [
        operation("LIKE", 1, 0, 10),
        operation("LIKED", 0, 1, 2),
        operation("LIKED", 1, 3, 4),
    ],
    "of two likes at once one changes something": [operation("LIKE", 1, 0, 10), operation("LIKE", 0, 1, 9)],
    "likes and unlikes at once, in the one order that explains them": [
        operation("LIKE", 1, 0, 10),
        operation("UNLIKE", 1, 0, 10),
        operation("LIKE", 1, 0, 10),
        operation("LIKED", 1, 11, 12),
    ],
    "an uncertain like that took effect": [operation("LIKE", UNCERTAIN, 0, 1), operation("LIKED", 1, 2, 3)],
    "an uncertain like that did not": [operation("LIKE", UNCERTAIN, 0, 1), operation("LIKED", 0, 2, 3)],
    "an uncertain like that took effect long after its reply": [
        operation("LIKE", UNCERTAIN, 0, 1),
        operation("LIKED", 0, 2, 3),
        operation("LIKE", 1, 4, 5),
        operation("UNLIKE", 1, 6, 7),
        operation("LIKED", 0, 8, 9),
        operation("UNLIKE", 1, 100, 101),
    ],
    "a like of a broken connection is uncertain": [operation("LIKE", BROKEN, 0, 1), operation("LIKE", 0, 2, 3)],
    "what is unavailable never happened": [operation("LIKE", UNAVAILABLE, 0, 1), operation("LIKE", 1, 2, 3)],
    "a pipeline in its order": [
        operation("LIKE", 1, 0, 5, pipeline=1, place=0),
        operation("UNLIKE", 1, 0, 6, pipeline=1, place=1),
        operation("LIKED", 0, 0, 7, pipeline=1, place=2),
    ],
}

BAD = {
    "a read of what nobody did": [operation("LIKED", 1, 0, 1)],
    "a lost like": [operation("LIKE", 1, 0, 1), operation("LIKED", 0, 2, 3)],
    "a like that changed something twice": [operation("LIKE", 1, 0, 1), operation("LIKE", 1, 2, 3)],
    "two likes at once that both changed something": [operation("LIKE", 1, 0, 10), operation("LIKE", 1, 1, 9)],
    "two likes at once of which none changed something": [operation("LIKE", 0, 0, 10), operation("LIKE", 0, 1, 9)],
    "an unlike of what is not liked": [operation("UNLIKE", 1, 0, 1)],
    "reads that go back": [
        operation("LIKE", 1, 0, 10),
        operation("LIKED", 1, 1, 2),
        operation("LIKED", 0, 3, 4),
    ],
    "what is unavailable happened": [operation("LIKE", UNAVAILABLE, 0, 1), operation("LIKED", 1, 2, 3)],
    "one uncertain like that took effect twice": [
        operation("LIKE", UNCERTAIN, 0, 1),
        operation("UNLIKE", 1, 2, 3),
        operation("UNLIKE", 1, 4, 5),
    ],
    "an uncertain like that took effect before its call": [
        operation("LIKED", 1, 0, 1),
        operation("LIKE", UNCERTAIN, 2, 3),
    ],
    "an uncertain unlike that liked": [operation("UNLIKE", UNCERTAIN, 0, 1), operation("LIKED", 1, 2, 3)],
    "a pipeline out of its order": [
        operation("LIKE", 1, 0, 5, pipeline=1, place=0),
        operation("LIKED", 0, 0, 6, pipeline=1, place=1),
    ],
    "changes of a pipeline out of their order": [
        operation("LIKE", 1, 0, 10),
        operation("UNLIKE", 1, 0, 5, pipeline=1, place=0),
        operation("LIKE", 0, 0, 6, pipeline=1, place=1),
    ],
}


@pytest.mark.parametrize("operations", GOOD.values(), ids=GOOD)
def test_a_good_history_passes(operations):
    assert check_pair(operations).violations == []


@pytest.mark.parametrize("operations", BAD.values(), ids=BAD)
def test_a_bad_history_is_found(operations):
    assert len(check_pair(operations).violations) == 1


def test_the_order_in_which_operations_were_recorded_does_not_matter(seed):
    source = random_source(seed, "shuffled")
    for operations in [*GOOD.values(), *BAD.values()]:
        shuffled = source.sample(operations, len(operations))
        assert bool(check_pair(shuffled).violations) == bool(check_pair(operations).violations)


def test_an_exact_service_passes_however_its_operations_overlap(seed):
    for number in range(300):
        source = random_source(seed, number)
        operations = random_pair(source, source.randint(1, 60), source.randint(1, 12))
        assert check_pair(operations).violations == [], number


def test_it_agrees_with_trying_every_order(seed):
    """On small histories, of an exact service and of one that lies."""
    found = 0
    for number in range(1500):
        source = random_source(seed, f"lie {number}")
        operations = random_pair(source, source.randint(1, 6), source.randint(1, 5), lie=True)
        expected = is_linearizable(operations)
        assert (not check_pair(operations).violations) == expected, number
        found += not expected
    assert found > 100


def test_after_a_violation_it_goes_on_and_finds_the_next():
    operations = [
        operation("LIKED", 1, 0, 1),
        operation("LIKED", 1, 2, 3),
        operation("LIKED", 0, 4, 5),
    ]
    assert len(check_pair(operations).violations) == 2


def test_the_bounds_are_open_while_a_change_runs_and_closed_by_its_reply():
    bounds = check_pair([operation("LIKE", 1, 1, 2), operation("UNLIKE", 1, 5, 6)]).bounds
    assert bounds[1:] == [(1, 0, 1), (2, 1, 1), (5, 0, 1), (6, 0, 0)]


def test_a_read_closes_the_bounds_of_a_change_that_it_has_seen():
    bounds = check_pair([operation("LIKE", 1, 1, 9), operation("LIKED", 1, 2, 3)]).bounds
    assert bounds[1:] == [(1, 0, 1), (3, 1, 1)]


def test_the_bounds_of_an_unknown_change_stay_open_until_a_reply_tells():
    unknown = operation("LIKE", UNCERTAIN, 1, 2)
    rest = 1 + UNKNOWN_SECONDS_MAX
    assert states(check_pair([unknown]).bounds, rest + 1) == (0, 1)
    for bit in (0, 1):
        bounds = check_pair([unknown, operation("LIKED", bit, 200, 201)]).bounds
        # Until it has had its time it may come any moment; since then it has come or has not.
        assert states(bounds, rest - 1) == (0, 1)
        assert states(bounds, rest + 1) == states(bounds, 199) == states(bounds, 202) == (bit, bit)
    bounds = check_pair([unknown, operation("UNLIKE", 1, 200, 201)]).bounds
    assert [states(bounds, at) for at in (199, 200.5, 202)] == [(1, 1), (0, 1), (0, 0)]


def states(bounds, at):
    return [(low, high) for time, low, high in bounds if time <= at][-1]
