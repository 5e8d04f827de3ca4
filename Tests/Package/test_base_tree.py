"""The cache of trees keeps one tree, and leaves alone what is not its own."""

import time

import base_tree
import pytest

OLD = f"bookworm-amd64-{'0' * 12}-1700000000"
OTHERS = ("gcc-12", "making-soup", "making-of-2024", "project-2026-11", "notes-1700000000")


@pytest.fixture
def take(monkeypatch, tmp_path):
    """Takes a tree of the cache; making one is only making its folder."""
    monkeypatch.setattr(base_tree, "make", lambda tree: (tree / "etc").mkdir(parents=True))

    def taken(**options):
        tree = base_tree.take(tmp_path, **options)
        tree.close()
        return tree.path

    return taken


def folders(path):
    return {each.name for each in path.iterdir() if each.is_dir()}


def test_older_trees_go_and_all_else_in_the_folder_stays(take, tmp_path):
    for name in (OLD, f"making-{OLD}", *OTHERS):
        (tmp_path / name).mkdir()
    assert folders(tmp_path) - set(OTHERS) == {OLD, f"making-{OLD}"}
    newest = take()
    assert folders(tmp_path) == {newest.name, *OTHERS}


def test_a_tree_is_taken_again_until_it_is_too_old(take, tmp_path):
    first = take()
    assert take() == first
    aged = tmp_path / f"{base_tree.key()}-{int(time.time()) - (base_tree.AGE_DAYS_MAX + 1) * 86400}"
    first.rename(aged)
    assert take() != aged
    assert not aged.exists()


def test_a_tree_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(base_tree, "make", lambda tree: (tree / "etc").mkdir(parents=True))
    (tmp_path / OLD).mkdir()
    with open(base_tree.in_use(tmp_path / OLD), "a", encoding="ascii") as hold:
        base_tree.fcntl.flock(hold, base_tree.fcntl.LOCK_SH)
        base_tree.take(tmp_path).close()
        assert (tmp_path / OLD).is_dir()
    base_tree.take(tmp_path).close()
    assert not (tmp_path / OLD).exists()
