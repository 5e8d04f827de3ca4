"""A seed for all, printed, and a limit for what hangs."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# What the integration tests stand on serves here too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))

from support.time_limit import time_limit  # noqa: E402 (the path first)

# The faults, the 35 s in which all has to agree again, and the checks.
TEST_SECONDS_MAX = 240
# In a folder that is not to be removed.
KEEP = "keep"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    with time_limit(TEST_SECONDS_MAX):
        return (yield)


@pytest.fixture
def folder():
    """A short path, for sockets; servers that run as another user can enter it. A file named as KEEP keeps it."""
    path = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    if not (path / KEEP).exists():
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def seed():
    """The seed of all random tests; LIKESD_SEED repeats a run."""
    return int(os.environ["LIKESD_SEED"])


def pytest_configure():
    # The workers inherit it, so that one number repeats the whole run.
    os.environ.setdefault("LIKESD_SEED", str(int.from_bytes(os.urandom(4), "big")))


def pytest_report_header():
    build = os.environ.get("LIKESD_BIN_DIR", ".build/debug")
    return f"build under test: {build}, LIKESD_SEED={os.environ['LIKESD_SEED']}"
