"""Clients that go on while something fails."""

import itertools
import threading

from .waiting import eventually


class Load:
    """Likes of an item by ever new users, and its counts, until it is ended; every answer has to be right."""

    def __init__(self, daemon, item, first_user):
        self.daemon, self.item = daemon, item
        self.users = itertools.count(first_user)
        self.likes = 0
        self.problems = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            with self.daemon.connect() as client:
                while not self.is_over.is_set():
                    self.likes += 1
                    self.check(client.call("LIKE", next(self.users), self.item), [1, self.likes])
                    self.check(client.call("COUNT", self.item), self.likes)
        except Exception as problem:
            self.problems.append(repr(problem))

    def check(self, answer, wanted):
        if answer != wanted:
            self.problems.append(f"{answer} in place of {wanted}")

    def __enter__(self):
        self.thread.start()
        self.wait(5)
        return self

    def wait(self, more):
        """Until so many further likes were answered."""
        goal = self.likes + more
        eventually(lambda: self.likes >= goal or self.problems, "likes to go on")

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join(60)
        assert not self.problems, self.problems[:5]
