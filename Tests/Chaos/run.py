"""One run: servers, load, faults, the checks, and the report."""

import contextlib
import dataclasses
import re
import threading
import traceback
from collections import Counter

import psycopg
from support.database import drift

# They register themselves.
from . import (  # noqa: F401
    faults_cluster,
    faults_likesd,
    faults_postgres,
    faults_redis,
    faults_sentinels,
    faults_slots,
    faults_standby,
)
from .checks import check_history, percentiles, tally
from .cluster import HOSTS, REQUEST_TIMEOUT_MS, Cluster
from .faults import Hold, plan
from .history import History, Violation
from .load import Load, clock
from .settling import Settling

LOOK_EVERY_SECONDS = 0.5
RATE_EVERY_SECONDS = 5.0
# At the end one host's way to Redis is longer, within its REDIS_TIMEOUT_MS: what it writes last arrives behind what
# others wrote later. While the load goes on, the next write would cover that up.
UNEVEN_SECONDS = 0.03
UNEVEN_FOR_SECONDS = 1.5
CRASH_WORDS = re.compile(r"Fatal error|AddressSanitizer|Current stack trace|terminating due to|Crash:")
VIOLATIONS_SHOWN_PER_RULE = 5


@dataclasses.dataclass
class Report:
    """What a run found."""

    violations: list
    history: History
    lines: list
    problems: list  # of the test itself: a fault that could not be made or healed

    @property
    def passed(self):
        return not self.violations and not self.problems

    def text(self):
        lines = list(self.lines)
        by_rule = Counter()
        for violation in self.violations:
            by_rule[violation.rule] += 1
            if by_rule[violation.rule] <= VIOLATIONS_SHOWN_PER_RULE:
                lines += ["", violation.text(self.history.disturbances)]
        lines += ["", *(f"PROBLEM of the test: {problem}" for problem in self.problems)]
        lines += [f"{count} × violated: {rule}" for rule, count in by_rule.items()]
        lines.append("passed" if self.passed else "FAILED")
        return "\n".join(lines)


