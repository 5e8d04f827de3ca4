"""flood.c, the client of rows that redis-benchmark itself would limit: built when the bench starts, run, read."""

import json
import subprocess
from pathlib import Path

from support.compiler import compiler

from bench.load import Load, LoadError, Run, finish

SOURCE = Path(__file__).parent / "flood.c"
CONNECTIONS = 50


def build(folder):
    """Compiles it into the folder; the program."""
    program = Path(folder) / "flood"
    command = [compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
    return program


def command_of(program, socket, verb, prefix, *, requests, items=1, connections=CONNECTIONS, pipeline=1, keys):
    """Each request names `items` random keys: the prefix, and a number below `keys` of 12 digits."""
    numbers = (items, keys, connections, pipeline, requests)
    return [str(program), str(socket), verb, prefix, *map(str, numbers)]


def parse(text):
    """Of its one line. It measures no latencies."""
    try:
        told = json.loads(text)
        return Load(
            requests=told["requests"], seconds=told["seconds"], client_busy=told["cpu_seconds"] / told["seconds"]
        )
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as problem:
        raise LoadError(f"flood gave no result, but {text!r}") from problem


def flood(program, socket, verb, prefix, **options):
    """One run to its end. A reply that is no count, or no array of as many as were asked for, fails it."""
    return finish(Run(command_of(program, socket, verb, prefix, **options), parse))
