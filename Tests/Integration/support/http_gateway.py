"""likes-http under test, and an HTTP client that shows what really went over the wire."""

import json
import os
import re
import socket
from pathlib import Path

from .daemon import binary
from .processes import ServerProcess, clean_environment
from .waiting import eventually


class Answer:
    """One response: status, headers by lower-case name, body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Connection:
    """One connection. Bytes go out as they are given."""

    def __init__(self, address, timeout=60):
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.buffer = b""
        try:
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, body=None, headers=None, chunked=False):
        """Sends a request, and gives its response."""
        self.send(request(method, target, body, headers, chunked))
        return self.read(is_head=method == "HEAD")

    def _fill(self):
        more = self.socket.recv(1 << 16)
        if not more:
            raise ConnectionError(f"closed, {self.buffer[:200]!r} left over")
        self.buffer += more

    def read(self, is_head=False):
        """The next response."""
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split()[1])
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = 0 if is_head or status in (204, 304) else int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self._fill()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(status, headers, body)

    def rest(self):
        """All that comes until the connection is closed."""
        while True:
            try:
                self._fill()
            except ConnectionError:
                return self.buffer

    def at_end(self):
        """Whether the connection is closed behind what was read."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def request(method, target, body=None, headers=None, chunked=False):
    """The bytes of a request. A header that is None is left out, a list of values gives one line for each."""
    fields = {"Host": "test", **(headers or {})}
    data = body.encode() if isinstance(body, str) else body
    if chunked:
        fields["Transfer-Encoding"] = "chunked"
        parts = [data[start : start + 7] for start in range(0, len(data), 7)]
        data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    elif data is not None:
        fields.setdefault("Content-Length", str(len(data)))
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in fields.items():
        lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value]) if one is not None]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (data or b"")


class Gateway:
    """One likes-http in front of a daemon's socket."""

    def __init__(self, folder, socket_path, listen=("127.0.0.1:0",), arguments=(), **environment):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        listening = [part for address in listen for part in ("--listen", address)]
        command = [binary("likes-http"), *listening, "--socket", socket_path, *arguments]
        self.server = ServerProcess(command, self.folder / "log", clean_environment(**environment))

    def start(self):
        eventually(self.is_ready, "likes-http to listen")
        return self

    def is_ready(self):
        if not self.server.running:
            raise RuntimeError(f"likes-http ended with {self.server.wait()}:\n{self.server.log()}")
        return "ready for clients" in self.server.log()

    @property
    def addresses(self):
        """Where it listens, as a socket takes it."""
        found = re.findall(r"listening at (.*)", self.server.log())
        return [text if text.startswith("/") else self._numbers(text) for text in found]

    @staticmethod
    def _numbers(text):
        host, port = text.rsplit(":", 1)
        return host.strip("[]").replace("0.0.0.0", "127.0.0.1"), int(port)

    def connect(self, **options):
        return Connection(self.addresses[0], **options)

    def request(self, method, target, body=None, headers=None, **options):
        """One request on a connection of its own. A body of another type than bytes or text goes as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        with self.connect() as connection:
            return connection.request(method, target, body, headers, **options)

    def like(self, user, item, method="POST"):
        return self.request(method, "/v1/like", {"user_id": user, "item_id": item})

    def count(self, item):
        answer = self.request("GET", f"/v1/count?item_id={item}")
        assert answer.status == 200, answer
        return answer.json()["count"]

    def metrics(self):
        """Its own figures and likesd's, by name."""
        lines = self.request("GET", "/metrics").body.decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] not in "#")}

    def resident_bytes(self):
        return int(Path(f"/proc/{self.server.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_bytes(self):
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))

    def log(self):
        return self.server.log()

    def stop(self):
        """Ends it in order; the exit status."""
        return self.server.stop()
