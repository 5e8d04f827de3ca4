"""flood.c and http_flood.c, the clients of rows that others would limit: built when first needed, run, read."""

import json
import subprocess
from pathlib import Path

from support.compiler import compiler

from bench.load import Load, LoadError, Run, finish

SOURCE = Path(__file__).parent / "flood.c"
HTTP_SOURCE = SOURCE.with_name("http_flood.c")
CONNECTIONS = 50


def build(folder, source=SOURCE):
    """Compiles it into the folder; the program."""
    program = Path(folder) / source.stem
    command = [compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LoadError(f"{source.name} does not compile: {done.stderr.strip()}")
    return program


def http_flood(program, port, target, *, requests, connections=CONNECTIONS, keys=0):
    """One run of http_flood.c. A response that is not 200 fails it."""
    command = [str(part) for part in (program, port, target, keys, connections, requests)]
    return finish(Run(command, parse))


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
