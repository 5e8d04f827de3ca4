"""A database and a part of Redis of a test's own, for likesctl verify."""

from types import SimpleNamespace

from .daemon import run
from .database import put_likes, split
from .seals import Sealer

# A database of the worker's Redis that no daemon of other tests uses.
REDIS_DATABASE = 9
TOKEN = "a1b2c3d4e5f6"


class Books:
    """A database and a part of Redis of the test's own."""

    def __init__(self, postgres, redis_server, name, partitions=0):
        self.database_url = postgres.create_database(name)
        self.redis_url = f"unix://{redis_server.socket}?db={REDIS_DATABASE}"
        options = ["--partitions", partitions] if partitions else []
        assert run("likesctl", "migrate", *options, DATABASE_URL=self.database_url).returncode == 0
        self.name = name
        self.connect = lambda **options: postgres.connect(name, **options)
        self.sql = self.connect()
        self.cache = redis_server.client(db=REDIS_DATABASE)
        self.cache.flushdb()

    def empty(self):
        """As it was made, but for the item types: much faster than another database."""
        self.sql.execute("TRUNCATE user_likes, counters, cache_repairs, lanes, likesd_hosts")
        self.sql.execute("DROP TABLE IF EXISTS likesd_import, likesd_import_rows, likesd_import_likes, old_likes")
        self.sql.execute("DROP INDEX IF EXISTS user_likes_by_item")
        self.cache.flushdb()
        return self

    def close(self):
        self.sql.close()
        self.cache.close()

    @property
    def environment(self):
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}

    def verify(self, *options, **environment):
        """Runs it; `lines`: the differences, sorted; `summary`: what follows."""
        done = run("likesctl", "verify", *options, **{**self.environment, **environment}, timeout=120)
        lines = done.stdout.splitlines()
        end = next((n for n, line in enumerate(lines) if line.startswith("PostgreSQL: ")), len(lines))
        return SimpleNamespace(
            status=done.returncode,
            output=lines,
            lines=sorted(lines[:end]),
            summary="\n".join(lines[end:]),
            errors=done.stderr,
        )

    def put(self, item, users, count=None):
        """An item with so many likes and a counter, which may say something else. Version 1."""
        put_likes(self.sql, item, range(users))
        if count is not None:
            self.set_count(item, count)

    def set_count(self, item, count):
        self.sql.execute(
            "UPDATE counters SET like_count = %s WHERE item_id = %s AND item_type = %s", (count, *split(item))
        )

    def remove_counter(self, item):
        self.sql.execute("DELETE FROM counters WHERE item_id = %s AND item_type = %s", split(item))

    def repairs(self):
        """The items that hosts are told to set in Redis again."""
        return set(self.sql.execute("SELECT item_id, item_type FROM cache_repairs").fetchall())

    def token(self):
        """The generation's token: the daemon's own where one has been here."""
        if not self.cache.exists("likesd:generation"):
            self.cache.set("likesd:generation", f"run:repl 1:1:0 0 0:0: {TOKEN} -")
        return self.cache.get("likesd:generation").split(" ")[4]

    def put_cached(self, item, count, version):
        """A counter in Redis as likesd would leave it: nobody sees the count without its version."""
        sealed = Sealer(self.sql).version(self.token(), item, count, version)
        with self.cache.pipeline(transaction=True) as transaction:
            transaction.set(f"counter:{item}", count, ex=600)
            transaction.set(f"{{counter:{item}}}:version", sealed, ex=600)
            transaction.execute()
