"""Whatever PostgreSQL answers, likesd lives, holds no more memory, and works again once the answers are right."""

import random
import struct

import pytest
from before_postgres import columns, error, message, row, serving

MUTATIONS = 100


@pytest.fixture(scope="module")
def servers(migrated_cluster, folder, number):
    with serving(migrated_cluster, folder, number) as servers:
        yield servers


VALUES = {
    "NULL": None,
    "empty": b"",
    "one byte": b"\x01",
    "a long one": b"\xff" * 100_000,
    "the greatest": struct.pack("!q", 2**63 - 1),
    "the least": struct.pack("!q", -(2**63)),
    "a short": b"\x7f\xff",
    "digits": b"999999999999999999999999",
    "text": b"t\x1b[2J\xff\n",
}


@pytest.mark.parametrize("what", VALUES)
def test_a_row_with_another_value_in_one_column(between, seed, what):
    source = random.Random(f"{seed} {what}")

    def change(kind, body):
        if kind != b"D" or source.random() < 0.3 or not (values := columns(body)):
            return None
        values[source.randrange(len(values))] = VALUES[what]
        return row(values)

    between.lie(change)


@pytest.mark.parametrize("count", [-1, 0, 1, 100])
def test_rows_of_another_number_of_columns(between, count):
    def change(kind, body):
        if kind != b"D":
            return None
        values = columns(body)
        return row((values + [b"\x00" * 8] * 100)[: max(0, len(values) + count if count < 0 else count)])

    between.lie(change)


@pytest.mark.parametrize("times", [0, 2, 50])
def test_more_or_fewer_rows_than_there_are(between, times):
    between.lie(lambda kind, body: message(kind, body) * times if kind == b"D" else None)


def test_a_long_error_is_cut_in_replies_and_the_log(between):
    long = b"\xc2\x9b\x1b[31m\xe2\x80\xae\xe2\x80\x8b\xef\xbb\xbf" + b"x" * 60_000
    replies = []

    def change(kind, _):
        return message(b"E", error(long, b"P0001")) if kind == b"D" else None

    logged = len(between.daemon.log())
    between.relay.change = lambda piece: piece.data
    original = between.daemon.call

    def call(*words):
        reply = original(*words)
        replies.append(reply)
        return reply

    between.daemon.call = call
    try:
        between.lie(change)
    finally:
        between.daemon.call = original
    texts = [str(reply) for reply in replies]
    assert any("xxx" in text for text in texts)
    assert max(map(len, texts)) < 2_000
    log = between.daemon.log()[logged:]
    assert max(map(len, log.splitlines())) < 2_000
    for text in [*texts, log]:
        assert not set("\x9b\x1b\u202e\u200b\ufeff") & set(text)


@pytest.mark.parametrize("kind", [b"G", b"H", b"W"])
def test_a_copy_that_nobody_asked_for(between, kind):
    copying = message(kind, b"\0\0\0")
    counted = between.ends_for_what_it_said()
    between.lie(lambda found, body: copying if found == b"C" else None)
    assert between.ends_for_what_it_said() > counted


def test_messages_with_anything_in_them_changed(between, seed):
    source = random.Random(seed)

    def change(kind, body):
        if source.random() < 0.8 or not body:
            return None
        changed = bytearray(kind + body)
        for _ in range(source.randint(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        if source.random() < 0.3:
            del changed[source.randrange(1, len(changed)) :]
        return message(bytes(changed[:1]), bytes(changed[1:]))

    counted = between.ends_for_what_it_said()
    between.lie(change, lambda changed: changed >= MUTATIONS)
    assert between.ends_for_what_it_said() > counted
