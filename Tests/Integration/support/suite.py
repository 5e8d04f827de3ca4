"""What holds for all tests of a folder: fixtures, a limit of time, one seed. Its conftest takes all of it over."""

import os

import pytest

from .fixtures import *  # noqa: F403 (fixtures are found by their names)
from .time_limit import time_limit

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
