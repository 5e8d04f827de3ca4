"""What clients did and were told: every operation with the moments of its call and its reply."""

import dataclasses
import json
import threading

# Replies that promise that nothing was stored.
NEVER_STORED = {"UNAVAILABLE", "BUSY", "RATELIMITED"}
CHANGES = {"LIKE", "UNLIKE"}
# The host of operations that asked PostgreSQL itself.
POSTGRES = -1
FAULTS_SHOWN_MAX = 12


@dataclasses.dataclass(slots=True, eq=False)
class Operation:
    """One request of one client. Times are seconds since the start of the run."""

    host: int
    life: int  # process id of the daemon: another one after each restart
    client: int
    verb: str
    user: int | None
    items: tuple
    invoked: float
    returned: float
    reply: object = None  # an integer, a list of them, an error as text; None: the connection broke
    pipeline: int = 0  # the same number for requests sent in one go; 0: sent alone
    place: int = 0  # the order in there

    @property
    def code(self):
        """The code of an error, or None."""
        return self.reply.split(" ", 1)[0] if isinstance(self.reply, str) else None

    @property
    def answered(self):
        """Whether the reply tells a result."""
        return self.reply is not None and not isinstance(self.reply, str)

    @property
    def unknown(self):
        """Whether a change may have taken effect, may take effect later, or never."""
        return self.verb in CHANGES and (self.reply is None or self.code == "UNCERTAIN")

    @property
    def outcome(self):
        """For counting: ok, the error's code, or broken."""
        if self.reply is None:
            return "broken"
        return self.code or "ok"

    def line(self):
        """For people to read."""
        place = "postgres" if self.host == POSTGRES else f"host {self.host} client {self.client}"
        reply = "connection broke" if self.reply is None else self.reply
        what = " ".join([self.verb, *([] if self.user is None else [str(self.user)]), *self.items])
        pipelined = f" pipeline {self.pipeline}.{self.place}" if self.pipeline else ""
        return f"{self.invoked:11.6f} – {self.returned:11.6f}  {place:18}  {what}  → {reply}{pipelined}"


@dataclasses.dataclass(slots=True)
class Disturbance:
    """A fault from its beginning until all of it was healed."""

    name: str
    host: int | None
    began: float
    healed: float | None = None

    def line(self):
        end = "        …" if self.healed is None else f"{self.healed:11.6f}"
        return f"{self.began:11.6f} – {end}  {self.name}" + ("" if self.host is None else f", host {self.host}")


class History:
    """All of a run, in memory for the checks and as JSON lines in a file for people."""

    def __init__(self, path=None):
        self.operations = []
        self.disturbances = []
        self.lock = threading.Lock()
        self.file = path.open("w", encoding="utf-8") if path else None

    def add(self, operations):
        lines = [json.dumps(dataclasses.asdict(operation)) + "\n" for operation in operations] if self.file else []
        with self.lock:
            self.operations += operations
            if self.file:
                self.file.writelines(lines)

    def began(self, name, host, now):
        disturbance = Disturbance(name, host, now)
        with self.lock:
            self.disturbances.append(disturbance)
        return disturbance

    def healed(self, disturbance, now):
        disturbance.healed = now
        if self.file:
            with self.lock:
                self.file.write(json.dumps({"fault": dataclasses.asdict(disturbance)}) + "\n")

    def close(self):
        if self.file:
            self.file.close()

    @classmethod
    def read(cls, path):
        """A run that was written earlier."""
        history = cls()
        with path.open(encoding="utf-8") as file:
            for line in file:
                value = json.loads(line)
                if "fault" in value:
                    history.disturbances.append(Disturbance(**value["fault"]))
                else:
                    history.operations.append(Operation(**{**value, "items": tuple(value["items"])}))
        return history


@dataclasses.dataclass(slots=True)
class Violation:
    """A guarantee that was broken, with what a reader needs to see it."""

    rule: str
    what: str
    at: float
    operations: list = dataclasses.field(default_factory=list)

    def text(self, disturbances=()):
        lines = [f"VIOLATION of “{self.rule}”: {self.what}"]
        lines += [f"    {operation.line()}" for operation in self.operations]
        near = [d for d in disturbances if d.began <= self.at and (d.healed is None or d.healed >= self.at - 35)]
        near = near[-FAULTS_SHOWN_MAX:]
        if near:
            lines.append("    faults until then:")
            lines += [f"    {disturbance.line()}" for disturbance in near]
        return "\n".join(lines)


def around(operations, at, before=14, after=4):
    """The operations near a moment: those called last before it, and the next."""
    ordered = sorted(operations, key=lambda operation: operation.invoked)
    place = sum(operation.invoked <= at for operation in ordered)
    return ordered[max(0, place - before) : place + after]
