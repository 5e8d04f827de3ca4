"""The move from the reference service is done as docs/moving.md says, while the reference never stops."""

import contextlib
import re

import psycopg
import pytest
from support.adoption import long_silent
from support.database import drift
from support.handbook import Operator, blocks, section
from support.manual import ROOT
from support.reference import (
    TABLES,
    Reference,
    counts_of,
    http_traffic,
    likes_of,
    likesd_traffic,
    reference_traffic,
)
from support.waiting import eventually

DOCUMENT = "moving.md"
ITEMS = list(range(1, 101))
STEPS = [
    "1. Take the database over",
    "2. Start likesd beside the reference",
    "3. Move the applications",
    "4. Stop the reference",
    "5. End the time side by side",
]


def printed(title):
    """The lines that the document shows, a list for each text."""
    return [text.splitlines() for text in re.findall(r"^```text\n(.*?)^```", section(title, DOCUMENT), re.M | re.S)]


def plain(line):
    """Without what is different each time."""
    return re.sub(r"[\d.]+( [kMG]?B\b)?", "N", re.sub(r"database \w+", "database NAME", line))


class Move:
    """The database, the hosts, and what the document's lines do to them."""

    def __init__(self, operator, postgres, name, host, address, start_gateway):
        self.operator, self.postgres, self.name, self.host = operator, postgres, name, host
        self.is_running = False
        self.reference = contextlib.ExitStack()
        # Where likes-http listens.
        self.address, self.start_gateway = address, start_gateway
        self.gateway = None

    def start(self):
        self.host.start()
        self.is_running = True

    def stop(self):
        if self.is_running:
            assert self.host.stop() == 0
            with self.postgres.connect(self.name) as sql:
                long_silent(sql)
        self.is_running = False

    def start_http(self):
        self.gateway = self.start_gateway(self.host.socket, listen=(self.address,))

    def stop_http(self):
        assert self.gateway.stop() == 0

    def restart_http(self):
        self.stop_http()
        self.start_http()

    def follow(self, title, shown=()):
        """Runs all blocks below a heading. `shown`: by the place of a block, the text that it is to print."""
        texts = printed(title)
        for place, block in enumerate(blocks(title, DOCUMENT)):
            output = self.operator.follow(
                block, self.postgres, self.host, self.name, self.address,
                **{
                    "sudo systemctl edit likes-http.socket": lambda: None,
                    "sudo systemctl revert likes-http.socket": lambda: None,
                    "sudo systemctl restart likes-http.socket": self.restart_http,
                    "sudo systemctl enable --now likes-http.socket": self.start_http,
                    "sudo systemctl disable --now likes-http.socket": self.stop_http,
                    "sudo systemctl enable": self.start,
                    "sudo systemctl disable": self.stop,
                    "sudo systemctl stop": self.reference.close,
                    "sudo systemctl start": lambda: None,
                },
            )  # fmt: skip
            if place in shown:
                lines = {plain(line) for line in output.splitlines()}
                assert {plain(line) for line in texts[shown.index(place)]} <= lines


@pytest.fixture
def move(place, postgres, own_redis, start_daemon, start_gateway, number):
    name = f"likes{number()}"
    url = postgres.create_database(name)
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute(TABLES)
        sql.execute(
            "INSERT INTO user_likes (user_id, item_id) "
            "SELECT u, i FROM generate_series(1, 50) u, generate_series(1, 100) i"
        )
        sql.execute("INSERT INTO counters (item_id, like_count) SELECT i, 50 FROM generate_series(1, 100) i")
    host = start_daemon(postgres, own_redis, database_url=url, until=None)
    host.stop()
    return Move(Operator(place, own_redis), postgres, name, host, str(place / "http.sock"), start_gateway)


def test_the_whole_move_loses_no_like_and_no_count_is_wrong(move, own_redis):
    url = move.postgres.url(move.name)
    theirs = move.reference.enter_context(reference_traffic(url, own_redis, ITEMS, 1_000_000))
    before = {(user, item) for user in range(1, 51) for item in ITEMS}
    eventually(lambda: theirs.count > 100, "the reference to write")
    # Down, checked, up again, down …
    move.follow(STEPS[0], shown=[0, 1, 2])
    move.follow(STEPS[1], shown=[0])
    with likesd_traffic(move.host, ITEMS, 2_000_000) as ours:
        move.follow(STEPS[2], shown=[2])
        with http_traffic(move.address, ITEMS, 3_000_000) as moved:
            count = theirs.count
            eventually(lambda: theirs.count > count + 200 and min(ours.count, moved.count) > 200, "all to write")
            move.follow(STEPS[3], shown=[0])
            count = moved.count
            eventually(lambda: moved.count > count + 100, "callers over HTTP to go on")
            move.follow(STEPS[4], shown=[0])
    with psycopg.connect(url, autocommit=True) as sql:
        assert likes_of(sql) == before | theirs.liked | ours.liked | moved.liked
        assert drift(sql) == []
        counts = counts_of(sql)
        told = move.host.call("MCOUNT", *(f"post:{item}" for item in ITEMS))
        assert told == [counts[item] for item in ITEMS]
    assert theirs.longest < 5
    # All the way back, and the reference goes on with all of it.
    move.follow("All the way back", shown=[0])
    service = Reference(url, own_redis)
    assert service.like(5_000_000, 1)
    service.close()
    with psycopg.connect(url, autocommit=True) as sql:
        assert likes_of(sql) == before | theirs.liked | ours.liked | moved.liked | {(5_000_000, 1)}
        assert drift(sql) == []


def test_each_command_of_the_document_is_run():
    text = (ROOT / "docs" / DOCUMENT).read_text()
    commands = set(re.findall(r"^ {4,}((?:sudo|likesctl|curl) .*)$", text, re.M))
    followed = {line for title in [*STEPS, "All the way back"] for block in blocks(title, DOCUMENT) for line in block}
    # The first is about a service that no test has.
    assert commands - followed == {"sudo systemctl disable --now likesd.socket likesd.service"} - followed
