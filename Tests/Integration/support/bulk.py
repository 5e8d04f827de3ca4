"""likesctl's commands that take likes in, out, and away, with input of a test's own."""

import subprocess
import threading
import time
from types import SimpleNamespace

from .daemon import binary
from .processes import clean_environment, die_with_parent
from .waiting import eventually


def start(books, *arguments, stdin=subprocess.DEVNULL, **environment):
    """likesctl at work on these books."""
    return subprocess.Popen(
        [str(binary("likesctl")), *(str(argument) for argument in arguments)],
        env=clean_environment(**{**books.environment, **environment}),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )


def ended(process, data=None, timeout=150):
    out, errors = process.communicate(data, timeout=timeout)
    return SimpleNamespace(status=process.returncode, out=out.decode(errors="replace"), errors=errors.decode())


def likesctl(books, *arguments, data=None, **environment):
    """Runs it to its end; `data`: what it reads, text or bytes."""
    if isinstance(data, str):
        data = data.encode()
    stdin = subprocess.DEVNULL if data is None else subprocess.PIPE
    return ended(start(books, *arguments, stdin=stdin, **environment), data)


def sessions(books, condition="true", *parameters):
    """How many likesctl has, of those for which the condition holds."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'likesctl %%'"
        f" AND {condition}"
    )
    return books.sql.execute(asked, (books.name, *parameters)).fetchone()[0]


def waits_for_lock(books, query):
    """Until a statement of likesctl that begins so waits for a lock."""
    condition = "wait_event_type = 'Lock' AND query LIKE %s"
    eventually(lambda: sessions(books, condition, f"{query}%") == 1, f"{query} to wait")


def stored(sql):
    """All likes: (user, item, time) as `import` reads them."""
    return set(
        sql.execute(
            "SELECT user_id, name || ':' || item_id, created_at FROM user_likes JOIN item_types ON id = item_type"
        ).fetchall()
    )


def pairs(sql):
    return {(user, item) for user, item, _ in stored(sql)}


class Likers:
    """Clients that go on liking and unliking some items, and the longest that any of them waited."""

    def __init__(self, hosts, items, first_user=5_000_000):
        self.hosts, self.items, self.first_user = hosts, items, first_user
        self.longest = 0.0
        self.requests = 0
        self.problems = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(2 * len(hosts))]

    def run(self, place):
        try:
            with self.hosts[place % len(self.hosts)].connect() as client:
                turn = 0
                while not self.is_over.is_set():
                    turn += 1
                    verb = "UNLIKE" if turn % 3 == 0 else "LIKE"
                    user = self.first_user + place * 100 + turn % 37
                    began = time.monotonic()
                    reply = client.call(verb, user, self.items[turn % len(self.items)])
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.requests += 1
                    if reply[0] not in (0, 1):
                        self.problems.append(reply)
        except Exception as problem:
            self.problems.append(repr(problem))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: self.requests > 50 or self.problems, "requests")
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join(60)
        assert not self.problems, self.problems[:3]
