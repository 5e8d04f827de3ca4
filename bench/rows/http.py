"""COUNT over HTTP, beside the same count over the socket, and beside nginx giving a constant answer.

The service that likesd replaces gave 3,280 cached counts a second on two such cores, its load generator on the same."""

import contextlib
import shutil
import socket

from support.ports import free_ports
from support.processes import ServerProcess
from support.waiting import eventually

from bench.flood import http_flood
from bench.load import LoadError, redis_benchmark
from bench.measure import Watch, alternate
from bench.results import Target, absolute, compared
from bench.servers import load_counts, seconds_of, seconds_of_tree

ITEMS = 100_000
REQUESTS = 200_000
RESP_REQUESTS = 400_000
# Cached counts are believed for as long as the whole run takes: what is measured is a hit.
TTL_MS = 3_600_000
ROWS = ("http",)
TITLE = "COUNT over HTTP, 50 connections"
REPLACED_PER_SECOND = 3_280

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            default_type application/json;
            return 200 '{{"item_id":456,"item_type":"post","count":1,"cached":true,"as_of":"2026-11-30T12:00:00Z"}}';
        }}
    }}
}}
"""


class Nginx:
    """One process of nginx that says the same each time."""

    def __init__(self, folder):
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            raise LoadError("nginx is not installed: run 'make install-deps'")
        folder.mkdir()
        [self.port] = free_ports(1)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, port=self.port))
        self.server = ServerProcess([program, "-p", folder, "-c", configuration], folder / "log")
        eventually(lambda: socket.create_connection(("127.0.0.1", self.port)).close() is None, "nginx to listen")


@contextlib.contextmanager
def nginx(folder):
    server = Nginx(folder)
    try:
        yield server
    finally:
        server.server.stop()


def contender(name, measured, load):
    """One of those compared: {name: sample}."""

    def measure(_):
        with Watch(**measured) as watch:
            done = load()
        return {name: {**done.sample(), **watch.per_million(done.requests), "foreign": watch.foreign}}

    return measure


def contenders(bench, daemon, gateway, constant):
    requests = bench.options.requests(REQUESTS)
    resp = bench.options.requests(RESP_REQUESTS)
    port = gateway.addresses[0][1]
    return [
        contender(
            "likes-http",
            {"measured": seconds_of_tree(gateway), "daemon": seconds_of(daemon)},
            lambda: http_flood(bench.http_flood, port, "/v1/count?item_id=", requests=requests, keys=ITEMS),
        ),
        contender(
            "socket",
            {"measured": seconds_of(daemon)},
            lambda: redis_benchmark(daemon.socket, ["COUNT", "post:__rand_int__"], requests=resp, keys=ITEMS),
        ),
        contender(
            "nginx",
            {"measured": seconds_of_tree(constant)},
            lambda: http_flood(bench.http_flood, constant.port, "/", requests=requests),
        ),
    ]


def run(bench, wanted):
    [name] = wanted
    with (
        bench.daemon(LOCAL_CACHE_TTL_MS=TTL_MS) as daemon,
        bench.gateway(daemon) as gateway,
        nginx(bench.folder / "nginx") as constant,
    ):
        load_counts(daemon, ITEMS)
        three = contenders(bench, daemon, gateway, constant)
        found = alternate(three, bench.options.rounds, lambda text: bench.say(f"{name}: {text}"))
    bench.samples[name] = found
    own = found["likes-http"]
    return [
        compared(name, TITLE, "per_second", own, found["socket"], "the socket", Target(0.4)),
        compared(name, TITLE, "cpu_per_million", own, found["socket"], "the socket", Target()),
        compared(f"{name}-nginx", TITLE, "per_second", own, found["nginx"], "nginx, constant", Target()),
        absolute(
            f"{name}-replaced", TITLE, "per_second", own, Target(REPLACED_PER_SECOND),
            reference_name="the replaced service: 3,280",
        ),
    ]  # fmt: skip
