"""PostgreSQL is connected and does nothing: HEALTH, log and METRICS say so while it lasts, and when it is over."""

import threading

import pytest
from support.waiting import eventually

TIMEOUT_MS = 2_000
CLIENTS = 20


@pytest.fixture
def settled(start_daemon, own_postgres, own_redis):
    return start_daemon(own_postgres, own_redis, REQUEST_TIMEOUT_MS=TIMEOUT_MS)


def metric(daemon, name):
    lines = [line.split() for line in daemon.call("METRICS").decode().splitlines() if line.startswith(f"{name} ")]
    return float(lines[0][1])


class Pressing:
    """Clients that repeat a request until they are told to stop, whatever the answer is."""

    def __init__(self, daemon, *request):
        self.codes = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.press, args=(daemon, request)) for _ in range(CLIENTS)]

    def press(self, daemon, request):
        with daemon.connect() as client:
            while not self.is_over.is_set():
                self.codes.append(getattr(client.call(*request), "code", None))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize(
    ("request_", "work", "table", "again"),
    [
        (("LIKE", 1, "post:1"), "storing", "user_likes", "stores changes again"),
        (("LIKED", 1, "post:1"), "reading", "user_likes", "reads again"),
    ],
)
def test_a_locked_table_is_told_while_it_lasts_and_when_it_is_over(settled, own_postgres, request_, work, table, again):
    assert settled.health()["status"] == "ok"
    locker = own_postgres.connect(autocommit=False)
    locker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    with Pressing(settled, *request_) as pressing:
        eventually(lambda: settled.health()["status"] == "degraded", "HEALTH to say so")
        assert f"{CLIENTS} requests wait" in settled.health()["message"]
        assert metric(settled, f'likesd_stalled{{work="{work}"}}') == 1
        assert metric(settled, f'likesd_oldest_wait_seconds{{work="{work}"}}') > 0
        # Through several deadlines, and through connections that are given up and made again.
        eventually(lambda: len(pressing.codes) >= 4 * CLIENTS, "requests to expire")
        assert settled.health()["status"] != "ok"
        refused = sum(metric(settled, f'likesd_errors_total{{code="{code}"}}') for code in ("UNCERTAIN", "UNAVAILABLE"))
        assert refused >= 4 * CLIENTS
        locker.close()
        eventually(lambda: settled.health()["status"] == "ok", "HEALTH to say that it is over")
    began = [line for line in settled.log().splitlines() if "requests wait, the oldest for" in line]
    ended = [line for line in settled.log().splitlines() if again in line]
    assert (len(began), len(ended)) == (1, 1), settled.log()
    assert "run SELECT pid" in began[0]
    assert "requests got no answer in time" in ended[0]
