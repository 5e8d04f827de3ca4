"""Ports for servers that take a number, and start again on the same one."""

import random
import socket
from pathlib import Path

# Kept until the process ends.
_claims = []


def _usable():
    """Ports that the kernel gives to nobody by itself: a connection from here to anywhere could hold any other one."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = list(range(10_000, lowest))
    assert len(ports) >= 10_000, f"the kernel gives away ports from {lowest} on"
    random.SystemRandom().shuffle(ports)
    return ports


def _claim(port):
    """Whether the port is this process' own from now on: no other test, in another process, gets it."""
    name = socket.socket(socket.AF_UNIX)
    try:
        # A name without a file: it ends with the process.
        name.bind(f"\0likesd-test-port-{port}")
    except OSError:
        name.close()
        return False
    _claims.append(name)
    return True


def free_ports(count):
    """Ports that nobody listens on, all different, for this process alone."""
    found = []
    for port in _usable():
        if len(found) == count:
            break
        if not _claim(port):
            continue
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    assert len(found) == count, "too few ports are free"
    return found
