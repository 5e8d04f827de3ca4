"""The comparison finds what is wrong: each lie that PostgreSQL or a reply could tell."""

import threading

import pytest
from books import DRIFT, LIKES, compare
from load import OWN_USERS, SHARED_USERS, Client, Reply

OWN = (OWN_USERS + 1, "post:1")
TAKEN_BACK = (OWN_USERS + 2, "post:1")
SHARED = (SHARED_USERS, "post:2")
WANTED = {OWN: True, TAKEN_BACK: False}
# user, type, item; as text, which is what psql prints.
ROWS = [[str(OWN[0]), "1", "1"], [str(SHARED[0]), "1", "2"]]


class Tables:
    """In the place of a container."""

    def __init__(self, likes, drift=()):
        self.answers = {LIKES: list(likes), DRIFT: list(drift)}

    def sql(self, statement):
        return self.answers[statement]


def shared(*outcomes):
    return [Reply(number, "kept", "LIKE", *SHARED, 0.0, 1.0, outcome) for number, outcome in enumerate(outcomes)]


def test_true_books_have_no_difference():
    assert compare(Tables(ROWS), WANTED, shared(0, 1, 0)).differences == []


@pytest.mark.parametrize(
    ("tables", "replies"),
    [
        pytest.param(Tables(ROWS[1:]), shared(1), id="a like is lost"),
        pytest.param(Tables([*ROWS, [str(TAKEN_BACK[0]), "1", "1"]]), shared(1), id="an unlike is lost"),
        pytest.param(Tables(ROWS[:1]), shared(1), id="a like of all is lost"),
        pytest.param(Tables(ROWS), shared(1, 0, 1), id="two say that they changed it"),
        pytest.param(Tables(ROWS), shared(0, 0), id="nobody says that he changed it"),
        pytest.param(Tables([*ROWS, [str(OWN_USERS + 9), "2", "5"]]), shared(1), id="a like nobody asked for"),
        pytest.param(Tables(ROWS, [["1", "1", "2", "1"]]), shared(1), id="a counter is not its likes"),
    ],
)
def test_a_lie_is_a_difference(tables, replies):
    assert len(compare(tables, WANTED, replies).differences) == 1


def test_a_reply_that_was_lost_may_have_been_the_one():
    assert compare(Tables(ROWS), WANTED, shared(0, "EOF")).differences == []


@pytest.fixture
def client():
    return Client(0, "kept", "nowhere", threading.Event(), 0)


@pytest.mark.parametrize(
    ("history", "problems"),
    [
        ([("LIKE", 1), ("LIKE", 0), ("UNLIKE", 1), ("UNLIKE", 0), ("LIKE", 1)], 0),
        ([("LIKE", 1), ("LIKE", 1)], 1),
        ([("LIKE", 0)], 1),
        ([("UNLIKE", 1)], 1),
        # Without an outcome either is right, and from then on it is known again.
        ([("LIKE", "EOF"), ("LIKE", 0), ("LIKE", 0)], 0),
        ([("LIKE", "UNCERTAIN"), ("LIKE", 1), ("LIKE", 1)], 1),
        # Refused is not stored.
        ([("LIKE", "BUSY"), ("LIKE", 1)], 0),
    ],
)
def test_each_changed_is_held_against_what_it_has_to_be(client, history, problems):
    for verb, what in history:
        client.note((verb, *OWN), what)
    assert len(client.problems) == problems


def test_what_has_no_known_outcome_is_asked_again(client):
    client.note(("LIKE", *OWN), "EOF")
    assert client.requests() == [("LIKE", *OWN)]
