"""What a failover of Redis behind Sentinels costs a client.

One daemon, two Redis servers and three Sentinels, which count a server as down after half a second. A client sends a
LIKE and a COUNT in turn. Each round fails the primary over: planned, killed, or hung. Told are the slowest request of
the round, errors, the time without Redis, and how long after the Sentinels' own message the new primary was used.

    PYTHONPATH=Tests/Integration python bench/redis_failover.py [--rounds N]
"""

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from pathlib import Path

from support.daemon import Daemon, run
from support.postgres import Postgres
from support.sentinels import FAILOVER_TIMEOUT_MS, SentinelTopology
from support.waiting import eventually

KINDS = ("planned", "killed", "hung")


class Client(threading.Thread):
    """LIKEs and COUNTs, one after the other; the slowest of them and the errors since the last look."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_under_test = daemon
        self.stopped = threading.Event()
        self.times, self.errors = [], 0

    def run(self):
        with self.daemon_under_test.connect() as client:
            for user in itertools.count(1):
                for request in (("LIKE", user, f"post:{user % 1000}"), ("COUNT", f"post:{user % 1000}")):
                    if self.stopped.is_set():
                        return
                    began = time.monotonic()
                    reply = client.call(*request)
                    self.times.append(time.monotonic() - began)
                    self.errors += not isinstance(reply, (int, list))

    def take(self):
        times, self.times = self.times, []
        errors, self.errors = self.errors, 0
        return max(times), errors


def switched(sentinel, told):
    """Notes when a Sentinel told of a failover."""
    with sentinel.client() as client, client.pubsub(ignore_subscribe_messages=True) as messages:
        messages.subscribe("+switch-master")
        told["ready"].set()
        eventually(lambda: messages.get_message(timeout=0.01), "the Sentinels to tell of a failover")
        told["at"] = time.monotonic()


def fail(kind, topology, former):
    if kind == "killed":
        former.kill()
    elif kind == "hung":
        former.pause()
    else:
        topology.fail_over()


def one(kind, topology, daemon, client):
    """Seconds: the slowest request, without Redis, until used after the message; errors."""
    former = topology.primary()
    told = {"ready": threading.Event()}
    listening = threading.Thread(target=switched, args=(topology.sentinels[2], told))
    listening.start()
    told["ready"].wait()
    client.take()
    began, healthy, down = time.monotonic(), True, 0.0
    failing = threading.Thread(target=fail, args=(kind, topology, former))
    failing.start()
    with daemon.connect() as asking:
        while True:
            now = time.monotonic()
            text = asking.call("INFO", "backends").decode()
            is_healthy = "redis:healthy" in text
            if not is_healthy and healthy:
                lost = now
            if is_healthy and not healthy:
                down += now - lost
            healthy = is_healthy
            if healthy and f"redis_server:127.0.0.1:{former.port}\r" not in text:
                break
            if now - began > 60:
                raise RuntimeError(f"no other primary is used:\n{daemon.log()}")
            time.sleep(0.002)
    listening.join()
    slowest, errors = client.take()
    failing.join()
    if kind == "killed":
        former.start()
    elif kind == "hung":
        former.resume()
    topology.wait_settled()
    # Otherwise the next round would measure how long Sentinels wait between two failovers.
    time.sleep(2 * FAILOVER_TIMEOUT_MS / 1000)
    return slowest, down, now - told["at"], errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="likesd-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = Postgres.create(folder / "pg")
        topology = SentinelTopology(folder / "redis")
        daemon = Daemon(folder / "d", postgres.url(), topology.url, REDIS_TIMEOUT_MS=100, LOG_LEVEL="info")
        try:
            postgres.start()
            postgres.create_database("likes")
            done = run("likesctl", "migrate", DATABASE_URL=postgres.url())
            assert done.returncode == 0, done.stderr
            topology.start().wait_ready()
            daemon.start()
            client = Client(daemon)
            client.start()
            for kind in KINDS:
                rounds = [one(kind, topology, daemon, client) for _ in range(options.rounds)]
                slowest, down, after, errors = zip(*rounds, strict=True)
                print(
                    f"{kind:8} slowest request {statistics.median(slowest) * 1000:.0f} ms, at most "
                    f"{max(slowest) * 1000:.0f}; without Redis {statistics.median(down):.2f} s, at most "
                    f"{max(down):.2f}; used {statistics.median(after) * 1000:.0f} ms after the message, at most "
                    f"{max(after) * 1000:.0f}; errors {sum(errors)}",
                    flush=True,
                )
            client.stopped.set()
            client.join()
        finally:
            daemon.stop()
            topology.stop()
            postgres.stop()


if __name__ == "__main__":
    main()
