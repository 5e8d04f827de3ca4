"""The package as a file: the same each time, clean, hardened, complete."""

import os
import re
import subprocess
from pathlib import Path

import pytest

# Foundation alone would be three times as much.
PACKAGE_BYTES_MAX = 6 << 20
MANUALS = ("man8/likesd.8", "man8/likes-http.8", "man1/likesctl.1", "man5/likesd.conf.5", "man7/likesd-protocol.7")
FILES = (
    "/usr/sbin/likesd",
    "/usr/sbin/likes-http",
    "/usr/bin/likesctl",
    "/etc/likesd/likesd.conf",
    "/lib/systemd/system/likesd.service",
    "/lib/systemd/system/likesd.socket",
    "/lib/systemd/system/likesd@.service",
    "/lib/systemd/system/likesd@.socket",
    "/lib/systemd/system/likes-http.service",
    "/lib/systemd/system/likes-http.socket",
    "/usr/lib/sysusers.d/likesd.conf",
    "/usr/share/likesd/schema.sql",
    "/usr/share/bash-completion/completions/likesd",
    "/usr/share/bash-completion/completions/likesctl",
    "/usr/share/bash-completion/completions/likes-http",
    "/usr/share/zsh/vendor-completions/_likesd",
    "/usr/share/zsh/vendor-completions/_likesctl",
    "/usr/share/zsh/vendor-completions/_likes-http",
    *(f"/usr/share/man/{manual}.gz" for manual in MANUALS),
    "/usr/share/doc/likesd/copyright",
    "/usr/share/doc/likesd/NEWS.Debian.gz",
    "/usr/share/doc/likesd/changelog.gz",
    "/usr/share/doc/likesd/examples/drop-ins/unix-sockets-only.conf",
    "/usr/share/doc/likesd/examples/drop-ins/credentials.conf",
    "/usr/share/doc/likesd/examples/drop-ins/users-apart.conf",
)
PROGRAMS = ("usr/sbin/likesd", "usr/bin/likesctl", "usr/sbin/likes-http")


def said(*command, ok=(0,)):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode in ok, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def unpacked(deb, work):
    folder = work / "unpacked"
    said("dpkg-deb", "-x", deb, folder)
    return folder


def test_two_builds_in_different_folders_are_identical(deb):
    again = os.environ.get("LIKESD_DEB_AGAIN_FOLDER")
    assert again, "LIKESD_DEB_AGAIN_FOLDER names no second build: run 'make package-test' without LIKESD_DEB"
    names = sorted(path.name for path in deb.parent.glob("*.deb"))
    assert names == sorted(path.name for path in Path(again).glob("*.deb"))
    for name in names:
        assert (deb.parent / name).read_bytes() == (Path(again) / name).read_bytes(), f"{name} differs"


def test_lintian_finds_no_error_and_no_warning(deb, figure):
    changes = sorted(deb.parent.glob("likesd_*.changes")) or [deb]
    # Its status is 2 when it finds errors; what it found is looked at here.
    found = said("lintian", "--profile", "debian", "-EI", "--pedantic", "--allow-root", changes[-1], ok=(0, 1, 2))
    figure(f"lintian: {len(found.splitlines())} lines" + "".join(f"; {line}" for line in found.splitlines()))
    assert [line for line in found.splitlines() if line[:2] in ("E:", "W:")] == []


def test_it_is_small(deb, figure):
    figure(f"package: {deb.stat().st_size} bytes")
    assert deb.stat().st_size < PACKAGE_BYTES_MAX


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_is_hardened_and_stands_alone(unpacked, program):
    dynamic = said("readelf", "-dW", unpacked / program)
    header = said("readelf", "-hlW", unpacked / program)
    libraries = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
    assert not [name for name in libraries if "swift" in name.lower() or "foundation" in name.lower()], libraries
    assert not re.search(r"\((RPATH|RUNPATH)\)", dynamic), dynamic
    assert re.search(r"FLAGS.*BIND_NOW|\(FLAGS_1\).*NOW", dynamic), dynamic
    assert re.search(r"\(FLAGS_1\).*PIE", dynamic), dynamic
    assert "DYN (" in header
    assert "GNU_RELRO" in header
    assert re.search(r"GNU_STACK.*RW ", header), header


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_names_no_folder_of_its_build(unpacked, program, deb):
    again = os.environ.get("LIKESD_DEB_AGAIN_FOLDER", "")
    content = (unpacked / program).read_bytes()
    for folder in (str(deb.parent), str(Path(__file__).parents[2]), again):
        assert not folder or folder.encode() not in content, folder


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_in_it(unpacked, path):
    assert (unpacked / path.lstrip("/")).is_file(), f"{path} is missing"


def test_its_service_needs_no_folder_that_an_architecture_lacks(unpacked):
    """Of a path that is not there, and not marked as such, systemd makes a failed start."""
    text = (unpacked / "lib/systemd/system/likesd.service").read_text(encoding="utf-8")
    paths = re.search(r"^ExecPaths=(.+)$", text, re.MULTILINE).group(1).split()
    assert set(paths) == {"/usr/sbin/likesd", "/usr/bin/likesctl", "/usr/lib", "/lib", "-/lib64"}


def test_it_recommends_the_servers_and_depends_on_none(deb):
    assert re.search(r"postgresql", said("dpkg-deb", "-f", deb, "Recommends"))
    assert re.search(r"redis-server", said("dpkg-deb", "-f", deb, "Recommends"))
    depends = {part.split()[0] for part in said("dpkg-deb", "-f", deb, "Depends").split(", ")}
    assert {"libhiredis0.14", "libpq5", "libsystemd0"} <= depends
    others = {name for name in depends if not name.startswith(("lib", "systemd", "init-system-helpers"))}
    # Of every Debian: what puts users into groups.
    assert others == {"passwd"}, depends


def test_it_has_nothing_to_ask(deb, work):
    folder = work / "control"
    said("dpkg-deb", "-e", deb, folder)
    assert not (folder / "templates").exists()
    assert not (folder / "config").exists()
