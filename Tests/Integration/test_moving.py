"""The move from the reference service is done as docs/moving.md says, while its callers never stop."""

import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.adoption import HELD_UP_MAX, adopted, long_silent, migrate
from support.daemon import run
from support.database import drift
from support.handbook import Operator, blocks, parts, section
from support.manual import ROOT
from support.ports import free_ports
from support.reference import TABLES, counts_of, likes_of, likesd_traffic, reference_traffic
from support.reference_http import ReferenceService, http_traffic
from support.units import SocketUnit
from support.waiting import eventually

DOCUMENT = "moving.md"
ITEMS = list(range(1, 101))
STEPS = [
    "1. Take the database over",
    "2. Start likesd beside the reference",
    "3. Move the applications",
    "4. Stop the reference",
    "5. End the time side by side",
    "6. One address for likes-http",
]
WAY_BACK = "All the way back"
# The reference's address in the document, and the one that callers are told instead of it.
ITS_OWN, ANOTHER = "127.0.0.1:8000", "127.0.0.1:8001"


def plain(line):
    """Without what is different each time."""
    line = re.sub(r"database \w+", "database NAME", line).replace("passes", "pass")
    line = re.sub(r"[\d.]+( [kMG]?B\b)?", "N", line)
    # 1 counter, 2 counters.
    return re.sub(r"(N [a-z]+?)s?\b", r"\1", line)


def matches(line, shown):
    """Whether the document shows this line. `…` stands for anything."""
    pattern = ".*".join(re.escape(plain(part)) for part in shown.split("…"))
    return re.fullmatch(pattern, plain(line)) is not None


