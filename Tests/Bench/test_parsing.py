"""What generators, pgbench and PostgreSQL's log say, and what is made of it."""

import argparse
import json
import random
import re

import pytest

from bench.ceiling import batch_rows, find_settings, find_statement, script, session_options
from bench.load import Load, LoadError, Run, finish_all, parse_likes_bench, parse_redis_benchmark
from bench.plots import bars, cumulated, curves
from bench.rows import cold
from bench.rows.counts import requests_of
from bench.rows.likes import check_changed
from bench.rows.openloop import is_kept
from bench.run import ON_DEMAND, all_rows, measure, rows_named

CSV = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",'
    '"max_latency_ms"\n"COUNT post:__rand_int__","50000.00","0.3","0.024","0.295","0.359","0.943","4.367"\n'
)
AT = "2026-11-24 16:01:01.265 UTC [27614] "
LOG = (
    f"{AT}LOG:  statement: SET client_min_messages = warning;\n"
    "\tSET default_transaction_isolation = 'read committed';\n"
    "\tSET plan_cache_mode = force_generic_plan;\n"
    "\tSET statement_timeout = 5000;\n"
    f"{AT}LOG:  execute fence: SELECT $1\n{AT}DETAIL:  parameters: $1 = '1'\n"
    f"{AT}LOG:  execute commit: WITH fence AS (\n\t    SELECT $1\n\t)\n\tSELECT $2\n"
    f"{AT}DETAIL:  parameters: $1 = '1'\n"
)


def test_redis_benchmark_is_read():
    load = parse_redis_benchmark(CSV, 100_000)
    assert (load.per_second, load.seconds, load.p50_ms, load.p99_ms) == (50_000, 2.0, 0.295, 0.943)


def test_redis_benchmark_without_a_result_is_an_error():
    with pytest.raises(LoadError):
        parse_redis_benchmark(CSV.split("\n")[0] + "\n", 1)


def told(**changes):
    us = {"min": 90, "mean": 812.2, "p50": 700, "p90": 1500, "p99": 4200, "p99.9": 9000, "max": 15000}
    verb = {"requests": 10, "changed": 9, "per_second": 5.0, "us": us, "histogram": [[64, 10]]}
    return json.dumps(
        {
            "ended": "finished", "seconds": 2.0, "requests": 10, "errors": {}, "verbs": {"LIKE": verb},
            "schedule_kept": None, "sends": None, "late_sends": 0, **changes,
        }
    )  # fmt: skip


def test_likesctl_bench_is_read():
    load = parse_likes_bench(told())
    assert (load.per_second, load.p50_ms, load.p99_ms, load.changed) == (5.0, 0.7, 4.2, 9)
    assert load.sample()["changed"] == 0.9
    assert (load.late_share, load.schedule_kept) == (0, True)


def test_how_many_requests_the_generator_sent_late_is_read():
    load = parse_likes_bench(told(schedule_kept=False, sends=400, late_sends=2))
    assert (load.late_share, load.schedule_kept) == (0.005, False)


def test_a_run_that_ended_early_or_lacks_a_verb_is_worth_nothing():
    with pytest.raises(LoadError, match="interrupted"):
        parse_likes_bench(told(ended="interrupted"))
    with pytest.raises(LoadError, match="no COUNT"):
        parse_likes_bench(told(verbs={"COUNT": {"requests": 0, "us": None}}))


def test_a_run_that_fails_takes_those_beside_it_along():
    fails, hangs = Run(["false"], str), Run(["sleep", "1000"], str)
    with pytest.raises(LoadError, match="ended with 1"):
        finish_all([fails, hangs])
    assert hangs.process.returncode is not None


def test_a_row_that_fails_does_not_end_the_others():
    class Group:
        def __init__(self, row, problem=None):
            self.ROWS = (row,)
            self.problem = problem

        def run(self, bench, wanted):
            if self.problem:
                raise self.problem
            return list(wanted)

    groups = [Group("a", LoadError("slow")), Group("b", KeyError("x")), Group("c"), Group("d", KeyboardInterrupt())]
    results, failed = measure(None, ["a", "b", "c", "d", "e"], [*groups, Group("e")])
    assert results == ["c"]
    assert [problem.split(":")[0] for problem in failed] == ["a", "b", "d"]


