"""Statistics, the verdict on noise, and the CPU's accounts."""

import pytest

from bench.measure import (
    LATE_SHARE_MAX,
    TICKS_PER_SECOND,
    Summary,
    alternate,
    cpu_fields,
    foreign_share,
    machine_ticks,
    noise,
    ratios,
)

QUIET = {"foreign": 0.01, "per_second": 100.0}


def test_a_summary_is_the_median_with_both_ends():
    assert Summary.of([5, 1, 9, 3, 4]) == Summary(4, 1, 9)
    assert Summary.of(iter([2, 4])) == Summary(3, 2, 4)
    assert Summary.of([8, 10, 12]).spread == pytest.approx(0.4)
    assert Summary.of([0, 0]).spread == 0


def test_a_ratio_is_taken_within_each_round():
    # The machine became twice as slow: no ratio shows it.
    subject, reference = [{"x": 30}, {"x": 15}], [{"x": 20}, {"x": 10}]
    assert ratios(subject, reference, "x") == [1.5, 1.5]


def test_a_round_that_one_of_the_pair_lacks_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        ratios([{"x": 1}], [{"x": 1}, {"x": 2}], "x")


def test_contenders_take_turns_at_going_first():
    order = []

    def contender(name):
        def measure(number):
            order.append((number, name))
            return {name: {"x": float(number)}}

        return measure

    found = alternate([contender("a"), contender("b")], 3)
    assert order == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]
    assert found == {name: [{"x": 0.0}, {"x": 1.0}, {"x": 2.0}] for name in "ab"}


def test_a_quiet_machine_and_a_steady_reference_are_no_noise():
    assert noise([QUIET, QUIET], [100, 110, 124]) is None
    assert noise([{"per_second": 1.0}]) is None


def test_foreign_cpu_is_noise():
    assert "20%" in noise([{"foreign": 0.2}, {"foreign": 0.2}, {"foreign": 0.0}])


def test_a_schedule_that_the_generator_did_not_keep_is_noise():
    kept = {**QUIET, "late_share": LATE_SHARE_MAX}
    late = {**QUIET, "late_share": 0.02}
    assert noise([kept, kept, late]) is None
    assert "2.0% of the requests late" in noise([late, kept, late])


def test_a_reference_that_moves_is_noise():
    assert "reference" in noise([QUIET], [100, 80, 110])


def test_one_disturbed_run_of_several_is_no_noise():
    assert noise([QUIET, {"foreign": 0.9}, QUIET]) is None


def test_cpu_fields_survive_the_names_of_programs():
    line = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 20 0 1 0"
    assert cpu_fields(line) == (11, 12, 13, 14)


def test_ticks_of_the_machine_leave_interrupts_out_of_what_is_busy():
    #                         user nice system idle iowait irq softirq steal
    assert machine_ticks("cpu  100    5     50  800     20   3       7    15 0 0") == (155, 15, 1000)


def test_foreign_is_what_is_busy_and_not_ours_with_what_was_stolen():
    before, after = (0, 0, 0), (600, 50, 1000)
    assert foreign_share(before, after, own_seconds=500 / TICKS_PER_SECOND) == pytest.approx(0.15)
    # Ticks are counted by sampling: ours may come out as more than the machine's.
    assert foreign_share(before, (600, 0, 1000), own_seconds=700 / TICKS_PER_SECOND) == 0
    assert foreign_share(before, before, own_seconds=0) == 0
