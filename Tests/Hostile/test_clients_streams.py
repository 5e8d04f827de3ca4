"""Who comes with ever new connections takes no time from those who are there."""

import contextlib
import multiprocessing
import os
import pwd
import random
import socket
import time

import pytest
from support.waiting import eventually
from support.wire import array

STREAM_SECONDS = 5
AT_ONCE = 50
# A service of a stream's takes less; whoever has to wait for the end of the stream waits for seconds.
WAIT_MAX = 0.5


REQUESTS = {
    "cached": [array("MCOUNT", *(f"post:{number}" for number in range(1, 1_001))) * 4],
    "to be fetched": [array("MCOUNT", *(f"post:{random.randrange(1 << 40)}" for _ in range(300))) for _ in range(200)],
}


def stream(path, requests, user):
    """Opens connections, sends one request on each, closes them all, again and again."""
    if user is not None:
        os.setuid(user)
    end = time.monotonic() + STREAM_SECONDS
    while time.monotonic() < end:
        made = [socket.socket(socket.AF_UNIX) for _ in range(AT_ONCE)]
        for connection in made:
            with contextlib.suppress(OSError):
                connection.connect(path)
                connection.setblocking(False)
                connection.send(random.choice(requests))
        for connection in made:
            connection.close()


def wait_at_half(waits):
    """Half of all the time that was waited was spent in waits at least so long."""
    left = sum(waits) / 2
    for wait in sorted(waits, reverse=True):
        left -= wait
        if left <= 0:
            return wait
    return 0


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("whose", ["of its own user", "of another user"])
def test_beside_a_stream_of_new_connections_one_that_is_there_is_served_soon(start_daemon, what, whose):
    daemon = start_daemon(LOCAL_CACHE_TTL_MS=600_000 if what == "cached" else 0, LIKESD_SOCKET_MODE="0666")
    # Only root can become somebody else here.
    is_other = whose == "of another user" and os.geteuid() == 0
    user = pwd.getpwnam("nobody").pw_uid if is_other else None
    with daemon.connect(timeout=60) as client, daemon.connect() as other:

        def received():
            return int(other.call("INFO", "stats").decode().split("total_connections_received:")[1].split("\r\n")[0])

        assert client.call("MCOUNT", *(f"post:{number}" for number in range(1, 1_001)))
        assert isinstance(client.call("COUNT", "post:1"), int)
        before = received()
        attack = multiprocessing.get_context("fork").Process(
            target=stream, args=(str(daemon.socket), REQUESTS[what], user), daemon=True
        )
        attack.start()
        waits = []
        try:
            while attack.is_alive():
                for words in (("PING",), ("COUNT", "post:1")):
                    begun = time.monotonic()
                    client.call(*words)
                    waits.append(time.monotonic() - begun)
                time.sleep(0.005)
        finally:
            attack.join()
        assert attack.exitcode == 0
        eventually(lambda: received() - before > 2 * AT_ONCE, "the stream to be seen", 30)
    assert wait_at_half(waits) < WAIT_MAX, sorted(waits, reverse=True)[:5]
    assert len(waits) > 2 * STREAM_SECONDS / WAIT_MAX
