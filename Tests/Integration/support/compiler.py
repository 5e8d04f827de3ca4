"""The compiler of the few programs in C that tests and the benchmark bring along."""

import shutil


def compiler():
    """The one that comes with Swift, else the system's."""
    found = shutil.which("clang") or shutil.which("cc")
    if found is None:
        raise RuntimeError("no C compiler found: put the Swift toolchain's usr/bin, with its clang, on the PATH")
    return found
