"""A stand-in for PgBouncer between clients and PostgreSQL. All its clients are one role of one database."""

import itertools
import socket
import struct
import threading
from pathlib import Path


def message(stream, has_kind=True):
    """The next message as it came; empty: there is none."""
    kind = stream.read(1) if has_kind else b""
    length = stream.read(4)
    if len(length) < 4:
        return b""
    return kind + length + stream.read(struct.unpack("!I", length)[0] - 4)


class Session:
    """One session of PostgreSQL."""

    def __init__(self, upstream, opening):
        self.turn = threading.Lock()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(upstream))
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(opening)
        # With a number that is nobody's, as a pooler gives one.
        self.greeting = [
            b"K" + struct.pack("!III", 12, 4_000_000, 1) if part[:1] == b"K" else part for part in self.answer()
        ]

    def answer(self):
        """All up to the end of a request."""
        parts = [message(self.stream)]
        while parts[-1][:1] not in (b"Z", b""):
            parts.append(message(self.stream))
        return parts


class Pooler:
    """`lends`: one session is everybody's, for a transaction at a time. Otherwise each client has one of its own."""

    def __init__(self, folder, upstream, lends):
        self.upstream, self.lends = upstream, lends
        self.shared = None
        self.opening = threading.Lock()
        self.sockets = []
        self.listener = socket.socket(socket.AF_UNIX)
        path = Path(folder) / ".s.PGSQL.5432"
        self.listener.bind(str(path))
        path.chmod(0o777)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in [self.listener, *self.sockets]:
            one.close()

    def _accept(self):
        for _ in itertools.count():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _session(self, opening):
        with self.opening:
            if self.lends and self.shared:
                return self.shared
            session = Session(self.upstream, opening)
            self.sockets.append(session.socket)
            self.shared = session
            return session

    def _serve(self, client):
        stream = client.makefile("rb")
        session = self._session(message(stream, has_kind=False))
        client.sendall(b"".join(session.greeting))
        while (request := message(stream)) and request[:1] != b"X":
            with session.turn:
                while request:
                    session.socket.sendall(request)
                    if request[:1] in (b"S", b"Q"):
                        answer = session.answer()
                        client.sendall(b"".join(answer))
                        if answer[-1][5:] == b"I":
                            break
                    request = message(stream)
        client.close()
        if not self.lends:
            session.socket.close()
