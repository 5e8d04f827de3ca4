"""A short run of everything: `make chaos SECONDS=1800` is the long one."""

from Chaos.conftest import KEEP
from Chaos.run import Run

FAULTS_SECONDS = 25
REQUESTS_PER_SECOND = 1000


def test_nothing_is_lost_and_nothing_is_wrong_while_everything_fails(folder, seed):
    report = Run(folder, FAULTS_SECONDS, seed, REQUESTS_PER_SECOND).run()
    print(report.text())
    if not report.passed:
        (folder / KEEP).touch()
    again = f"make chaos SECONDS={FAULTS_SECONDS} SEED={seed}"
    assert report.passed, f"history and logs: {folder}; the same choice of faults: {again}"