class Run:
    """`say` gets a line for all that happens."""

    def __init__(self, folder, seconds, seed, rate, say=print, only=None, topology="single", **settings):
        self.folder = folder
        self.seconds = seconds
        self.seed = seed
        self.rate = rate
        self.say = say
        self.settings = settings
        self.topology = topology
        self.plan = plan(seed, seconds, HOSTS, only, topology)
        self.history = History(folder / "history.jsonl")
        self.clock = clock()
        self.stop = threading.Event()
        self.violations = []
        self.problems = []

    def run(self):
        with Cluster(self.folder, HOSTS, self.topology, **self.settings) as cluster:
            self.cluster = cluster
            load = Load(cluster, self.history, self.clock, self.seed, self.rate)
            load.start()
            watching = cluster.workers.submit(self.watch)
            try:
                self.started = self.clock()
                settling = Settling(cluster, self.history, self.clock, self.break_things())
                settling.wait_healthy()
                self.say(f"{self.clock():8.2f} s  all is healed; the last writes overtake each other")
                self.cluster.delay_redis(self.cluster.hosts[0], UNEVEN_SECONDS)
                self.stop.wait(UNEVEN_FOR_SECONDS)
            finally:
                load.stop()
                self.stop.set()
            self.cluster.delay_redis(self.cluster.hosts[0], 0.0)
            watching.result()
            self.problems += load.problems
            self.say(f"{self.clock():8.2f} s  waiting until all agree")
            settling.check()
            self.violations += settling.violations
            self.check_daemons()
            self.check_standby()
        self.history.close()
        self.say(f"checking {len(self.history.operations)} operations")
        self.violations += check_history(self.history, REQUEST_TIMEOUT_MS / 1000)
        return Report(self.violations, self.history, self.lines(settling), self.problems)

    def break_things(self):
        """Carries out the plan; the moment when the last of it was healed."""
        running, busy = [], {}
        for planned in self.plan:
            self.stop.wait(max(0.0, self.started + planned.at - self.clock()))
            # What has the same parts may take longer to heal than planned.
            for claim in planned.claims & busy.keys():
                busy[claim].result()
            future = self.cluster.workers.submit(self.carry_out, planned)
            busy.update(dict.fromkeys(planned.claims, future))
            running.append(future)
        for future in running:
            future.result()
        self.stop.wait(max(0.0, self.started + self.seconds - self.clock()))
        return max([d.healed for d in self.history.disturbances], default=self.clock())

    def carry_out(self, planned):
        name = planned.fault.name
        disturbance = self.history.began(name, planned.host, self.clock())
        where = "" if planned.host is None else f", host {planned.host}"
        self.say(f"{disturbance.began:8.2f} s  {name}{where}, for {planned.seconds:.1f} s")
        try:
            planned.fault.run(self.cluster, Hold(planned, self.stop))
        except Exception as problem:
            self.problems.append(f"“{name}”: {problem}\n{traceback.format_exc()}")
        finally:
            self.history.healed(disturbance, self.clock())

    def watch(self):
        """Every moment counts: drift in the tables, daemons that ended, and the rate for whoever looks on."""
        spoken, done = self.clock(), 0
        while not self.stop.wait(LOOK_EVERY_SECONDS):
            for host in self.cluster.hosts:
                host.look_after()
            with contextlib.suppress(psycopg.OperationalError, psycopg.InterfaceError, OSError):
                with self.cluster.sql() as sql:
                    sql.execute("SET statement_timeout = '2s'")
                    for row in drift(sql):
                        what = f"counters differ from user_likes: {row}"
                        self.violations.append(Violation("counters = likes at every moment", what, self.clock()))
            now = self.clock()
            if now - spoken >= RATE_EVERY_SECONDS:
                recent = self.history.operations[done:]
                outcomes = Counter(operation.outcome for operation in recent if operation.verb != "HEALTH")
                rate = sum(outcomes.values()) / (now - spoken)
                told = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
                self.say(f"{now:8.2f} s      {rate:.0f} operations/s: {told}")
                spoken, done = now, done + len(recent)

    def check_daemons(self):
        for host in self.cluster.hosts:
            for crash in host.crashes:
                self.violations.append(Violation("likesd never ends by itself", crash, self.clock()))
            words = sorted(set(CRASH_WORDS.findall(host.daemon.log())))
            if words:
                what = f"host {host.number}: its log says {', '.join(words)}"
                self.violations.append(Violation("likesd never ends by itself", what, self.clock()))

    def check_standby(self):
        """A run in which the standby had nothing to do shows nothing of it."""
        for host in self.cluster.hosts:
            host.note_standby_counts()
        if not any(host.standby_counts for host in self.cluster.hosts):
            self.problems.append("the standby has answered no counts")

    def lines(self, settling):
        operations = self.history.operations
        lines = [
            "",
            f"Redis: {self.topology}, seed {self.seed}, {self.seconds:.0f} s of faults, {len(operations)} operations",
            "",
        ]
        for verb, outcomes in tally(operations).items():
            told = ", ".join(f"{name} {count}" for name, count in outcomes.most_common())
            times = percentiles(operations, verb)
            times = f"   p50 {times[0]:.1f} ms, p99 {times[1]:.1f} ms" if times else ""
            lines.append(f"  {verb:7} {told}{times}")
        lines += ["", "faults"]
        for name, count in sorted(Counter(d.name for d in self.history.disturbances).items()):
            lines.append(f"  {count:4} × {name}")
        lines.append("")
        for number, seconds in settling.seconds_to_ok.items():
            lines.append(f"host {number}: ok {seconds:.1f} s after healing")
        for what, seconds in settling.seconds_to_agree.items():
            lines.append(f"{what} agreed {seconds:.1f} s after healing")
        if settling.not_believed:
            lines.append(f"{settling.not_believed} counters of an earlier generation in Redis, which no host believes")
        counts = ", ".join(str(host.standby_counts) for host in self.cluster.hosts)
        lines.append(f"counts from the standby, by host: {counts}")
        memory = ", ".join(f"{host.resident_bytes_max / 2**20:.0f} MB" for host in self.cluster.hosts)
        lines.append(f"most memory of a daemon, by host: {memory}")
        return lines
