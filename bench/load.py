"""Load generators, each behind a function that gives a `Load`: what was answered, how fast, how late."""

import csv
import dataclasses
import io
import json
import subprocess

from support.daemon import binary

# A generator that takes longer hangs.
SECONDS_MAX = 600


class LoadError(Exception):
    """The generator failed, or was answered with errors: what it measured is worth nothing."""


@dataclasses.dataclass(frozen=True)
class Load:
    """One run. Latencies are in milliseconds; None where the generator measures none."""

    requests: int
    seconds: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    changed: int | None = None
    # By verb, as likesctl bench tells it; empty from others.
    verbs: dict = dataclasses.field(default_factory=dict)
    # Of an open loop: the share of requests, 0…1, that the generator itself sent late, and whether that is within its
    # own limit.
    late_share: float = 0.0
    schedule_kept: bool = True
    # CPU seconds of the generator in a second, where it tells them: with one thread, close to 1 it is itself the limit.
    client_busy: float | None = None

    @property
    def per_second(self):
        return self.requests / self.seconds

    def sample(self):
        told = {
            "per_second": self.per_second,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "max_ms": self.max_ms,
            "changed": None if self.changed is None else self.changed / self.requests,
            "client_busy": self.client_busy,
        }
        return {name: value for name, value in told.items() if value is not None}


def redis_benchmark_command(socket, request, *, requests, connections=50, pipeline=1, keys):
    """`__rand_int__` in the request is a number below `keys`, 12 digits long."""
    options = ("-n", requests, "-c", connections, "-P", pipeline, "-r", keys)
    return ["redis-benchmark", "-s", str(socket), "--csv", "--precision", "3", *map(str, options), *request]


def parse_redis_benchmark(text, requests):
    """Of `--csv`, the one line after the headings."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise LoadError("redis-benchmark gave no result")
    row = rows[-1]
    return Load(
        requests=requests,
        seconds=requests / float(row["rps"]),
        p50_ms=float(row["p50_latency_ms"]),
        p99_ms=float(row["p99_latency_ms"]),
        max_ms=float(row["max_latency_ms"]),
    )


def redis_benchmark(socket, request, **options):
    """One run of redis-benchmark to its end."""
    command = redis_benchmark_command(socket, request, **options)
    return finish(Run(command, lambda text: parse_redis_benchmark(text, options["requests"])))


def likes_bench_command(socket, mix, **options):
    """likesctl bench, with each option as the command has it: users=5 is `--users 5`, write=True `--write`."""
    command = [str(binary("likesctl")), "bench", "--socket", str(socket), "--json", "--mix", mix]
    for name, value in options.items():
        if value is True:
            command.append(f"--{name}")
        elif value is not None:
            command += [f"--{name}", str(value)]
    return command


def parse_likes_bench(text):
    """Of `--json`. A run of one verb has latencies of its own, one of several those of its slowest verb."""
    told = json.loads(text)
    if told["errors"]:
        raise LoadError(f"answered with errors: {told['errors']}")
    if told["ended"] != "finished":
        raise LoadError(f"the run did not come to its end: {told['ended']}")
    unanswered = [name for name, verb in told["verbs"].items() if not verb["requests"]]
    if unanswered:
        raise LoadError(f"no {', '.join(unanswered)} among {told['requests']} requests")
    latencies = [verb["us"] for verb in told["verbs"].values()]
    changed = [verb["changed"] for verb in told["verbs"].values() if "changed" in verb]

    def slowest(name):
        return max(us[name] for us in latencies) / 1000

    return Load(
        requests=told["requests"],
        seconds=told["seconds"],
        p50_ms=slowest("p50"),
        p99_ms=slowest("p99"),
        max_ms=slowest("max"),
        changed=sum(changed) if changed else None,
        verbs=told["verbs"],
        late_share=told["late_sends"] / told["sends"] if told["sends"] else 0.0,
        # A closed loop has no schedule.
        schedule_kept=told["schedule_kept"] is not False,
    )


class Run:
    """A generator under way."""

    def __init__(self, command, parse):
        self.command = command
        self.parse = parse
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self):
        """A load that nobody waits for any more would be in all that is measured next."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def start_likes_bench(socket, mix, **options):
    """A run under way, for several at once; `finish` waits for it."""
    return Run(likes_bench_command(socket, mix, **options), parse_likes_bench)


def finish(started):
    """Waits for a run, and gives its `Load`."""
    try:
        out, problems = started.process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired as problem:
        raise LoadError(f"{' '.join(started.command[:2])} … had not ended after {SECONDS_MAX} s") from problem
    finally:
        started.end()
    if started.process.returncode != 0 or "Error" in problems:
        name = " ".join(started.command[:2])
        raise LoadError(f"{name} … ended with {started.process.returncode}: {problems.strip()}")
    return started.parse(out)


def finish_all(started):
    """Waits for runs that go on at once. With one that fails all end."""
    try:
        return [finish(one) for one in started]
    finally:
        for one in started:
            one.end()


def likes_bench(socket, mix, **options):
    """One run of likesctl bench to its end."""
    return finish(start_likes_bench(socket, mix, **options))


def start_changes(socket, verb, *, requests, connections, seed, keys="uniform", users=1_000_000, items=100_000):
    """LIKE or UNLIKE in a closed loop, under way. The same seed repeats the same pairs."""
    return start_likes_bench(
        socket,
        f"{verb}=1",
        write=True,
        requests=requests,
        connections=connections,
        seed=seed,
        keys=keys,
        users=users,
        items=items,
    )


def changes(socket, verb, **options):
    """One run of LIKE or UNLIKE to its end."""
    return finish(start_changes(socket, verb, **options))
