"""Verdicts and the table."""

import json

from bench import report
from bench.measure import Summary
from bench.results import Target, absolute, compared, number

OWN = [{"per_second": 1500.0, "foreign": 0.0}, {"per_second": 1300.0, "foreign": 0.0}]
OTHER = [{"per_second": 1000.0, "foreign": 0.0}, {"per_second": 1000.0, "foreign": 0.0}]


def test_more_is_better_until_it_is_not():
    assert [Target(1.0, 1.3).verdict(value) for value in (0.99, 1.0, 1.29, 1.3)] == ["no", "yes", "yes", "stretch"]
    at_most = Target(1.0, 0.6, at_least=False)
    assert [at_most.verdict(value) for value in (1.01, 1.0, 0.61, 0.6)] == ["no", "yes", "yes", "stretch"]


def test_where_nothing_is_asked_nothing_is_reached():
    assert Target().verdict(5) == ""
    assert Target(reach=None, stretch=3).verdict(2) == ""


def test_a_comparison_is_judged_by_its_ratio():
    result = compared("r", "Row", "per_second", OWN, OTHER, "other", Target(1.4, 1.5))
    assert result.ratio == Summary(1.4, 1.3, 1.5)
    assert result.verdict == "yes"
    assert result.noise is None


def test_a_number_by_itself_is_judged_by_its_median():
    samples = [{"p99_ms": 20.0}, {"p99_ms": 40.0}, {"p99_ms": 31.0}]
    assert absolute("r", "Row", "p99_ms", samples, Target(30, at_least=False), " ms").verdict == "no"


def test_numbers_keep_three_digits():
    assert [number(value) for value in (0.12345, 4.5678, 99.96, 1234.5, 2_000_000)] == [
        "0.123",
        "4.57",
        "100",
        "1,234",
        "2,000,000",
    ]


def test_the_table_is_markdown_with_a_line_for_each_result():
    noisy = [{"p99_ms": 1.0, "foreign": 0.5}]
    results = [
        compared("a", "First", "per_second", OWN, OTHER, "other", Target(1.0, 2.0)),
        absolute("b", "Second", "p99_ms", noisy, Target(0.5, at_least=False), " ms"),
    ]
    lines = report.table(results).split("\n")
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert set(lines[1]) == {"|", "-"}
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0] == [
        "First", "per second", "1,400 (1,300–1,500)", "other", "1,000", "1.40×", "≥ 1×", "≥ 2×", "yes",
    ]  # fmt: skip
    assert cells[1] == ["Second", "p99 ms", "1", "", "", "", "≤ 0.5 ms", "", "no (noisy)"]
    assert report.notes(results) == "noisy: Second (p99_ms): others took 50% of the CPU time"


def test_a_run_is_kept_with_all_its_samples(tmp_path):
    results = [compared("a", "First", "per_second", OWN, OTHER, "other", Target(1.0, 2.0))]
    path = report.save(tmp_path / "results", {"cores": 2}, {"rounds": 2}, results, {"a": {"likesd": OWN}}, {})
    kept = json.loads(path.read_text())
    assert kept["samples"]["a"]["likesd"] == OWN
    assert kept["results"][0]["verdict"] == "yes"
    assert kept["machine"] == {"cores": 2}
