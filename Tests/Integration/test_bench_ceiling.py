"""What the benchmark takes from the daemon: a change of its statements must not leave `make bench` behind."""

from support.waiting import eventually

from bench.ceiling import find_settings, find_statement, script


def test_the_benchmark_fills_in_the_statement_that_the_daemon_writes_with(own_postgres, own_redis, start_daemon):
    own_postgres.set("log_statement", "all")
    daemon = start_daemon(redis=own_redis, database_url=own_postgres.url())
    daemon.call("LIKE", 1, "post:1")
    statement = eventually(lambda: find_statement(own_postgres.server.log()), "the batch in the log")
    assert "$" not in script(statement, "batches")
    assert "plan_cache_mode" in find_settings(own_postgres.server.log())
