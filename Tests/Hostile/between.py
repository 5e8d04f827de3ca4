"""likesd, and what stands between it and a server."""

from dataclasses import dataclass

from support.daemon import Daemon
from support.relay import Relay

GROWTH_MAX_BYTES = 64 << 20


@dataclass
class Between:
    relay: Relay
    daemon: Daemon
    before: int = 0

    def revive(self):
        """Starts the daemon where it is not there, whatever became of it."""
        if not self.daemon.server or not self.daemon.server.running:
            self.daemon.start()
            self.before = self.daemon.resident_bytes()

    def look(self):
        """It lives, and has not grown."""
        assert self.daemon.server.running, f"likesd ended:\n{self.daemon.log()[-4000:]}"
        grown = self.daemon.resident_bytes() - self.before
        assert grown < GROWTH_MAX_BYTES, f"grew by {grown >> 20} MiB"