def test_too_few_changes_fail():
    check_changed("like", Load(100, 1, 0, 0, 0, changed=96), 1.0)
    with pytest.raises(LoadError, match="94%"):
        check_changed("like", Load(100, 1, 0, 0, 0, changed=94), 1.0)


def test_a_load_answered_with_errors_is_worth_nothing():
    with pytest.raises(LoadError, match="BUSY"):
        parse_likes_bench(told(errors={"BUSY": 3}))


def test_a_rate_is_kept_but_for_what_chance_explains():
    def load(requests, seconds):
        return Load(requests, seconds, 0, 0, 0)

    assert is_kept(500, load(900, 2))
    assert not is_kept(500, load(800, 2))
    assert is_kept(25_000, load(245_000, 10))
    assert not is_kept(25_000, load(240_000, 10))


def test_the_batch_statement_and_its_session_are_found_in_the_log():
    assert find_statement(LOG) == "WITH fence AS (\n    SELECT $1\n)\nSELECT $2"
    assert find_statement(LOG.split("execute commit")[0]) is None
    settings = find_settings(LOG)
    assert settings["default_transaction_isolation"] == "read committed"
    assert session_options(settings) == (
        "-c client_min_messages=warning -c default_transaction_isolation=read\\ committed"
        " -c plan_cache_mode=force_generic_plan"
    )


def test_every_parameter_of_the_statement_is_filled_in():
    text = script(" ".join(f"${place}" for place in range(1, 16)), "batches")
    assert "$" not in text
    assert text.startswith("\\set batch :batch + 1\n")
    assert len(re.findall(r"FROM batches WHERE id = :batch", text)) == 5


def test_a_statement_with_other_parameters_is_refused():
    with pytest.raises(LoadError, match="other parameters"):
        script("SELECT $1, $16", "batches")


@pytest.mark.parametrize("keys", ["uniform", "zipf"])
def test_a_batch_is_sorted_as_the_daemon_sorts_it(keys):
    users, items, journal = batch_rows(random.Random(1), keys, 500, items=50, users=1000)
    pairs = list(zip(users, items, strict=True))
    assert pairs == sorted(pairs)
    assert journal == sorted(set(items))
    assert all(1 <= user <= 1000 and 1 <= item <= 50 for user, item in pairs)


def test_zipf_prefers_the_first_items():
    _, items, _ = batch_rows(random.Random(1), "zipf", 5000, items=1000)
    assert 5000 / 15 < items.count(1) < 5000 / 5
    assert items.count(1) > items.count(10) > items.count(500)


def test_rows_are_chosen_by_name():
    assert set(rows_named("")) == set(all_rows()) - ON_DEMAND
    assert rows_named("mcount, count") == ["count", "mcount"]
    with pytest.raises(argparse.ArgumentTypeError, match="nonsense"):
        rows_named("count,nonsense")


def test_an_mcount_asks_for_fifty_drawn_items():
    from bench.rows.counts import PLAN

    counts, gets = requests_of(PLAN["mcount"])
    assert counts == ["MCOUNT", *["post:__rand_int__"] * 50]
    assert gets[0] == "MGET"
    assert len(gets) == 51


def test_a_histogram_becomes_shares():
    assert cumulated([[1000, 1], [2000, 3]]) == [(1.0, 25.0), (2.0, 100.0)]


def test_plots_hold_their_data():
    text = curves("T's", "/tmp/x.svg", ("a_b", "y"), {"one": [(1, 2)], "two": [(1, 3)]})
    assert "T''s" in text
    assert "a\\_b" in text
    assert "$d0 << EOD\n1 2\nEOD" in text
    assert "$d1 << EOD\n1 3\nEOD" in text
    assert '0 "likesd" 5 4 6' in bars("T", "/tmp/x.svg", "y", [("likesd", 5, 4, 6)])


def test_counts_of_a_standby_are_read_from_its_line_of_info():
    assert cold.answered_by_standby({"standby1": "state=fresh,lag_ms=102,counts=40112,counts_refused=31"}) == 40112
    assert cold.answered_by_standby({"database_reads": "7"}) == 0
