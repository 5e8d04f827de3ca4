"""`make chaos`: a run of any length, its report, and what is left of it when it fails."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from .checks import check_history
from .cluster import REQUEST_TIMEOUT_MS
from .faults import REGISTRY, TOPOLOGIES, names_of
from .history import History
from .run import Run


def arguments():
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long faults happen (60)")
    parser.add_argument("--seed", type=int, help="repeats the choice of faults (random)")
    parser.add_argument("--rate", type=float, default=1500, help="requests per second, all clients together (1500)")
    parser.add_argument("--only", action="append", metavar="FAULT", help="only this fault; may be repeated")
    parser.add_argument("--topology", choices=TOPOLOGIES, help="how Redis is set up (one after the other)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of likesd")
    parser.add_argument("--list", action="store_true", help="the faults, and what they do")
    parser.add_argument("--keep", action="store_true", help="keep history and logs even when all is well")
    parser.add_argument("--check", type=Path, metavar="FILE", help="check a history that was kept, and nothing else")
    given = parser.parse_args()
    unknown = set(given.only or []) - set(REGISTRY)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; see --list")
    return given


def recheck(path):
    history = History.read(path)
    violations = check_history(history, REQUEST_TIMEOUT_MS / 1000)
    for violation in violations:
        print(violation.text(history.disturbances))
    print(f"{len(history.operations)} operations, {len(violations)} violations")
    return 1 if violations else 0


def main():
    given = arguments()
    if given.list:
        for name, fault in sorted(REGISTRY.items()):
            print(f"{name}\n    {fault.run.__doc__}")
        return 0
    if given.check:
        return recheck(given.check)
    seed = int.from_bytes(os.urandom(4), "big") if given.seed is None else given.seed
    settings = dict(setting.split("=", 1) for setting in given.set)
    topologies = [given.topology] if given.topology else list(TOPOLOGIES)
    if given.only:
        topologies = [one for one in topologies if set(given.only) <= set(names_of(one))][:1]
        if not topologies:
            raise SystemExit("no run has all of these faults: see --topology")
    # Each in turn, whatever the others found.
    return max([carry_out(given, one, seed, settings) for one in topologies])


def carry_out(given, topology, seed, settings):
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    # PostgreSQL runs as another user.
    folder.chmod(0o755)
    print(f"Redis: {topology}; seed {seed}; history and logs in {folder}", flush=True)
    passed = False
    try:
        report = Run(
            folder,
            given.seconds,
            seed,
            given.rate,
            lambda line: print(line, flush=True),
            given.only,
            topology,
            **settings,
        ).run()
        passed = report.passed
        print(report.text())
    finally:
        if passed and not given.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder} (history.jsonl, h*/log); repeat the choice of faults with --seed {seed}")
    return 0 if passed else 1


sys.exit(main())
