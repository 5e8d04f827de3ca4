"""What holds for all tests here; the servers that they use are in support/fixtures.py."""

import os

import pytest
from support.fixtures import *  # noqa: F403 (fixtures are found by their names)
from support.time_limit import time_limit

TEST_SECONDS_MAX = 180


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with time_limit(TEST_SECONDS_MAX):
        return (yield)


def pytest_configure():
    # The workers inherit it, so that one number repeats the whole run.
    os.environ.setdefault("LIKESD_SEED", str(int.from_bytes(os.urandom(4), "big")))


def pytest_report_header():
    build = os.environ.get("LIKESD_BIN_DIR", ".build/debug")
    return f"build under test: {build}, LIKESD_SEED={os.environ['LIKESD_SEED']}"
