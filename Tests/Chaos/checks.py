"""All checks of a recorded history."""

from collections import Counter

from .counts import Calm, ItemCheck, readings_of
from .history import CHANGES, NEVER_STORED, POSTGRES, Violation
from .linearizability import by_pair, check_pair

# On top of REQUEST_TIMEOUT_MS, for a busy machine.
ANSWER_MARGIN_SECONDS = 8.0
ALLOWED_ERRORS = {
    **dict.fromkeys(CHANGES, NEVER_STORED | {"UNCERTAIN"}),
    **dict.fromkeys(("LIKED", "COUNT", "MCOUNT"), {"UNAVAILABLE", "BUSY"}),
    "HEALTH": set(),
}


def check_history(history, request_timeout_seconds):
    """Every violation in what the clients saw."""
    violations = check_replies(history.operations)
    violations += check_answered(history, request_timeout_seconds)
    violations += check_connections(history)
    pairs = by_pair(history.operations)
    results = {pair: check_pair(operations) for pair, operations in pairs.items()}
    for result in results.values():
        violations += result.violations
    pairs_of_item = {}
    for pair in pairs:
        pairs_of_item.setdefault(pair[1], []).append(pair)
    is_calm = Calm(history.disturbances)
    for item, readings in readings_of(history.operations).items():
        of_item = pairs_of_item.get(item, [])
        operations = [pairs[pair] for pair in of_item]
        bounds = [results[pair].bounds for pair in of_item]
        violations += ItemCheck(item, operations, bounds, readings, is_calm).violations()
    return sorted(violations, key=lambda violation: violation.at)


def well_formed(operation):
    reply = operation.reply
    if operation.verb in CHANGES:
        return isinstance(reply, list) and len(reply) == 2 and reply[0] in (0, 1) and isinstance(reply[1], int)
    if operation.verb == "LIKED":
        return reply in (0, 1)
    if operation.verb == "COUNT":
        return isinstance(reply, int)
    if operation.verb == "MCOUNT":
        return isinstance(reply, list) and len(reply) == len(operation.items)
    return True


def check_replies(operations):
    """Replies that no request may get. They are taken as errors, since nothing can be said about their meaning."""
    violations = []
    for operation in operations:
        if operation.answered and well_formed(operation):
            continue
        if operation.reply is None or operation.code in ALLOWED_ERRORS[operation.verb]:
            continue
        what = f"{operation.verb} was answered {operation.reply!r}"
        violations.append(Violation("every reply is of its kind", what, operation.returned, [operation]))
        operation.reply = "ERR answered nonsense"
    return violations


def check_answered(history, request_timeout_seconds):
    """Nobody waits for ever; the time in which a daemon was stopped by us is not its own."""
    stopped = {}
    for disturbance in history.disturbances:
        if disturbance.name == "likesd stopped":
            end = float("inf") if disturbance.healed is None else disturbance.healed
            stopped.setdefault(disturbance.host, []).append((disturbance.began, end))
    violations = []
    for operation in history.operations:
        limit = ANSWER_MARGIN_SECONDS + (0 if operation.verb == "HEALTH" else request_timeout_seconds)
        took = operation.returned - operation.invoked
        if took <= limit:
            continue
        for begin, end in stopped.get(operation.host, []):
            took -= max(0, min(end, operation.returned) - max(begin, operation.invoked))
        if took > limit:
            what = f"{operation.verb} waited {took:.1f} s"
            violations.append(Violation("everything is answered", what, operation.returned, [operation]))
    return violations


def check_connections(history):
    """A daemon drops no client while it lives: what breaks a connection answers nobody any more."""
    last_call_answered = {}
    for operation in history.operations:
        if operation.reply is not None:
            life = operation.host, operation.life
            last_call_answered[life] = max(last_call_answered.get(life, 0.0), operation.invoked)
    violations = []
    for operation in history.operations:
        alive_at = last_call_answered.get((operation.host, operation.life), 0.0)
        if operation.reply is None and alive_at > operation.returned:
            what = f"{operation.verb}, though process {operation.life} answered a call of {alive_at:.6f}"
            violations.append(Violation("no connection breaks", what, operation.returned, [operation]))
    return violations


def tally(operations):
    """{verb: {outcome: how many}}."""
    table = {}
    for operation in operations:
        if operation.host == POSTGRES:
            continue
        table.setdefault(operation.verb, Counter())[operation.outcome] += 1
    return table


def percentiles(operations, verb):
    """(median, 99th percentile) of the milliseconds of answered operations, or None."""
    times = sorted(o.returned - o.invoked for o in operations if o.verb == verb and o.answered and o.host != POSTGRES)
    if not times:
        return None
    return times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
