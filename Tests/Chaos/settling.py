"""When all is healed: does everything come back, and do all agree?"""

import psycopg
import redis
from support.database import TYPES, drift
from support.waiting import eventually

from .history import CHANGES, POSTGRES, Operation, Violation
from .linearizability import by_pair

# What the contract gives counts that no message will mend, and the time to look.
SETTLED_SECONDS_MAX = 30.0
LOOK_SECONDS_MAX = 5.0
HEALTHY_SECONDS_MAX = 30.0
ITEMS_PER_CALL = 500
DIFFERENCES_SHOWN_MAX = 20
NAMES = {number: name for name, number in TYPES.items()}
RULE = "all agree in the end"


class Settling:
    """The end of a run, from the moment the last fault was healed."""

    def __init__(self, cluster, history, clock, healed):
        self.cluster = cluster
        self.history = history
        self.clock = clock
        self.healed = healed
        self.violations = []
        self.seconds_to_ok = {}
        self.seconds_to_agree = {}
        # Counters of an earlier generation, which no host reads.
        self.not_believed = 0

    def wait_healthy(self):
        for host in self.cluster.hosts:
            try:
                left = max(1.0, self.healed + HEALTHY_SECONDS_MAX - self.clock())
                eventually(lambda host=host: host.daemon.health()["status"] == "ok", "health", left)
                self.seconds_to_ok[host.number] = self.clock() - self.healed
            except AssertionError as problem:
                what = f"host {host.number} is not ok {HEALTHY_SECONDS_MAX:.0f} s after healing: {problem}"
                self.violation("all come back", what)

    def check(self):
        """Once nobody changes anything any more."""
        with self.cluster.sql() as sql:
            self.wait_quiet(sql)
            self.read_pairs(sql)
            self.wait_agreed(sql)

    def wait_quiet(self, sql):
        """A zombie's transaction may still be about to commit."""
        at_work = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'likesd%' AND backend_xid IS NOT NULL"
        )
        eventually(lambda: sql.execute(at_work).fetchone()[0] == 0, "the end of all transactions")

    def read_pairs(self, sql):
        """The last word on each pair is PostgreSQL's own: what was acknowledged has to be in there."""
        invoked = self.clock()
        rows = sql.execute("SELECT user_id, item_type, item_id FROM user_likes").fetchall()
        liked = {(user, f"{NAMES[kind]}:{number}") for user, kind, number in rows}
        returned = self.clock()
        pairs = set(by_pair(self.history.operations))
        self.history.add(
            [
                Operation(POSTGRES, 0, -1, "LIKED", user, (item,), invoked, returned, int((user, item) in liked))
                for user, item in sorted(pairs | liked)
            ]
        )

    def wait_agreed(self, sql):
        """Redis first, without asking anybody: a COUNT could mend what it finds. Then what clients are told."""
        items = {o.items[0] for o in self.history.operations if o.verb in CHANGES}
        if self.wait_without(lambda: self.differences_of_tables(sql) + self.differences_of_redis(sql)):
            self.seconds_to_agree["tables and Redis"] = self.clock() - self.healed
        if self.wait_without(lambda: self.differences_of_hosts(sql, items)):
            self.seconds_to_agree["COUNT on every host"] = self.clock() - self.healed

    def wait_without(self, look):
        """Whether in time no differences were left; those that were become violations."""
        deadline = self.healed + SETTLED_SECONDS_MAX + LOOK_SECONDS_MAX
        differences = []

        def agree():
            try:
                differences[:] = look()
            except (redis.RedisError, psycopg.Error, OSError) as problem:
                differences[:] = [f"could not be compared: {problem}"]
            return not differences

        try:
            eventually(agree, "agreement", max(LOOK_SECONDS_MAX, deadline - self.clock()))
        except AssertionError:
            for what in differences[:DIFFERENCES_SHOWN_MAX]:
                self.violation(RULE, what)
            if len(differences) > DIFFERENCES_SHOWN_MAX:
                self.violation(RULE, f"{len(differences) - DIFFERENCES_SHOWN_MAX} more of that kind")
            return False
        return True

    @staticmethod
    def differences_of_tables(sql):
        return [f"PostgreSQL: counters differ from user_likes: {row}" for row in drift(sql)]

    @staticmethod
    def counters(sql):
        rows = sql.execute("SELECT item_type, item_id, like_count FROM counters").fetchall()
        return {f"{NAMES[kind]}:{number}": count for kind, number, count in rows}

    def differences_of_hosts(self, sql, items):
        stored = self.counters(sql)
        items = sorted(items | set(stored))
        found = []
        for host in self.cluster.hosts:
            with host.daemon.connect() as client:
                for at in range(0, len(items), ITEMS_PER_CALL):
                    some = items[at : at + ITEMS_PER_CALL]
                    counts = client.call("MCOUNT", *some)
                    if not isinstance(counts, list):
                        found.append(f"host {host.number}: MCOUNT says {counts}")
                        continue
                    found += [
                        f"host {host.number}: {item} is {count}, PostgreSQL has {stored.get(item, 0)}"
                        for item, count in zip(some, counts, strict=True)
                        if count != stored.get(item, 0)
                    ]
        return found

    def differences_of_redis(self, sql):
        """Counters that hosts believe and that are wrong, keys of ours that never expire or lie on a wrong node."""
        stored = self.counters(sql)
        found, self.not_believed = self.cluster.troubles(), 0
        for server in self.cluster.caches():
            with server.client() as cache:
                found += self.differences_of_cache(cache, stored)
        return found

    def differences_of_cache(self, cache, stored):
        found = []
        tokens = self.cluster.believed(cache)
        for key in list(cache.scan_iter("counter:*", count=1000)):
            item = key.removeprefix("counter:")
            kind = cache.type(key)
            count = cache.get(key) if kind == "string" else f"a {kind}"
            version = cache.get(f"{{{key}}}:version")
            if count is None or kind == "none":
                continue  # it expired meanwhile
            if tokens is not None and (version is None or version.split(".")[0] not in tokens):
                self.not_believed += 1
            elif count != str(stored.get(item, 0)):
                found.append(f"Redis: {item} is {count}, PostgreSQL has {stored.get(item, 0)}")
        for pattern in ("counter:*", "recent_likes:*", "rate:*", "{counter:*"):
            names = cache.scan_iter(pattern, count=1000)
            found += [f"Redis: {name} never expires" for name in names if cache.ttl(name) == -1]
        return found

    def violation(self, rule, what):
        self.violations.append(Violation(rule, what, self.clock()))
