"""The reference service over HTTP: a stand-in that listens, and callers that use it, or likes-http in its place."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .http_gateway import Connection
from .reference import Reference, Traffic
from .waiting import eventually


class Handler(BaseHTTPRequestHandler):
    """One connection of a caller."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.service = self.server.connect()

    def finish(self):
        self.service.close()
        super().finish()

    def do_GET(self):
        self._answer({"status": "ok"})

    def do_POST(self):
        self._change(likes=True)

    def do_DELETE(self):
        self._change(likes=False)

    def _change(self, likes):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.service.change(asked["user_id"], asked["item_id"], likes)
        self._answer({"status": "liked" if likes else "unliked"})

    def _answer(self, members):
        body = json.dumps(members).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Its connections are known, so that those that wait for a request can be ended."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address, connect):
        super().__init__(address, Handler)
        self.connect = connect
        self.open = set()

    def process_request(self, request, client_address):
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)


class ReferenceService:
    """The reference as `counter-api`: it is started and stopped, and listens at one port of 127.0.0.1."""

    def __init__(self, url, redis, port):
        self.connect = lambda: Reference(url, redis)
        self.port = port
        self.server = None
        self.thread = None

    def start(self):
        self.server = Server(("127.0.0.1", self.port), self.connect)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        """Answers what has come, and closes."""
        if not self.server:
            return
        self.server.shutdown()
        for connection in list(self.server.open):
            # It has been closed by its caller.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        self.server.server_close()
        self.thread.join(60)
        self.server = None


class HTTPCaller:
    """A caller of the reference: it keeps a connection, makes another where that is gone, and repeats the request.

    `where` gives the address, which may become another one.
    """

    def __init__(self, where):
        self.where = where
        self.address = None
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.socket.close()
        self.connection = None

    def _ask(self, method, body):
        if self.address != self.where():
            self.close()
        try:
            if not self.connection:
                self.address = self.where()
                self.connection = Connection(self.address)
            return self.connection.request(method, "/v1/like", body, {"Content-Type": "application/json"})
        except OSError:
            self.close()
            raise

    def change(self, user, item, likes):
        body = json.dumps({"user_id": user, "item_id": item})
        answer = eventually(lambda: self._ask("POST" if likes else "DELETE", body), "an answer over HTTP")
        assert answer.status == 200, answer


def http_traffic(where, items, first_user, **options):
    return Traffic(
        lambda: HTTPCaller(where),
        lambda client, user, item, likes: client.change(user, item, likes),
        items, first_user, **options,
    )  # fmt: skip
