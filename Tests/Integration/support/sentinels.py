"""A private primary, its replicas, and the Sentinels that watch them, on ports of this machine."""

import contextlib
import socket
import threading
from pathlib import Path

import redis

from .ports import free_ports
from .processes import ServerProcess
from .redis_server import RedisServer
from .waiting import eventually

NAME = "mymaster"
# A failover within a second or two, where an installation waits for 30.
DOWN_AFTER_MS = 500
# Sentinels begin no other failover within twice this time.
FAILOVER_TIMEOUT_MS = 2000
PERIODS = ("ping-period", 100, "ask-period", 100, "info-period", 300, "publish-period", 200, "tilt-period", 1000)


class Sentinel:
    """One Sentinel, and the ways in which it fails."""

    def __init__(self, folder, number, ports, primary_port, *lines, quorum=2):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.port = ports[number]
        self.server = None
        others = [(port, place) for place, port in enumerate(ports) if place != number]
        # Sentinels find each other by messages, which takes seconds. Here they are told.
        self.config = self.folder / "sentinel.conf"
        self.config.write_text(
            "\n".join(
                [
                    f"port {self.port}",
                    "bind 127.0.0.1",
                    f"dir {self.folder}",
                    f"sentinel myid {number + 1:040x}",
                    f"sentinel monitor {NAME} 127.0.0.1 {primary_port} {quorum}",
                    f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
                    f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}",
                    *(f"sentinel known-sentinel {NAME} 127.0.0.1 {port} {place + 1:040x}" for port, place in others),
                    *lines,
                    "",
                ]
            )
        )

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def client(self, **options):
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=30, **options)

    def launch(self):
        self.server = ServerProcess(["redis-server", self.config, "--sentinel"], self.folder / "log")

    def wait(self):
        def answers():
            if not self.server.running:
                raise RuntimeError(f"a Sentinel ended:\n{self.server.log()}")
            try:
                with self.client() as client:
                    client.execute_command("SENTINEL", "DEBUG", *PERIODS)
                    return True
            except redis.AuthenticationError:
                return True
            except redis.ConnectionError:
                return False

        eventually(answers, "a Sentinel to answer")

    def start(self):
        self.launch()
        self.wait()
        return self

    def facts(self, **options):
        with self.client(**options) as client:
            return client.sentinel_master(NAME)

    def kill(self):
        self.server.kill()

    def stop(self):
        if self.server:
            self.server.stop()
            self.server = None

    def pause(self):
        self.server.pause()

    def resume(self):
        self.server.resume()


class SentinelTopology:
    """Servers by their place: 0 is the primary at first."""

    def __init__(self, folder, replicas=1, sentinels=3, lines=(), options=()):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        ports = free_ports(1 + replicas + sentinels)
        self.servers = []
        for place, port in enumerate(ports[: 1 + replicas]):
            follow = ("--replicaof", "127.0.0.1", str(ports[0])) if place else ()
            self.servers.append(RedisServer(self.folder / f"r{place}", *FAST_REPLICATION, *follow, *options, port=port))
        watching = ports[1 + replicas :]
        self.sentinels = [
            Sentinel(self.folder / f"s{place}", place, watching, ports[0], *lines) for place in range(sentinels)
        ]

    def start(self):
        try:
            for server in self.servers:
                server.start()
            for sentinel in self.sentinels:
                sentinel.launch()
            for sentinel in self.sentinels:
                sentinel.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        for one in [*self.sentinels, *self.servers]:
            one.stop()

    def wait_ready(self, **options):
        """Until a failover can succeed."""

        def ready():
            return all(
                facts["num-slaves"] == len(self.servers) - 1
                and facts["num-other-sentinels"] == len(self.sentinels) - 1
                and facts["flags"] == "master"
                for facts in (sentinel.facts(**options) for sentinel in self.sentinels)
            )

        eventually(ready, "the Sentinels to know each other and the replicas")
        with self.servers[0].client() as client:
            synced = lambda: client.info("replication")["connected_slaves"] == len(self.servers) - 1  # noqa: E731
            eventually(synced, "the replicas to be connected")
        return self

    def url_of(self, *addresses, name=NAME, query="", user=""):
        return f"redis-sentinel://{user}{','.join(addresses)}/0{query}#{name}"

    @property
    def url(self):
        return self.url_of(*(sentinel.address for sentinel in self.sentinels))

    def address(self, place):
        return f"127.0.0.1:{self.servers[place].port}"

    def primary(self):
        """The server that the Sentinels name, once they agree."""
        ports = {sentinel.facts()["port"] for sentinel in self.sentinels}
        assert len(ports) == 1, f"the Sentinels name {ports}"
        return next(server for server in self.servers if server.port in ports)

    def fail_over(self):
        """As planned: a replica takes the place of a primary that works. Sentinels refuse it while one is under way,
        and give it up while they have not heard of the replica lately."""
        former = self.primary()

        def promoted():
            with self.sentinels[0].client() as client, contextlib.suppress(redis.ResponseError):
                client.execute_command("SENTINEL", "FAILOVER", NAME)
            return self.primary() is not former

        eventually(promoted, "another primary")

    def wait_settled(self):
        """Until the Sentinels agree on a primary and all others follow it."""

        def settled():
            primary = self.primary()
            for server in self.servers:
                with server.client() as client:
                    facts = client.info("replication")
                if server is primary:
                    assert facts["role"] == "master"
                    assert facts["connected_slaves"] == len(self.servers) - 1
                else:
                    assert facts["role"] == "slave"
                    assert facts["master_port"] == primary.port
                    assert facts["master_link_status"] == "up"
            return True

        def settled_or_not():
            try:
                return settled()
            except redis.RedisError as problem:
                raise AssertionError(problem) from problem

        eventually(settled_or_not, "a primary that all follow")

    def wait_named(self, place, sentinels=None):
        """Until all Sentinels name the server, or those given."""
        port = self.servers[place].port
        for sentinel in sentinels or self.sentinels:
            with sentinel.client() as client:
                named = lambda c=client: c.sentinel_get_master_addr_by_name(NAME)[1] == port  # noqa: E731
                eventually(named, f"Sentinel {sentinel.address} to name {port}")


# By default a replica waits for others to come, and a primary that is stopped for its replicas.
FAST_REPLICATION = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--shutdown-timeout", "0")


class FakeSentinel:
    """Answers each command with what `answer` makes of its words: bytes, or None for none at all."""

    def __init__(self, answer):
        self.answer = answer
        self.commands = []
        self.sockets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in [self.listener, *self.sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with contextlib.suppress(OSError, ValueError), client.makefile("rb") as stream:
            while line := stream.readline():
                words = []
                for _ in range(int(line[1:])):
                    length = int(stream.readline()[1:])
                    words.append(stream.read(length + 2)[:-2].decode())
                self.commands.append(words)
                if (said := self.answer(words)) is not None:
                    client.sendall(said)


def bulk_list(*words):
    """An array of RESP."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w.encode()), w.encode()) for w in words)


def naming(port, epoch, host="127.0.0.1"):
    """What a Sentinel says that names this server for ever."""

    def answer(words):
        match [word.upper() for word in words[:2]]:
            case ["SENTINEL", "GET-MASTER-ADDR-BY-NAME"]:
                return bulk_list(host, str(port))
            case ["SENTINEL", "MASTER"]:
                return bulk_list("name", NAME, "ip", host, "port", str(port), "config-epoch", str(epoch))
            case _:
                return b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"

    return answer
