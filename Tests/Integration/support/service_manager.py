"""The part of a service manager that likesd talks to: sockets passed on, notifications, the descriptor store."""

import array
import fcntl
import os
import socket
import subprocess
import threading
import time

from .daemon import DEFAULTS, binary
from .processes import clean_environment, die_with_parent
from .waiting import eventually
from .wire import Wire

FIRST_DESCRIPTOR = 3
DESCRIPTORS_PER_MESSAGE = 253
STORED_MAX = 2
# Beside the clients: what one process leaves to the next in case it crashes.
RECORD = "crash-record"


class ServiceManager:
    """Starts likesd as systemd does. Its listening socket and its store outlive the daemon's processes."""

    def __init__(self, place, database_url, redis_url, arguments=(), **settings):
        self.place = place
        self.path = place / "likesd.sock"
        self.arguments = [str(argument) for argument in arguments]
        self.settings = {**DEFAULTS, "DATABASE_URL": database_url, "REDIS_URL": redis_url, **settings}
        self.store = []
        self.messages = []
        # How long it takes to handle what it was told.
        self.busy_seconds = 0
        self.changed = threading.Condition()
        self.process = None
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.listener.listen(4096)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(place / "notify"))
        self.receiver = threading.Thread(target=self._receive, daemon=True)
        self.receiver.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as me:
            me.sendto(b"END", str(self.place / "notify"))
        self.receiver.join(60)
        self.drop_store()
        self.notify.close()
        self.listener.close()

    def start(self, until="READY=1", **environment):
        """Starts it and waits until it has said so, that it is ready unless told."""
        descriptors = [("client", self.listener.fileno()), *self.store]
        self.messages = []

        def take_places():
            die_with_parent()
            # First out of the way: a descriptor may stand where another one has to go.
            beyond = FIRST_DESCRIPTOR + len(descriptors)
            apart = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, beyond) for _, fd in descriptors]
            for place, fd in enumerate(apart):
                os.dup2(fd, FIRST_DESCRIPTOR + place)

        settings = {name: value for name, value in self.settings.items() if value is not None}
        # LISTEN_PID is the daemon's own id.
        self.process = subprocess.Popen(
            ["bash", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', str(binary("likesd")), *self.arguments],
            env=clean_environment(
                **settings,
                NOTIFY_SOCKET=self.place / "notify",
                LISTEN_FDS=len(descriptors),
                LISTEN_FDNAMES=":".join(name for name, _ in descriptors),
                **environment,
            ),
            stdin=subprocess.DEVNULL,
            stderr=(self.place / "log").open("ab"),
            close_fds=False,
            preexec_fn=take_places,
        )
        self.wait_for(until)
        return self

    def stop(self, deadline=60):
        """Ends it in order; its exit status."""
        self.process.terminate()
        status = self.process.wait(deadline)
        self._catch_up()
        return status

    def crash(self, number):
        """Ends it by a signal."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        self._catch_up()
        assert status == -number, self.log()

    def _catch_up(self):
        """What the daemon said last has been handled, as systemd does before it sees the end."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as me:
            me.sendto(b"CAUGHT_UP", str(self.place / "notify"))
        self.wait_for("CAUGHT_UP")

    def kept(self):
        """What is in the store for clients' sake."""
        return [name for name, _ in self.store if name != RECORD]

    def restart(self):
        assert self.stop() == 0, self.log()
        return self.start()

    def connect(self, protocol=2):
        return Wire(self.path, protocol)

    def wait_healthy(self):
        def status():
            with self.connect() as client:
                return client.call("HEALTH")[1] == b"ok"

        eventually(status, "likesd to be healthy")

    def log(self):
        return (self.place / "log").read_text()

    def record(self):
        """The descriptor of the crash record."""
        return next(fd for name, fd in self.store if name == RECORD)

    def wait_for(self, text, count=1):
        """Until so many messages with this text have come since the start; the last of them."""
        with self.changed:
            found = self.changed.wait_for(lambda: [m for m in self.messages if text in m][count - 1 :], 60)
            assert found, f"systemd was not told {text}: {self.messages}\n{self.log()}"
            return found[0]

    def unpack(self):
        """Takes out of the store what likesd left there: a file, then its clients' sockets."""
        [(_, parcel)] = self.store
        self.store, found = [], []
        with socket.socket(fileno=parcel) as packed:
            while True:
                data, descriptors, _, _ = socket.recv_fds(packed, 1, DESCRIPTORS_PER_MESSAGE)
                if not data:
                    return found
                found += descriptors

    def pack(self, descriptors):
        """Puts it back."""
        ours, packed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            socket.send_fds(ours, [b"x"], descriptors)
        for fd in descriptors:
            os.close(fd)
        self.store = [("kept-clients", packed.detach())]

    def drop_store(self):
        """What systemd does when the service is stopped for good."""
        for _, fd in self.store:
            os.close(fd)
        self.store = []

    def _receive(self):
        while True:
            # A daemon that inherited them a second time would never close them.
            data, ancillary, _, _ = self.notify.recvmsg(
                1 << 16, socket.CMSG_SPACE(4 * DESCRIPTORS_PER_MESSAGE), socket.MSG_CMSG_CLOEXEC
            )
            descriptors = array.array("i")
            for _, _, raw in ancillary:
                descriptors.frombytes(raw[: len(raw) - len(raw) % descriptors.itemsize])
            text = data.decode()
            if text == "END":
                return
            lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            kept = []
            if lines.get("FDSTORE") == "1":
                kept = [(lines["FDNAME"], fd) for fd in descriptors][: STORED_MAX - len(self.store)]
                self.store += kept
            if lines.get("FDSTOREREMOVE") == "1":
                for _, fd in [entry for entry in self.store if entry[0] == lines["FDNAME"]]:
                    os.close(fd)
                self.store = [entry for entry in self.store if entry[0] != lines["FDNAME"]]
            if self.busy_seconds and text == "BARRIER=1":
                time.sleep(self.busy_seconds)
            # Of a barrier the sender waits for just this.
            for fd in descriptors[len(kept) :]:
                os.close(fd)
            with self.changed:
                self.messages.append(text)
                self.changed.notify_all()
