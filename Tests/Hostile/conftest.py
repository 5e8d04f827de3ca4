"""The servers and limits of these tests are those of the integration tests."""

import pytest
from support.suite import *  # noqa: F403 (pytest finds fixtures and hooks by their names)


@pytest.fixture
def between(servers):
    """The module's servers, with a daemon that lives, whatever became of it in the test before."""
    servers.revive()
    return servers
