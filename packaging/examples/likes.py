#!/usr/bin/env python3
"""likesd from Python, with redis-py: python3 likes.py [SOCKET]"""

import random
import sys
import time

import redis

ATTEMPTS_MAX = 5
TEMPORARY = {"BUSY", "UNAVAILABLE", "UNCERTAIN"}


class RateLimitedError(Exception):
    """The user has made too many changes; the message says how long to wait."""


class Likes:
    """The likes daemon of this host. Safe to share between threads: redis-py pools its connections."""

    def __init__(self, path="/run/likesd/likesd.sock"):
        # likesd answers within 5 s. A slightly longer timeout gets that answer.
        self.client = redis.Redis(unix_socket_path=path, protocol=3, socket_timeout=7, decode_responses=True)

    def like(self, user, item):
        """(whether the like is new, the item's count)"""
        changed, count = self._call("LIKE", user, item)
        return changed == 1, count

    def unlike(self, user, item):
        """(whether there was a like to remove, the item's count)"""
        changed, count = self._call("UNLIKE", user, item)
        return changed == 1, count

    def count(self, item):
        return self._call("COUNT", item)

    def counts(self, items):
        """The counts of up to 1,000 items, in their order."""
        return self._call("MCOUNT", *items)

    def liked(self, user, items):
        """Whether the user likes each of up to 1,000 items."""
        return [answer == 1 for answer in self._call("MLIKED", user, *items)]

    def like_all(self, pairs):
        """Many likes in one go: for each its (changed, count), or its error."""
        with self.client.pipeline(transaction=False) as pipeline:
            for user, item in pairs:
                pipeline.execute_command("LIKE", user, item)
            return pipeline.execute(raise_on_error=False)

    def _call(self, *request):
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self.client.execute_command(*request)
            except redis.ResponseError as error:
                code = str(error).split(" ", 1)[0]
                if code == "RATELIMITED":
                    raise RateLimitedError(str(error)) from None
                if code not in TEMPORARY or attempt == ATTEMPTS_MAX:
                    raise
            except (redis.ConnectionError, redis.TimeoutError):
                # It is unknown whether the change was stored. All requests may be repeated.
                if attempt == ATTEMPTS_MAX:
                    raise
            time.sleep(0.05 * 2**attempt * random.uniform(0.5, 1))
        raise AssertionError("unreachable")


def main():
    likes = Likes(*sys.argv[1:2])
    user, item = 123, "post:456"
    print("like:  ", likes.like(user, item))
    print("again: ", likes.like(user, item))
    print("count: ", likes.count(item))
    print("liked: ", likes.liked(user, [item, "reel:7"]))
    print("many:  ", likes.like_all([(user, "reel:7"), (user, "reel:8")]))
    print("counts:", likes.counts([item, "reel:7", "reel:8"]))
    for each in (item, "reel:7", "reel:8"):
        print("unlike:", likes.unlike(user, each))


if __name__ == "__main__":
    main()
