"""A proxy between each daemon and each backend, in a process of its own, that can do to a connection what networks do.

Each link listens on a Unix socket (or a TCP port of this machine) and leads to the Unix socket of a server. Its mode:

- pass: bytes go through; `delay` holds each piece back by so many seconds.
- freeze: connections are accepted, nothing is forwarded, not even a close; what was held back goes on after `pass`.
- refuse: nobody listens, and what was connected is cut.

Once: `hold` freezes the connections of this moment, while new ones pass; `sever` also closes them towards the client,
though not towards the server, which gets after `pass` what was on its way; `cut` ends all connections; `lose` cuts a
connection in place of delivering its next request or answer.
"""

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

PIECE_BYTES_MAX = 1 << 16
ANSWER_SECONDS_MAX = 30
REQUEST, ANSWER = "request", "answer"


class Link:
    """One way from a daemon to a backend."""

    def __init__(self, listen, upstream):
        self.listen = listen
        self.upstream = upstream
        self.server = None
        self.passing = asyncio.Event()
        self.passing.set()
        self.delay = 0.0
        self.losing = None
        self.connections = set()

    async def open(self):
        """Listens; the port, if it is one."""
        if self.server is None and self.listen is None:
            self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
            self.listen = self.server.sockets[0].getsockname()[1]
        elif self.server is None and isinstance(self.listen, int):
            self.server = await asyncio.start_server(self.accept, "127.0.0.1", self.listen)
        elif self.server is None:
            self.server = await asyncio.start_unix_server(self.accept, self.listen)
            # The daemons may run as somebody else than the one who tests.
            Path(self.listen).chmod(0o777)
        return self.listen if isinstance(self.listen, int) else None

    def close(self):
        if self.server:
            self.server.close()
            self.server = None

    async def set(self, mode, delay=0.0):
        self.delay = delay
        self.losing = None
        if mode == "refuse":
            self.close()
            self.cut()
        else:
            await self.open()
        if mode == "freeze":
            self.passing.clear()
            return
        self.passing.set()
        for connection in self.connections:
            connection.passing.set()

    def hold(self):
        for connection in self.connections:
            connection.passing.clear()

    def sever(self):
        self.hold()
        for connection in self.connections:
            if connection.upstream is not None:
                connection.client.transport.abort()

    def cut(self):
        for connection in list(self.connections):
            connection.cut()

    async def accept(self, reader, writer):
        connection = Connection(self, writer)
        self.connections.add(connection)
        try:
            await connection.run(reader)
        finally:
            connection.cut()
            self.connections.discard(connection)


class Connection:
    """One client's way through, both directions."""

    def __init__(self, link, client):
        self.link = link
        self.client = client
        self.upstream = None
        self.opening = b""
        self.passing = asyncio.Event()
        self.passing.set()
        self.is_cut = False

    async def may_pass(self):
        await self.passing.wait()
        await self.link.passing.wait()

    async def run(self, reader):
        await self.may_pass()
        if self.is_cut:
            return
        try:
            answers, self.upstream = await asyncio.open_unix_connection(self.link.upstream)
        except OSError:
            return
        if self.is_cut:
            return
        directions = [
            asyncio.ensure_future(self.pump(reader, self.upstream, REQUEST)),
            asyncio.ensure_future(self.pump(answers, self.client, ANSWER)),
        ]
        # A close of either side is a close of both: neither libpq nor hiredis closes by halves.
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        for writer in (self.client, self.upstream):
            if not self.is_cut:
                with contextlib.suppress(OSError):
                    await asyncio.wait_for(writer.drain(), 1)

    async def pump(self, reader, writer, direction):
        link = self.link
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE_BYTES_MAX):
                if link.delay:
                    await asyncio.sleep(link.delay)
                await self.may_pass()
                if len(self.opening) < 512 and direction == REQUEST:
                    self.opening += data[:512]
                if link.losing and link.losing[0] == direction and link.losing[1] in self.opening:
                    link.losing = None
                    self.cut()
                if self.is_cut:
                    return
                writer.write(data)
                await writer.drain()
            await self.may_pass()

    def cut(self):
        self.is_cut = True
        self.passing.set()
        for writer in (self.client, self.upstream):
            if writer is None or writer.is_closing():
                continue
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.family != socket.AF_UNIX:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Board:
    """All links of a run, and the orders that come for them, one JSON line each."""

    def __init__(self):
        self.links = {}

    async def obey(self, name, order, **options):
        if order == "add":
            self.links[name] = Link(options["listen"], options["upstream"])
            return await self.links[name].open()
        link = self.links[name]
        if order == "set":
            await link.set(**options)
        elif order == "hold":
            link.hold()
        elif order == "sever":
            link.sever()
        elif order == "cut":
            link.cut()
        elif order == "lose":
            link.losing = (options["what"], options["of"].encode())
        elif order == "point":
            link.upstream = options["upstream"]
        elif order == "losing":
            return link.losing is not None
        else:
            raise ValueError(f"no such order: {order}")
        return None

    async def run(self):
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        # The end of the orders is the end of the tests.
        while line := await orders.readline():
            answer = await self.obey(**json.loads(line))
            print(json.dumps(answer), flush=True)


class Proxy:
    """The proxy's process, as the tests see it."""

    def __init__(self):
        # One order at a time: faults that overlap have threads of their own.
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def order(self, name, order, **options):
        with self.lock:
            self.process.stdin.write(json.dumps({"name": name, "order": order, **options}).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the proxy ended with {self.process.wait(ANSWER_SECONDS_MAX)}")
        return json.loads(line)

    def add(self, name, upstream, listen=None):
        """A link that listens on a socket file, or on a TCP port of its own choice, which is returned."""
        return self.order(name, "add", listen=None if listen is None else str(listen), upstream=str(upstream))

    def set(self, name, mode, delay=0.0):
        self.order(name, "set", mode=mode, delay=delay)

    def hold(self, name):
        """What is connected now is frozen until `pass`; new connections work."""
        self.order(name, "hold")

    def sever(self, name):
        """What is connected now is lost to the clients; what they sent arrives after `pass`."""
        self.order(name, "sever")

    def cut(self, name):
        self.order(name, "cut")

    def lose(self, name, what, of=""):
        """Cuts the next connection whose first bytes contain `of`, in place of the next request or answer."""
        self.order(name, "lose", what=what, of=of)

    def is_losing(self, name):
        """Whether what was to be lost has not come yet."""
        return self.order(name, "losing")

    def point(self, name, upstream):
        """New connections go to another server."""
        self.order(name, "point", upstream=str(upstream))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(ANSWER_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


if __name__ == "__main__":
    asyncio.run(Board().run())
