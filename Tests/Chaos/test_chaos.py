"""A short run of everything: `make chaos SECONDS=1800` is the long one."""

import pytest

from Chaos.conftest import KEEP
from Chaos.faults import TOPOLOGIES
from Chaos.run import Run

# For each topology.
FAULTS_SECONDS = 12
REQUESTS_PER_SECOND = 1000


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_nothing_is_lost_and_nothing_is_wrong_while_everything_fails(folder, seed, topology):
    report = Run(folder, FAULTS_SECONDS, seed, REQUESTS_PER_SECOND, topology=topology).run()
    print(report.text())
    if not report.passed:
        (folder / KEEP).touch()
    again = f"make chaos SECONDS={FAULTS_SECONDS} SEED={seed} TOPOLOGY={topology}"
    assert report.passed, f"history and logs: {folder}; the same choice of faults: {again}"
