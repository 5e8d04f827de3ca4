"""Fixtures: the package under test, the base tree, and Debians booted on copies of it."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# What the integration tests stand on serves here too.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Integration"))

import base_tree  # noqa: E402
from container import Container, copy_of  # noqa: E402
from support.time_limit import time_limit  # noqa: E402 (the path first)
from support.waiting import eventually  # noqa: E402

# Installing PostgreSQL, or a hang that the watchdog ends, on a busy machine.
TEST_SECONDS_MAX = 300
KEEP_SECONDS_MAX = 900
# Within the tree, where apt's own user may read it, and away from what a purge is judged by.
PACKAGE_FOLDER = "srv/package"
HEALTH_SECONDS_MAX = 30
MAKE_DATABASE = (
    "sudo -u postgres createuser likesd",
    "sudo -u postgres createdb -O likesd likes",
    "sudo -u likesd likesctl migrate",
)
FIGURES = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="leave the first tree with a failure up, to look inside")
    parser.addoption("--refresh", action="store_true", help="make the base tree anew")


def pytest_configure(config):
    config.stash[FIGURES] = []
    os.environ.setdefault("LIKESD_SEED", str(int.from_bytes(os.urandom(4), "big")))
    # Told to end, it takes its trees down as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_report_header():
    return f"package under test: {os.environ.get('LIKESD_DEB')}, LIKESD_SEED={os.environ['LIKESD_SEED']}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    with time_limit(TEST_SECONDS_MAX):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and item.config.getoption("keep"):
        for fixture in getattr(item, "funcargs", {}).values():
            if isinstance(fixture, Container) and fixture.pid:
                wait_for_somebody(item, fixture, report)
    return report


def wait_for_somebody(item, container, report):
    """The tree stays as the failure left it, until Ctrl-C."""
    capture = item.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{report.longreprtext}\n{item.name} failed. Look inside from another terminal:")
        print(f"    nsenter -t {container.pid} --all bash")
        print(f"Ctrl-C ends it; it ends by itself in {KEEP_SECONDS_MAX // 60} minutes.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.sigtimedwait([], KEEP_SECONDS_MAX)
    raise KeyboardInterrupt


def pytest_terminal_summary(terminalreporter, config):
    """What was measured, for whoever writes it down."""
    if config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def figure(request):
    """Keeps a line to be printed at the end."""
    return request.config.stash[FIGURES].append


@pytest.fixture(scope="session")
def seed():
    """The seed of the load; LIKESD_SEED repeats what it asks."""
    return int(os.environ["LIKESD_SEED"])


@pytest.fixture(scope="session")
def deb():
    """The package under test."""
    path = os.environ.get("LIKESD_DEB")
    assert path, "LIKESD_DEB names no package: run 'make package-test', which builds one"
    return Path(path)


@pytest.fixture(scope="session")
def work():
    """A folder for the copies of the tree."""
    path = Path(tempfile.mkdtemp(prefix="likesd-package-test-", dir=os.environ.get("LIKESD_PACKAGE_WORK", "/var/tmp")))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def base(request, work):
    """The tree that all copies are made of."""
    cache = base_tree.cache_folder()
    if cache is None:
        cache = work / "trees"
        cache.mkdir()
    tree = base_tree.take(cache, request.config.getoption("refresh"))
    yield tree.path
    tree.close()


@pytest.fixture(scope="session")
def higher_deb(deb, work):
    """The same package with a higher version."""
    return repack(deb, work / "higher", "+1")


@pytest.fixture(scope="session")
def former_deb(deb, work):
    """A package as those before 0.1.0 were: the socket for the group likesd, which was the only one."""

    def before_clients(content):
        for name in ("likesd", "likesd@"):
            replace(content / f"lib/systemd/system/{name}.socket", "SocketGroup=likesd-clients", "SocketGroup=likesd")
            service = content / f"lib/systemd/system/{name}.service"
            replace(service, "FileDescriptorStoreMax=2", "FileDescriptorStoreMax=1")
        replace(content / "usr/lib/sysusers.d/likesd.conf", "g      likesd-clients -", "")

    return repack(deb, work / "former", version="0.0.1", edit=before_clients)


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} has no '{old}'"
    path.write_text(text.replace(old, new), encoding="utf-8")


def repack(deb, folder, suffix="", version=None, edit=None):
    """The package with a version that sorts higher, as an upgrade has, or another one."""
    content = folder / "content"
    folder.mkdir()
    subprocess.run(["dpkg-deb", "-R", deb, content], check=True, timeout=60)
    control = content / "DEBIAN/control"
    lines = control.read_text(encoding="utf-8").splitlines()
    own = next(line for line in lines if line.startswith("Version: "))
    lines[lines.index(own)] = f"Version: {version}" if version else own + suffix
    if edit:
        edit(content)
    control.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "likesd.deb"
    subprocess.run(["dpkg-deb", "-Zxz", "-z1", "-b", content, path], check=True, capture_output=True, timeout=60)
    shutil.rmtree(content)
    return path


@pytest.fixture(scope="session")
def names():
    """Names for trees; they differ from those of other runs on this machine."""
    numbers = itertools.count(1)
    return lambda: f"tree-{os.getpid()}-{next(numbers)}"


@contextlib.contextmanager
def booted(layers, folder, name):
    container = Container(layers, folder / name, name)
    try:
        yield container.start()
    finally:
        container.stop()


@pytest.fixture(scope="session")
def base_with_packages(base, deb, higher_deb, former_deb, work, names):
    """The base tree with the packages laid into it, none of them installed."""
    copy = copy_of([base], work / names())
    folder = copy.root / PACKAGE_FOLDER
    folder.mkdir()
    shutil.copy(deb, folder / "likesd.deb")
    shutil.copy(higher_deb, folder / "higher.deb")
    shutil.copy(former_deb, folder / "former.deb")
    yield copy.layers
    copy.remove()


@pytest.fixture(scope="session")
def boot(base_with_packages, work, names):
    """A function that boots a tree in which nothing is installed."""
    return lambda: booted(base_with_packages, work, names())


@pytest.fixture(scope="session")
def ready(base_with_packages, work, names):
    """A tree with likesd and what it recommends, the database made; powered off."""
    name = names()
    container = Container(base_with_packages, work / name, name)
    try:
        container.start()
        container.run("apt-get", "install", "-y", f"/{PACKAGE_FOLDER}/likesd.deb", DEBIAN_FRONTEND="noninteractive")
        container.run("apt-get", "install", "-y", "man-db", "netcat-openbsd", DEBIAN_FRONTEND="noninteractive")
        for line in MAKE_DATABASE:
            container.shell(line)
        eventually(lambda: container.health()["status"] == "ok", "a service in good health", HEALTH_SECONDS_MAX)
        container.power_off()
        yield container.copy.layers
    finally:
        container.stop()


@pytest.fixture(scope="session")
def boot_ready(ready, work, names):
    """A function that boots a tree with everything installed and made."""

    @contextlib.contextmanager
    def boot_one():
        with booted(ready, work, names()) as container:
            eventually(lambda: container.health()["status"] == "ok", "a service in good health", HEALTH_SECONDS_MAX)
            yield container

    return boot_one