def explained(line):
    """Whether the document has a word on such a line. Its exact text stands in a bullet, as code."""
    bullets = re.findall(r"^- .*(?:\n  .*)*", (ROOT / "docs" / DOCUMENT).read_text(), re.M)
    shown = [code for bullet in bullets for code in re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", bullet))]
    # One word is the name of something.
    return any(matches(line, code) for code in shown if " " in code and not code.startswith("…"))


class Move:
    """The database, the hosts, and what the document's lines do to them."""

    def __init__(self, operator, postgres, name, host, ports, counter_api, start_gateway):
        self.operator, self.postgres, self.name, self.host = operator, postgres, name, host
        self.is_running = False
        # Where each address of the document really is.
        self.ports = ports
        self.counter_api = counter_api
        self.unit = SocketUnit("likes-http.socket")
        self.start_gateway = start_gateway
        self.gateway = None
        # The addresses that callers use, as far as they were told.
        self.used = set()

    def place(self, address):
        return "127.0.0.1", self.ports[address]

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
        listen = [f"127.0.0.1:{self.ports[address]}" for address in self.unit.addresses]
        # It fails where the reference listens, as systemd does.
        self.gateway = self.start_gateway(self.host.socket, listen=listen)

    def stop_http(self):
        assert self.gateway.stop() == 0

    def restart_http(self):
        self.stop_http()
        self.start_http()

    def revert(self):
        self.unit.drop_in = ""

    def refuses_nobody(self):
        for address in self.used:
            try:
                socket.create_connection(self.place(address), timeout=60).close()
            except ConnectionRefusedError:
                raise AssertionError(f"callers at {address} are refused for longer than a restart takes") from None

    def run(self, command):
        """One line of a block. While others than systemctl work, callers have an answer."""
        if "systemctl" not in command:
            self.refuses_nobody()
        return self.operator.follow(
            [command], self.postgres, self.host, self.name, self.ports,
            **{
                # What is typed into the editor follows.
                "sudo systemctl edit likes-http.socket": lambda: None,
                "sudo systemctl revert likes-http.socket": self.revert,
                "sudo systemctl restart likes-http.socket likes-http.service": self.restart_http,
                "sudo systemctl enable --now likes-http.socket": self.start_http,
                "sudo systemctl disable --now likes-http.socket": self.stop_http,
                "systemctl show likes-http.socket --property=Listen": self.unit.shown,
                "sudo systemctl enable": self.start,
                "sudo systemctl disable": self.stop,
                "sudo systemctl stop": self.counter_api.stop,
                "sudo systemctl start": self.counter_api.start,
            },
        )  # fmt: skip

    def follow(self, title, since="", until=None):
        """Runs all blocks below a heading, or those of a part of it. What they print is what the document shows."""
        text = section(title, DOCUMENT)
        assert since in text
        assert (until or "") in text
        text = text[text.index(since) : text.index(until) if until else None]
        output = ""
        for kind, lines in parts(text):
            if kind == "commands":
                output = "".join(self.run(command) for command in lines)
                self.refuses_nobody()
            elif kind == "ini":
                self.unit.drop_in = "\n".join(lines)
            else:
                assert kind == "text"
                self.compare(output, lines)

    @staticmethod
    def compare(output, shown):
        left = list(shown)
        for line in output.splitlines():
            found = next((one for one in left if matches(line, one)), None)
            assert found or explained(line), f"the document has no word on {line!r}"
            if found:
                left.remove(found)
        # One that has an explanation comes only where there is something to say.
        missing = [line for line in left if not explained(line)]
        assert not missing, f"the document shows {missing}, and this was printed:\n{output}"


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
    ports = dict(zip([ITS_OWN, ANOTHER], free_ports(2), strict=True))
    counter_api = ReferenceService(url, own_redis, ports[ITS_OWN])
    yield Move(Operator(place, own_redis), postgres, name, host, ports, counter_api, start_gateway)
    counter_api.stop()


class Callers:
    """Callers over HTTP. They go where they are told."""

    def __init__(self, move, first_user, address=ITS_OWN):
        self.move = move
        self.address = address
        self.traffic = http_traffic(lambda: move.place(self.address), ITEMS, first_user)

    def __enter__(self):
        self.move.used.add(self.address)
        self.traffic.__enter__()
        return self

    def __exit__(self, *problem):
        self.traffic.__exit__(*problem)

    def tell(self, address):
        self.address = address
        self.move.used.add(address)
        self.go_on()

    def go_on(self):
        count = self.traffic.count
        eventually(lambda: self.traffic.count > count + 50, "callers over HTTP to be answered")


def test_the_whole_move_loses_no_like_and_refuses_nobody_for_long(move, own_redis):
    url = move.postgres.url(move.name)
    before = {(user, item) for user in range(1, 51) for item in ITEMS}
    move.counter_api.start()
    # Some of the reference's callers cannot be told another address.
    with Callers(move, 1_000_000) as fixed, Callers(move, 2_000_000) as told:
        fixed.go_on()
        # Down, checked, up again, down …
        move.follow(STEPS[0])
        move.follow(STEPS[1])
        with likesd_traffic(move.host, ITEMS, 3_000_000) as ours:
            move.follow(STEPS[2])
            told.tell(ANOTHER)
            fixed.go_on()
            eventually(lambda: ours.count > 200, "all to write")
            move.follow(STEPS[3])
            fixed.go_on()
            move.follow(STEPS[3], until="\nBack")
            fixed.go_on()
            told.go_on()
            move.follow(STEPS[4])
            fixed.go_on()
    with psycopg.connect(url, autocommit=True) as sql:
        after = before | fixed.traffic.liked | told.traffic.liked | ours.liked
        assert likes_of(sql) == after
        assert drift(sql) == []
        counts = counts_of(sql)
        assert move.host.call("MCOUNT", *(f"post:{item}" for item in ITEMS)) == [counts[item] for item in ITEMS]
    # All the way back, and the reference goes on with all of it.
    with Callers(move, 4_000_000) as fixed_again, Callers(move, 5_000_000, ANOTHER) as told_again:
        with likesd_traffic(move.host, ITEMS, 6_000_000) as ours_again:
            move.follow(WAY_BACK, until="**Then move all callers")
            fixed_again.go_on()
            told_again.tell(ITS_OWN)
        move.used.remove(ANOTHER)
        move.follow(WAY_BACK, since="**Then move all callers")
        fixed_again.go_on()
        told_again.go_on()
    with psycopg.connect(url, autocommit=True) as sql:
        again = fixed_again.traffic.liked | told_again.traffic.liked | ours_again.liked
        assert likes_of(sql) == after | again
        assert drift(sql) == []
    for callers in (fixed, told, fixed_again, told_again):
        assert callers.traffic.longest < HELD_UP_MAX


def test_likes_http_has_one_address_again(move):
    editing = [lines for kind, lines in parts(section(STEPS[3], DOCUMENT)) if kind == "ini"]
    adopted(move.postgres.url(move.name))
    move.unit.drop_in = "\n".join(editing[0])
    assert move.unit.addresses == [ITS_OWN, ANOTHER]
    move.start()
    move.start_http()
    with Callers(move, 1_000_000, ANOTHER):
        pass
    move.used = {ITS_OWN}
    move.follow(STEPS[5])
    assert move.unit.addresses == [ITS_OWN]


def test_nobody_waits_for_the_end_longer_than_the_document_says(move, own_redis):
    [bound] = re.findall(r"at most (\d+) seconds\s+at a\s+time", section(STEPS[4], DOCUMENT))
    assert f"for more than {bound} seconds" in " ".join(run("likesctl", "migrate", "--help").stdout.split())
    url = move.postgres.url(move.name)
    adopted(url)
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        slow = stack.enter_context(psycopg.connect(url))
        theirs = stack.enter_context(reference_traffic(url, own_redis, ITEMS, 1_000_000))
        eventually(lambda: theirs.count > 100, "the reference to write")
        slow.execute("INSERT INTO user_likes (user_id, item_id) VALUES (1, 1000)")
        # Begun when that transaction is too young to be waited for.
        done = pool.submit(migrate, url, "--adopt-finish", "--wait", 8).result(60)
        assert done.returncode == 75
        lines = done.stderr.splitlines()
        assert explained(lines[0])
    assert theirs.longest < int(bound)


def test_rows_that_do_not_fit_are_explained_line_by_line(move):
    url = move.postgres.url(move.name)
    with psycopg.connect(url, autocommit=True) as sql:
        sql.execute("UPDATE counters SET like_count = NULL WHERE item_id IN (1, 2)")
        sql.execute("UPDATE counters SET like_count = 51 WHERE item_id = 3")
        sql.execute("UPDATE counters SET like_count = 49 WHERE item_id = 4")
        sql.execute("DELETE FROM counters WHERE item_id = 5")
        sql.execute("UPDATE counters SET updated_at = NULL WHERE item_id IN (6, 7)")
        sql.execute("UPDATE user_likes SET created_at = NULL WHERE item_id = 8")
        sql.execute("INSERT INTO user_likes (user_id, item_id) VALUES (-1, 9), (-2, 9)")
        sql.execute("INSERT INTO counters (item_id) VALUES (-1)")
        refused = migrate(url, "--adopt")
        assert refused.returncode == 1
        for line in [*refused.stdout.splitlines(), *refused.stderr.splitlines()]:
            assert explained(line), line
        # As the lines say.
        for statement in re.findall(r"as in: (UPDATE [^;\n]*)", refused.stdout):
            sql.execute(statement)
        done = migrate(url, "--adopt")
        assert done.returncode == 0, done.stderr
        shown = next(lines for kind, lines in parts(section(STEPS[0], DOCUMENT)) if kind == "text")
        Move.compare(done.stdout + done.stderr, shown)


def test_each_command_of_the_document_is_run():
    text = (ROOT / "docs" / DOCUMENT).read_text()
    commands = set(re.findall(r"^ {4,}((?:sudo|systemctl|likesctl|curl) .*)$", text, re.M))
    followed = {line for title in [*STEPS, WAY_BACK] for block in blocks(title, DOCUMENT) for line in block}
    # The first is about a service that no test has.
    assert commands - followed == {"sudo systemctl disable --now likesd.socket likesd.service"} - followed
