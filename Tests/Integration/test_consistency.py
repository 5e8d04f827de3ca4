"""Load from several clients at once, then the books are checked against PostgreSQL's own count."""

import random
from collections import Counter

from support.database import counter, drift, likes, split
from support.threads import run_all
from support.waiting import eventually


def load(daemon, source, users, items, rounds, balance, read_too=True):
    """Changes of few users on few items, pipelined in bursts; adds up what changed by item."""
    with daemon.connect() as client:
        for _ in range(rounds):
            requests = []
            for _ in range(source.choice([1, 1, 8, 40])):
                pair = source.choice(users), source.choice(items)
                requests.append((source.choice(["LIKE", "LIKE", "UNLIKE"]), *pair))
                if read_too and source.random() < 0.3:
                    requests.append(("COUNT", pair[1]))
            for request, reply in zip(requests, client.pipeline(requests), strict=True):
                if request[0] == "COUNT":
                    assert 0 <= reply <= len(users), (request, reply)
                    continue
                changed, count = reply
                assert changed in (0, 1), (request, reply)
                assert 0 <= count <= len(users), (request, reply)
                if changed:
                    balance[request[1], request[2]] += 1 if request[0] == "LIKE" else -1


def check_books(balances, daemons, sql, cache, users, items):
    changes = Counter()
    for balance in balances:
        for pair, value in balance.items():
            changes[pair] += value
    for item in items:
        stored = likes(sql, item)
        # Each pair's changes alternate, so their balance is the pair's state: 1 liked, 0 not.
        for user in users:
            assert changes[user, item] == (1 if user in stored else 0), (user, item)
        assert (counter(sql, item) or (0, 0))[0] == len(stored), item
        for daemon in daemons:
            eventually(lambda d=daemon, i=item, n=len(stored): d.call("COUNT", i) == n, f"the count of {item}")
            assert daemon.call("MLIKED", users[0], item) == [int(users[0] in stored)]
        eventually(
            lambda i=item, n=len(stored): cache.get(f"counter:{i}") in (None, str(n)), f"the counter of {item} in Redis"
        )


def test_changed_is_exact_and_counters_are_counts_after_a_load(daemon, sql, cache, number, seed):
    users, items = [number() for _ in range(8)], [f"post:{number()}" for _ in range(4)]
    balances = [Counter() for _ in range(6)]
    run_all(
        [
            lambda b=balance, n=place: load(daemon, random.Random(f"{seed} {n}"), users, items, 60, b)
            for place, balance in enumerate(balances)
        ]
    )
    check_books(balances, [daemon], sql, cache, users, items)


def test_two_hosts_are_exact_together(start_daemon, sql, cache, number, seed):
    hosts = [start_daemon(LOCAL_CACHE_TTL_MS=50) for _ in range(2)]
    users, items = [number() for _ in range(5)], [f"reel:{number()}" for _ in range(3)]
    balances = [Counter() for _ in range(6)]
    run_all(
        [
            lambda b=balance, n=place: load(hosts[n % 2], random.Random(f"{seed} two {n}"), users, items, 50, b)
            for place, balance in enumerate(balances)
        ]
    )
    check_books(balances, hosts, sql, cache, users, items)


def test_hosts_with_types_in_another_order_do_not_deadlock(start_daemon, own_postgres, own_redis, number, seed):
    """Both lock the same pairs in one batch; if their orders differed, PostgreSQL would have to break the knot."""
    hosts = [
        start_daemon(own_postgres, own_redis, ITEM_TYPES="post,reel,comment"),
        start_daemon(own_postgres, own_redis, ITEM_TYPES="comment,reel,post"),
    ]
    kinds = ("post", "reel", "comment")
    users, items = [number() for _ in range(3)], [f"{kind}:{number()}" for kind in kinds for _ in range(5)]
    balances = [Counter() for _ in range(4)]
    run_all(
        [
            lambda b=balance, n=place: load(hosts[n % 2], random.Random(f"{seed} o {n}"), users, items, 60, b, False)
            for place, balance in enumerate(balances)
        ]
    )
    with own_postgres.connect() as sql, own_redis.client() as cache:
        check_books(balances, hosts, sql, cache, users, items)
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'likes'"
        assert sql.execute(deadlocks).fetchone()[0] == 0


def test_the_next_count_of_any_client_sees_an_acknowledged_change(daemon, item, number):
    with daemon.connect() as writer, daemon.connect() as reader:
        for expected in range(1, 101):
            assert writer.call("LIKE", number(), item) == [1, expected]
            assert reader.call("COUNT", item) == expected


def test_the_other_host_sees_a_change_within_the_local_ttl(start_daemon, number, item):
    one, two = start_daemon(LOCAL_CACHE_TTL_MS=100), start_daemon(LOCAL_CACHE_TTL_MS=100)
    for expected in range(1, 6):
        assert one.call("LIKE", number(), item) == [1, expected]
        eventually(lambda n=expected: two.call("COUNT", item) == n, "the count on the other host")
        # LIKED asks PostgreSQL: exact at once, everywhere.
    user = number()
    assert one.call("LIKE", user, item)[0] == 1
    assert two.call("LIKED", user, item) == 1
    assert two.call("UNLIKE", user, item)[0] == 1
    assert one.call("LIKED", user, item) == 0


def test_versions_only_go_up_and_counters_are_never_deleted(wire, sql, item, user):
    last = 0
    for _ in range(5):
        for verb in ("LIKE", "UNLIKE"):
            assert wire.call(verb, user, item)[0] == 1
            count, version = counter(sql, item)
            assert version > last
            last = version
            # A request that changes nothing leaves the version alone.
            assert wire.call(verb, user, item)[0] == 0
            assert counter(sql, item) == (count, version)
    assert counter(sql, item)[0] == 0


def test_a_batch_without_net_effect_on_an_item_raises_its_version_by_one(daemon, sql, item, number):
    """One user comes, another goes, in one transaction: the count stays, the version tells."""
    leaving, coming = number(), number()
    with daemon.connect() as client:
        assert client.call("LIKE", leaving, item) == [1, 1]
        before = counter(sql, item)[1]
        replies = client.pipeline([("UNLIKE", leaving, item), ("LIKE", coming, item)])
        assert [changed for changed, _ in replies] == [1, 1]
    count, version = counter(sql, item)
    assert count == 1
    assert version > before
    assert likes(sql, item) == {coming}


def test_ids_of_every_size_are_stored_as_they_are(wire, sql, number):
    for identifier in (0, 1, 2**31, 2**32 + 7, 2**63 - 1):
        item = f"comment:{identifier}"
        assert wire.call("LIKE", identifier, item)[0] == 1
        assert identifier in likes(sql, item)
        assert split(item)[0] == identifier


def test_every_counter_of_the_worker_is_the_count_of_its_likes(daemon, sql):
    """All that the other tests did on the shared database, and nobody at work now."""
    with daemon.connect() as client:
        assert client.call("PING") == "PONG"
    # Clients that left may still have changes under way.
    assert eventually(lambda: drift(sql) == [] or None, "no drift")
