"""What the package's units say, as systemd reads them."""

from .manual import ROOT


class SocketUnit:
    """A socket unit, and a drop-in over it."""

    def __init__(self, name):
        self.text = (ROOT / "systemd" / name).read_text()
        self.drop_in = ""

    @property
    def addresses(self):
        """Where it listens. ListenStream= adds to a list, and empties it where it has no value."""
        found = []
        for line in [*self.text.splitlines(), *self.drop_in.splitlines()]:
            name, _, value = line.partition("=")
            if name == "ListenStream":
                found = [*found, value] if value else []
        return found

    def shown(self):
        """What `systemctl show --property=Listen` prints."""
        return "".join(f"Listen={address} (Stream)\n" for address in self.addresses)
