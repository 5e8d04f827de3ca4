"""Pairs in alternation, rounds, their statistics, the CPU that was used, and whether the machine was quiet.

A *sample* is what one run of one contender gave: a dictionary of numbers by name, the unit being in the name:

    per_second          requests (or items, or rows) a second
    cpu_per_million     CPU seconds, user and system, of the measured server for a million of them
    p50_ms, p99_ms      latencies in milliseconds
    client_busy         CPU seconds a second of a generator with one thread: close to 1 it is itself the limit
    foreign             share of the machine's CPU time, 0…1, that went to others while it ran
    late_share          of an open loop: share of requests, 0…1, that the generator itself sent late
    schedule_kept       of an open loop: whether that is within the generator's own limit
"""

import contextlib
import dataclasses
import os
import statistics
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# What others took of the machine, steal by the hypervisor included, in the median of a row's runs.
FOREIGN_SHARE_MAX = 0.10
# (max − min) / median of the reference, whose code never changes.
REFERENCE_SPREAD_MAX = 0.25
# Requests of an open loop that the generator sent late, in the median of a row's runs: half of those beyond the p99
# that is judged. (The generator's own limit, `schedule_kept`, is stricter: it tells a p99.9 as well.)
LATE_SHARE_MAX = 0.005


@dataclasses.dataclass(frozen=True)
class Summary:
    """Several rounds in three numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))

    @property
    def spread(self):
        """(max − min) / median; 0 where the median is 0."""
        return (self.high - self.low) / self.median if self.median else 0.0


def values(samples, metric):
    """One number for each sample that has it."""
    return [sample[metric] for sample in samples if metric in sample]


def ratios(subject, reference, metric):
    """Of each round by itself: both ran within seconds of one another, so that slow drift cancels out."""
    pairs = zip(subject, reference, strict=True)
    return [one[metric] / other[metric] for one, other in pairs if other.get(metric)]


def noise(samples, reference_values=()):
    """Why a row can't be trusted, as a sentence; None: the machine was quiet."""
    reasons = []
    foreign = values(samples, "foreign")
    if foreign and statistics.median(foreign) > FOREIGN_SHARE_MAX:
        reasons.append(f"others took {statistics.median(foreign):.0%} of the CPU time")
    late = values(samples, "late_share")
    if late and statistics.median(late) > LATE_SHARE_MAX:
        reasons.append(f"the generator sent {statistics.median(late):.1%} of the requests late")
    if len(reference_values) > 1 and Summary.of(reference_values).spread > REFERENCE_SPREAD_MAX:
        reasons.append(f"the reference spread over {Summary.of(reference_values).spread:.0%}")
    return " and ".join(reasons) or None


def alternate(contenders, rounds, say=lambda _: None):
    """Runs each contender once a round, every other round in the opposite order.

    A contender is called with the number of the round and gives {name: sample}. Returns {name: [sample of each
    round]}.
    """
    found = {}
    for number in range(rounds):
        order = contenders if number % 2 == 0 else reversed(contenders)
        for contender in order:
            for name, sample in contender(number).items():
                found.setdefault(name, []).append(sample)
                say(f"round {number + 1}/{rounds} {name}: {brief(sample)}")
    return found


def brief(sample):
    """One line of a sample, for the progress."""
    return " ".join(f"{name}={value:,.4g}" for name, value in sample.items())


# MARK: CPU


def cpu_fields(stat):
    """(user, system, and those of its reaped children) in ticks, of a line of /proc/PID/stat."""
    # The name of the program, in parentheses, may itself hold spaces and parentheses.
    return tuple(int(field) for field in stat.rsplit(")", 1)[1].split()[11:15])


def process_seconds(pid):
    """CPU seconds of one process, all its threads, since it began. Steps of 10 ms: measure a second at least."""
    user, system, _, _ = cpu_fields(Path(f"/proc/{pid}/stat").read_text())
    return (user + system) / TICKS_PER_SECOND


def tree_seconds(pid):
    """CPU seconds of a process, its descendants, and those of them that were reaped."""
    total, look_at = 0, [pid]
    while look_at:
        current = look_at.pop()
        with contextlib.suppress(OSError):
            total += sum(cpu_fields(Path(f"/proc/{current}/stat").read_text()))
            for task in Path(f"/proc/{current}/task").iterdir():
                look_at += [int(child) for child in (task / "children").read_text().split()]
    return total / TICKS_PER_SECOND


def machine_ticks(stat):
    """(busy in programs, stolen, all) in ticks, of the first line of /proc/stat.

    Interrupts are left out of what is busy: they are the work of those who are measured.
    """
    user, nice, system, idle, waiting, irq, softirq, stolen = (int(field) for field in stat.split()[1:9])
    return user + nice + system, stolen, user + nice + system + idle + waiting + irq + softirq + stolen


def foreign_share(before, after, own_seconds):
    """Share of all CPU time, 0…1, taken by what is not ours, between two readings of `machine_ticks`."""
    busy, stolen, total = (late - early for early, late in zip(before, after, strict=True))
    if total <= 0:
        return 0.0
    return max(0.0, busy - own_seconds * TICKS_PER_SECOND + stolen) / total


class Watch:
    """CPU of the named servers, and of everybody else, while it is entered."""

    def __init__(self, **servers):
        """Servers by name: a function that gives the CPU seconds used so far."""
        self.servers = servers
        self.seconds = 0.0
        self.cpu = {}
        self.foreign = 0.0

    def _read(self):
        machine = machine_ticks(Path("/proc/stat").read_text().split("\n", 1)[0])
        return time.monotonic(), machine, tree_seconds(os.getpid()), {n: read() for n, read in self.servers.items()}

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_):
        began, machine, own, servers = self._before
        ended, machine_after, own_after, servers_after = self._read()
        self.seconds = ended - began
        self.cpu = {name: servers_after[name] - servers[name] for name in servers}
        self.foreign = foreign_share(machine, machine_after, own_after - own)

    def per_million(self, count):
        """{`NAME_cpu_per_million`: CPU seconds} of all servers but the measured one, which has no name before it."""
        return {
            ("cpu_per_million" if name == "measured" else f"{name}_cpu_per_million"): seconds * 1e6 / count
            for name, seconds in self.cpu.items()
        }
