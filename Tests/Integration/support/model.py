"""A model of what likesd answers to one client that has its users and items to itself."""

import random
from collections import defaultdict


class Model:
    """Who likes what. `apply` gives the reply that the request has to get."""

    def __init__(self):
        self.likes = defaultdict(set)

    def count(self, item):
        return len(self.likes[item])

    def apply(self, request):
        verb, *arguments = request
        if verb == "LIKE":
            user, item = arguments
            changed = user not in self.likes[item]
            self.likes[item].add(user)
            return [int(changed), self.count(item)]
        if verb == "UNLIKE":
            user, item = arguments
            changed = user in self.likes[item]
            self.likes[item].discard(user)
            return [int(changed), self.count(item)]
        if verb == "COUNT":
            return self.count(arguments[0])
        if verb == "MCOUNT":
            return [self.count(item) for item in arguments]
        if verb == "LIKED":
            return int(arguments[0] in self.likes[arguments[1]])
        if verb == "MLIKED":
            return [int(arguments[0] in self.likes[item]) for item in arguments[1:]]
        if verb == "LIKES":
            user, after, limit = self.page(arguments)
            liked = sorted(place(item) for item, users in self.likes.items() if user in users)
            return [name(one) for one in liked if after is None or one > place(after)][:limit]
        raise AssertionError(request)

    @staticmethod
    def page(arguments):
        """Whose page it is, behind which item, and its size."""
        words = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        return arguments[0], words.get("AFTER"), words.get("LIMIT", 100)


def place(item):
    """Where PostgreSQL sorts it: by id, then by the type's number."""
    kind, number = item.split(":")
    return int(number), ["post", "reel", "comment"].index(kind)


def name(place):
    """As LIKES names it."""
    number, kind = place
    return f"{['post', 'reel', 'comment'][kind]}:{number}".encode()


def random_request(source: random.Random, users, items, lists=True):
    """Any of them, mostly on the same few pairs, so that requests meet. `lists`: LIKES, too."""
    user, item = source.choice(users), source.choice(items)
    several = source.choices(items, k=source.randint(1, 6))
    pages = [
        ("LIKES", user),
        ("LIKES", user, "LIMIT", source.randint(1, 3), "AFTER", item),
    ]
    return source.choice(
        (pages if lists else [])
        + [
            ("LIKE", user, item),
            ("LIKE", user, item),
            ("UNLIKE", user, item),
            ("COUNT", item),
            ("LIKED", user, item),
            ("MCOUNT", *several),
            ("MLIKED", user, *several),
        ]
    )
