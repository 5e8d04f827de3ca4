"""A limit for tests that hang."""

import contextlib
import signal


@contextlib.contextmanager
def time_limit(seconds):
    """What is within and hangs fails by itself, with a traceback of where it hung."""

    def give_up(*_):
        raise AssertionError(f"hung for {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
