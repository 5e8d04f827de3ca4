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
        raise AssertionError(request)


def random_request(source: random.Random, users, items):
    """Any of the six, mostly on the same few pairs, so that requests meet."""
    user, item = source.choice(users), source.choice(items)
    several = source.choices(items, k=source.randint(1, 6))
    return source.choice(
        [
            ("LIKE", user, item),
            ("LIKE", user, item),
            ("UNLIKE", user, item),
            ("COUNT", item),
            ("LIKED", user, item),
            ("MCOUNT", *several),
            ("MLIKED", user, *several),
        ]
    )
