"""The Debian tree that all boots start from, and the packages that are installed into it without a network.

Making it takes one to two minutes and the network, so it is kept in a folder outside the checkout. The configuration
of this machine's apt is used where it stands: nothing of it gets into the tree.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SUITE = "bookworm"
# What a minimal Debian with systemd has, and sudo, since the commands that likesd tells are run as they stand.
INCLUDED = ("systemd", "systemd-sysv", "dbus", "ca-certificates", "sudo")
# Installed by the tests; what they recommend and depend on comes along.
OFFERED = ("postgresql", "redis-server", "libhiredis0.14", "libmicrohttpd12", "libpq5", "man-db", "netcat-openbsd")
# To be raised when what is written here changes what is made.
RECIPE = 4
PACKAGES_FOLDER = "srv/packages"
# The names of trees, of this recipe or another; the folder may be one that holds other things too.
TREE = re.compile(r"[a-z]+-[a-z0-9]+-[0-9a-f]{12}-\d{9,}")
UNFINISHED = "making-"
AGE_DAYS_MAX = 7
LOCK_SECONDS_MAX = 900
MAKING_SECONDS_MAX = 600
APT_RETRIES = 3


def run(*command, seconds=MAKING_SECONDS_MAX, **options):
    """Runs a command of this machine; what it said is told when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
        **options,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def cache_folder():
    """Where trees are kept between runs, or None where nothing can be written."""
    wanted = os.environ.get("LIKESD_PACKAGE_TEST_CACHE")
    parent = os.environ.get("XDG_CACHE_HOME") or "/var/cache"
    folder = Path(wanted) if wanted else Path(parent) / "likesd-package-test"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def mirror():
    """The address of Debian's main archive as apt is told it, or None: debootstrap has one of its own."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CREATED_BY) $(ORIGIN) $(LABEL) $(CODENAME) $(REPO_URI)"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = re.findall(rf"^Packages Debian Debian {SUITE} (\S+)$", targets.stdout, re.MULTILINE)
    return found[0] if found else None


def key():
    """What a tree was made of."""
    architecture = run("dpkg", "--print-architecture").strip()
    made_of = (RECIPE, SUITE, architecture, INCLUDED, OFFERED)
    return f"{SUITE}-{architecture}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def locked(path, seconds=LOCK_SECONDS_MAX):
    """Holds a lock against other runs on this machine."""
    end = time.monotonic() + seconds
    with open(path, "a", encoding="ascii") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > end:
                raise RuntimeError(f"{path} was held by another run for {seconds} s: let that end, then run this again")
            time.sleep(0.2)
        yield


def debootstrap(tree):
    environment = dict(os.environ)
    for scheme in ("http", "https"):
        said = run("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy")
        if found := re.search(r"proxy='(\S+)'", said):
            environment[f"{scheme}_proxy"] = found.group(1)
    address = mirror()
    run(
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(INCLUDED)}",
        SUITE,
        tree,
        *([address] if address else []),
        env=environment,
    )


def download(tree):
    """What the tests install, as a folder that apt in the tree takes for an archive."""
    folder = tree / PACKAGES_FOLDER
    (folder / "partial").mkdir(parents=True)
    options = {
        "Dir::State::status": tree / "var/lib/dpkg/status",
        "Dir::Cache::archives": folder,
        "Acquire::Retries": APT_RETRIES,
        # Some images throw away what was downloaded.
        "APT::Keep-Downloaded-Packages": "true",
        "APT::Get::Show-User-Simulation-Note": "false",
    }
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    run("apt-get", "install", "-q", "-y", *arguments, "--download-only", *OFFERED)
    shutil.rmtree(folder / "partial")
    (folder / "lock").unlink(missing_ok=True)
    for package in folder.glob("*.deb"):
        # apt takes a name in a list for an address and decodes it.
        package.rename(package.with_name(package.name.replace("%3a", "+")))
    packages = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (folder / "Packages").write_bytes(packages.stdout)


def make(tree):
    """A tree, ready to boot."""
    run("apt-get", "update", "-q", "-o", f"Acquire::Retries={APT_RETRIES}")
    debootstrap(tree)
    download(tree)
    sources = tree / "etc/apt/sources.list"
    sources.write_text(f"deb [trusted=yes] file:/{PACKAGES_FOLDER} ./\n", encoding="ascii")
    # These trees last for minutes, so that nothing has to reach the disk.
    (tree / "etc/dpkg/dpkg.cfg.d/unsafe").write_text("force-unsafe-io\n", encoding="ascii")
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)
    (tree / "var/cache/apt/archives/partial").mkdir(parents=True)
    for left in (tree / "var/lib/apt/lists").glob("*_*"):
        left.unlink()
    run("chroot", tree, "apt-get", "update", "-q")


class BaseTree:
    """A tree that is ready, and kept from removal by other runs while this one uses it."""

    def __init__(self, path, hold):
        self.path = path
        self._hold = hold

    def close(self):
        self._hold.close()


def is_in_use(tree):
    with open(in_use(tree), "a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def in_use(tree):
    return tree.with_name(f"{tree.name}.in-use")


def remove(tree):
    """Under a name that nobody takes for a tree: it may be interrupted."""
    going = tree.with_name(f"{UNFINISHED}{tree.name}")
    shutil.rmtree(going, ignore_errors=True)
    tree.rename(going)
    shutil.rmtree(going, ignore_errors=True)
    in_use(tree).unlink(missing_ok=True)


def trees_in(cache, prefix=""):
    """The folders of the cache that are trees of ours."""
    return [
        path
        for path in cache.iterdir()
        if path.name.startswith(prefix) and TREE.fullmatch(path.name.removeprefix(prefix)) and path.is_dir()
    ]


def take(cache, refresh=False):
    """The newest tree of this recipe in the cache; made when there is none, it is too old, or on request."""
    with locked(cache / "lock"):
        for left in trees_in(cache, UNFINISHED):
            shutil.rmtree(left, ignore_errors=True)
        name = key()
        trees = sorted(cache.glob(f"{name}-*[0-9]"), key=lambda tree: int(tree.name.rsplit("-", 1)[1]))
        newest = trees[-1] if trees else None
        age_days = (time.time() - int(newest.name.rsplit("-", 1)[1])) / 86400 if newest else None
        if newest is None or refresh or not 0 <= age_days <= AGE_DAYS_MAX:
            newest = cache / f"{name}-{int(time.time())}"
            making = cache / f"{UNFINISHED}{newest.name}"
            make(making)
            making.rename(newest)
        for tree in trees_in(cache):
            if tree != newest and not is_in_use(tree):
                remove(tree)
        hold = open(in_use(newest), "a", encoding="ascii")  # noqa: SIM115 (held as long as the tree is used)
        fcntl.flock(hold, fcntl.LOCK_SH)
        return BaseTree(newest, hold)
