"""likes-http answers as the service that likesd replaces did: its answers were recorded, and are played here."""

import json
import re
from pathlib import Path

TABLE = json.loads((Path(__file__).parent / "data/http_golden.json").read_text())
KINDS = {
    "<text>": lambda value: isinstance(value, str),
    "<int>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<bool>": lambda value: isinstance(value, bool),
    "<number>": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "<seconds>": lambda value: str(value).isdigit() and 0 < int(value) <= 60,
    "<time>": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value) is not None,
    "<any>": lambda value: True,
}
LIKES_OF_MADE = {456: 2}


def made(rule, size):
    """The body that a row names by a rule, and what its answer must be; None: as the row says."""
    if rule == "padded":
        body = json.dumps({"user_id": 2024, "item_id": 2024, "padding": ""})
        return body[:-2] + "x" * (size - len(body)) + body[-2:], None
    ids = range(size)
    if rule == "counts":
        answer = {f"post:{item}": LIKES_OF_MADE.get(item, "<int>") for item in ids}
        shape = {"counts": answer, "took_ms": "<number>", "cache_hits": "<int>", "cache_misses": "<int>"}
        return json.dumps({"items": [{"item_id": item} for item in ids]}), shape
    assert rule == "has_liked", rule
    answer = {str(item): item == 456 for item in ids}
    return json.dumps({"user_id": 123, "item_ids": list(ids)}), {"liked": answer}


def differences(value, wanted, place="answer"):
    """Where a value is not as wanted."""
    if isinstance(wanted, str) and wanted in KINDS:
        return [] if KINDS[wanted](value) else [f"{place} is {value!r}, wanted {wanted}"]
    if isinstance(wanted, dict):
        if not isinstance(value, dict):
            return [f"{place} is no object: {value!r}"]
        found = [f"{place}.{name} is missing" for name in wanted if name != "*" and name not in value]
        if "*" not in wanted:
            found += [f"{place}.{name} is too much" for name in value if name not in wanted]
        for name in value.keys() & wanted.keys():
            found += differences(value[name], wanted[name], f"{place}.{name}")
        return found
    if isinstance(wanted, list):
        if not isinstance(value, list) or len(value) != len(wanted):
            return [f"{place} is {value!r}, wanted {wanted!r}"]
        return [
            found
            for step, (one, other) in enumerate(zip(value, wanted, strict=True))
            for found in differences(one, other, f"{place}[{step}]")
        ]
    return [] if value == wanted and type(value) is type(wanted) else [f"{place} is {value!r}, wanted {wanted!r}"]


def problems(answer, row, shape):
    wanted = row.get("want", row["golden"])
    statuses = wanted["status"] if isinstance(wanted["status"], list) else [wanted["status"]]
    if answer.status not in statuses:
        return [f"status {answer.status}, wanted {statuses}"]
    found = []
    for name, value in wanted.get("headers", {}).items():
        is_there = answer.headers.get(name, "")
        if isinstance(value, list):
            listed = sorted(part.strip() for part in is_there.split(","))
            found += [] if listed == sorted(value) else [f"{name} is {is_there!r}, wanted {value}"]
        elif value in KINDS:
            found += differences(is_there, value, name)
        elif is_there.split(";")[0] != value:
            found.append(f"{name} is {is_there!r}, wanted {value!r}")
    shape = shape or wanted.get("json")
    if shape is not None and row["method"] != "HEAD" and answer.status not in wanted.get("bare", []):
        found += differences(answer.json(), shape)
    return found


def test_every_recorded_request_is_answered_as_recorded_or_better(start_daemon, start_gateway, own_postgres):
    daemon = start_daemon(own_postgres, RATE_LIMIT_REQUESTS=100)
    gateway = start_gateway(daemon.socket)
    found = []
    for row in TABLE["rows"]:
        body, shape = made(*row["make"]) if "make" in row else (row.get("body"), None)
        if "body_hex" in row:
            body = bytes.fromhex(row["body_hex"])
        for _ in range(row.get("times", 1)):
            answer = gateway.request(
                row["method"], row["target"], body, row.get("headers"), chunked=row.get("chunked", False)
            )
        found += [f"{row['name']}: {problem}" for problem in problems(answer, row, shape)]
    assert not found, "\n".join(found)
