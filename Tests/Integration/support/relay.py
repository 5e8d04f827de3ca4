"""A way from likesd to a server that stops, in one direction, where a test says, and changes what it lets through."""

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from .waiting import eventually


@dataclass
class Piece:
    """What passes as one: bytes, or a command of Redis' or the reply to one."""

    # The first bytes that the connection's client sent.
    opening: bytes
    data: bytes
    # Words of the command, in both directions; None: no command.
    words: list | None = None


class Valve:
    """One direction of all connections."""

    def __init__(self):
        self.changed = threading.Condition()
        self.holds = lambda piece: False
        self.allowed = 0
        self.arrived = []

    def close(self, holds=lambda piece: True):
        """From now on, pieces like these wait; `arrived` has them, in order."""
        with self.changed:
            self.holds, self.allowed, self.arrived = holds, 0, []

    def let(self, count):
        """So many more may pass."""
        with self.changed:
            self.allowed += count
            self.changed.notify_all()

    def open(self):
        with self.changed:
            self.holds = lambda piece: False
            self.changed.notify_all()

    def wait_for(self, count, what):
        eventually(lambda: len(self.arrived) >= count, what)

    def arrive(self, piece):
        """Whether the piece has to ask for its turn."""
        with self.changed:
            if not self.holds(piece):
                return False
            self.arrived.append(piece)
            return True

    def pass_through(self, piece):
        with self.changed:
            self.changed.wait_for(lambda: self.allowed > 0 or not self.holds(piece))
            if self.holds(piece):
                self.allowed -= 1


class Relay:
    """Listens in place of a server: on a Unix socket, or on a port of this machine where places are numbers."""

    def __init__(self, listen, upstream):
        self.folder = None if isinstance(listen, int) else Path(listen).parent
        self.upstream = upstream
        self.requests, self.replies = Valve(), Valve()
        # What the client hears in place of a reply: bytes, or several of them.
        self.change = lambda piece: piece.data
        self.sockets = []
        self.passings = []
        self.listener = self._socket(listen)
        if isinstance(listen, int):
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self._address(listen))
        if not isinstance(listen, int):
            Path(listen).chmod(0o777)
        self.listener.listen(64)
        self._start(self._accept)

    def close(self):
        self.requests.open()
        self.replies.open()
        for one in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _address(place):
        return ("127.0.0.1", place) if isinstance(place, int) else str(place)

    @staticmethod
    def _socket(place):
        return socket.socket(socket.AF_INET if isinstance(place, int) else socket.AF_UNIX, socket.SOCK_STREAM)

    def _start(self, target, *arguments):
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = self._socket(self.upstream)
                self.sockets += [client, server]
                try:
                    server.connect(self._address(self.upstream))
                except OSError:
                    client.close()
                    continue
                passing = Passing(self, client, server)
                self.passings.append(passing)
                for pump in passing.pumps():
                    self._start(pump)

    def pieces(self, stream, passing, is_request):
        """Cuts what comes into pieces."""
        while data := stream.read1(1 << 16):
            if is_request and not passing.opening:
                passing.opening = data
            yield Piece(passing.opening, data)


class Passing:
    """One connection: what comes is read at once and waits here, so that a test sees what is on its way."""

    def __init__(self, relay, client, server):
        self.relay, self.client, self.server = relay, client, server
        self.opening = b""
        # Commands whose replies have not come.
        self.commands = []
        # Pieces go to the client whole.
        self.saying = threading.Lock()
        self.is_over = threading.Event()

    def say(self, data):
        """To the client, in the server's place."""
        with self.saying:
            self.client.sendall(data)

    def pumps(self):
        for source, target, valve, is_request in [
            (self.client, self.server, self.relay.requests, True),
            (self.server, self.client, self.relay.replies, False),
        ]:
            waiting, more = [], threading.Condition()
            yield lambda s=source, v=valve, q=is_request, w=waiting, m=more: self._read(s, v, q, w, m)
            yield lambda t=target, v=valve, q=is_request, w=waiting, m=more: self._write(t, v, q, w, m)

    def _read(self, source, valve, is_request, waiting, more):
        with contextlib.suppress(OSError, ValueError), source.makefile("rb") as stream:
            for piece in self.relay.pieces(stream, self, is_request):
                entry = (piece, valve.arrive(piece))
                with more:
                    waiting.append(entry)
                    more.notify()
        with more:
            waiting.append(None)
            more.notify()

    def _write(self, target, valve, is_request, waiting, more):
        with contextlib.suppress(OSError):
            while True:
                with more:
                    more.wait_for(lambda: waiting)
                    entry = waiting.pop(0)
                if entry is None:
                    break
                piece, is_held = entry
                if is_held:
                    valve.pass_through(piece)
                if is_request:
                    target.sendall(piece.data)
                else:
                    changed = self.relay.change(piece)
                    for part in [changed] if isinstance(changed, bytes) else changed:
                        self.say(part)
        # A close of either side is a close of both.
        self.is_over.set()
        for one in (self.client, self.server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class RedisRelay(Relay):
    """Pieces are commands, and replies to them; of a subscription, messages."""

    def pieces(self, stream, passing, is_request):
        while data := self._whole(stream):
            if is_request:
                words = self._words(data)
                passing.opening = passing.opening or data
                passing.commands.append(words)
            else:
                words = passing.commands.pop(0) if passing.commands else None
            yield Piece(passing.opening, data, words)

    def _whole(self, stream):
        """One value of RESP2 as it came."""
        line = stream.readline()
        if line[:1] == b"$" and int(line[1:]) >= 0:
            return line + stream.read(int(line[1:]) + 2)
        if line[:1] == b"*" and int(line[1:]) > 0:
            return line + b"".join(self._whole(stream) for _ in range(int(line[1:])))
        return line

    @staticmethod
    def _words(data):
        words, rest = [], data.partition(b"\r\n")[2]
        while rest:
            length, _, rest = rest.partition(b"\r\n")
            words.append(rest[: int(length[1:])])
            rest = rest[int(length[1:]) + 2 :]
        return words


class StrictRelay(RedisRelay):
    """In front of a cluster's node: refuses scripts keys that they do not declare, as some servers do."""

    KEY = re.compile(rb"likesd:generation|counter:|\{counter:|rate:|recent_likes:")
    REFUSAL = b"-ERR Script attempted to access an undeclared key\r\n"

    def __init__(self, listen, upstream):
        self.refused = self.passed = 0
        super().__init__(listen, upstream)
        self.change = lambda piece: self.REFUSAL if self._is_forbidden(piece.words) else piece.data

    def pieces(self, stream, passing, is_request):
        for piece in super().pieces(stream, passing, is_request):
            if is_request and self._is_forbidden(piece.words):
                self.refused += 1
                # The node must not run it, and has to answer in its turn.
                piece.data = b"*1\r\n$4\r\nPING\r\n"
            elif is_request and piece.words[:1] == [b"EVALSHA"]:
                self.passed += 1
            yield piece

    def _is_forbidden(self, words):
        if not words or words[0] != b"EVALSHA":
            return False
        return any(self.KEY.match(word) for word in words[3 + int(words[2]) :])
