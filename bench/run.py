"""`make bench`: measures the rows, prints the table, writes the file of the run and its plots."""

import argparse
import sys
import time
import traceback
from pathlib import Path

from support.postgres import programs

from bench import plots, report
from bench.load import LoadError
from bench.rows import cold, counts, growth, http, likes, openloop, resources
from bench.servers import Bench, Options, folder

GROUPS = (counts, http, likes, cold, openloop, resources, growth)
# Not part of a run that names no rows.
ON_DEMAND = {"growth"}
ROUNDS = 5
ROUNDS_QUICK = 2
RESULTS = Path(__file__).parent / "results"


def all_rows():
    return [row for group in GROUPS for row in group.ROWS]


def rows_named(text):
    """The rows of a list parted by commas; none named: all but those on demand."""
    if not text:
        return [row for row in all_rows() if row not in ON_DEMAND]
    named = [row for row in text.replace(" ", ",").split(",") if row]
    unknown = sorted(set(named) - set(all_rows()))
    if unknown:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}; there are {', '.join(all_rows())}")
    return [row for row in all_rows() if row in named]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--rows", type=rows_named, default="", help="which, parted by commas (all but growth)")
    parser.add_argument("--rounds", type=positive, help=f"of each pair ({ROUNDS}; quick: {ROUNDS_QUICK})")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the requests: shows that it works")
    given = parser.parse_args()
    given.rounds = given.rounds or (ROUNDS_QUICK if given.quick else ROUNDS)
    return given


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def measure(bench, rows, groups=GROUPS):
    """The results of all rows, and what failed. A row that fails does not end the others."""
    results, failed = [], []
    for group in groups:
        wanted = [row for row in rows if row in group.ROWS]
        if not wanted:
            continue
        try:
            results += group.run(bench, wanted)
        except KeyboardInterrupt:
            failed.append(f"{', '.join(wanted)}: ended by Ctrl-C, as was all that follows")
            break
        # Whatever it was: minutes of measuring are behind, and other rows may work.
        except Exception as problem:
            if not isinstance(problem, LoadError):
                traceback.print_exc()
            failed.append(f"{', '.join(wanted)}: {problem}")
            say(f"FAILED {failed[-1]}")
    return results, failed


def main():
    given = arguments()
    began = time.monotonic()
    with folder() as place, Bench(place, Options(given.rounds, given.quick), say) as bench:
        facts = report.machine(place, programs() / "postgres")
        results, failed = measure(bench, given.rows)
    options = {"rows": given.rows, "rounds": given.rounds, "quick": given.quick, "failed": failed}
    print(f"\n{report.machine_line(facts)}\n{given.rounds} rounds, {time.monotonic() - began:.0f} s\n")
    if given.quick:
        print("QUICK: too few requests for figures to be told to anybody.\n")
    print(report.table(results))
    print(report.notes(results))
    for problem in failed:
        print(f"FAILED: {problem}")
    # Last: what is printed is not lost when it can't be written.
    print(f"samples: {report.save(RESULTS, facts, options, results, bench.samples, bench.series)}")
    print(f"{plots.draw(results, bench.series, RESULTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
