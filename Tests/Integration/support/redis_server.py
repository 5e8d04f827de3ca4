"""A private Redis: its own folder, a Unix socket, and a TCP port only where one is asked for."""

from pathlib import Path

import redis

from .processes import ServerProcess
from .waiting import eventually


class RedisServer:
    """The server, and the ways in which it fails."""

    def __init__(self, folder, *options, port=0):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.socket = self.folder / "redis.sock"
        self.options = options
        self.port = port
        self.server = None

    @property
    def url(self):
        return f"unix://{self.socket}?db=0"

    def client(self, **options):
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True, socket_timeout=30, **options)

    @property
    def nodes(self):
        """As of a cluster, of which it is the only node."""
        return [self]

    def flush(self):
        """Drops all keys."""
        with self.client() as client:
            client.flushall()

    def start(self):
        self.socket.unlink(missing_ok=True)
        self.server = ServerProcess(
            ["redis-server", "--port", self.port, "--unixsocket", self.socket, "--dir", self.folder]
            + ["--save", "", "--appendonly", "no", *self.options],
            self.folder / "log",
        )

        def answers():
            if not self.server.running:
                raise RuntimeError(f"Redis ended:\n{self.server.log()}")
            try:
                with self.client() as client:
                    return client.ping()
            except redis.AuthenticationError:
                return True
            except redis.ConnectionError:
                return False

        eventually(answers, "Redis to answer")
        return self

    def stop(self):
        if self.server:
            self.server.stop()
            self.server = None

    def kill(self):
        self.server.kill()
        self.server = None

    def pause(self):
        self.server.pause()

    def resume(self):
        self.server.resume()
