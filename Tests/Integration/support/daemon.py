"""likesd under test, and its companion command."""

import os
import subprocess
from pathlib import Path

import redis

from .processes import ServerProcess, clean_environment
from .waiting import eventually
from .wire import Map, Wire

# A rate limit in the way of every test would test nothing but itself, and a busy machine is not to look like a Redis
# that hangs.
DEFAULTS = {"RATE_LIMIT_REQUESTS": 0, "REDIS_TIMEOUT_MS": 2_000, "LOG_LEVEL": "debug"}


def binary(name):
    """A program of the build under test."""
    folder = os.environ.get("LIKESD_BIN_DIR") or Path(__file__).parents[3] / ".build/debug"
    path = Path(folder) / name
    if not path.exists():
        raise RuntimeError(f"{path} is not built: run 'swift build', or 'make test', which does")
    return path


def run(name, *arguments, timeout=60, **environment):
    """Runs likesd or likesctl to its end."""
    return subprocess.run(
        [str(binary(name)), *(str(argument) for argument in arguments)],
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Daemon:
    """One likesd with its own socket. Settings are those of its environment."""

    def __init__(self, folder, database_url, redis_url, arguments=(), **settings):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.socket = Path(settings.get("LIKESD_SOCKET") or self.folder / "likesd.sock")
        self.database_url = database_url
        self.settings = {
            **DEFAULTS,
            "LIKESD_SOCKET": self.socket,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            **settings,
        }
        self.arguments = arguments
        self.server = None

    def start(self, until="ok"):
        """Starts and waits: until "ok" (both backends healthy), "listening", or None (not at all)."""
        environment = clean_environment(**{k: v for k, v in self.settings.items() if v is not None})
        self.server = ServerProcess([binary("likesd"), *self.arguments], self.folder / "log", environment)
        if until:
            eventually(self.answers, "likesd to listen")
        if until == "ok":
            self.wait_healthy()
        return self

    def answers(self):
        if not self.server.running:
            raise RuntimeError(f"likesd ended with {self.server.wait()}:\n{self.server.log()}")
        with self.connect() as client:
            return client.call("PING") == "PONG"

    def wait_healthy(self):
        eventually(lambda: self.health()["status"] == "ok", f"likesd to be healthy:\n{self.server.log()}")

    def connect(self, protocol=2, **options):
        return Wire(self.socket, protocol, **options)

    def client(self, protocol=2, **options):
        """redis-py, as an application would use it."""
        return redis.Redis(
            unix_socket_path=str(self.socket), protocol=protocol, decode_responses=True, socket_timeout=60, **options
        )

    def call(self, *arguments):
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.call(*arguments)

    def health(self):
        reply = self.call("HEALTH")
        pairs = reply if isinstance(reply, Map) else zip(reply[::2], reply[1::2], strict=True)
        return {key.decode(): value.decode() for key, value in pairs}

    def info(self):
        """INFO's values by their names."""
        lines = self.call("INFO").decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def run_ctl(self, *arguments, **environment):
        """likesctl, told where this daemon and its database are."""
        return run(
            "likesctl", *arguments, **{"LIKESD_SOCKET": self.socket, "DATABASE_URL": self.database_url, **environment}
        )

    def resident_bytes(self):
        return int(Path(f"/proc/{self.server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def watch_peak(self):
        """From now on `peak_bytes` counts anew."""
        Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")

    def peak_bytes(self):
        """The most it had resident."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))

    def log(self):
        return self.server.log()

    def stop(self):
        """Ends it in order; the exit status."""
        return self.server.stop() if self.server else None

    def kill(self):
        self.server.kill()
