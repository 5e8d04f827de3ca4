"""The package's own test, as Debian's machines run it: everything installed, nothing made."""

from pathlib import Path

import pytest
from conftest import PACKAGE_FOLDER

SCRIPT = Path(__file__).parents[2] / "packaging/debian/tests/likes"


@pytest.fixture(scope="module")
def installed(boot):
    with boot() as container:
        container.run(
            "apt-get", "install", "-y", f"/{PACKAGE_FOLDER}/likesd.deb", DEBIAN_FRONTEND="noninteractive", seconds=240
        )
        yield container


@pytest.mark.parametrize("unit", ["likesd.socket", "likesd.service", "postgresql.service", "redis-server.service"])
def test_what_it_recommends_comes_along_and_runs(installed, unit):
    assert installed.run("systemctl", "is-enabled", unit).output.strip() == "enabled"
    assert installed.run("systemctl", "is-active", unit).output.strip() == "active"


def test_its_own_test_passes(installed):
    installed.put("/root/likes", SCRIPT.read_text(encoding="utf-8"), 0o755)
    installed.run("/root/likes")
