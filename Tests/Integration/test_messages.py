"""What hosts tell each other, and how often."""

import threading
import time

from support.waiting import eventually

HOSTS = 4
TRIES = 20
LIKES = 1_500
# Long enough that only a message can bring a count up to date in time.
FOR_EVER_MS = 600_000
# Limits.tellMs, and by how much less time may seem to lie between two messages where the clock is Redis' in whole ms.
TELL_SECONDS = 0.020
CHANNEL = "likesd:counters:*"


class Listener:
    """All messages about one item: when they came, and their counts."""

    def __init__(self, own_redis, item):
        self.heard = []
        self._item = item
        self._client = own_redis.client()
        self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
        self._subscription.psubscribe(**{CHANNEL: self._take})
        self._thread = self._subscription.run_in_thread(sleep_time=0.1, daemon=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.stop()
        self._thread.join()
        self._client.close()

    def _take(self, message):
        now = time.monotonic()
        words = message["data"].split(" ")
        self.heard += [(now, int(words[place + 1])) for place in range(1, len(words), 3) if words[place] == self._item]


def like(host, users, item):
    """One like after the other, so that each is a batch of its own."""
    with host.connect() as client:
        for user in users:
            assert client.call("LIKE", user, item)[0] == 1


def test_a_hot_item_is_told_once_in_20_ms_and_in_the_end_everywhere(start_daemon, own_postgres, own_redis, number):
    """All hosts like it at once; each batch is a write-through, and few of them are messages."""
    hosts = [start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=FOR_EVER_MS) for _ in range(HOSTS)]
    item, users = f"post:{number()}", [number() for _ in range(LIKES)]
    for host in hosts:
        assert host.call("COUNT", item) == 0
    with Listener(own_redis, item) as listener:
        begun = time.monotonic()
        threads = [
            threading.Thread(target=like, args=(host, users[place::HOSTS], item)) for place, host in enumerate(hosts)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ended = time.monotonic()
        for host in hosts:
            eventually(lambda host=host: host.call("COUNT", item) == LIKES, "the host to hear of the last like", 2)
        eventually(lambda: listener.heard and listener.heard[-1][1] == LIKES, "the last message")
        counts = [count for _, count in listener.heard]
        assert counts == sorted(counts), "newer ones only"
        # The first, the last, and one in each 20 ms between them.
        seconds = listener.heard[-1][0] - begun
        assert len(counts) <= 2 + seconds / TELL_SECONDS, f"{LIKES} likes in {ended - begun:.1f} s"
    # Nothing is left to do, and nothing had to be read again.
    for host in hosts:
        info = host.info()
        assert info["repairs_waiting"] == info["tellings_owed"] == "0"
        assert int(info["database_reads"]) <= 1


def test_items_that_are_not_hot_are_told_with_the_write_through(start_daemon, own_postgres, own_redis, number):
    here, there = (start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=FOR_EVER_MS) for _ in range(2))
    for item in [f"post:{number()}" for _ in range(50)]:
        assert there.call("COUNT", item) == 0
        assert here.call("LIKE", number(), item) == [1, 1]
        eventually(lambda item=item: there.call("COUNT", item) == 1, "the other host to hear of it")
    assert here.info()["tellings"] == "0"


def test_a_host_that_dies_before_it_told_leaves_it_to_others(start_daemon, own_postgres, own_redis, number):
    """Redis has the count, and nobody was told of it."""
    dying, other = (start_daemon(own_postgres, own_redis, LOCAL_CACHE_TTL_MS=FOR_EVER_MS) for _ in range(2))
    item, likes = f"post:{number()}", 0
    assert other.call("COUNT", item) == 0
    for _ in range(TRIES):
        with dying.connect() as client:
            # Answered once they are written through. Of the second one nobody was told yet.
            assert client.call("LIKE", number(), item) == [1, likes + 1]
            assert client.call("LIKE", number(), item) == [1, likes + 2]
            dying.kill()
        likes += 2
        if other.call("COUNT", item) != likes:
            break
        dying.start()
    else:
        raise AssertionError(f"in {TRIES} tries it told of every like before it died")
    eventually(lambda: other.call("COUNT", item) == likes, "the other host to repair it", 40)
