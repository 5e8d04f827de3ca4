"""The plan of faults: chosen by the seed alone, two at most at a time, none in the way of another."""

import pytest

from Chaos import run
from Chaos.faults import CALM_SECONDS, REGISTRY, RUNNING_MAX, TOPOLOGIES, names_of, plan

HOSTS = 3


def told(planned):
    return [(p.fault.name, p.at, p.seconds, p.host, p.seed) for p in planned]


def test_the_same_seed_gives_the_same_plan(seed):
    assert run.HOSTS == HOSTS
    assert told(plan(seed, 300, HOSTS)) == told(plan(seed, 300, HOSTS))
    assert told(plan(seed, 300, HOSTS)) != told(plan(seed + 1, 300, HOSTS))


def test_every_fault_belongs_to_a_topology():
    assert set(REGISTRY) == {name for topology in TOPOLOGIES for name in names_of(topology)}
    assert all(set(names_of(topology)) != set(REGISTRY) for topology in TOPOLOGIES)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_fault_comes_and_none_is_in_the_way_of_another(seed, topology):
    planned = plan(seed, 1800, HOSTS, topology=topology)
    assert {p.fault.name for p in planned} == set(names_of(topology))
    overlapping = 0
    for place, one in enumerate(planned):
        beside = [other for other in planned[:place] if other.end > one.at]
        assert len(beside) < RUNNING_MAX
        for other in beside:
            assert not one.claims & other.claims, (one.fault.name, other.fault.name)
        overlapping += len(beside)
    assert overlapping > 10


def test_a_long_run_has_calm_in_it(seed):
    planned = sorted(plan(seed, 1800, HOSTS), key=lambda p: p.at)
    ends = [max(p.end for p in planned[: place + 1]) for place in range(len(planned))]
    calms = [
        after.at - end for end, after in zip(ends, planned[1:], strict=False) if after.at - end >= CALM_SECONDS - 0.001
    ]
    assert len(calms) >= 4


def test_one_kind_of_fault_can_be_asked_for(seed):
    planned = plan(seed, 60, HOSTS, only=["Redis flushed"])
    assert {p.fault.name for p in planned} == {"Redis flushed"}
