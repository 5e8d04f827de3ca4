"""Acknowledged likes beside what PostgreSQL has."""

from collections import defaultdict
from dataclasses import dataclass

from load import SHARED_USERS, UNKNOWN

TYPES = {"post": 1, "reel": 2, "comment": 3}
DIFFERENCES_SHOWN_MAX = 10


@dataclass
class Found:
    """How the comparison came out."""

    differences: list
    summary: str


def compare(container, wanted, replies):
    """`wanted` says of each pair whether it has to be liked; the pairs that all clients like follow from `replies`."""
    rows = {(int(user), item(kind, number)) for user, kind, number in container.sql(LIKES)}
    differences = [
        f"user {user}, {name}: liked={liked} by the replies, {(user, name) in rows} in PostgreSQL"
        for (user, name), liked in wanted.items()
        if liked != ((user, name) in rows)
    ]
    shared = defaultdict(list)
    for reply in replies:
        if reply.verb == "LIKE" and reply.user >= SHARED_USERS:
            shared[reply.user, reply.item].append(reply.outcome)
    for pair, outcomes in shared.items():
        changed, unknown = outcomes.count(1), sum(outcome in UNKNOWN for outcome in outcomes)
        # A reply that was lost may have been the one that said 1.
        if changed > 1 or (changed == 0 and unknown == 0):
            differences.append(f"{pair}: {changed} of {len(outcomes)} equal requests said changed=1")
        if pair not in rows:
            differences.append(f"{pair}: acknowledged, and not in PostgreSQL")
    known = set(wanted) | set(shared)
    strangers = {row for row in rows if row[0] >= 1_000_000_000} - known
    differences += [f"{pair}: in PostgreSQL, and nobody asked for it" for pair in strangers]
    drifted = container.sql(DRIFT)
    differences += [
        f"counter of {item(kind, number)}: {count}, likes: {likes}" for kind, number, count, likes in drifted
    ]
    changes = sum(reply.verb in ("LIKE", "UNLIKE") and isinstance(reply.outcome, int) for reply in replies)
    duplicates = sum(len(outcomes) - 1 for outcomes in shared.values())
    summary = (
        f"{changes} acknowledged changes of {len(known)} pairs, {duplicates} of them equal ones in a race; "
        f"{len(rows)} likes stored; {len(differences)} differences"
    )
    return Found(differences[:DIFFERENCES_SHOWN_MAX], summary)


def item(kind, number):
    """The item of two columns."""
    return f"{next(name for name, value in TYPES.items() if value == int(kind))}:{number}"


LIKES = "SELECT user_id, item_type, item_id FROM user_likes"
DRIFT = """
SELECT item_type, item_id, coalesce(like_count, 0), coalesce(counted, 0)
FROM (SELECT item_id, item_type, count(*) AS counted FROM user_likes GROUP BY 1, 2) AS likes
FULL JOIN counters USING (item_id, item_type)
WHERE coalesce(like_count, 0) <> coalesce(counted, 0)
"""
