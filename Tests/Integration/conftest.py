"""The servers and limits of these tests are in support."""

from support.suite import *  # noqa: F403 (pytest finds fixtures and hooks by their names)
