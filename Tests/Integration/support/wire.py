"""A client that speaks bytes: both request forms, RESP2 and RESP3, one reply at a time."""

import socket
import threading


class WireError(str):
    """An error reply, code and message as sent. A value, not an exception: tests compare it."""

    @property
    def code(self):
        return self.split(" ", 1)[0]


class Simple(str):
    """A simple string, `+OK`."""


class Map(list):
    """A RESP3 map, as (key, value) pairs in the order sent."""


class Closed(ConnectionError):
    """The daemon closed the connection."""


def inline(*arguments, end="\n"):
    """A request as a line."""
    return (" ".join(str(argument) for argument in arguments) + end).encode()


def array(*arguments):
    """A request as a RESP array of bulk strings."""
    out = b"*%d\r\n" % len(arguments)
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        out += b"$%d\r\n%s\r\n" % (len(data), data)
    return out


FORMS = {"line": inline, "array": array}


class Wire:
    """One connection."""

    def __init__(self, path, protocol=2, form=array, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.form = form
        self.buffer = b""
        try:
            self.socket.connect(str(path))
            if protocol == 3:
                self.call("HELLO", 3)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def end(self):
        """Nothing more will be sent; replies are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def call(self, *arguments):
        """Sends one request and returns its reply."""
        self.send(self.form(*arguments))
        return self.read()

    def pipeline(self, requests):
        """Sends all the requests in one go and returns their replies."""
        data = b"".join(self.form(*request) for request in requests)
        # Beside the reading: a daemon that is owed a reader for its replies stops reading itself.
        sender = threading.Thread(target=self.send, args=(data,), daemon=True)
        sender.start()
        replies = [self.read() for _ in requests]
        sender.join()
        return replies

    def read(self):
        """The next reply."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest.decode())
        if kind == b"-":
            return WireError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self._take(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]
        if kind == b"%":
            return Map((self.read(), self.read()) for _ in range(int(rest)))
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        raise AssertionError(f"not a reply: {line!r}")

    def read_raw(self, length):
        """Exactly this many bytes, as they came."""
        return self._take(length)

    def at_end(self):
        """Whether the daemon closes the connection, having sent all that was read."""
        if self.buffer:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _fill(self):
        try:
            more = self.socket.recv(1 << 16)
        except ConnectionResetError as problem:
            raise Closed("reset by the daemon") from problem
        if not more:
            raise Closed(f"closed by the daemon, {self.buffer!r} left over")
        self.buffer += more

    def _line(self):
        while (end := self.buffer.find(b"\r\n")) < 0:
            self._fill()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2 :]
        return line

    def _take(self, length):
        while len(self.buffer) < length:
            self._fill()
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return data
