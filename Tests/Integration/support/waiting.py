"""Waiting for what another process does, without ever sleeping a fixed time."""

import time

# Only for what hangs: a test that passes never waits this long.
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.01


def eventually(condition, what, deadline=DEADLINE_SECONDS):
    """Asks until the condition gives something true, and returns that. `what` says what was waited for."""
    end = time.monotonic() + deadline
    while True:
        try:
            result, problem = condition(), None
        except (OSError, AssertionError) as caught:
            result, problem = None, caught
        if result:
            return result
        if time.monotonic() > end:
            last = f"; last: {problem!r}" if problem else ""
            raise AssertionError(f"not within {deadline} s: {what}{last}")
        time.sleep(POLL_SECONDS)
