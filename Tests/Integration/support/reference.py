"""A stand-in for the reference service: its tables as its own script makes them, and what it does for each request."""

import random
import threading
import time

import psycopg

TABLES = """
CREATE TABLE user_likes (
    id bigserial PRIMARY KEY,
    user_id bigint NOT NULL,
    item_id bigint NOT NULL,
    item_type smallint NOT NULL DEFAULT 1,
    created_at timestamptz DEFAULT now(),
    UNIQUE (user_id, item_id, item_type)
);
CREATE INDEX idx_user_likes_item ON user_likes (item_id, item_type);
CREATE INDEX idx_user_likes_user ON user_likes (user_id, item_type, created_at DESC);
CREATE TABLE counters (
    item_id bigint NOT NULL,
    item_type smallint NOT NULL DEFAULT 1,
    like_count bigint DEFAULT 0,
    updated_at timestamptz DEFAULT now(),
    PRIMARY KEY (item_id, item_type)
);
CREATE INDEX idx_counters_updated ON counters (updated_at DESC);
"""
LIKE = """
INSERT INTO user_likes (user_id, item_id, item_type) VALUES (%s, %s, 1)
ON CONFLICT (user_id, item_id, item_type) DO NOTHING RETURNING id
"""
COUNT_UP = """
INSERT INTO counters (item_id, item_type, like_count, updated_at) VALUES (%s, 1, 1, now())
ON CONFLICT (item_id, item_type) DO UPDATE SET like_count = counters.like_count + 1, updated_at = now()
"""
UNLIKE = "DELETE FROM user_likes WHERE user_id = %s AND item_id = %s AND item_type = 1 RETURNING id"
COUNT_DOWN = "UPDATE counters SET like_count = like_count - 1, updated_at = now() WHERE item_id = %s AND item_type = 1"


class Reference:
    """One process of it, with a connection of its own. All its items are posts."""

    def __init__(self, url, redis):
        self.sql = psycopg.connect(url, connect_timeout=30)
        self.cache = redis.client()

    def close(self):
        self.sql.close()
        self.cache.close()

    def change(self, user, item, likes):
        """A like or an unlike; whether it changed anything."""
        recent = f"recent_likes:{user}"
        if likes and self.cache.sismember(recent, f"post:{item}"):
            return False
        with self.sql.transaction():
            changed = self.sql.execute(LIKE if likes else UNLIKE, (user, item)).fetchone() is not None
            if changed:
                self.sql.execute(COUNT_UP if likes else COUNT_DOWN, (item,))
        if changed:
            self.cache.incrby(f"counter:post:{item}", 1 if likes else -1)
        if likes:
            self.cache.sadd(recent, f"post:{item}")
            self.cache.expire(recent, 86_400)
        else:
            self.cache.srem(recent, f"post:{item}")
        return changed

    def like(self, user, item):
        return self.change(user, item, likes=True)

    def unlike(self, user, item):
        return self.change(user, item, likes=False)


class Traffic:
    """Clients that never stop: each likes and unlikes the items as its own users, and remembers what it was told.

    `connect` makes a client; `change(client, user, item, likes)` asks it.
    """

    def __init__(self, connect, change, items, first_user, clients=2, seed=0):
        self.change = change
        self.items = items
        self.stopping = threading.Event()
        self.liked = set()
        self.count = 0
        self.longest = 0.0
        self.problems = []
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(
                target=self._run, args=(connect, first_user + 1_000 * number, random.Random(seed + number)), daemon=True
            )
            for number in range(clients)
        ]

    def _run(self, connect, first_user, chance):
        try:
            client = connect()
            try:
                while not self.stopping.is_set():
                    self._once(client, first_user + chance.randrange(20), chance.choice(self.items), chance.random())
            finally:
                client.close()
        except BaseException as problem:
            self.problems.append(problem)

    def _once(self, client, user, item, draw):
        likes = draw < 0.7
        start = time.monotonic()
        self.change(client, user, item, likes)
        with self.lock:
            self.longest = max(self.longest, time.monotonic() - start)
            self.count += 1
            (self.liked.add if likes else self.liked.discard)((user, item))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
        if self.problems:
            raise self.problems[0]


def reference_traffic(url, redis, items, first_user, **options):
    return Traffic(
        lambda: Reference(url, redis),
        lambda client, user, item, likes: client.change(user, item, likes),
        items, first_user, **options,
    )  # fmt: skip


def likesd_traffic(daemon, items, first_user, **options):
    def change(client, user, item, likes):
        reply = client.call("LIKE" if likes else "UNLIKE", user, f"post:{item}")
        assert isinstance(reply, list), reply

    return Traffic(daemon.connect, change, items, first_user, **options)


def likes_of(sql):
    """All likes of posts: pairs of user and item."""
    return set(sql.execute("SELECT user_id, item_id FROM user_likes WHERE item_type = 1").fetchall())


def counts_of(sql):
    return dict(sql.execute("SELECT item_id, like_count FROM counters WHERE item_type = 1").fetchall())
