"""A private PgBouncer: its own folder, a Unix socket, no TCP port."""

import os
import shutil
import socket
from pathlib import Path

import psycopg

from .processes import ServerProcess, clean_environment, unprivileged_user
from .waiting import eventually

# The number in the socket's name.
PORT = 6432


class PgBouncer:
    """In front of one PostgreSQL, with the settings given, as in `pool_mode="transaction"`."""

    def __init__(self, folder, postgres, **settings):
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o755)
        path = self.folder / "pgbouncer.ini"
        all_settings = {
            "listen_addr": "",
            "listen_port": PORT,
            "unix_socket_dir": self.folder,
            "auth_type": "any",
            "ignore_startup_parameters": "extra_float_digits",
            **settings,
        }
        lines = ["[databases]", f"* = host={postgres.folder} user=postgres", "[pgbouncer]"]
        path.write_text("\n".join([*lines, *(f"{name} = {value}" for name, value in all_settings.items())]) + "\n")
        user = unprivileged_user()
        if user:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise RuntimeError("PgBouncer is not installed: run 'make install-deps'")
        self.server = ServerProcess([program, path], self.folder / "log", clean_environment(), user)
        eventually(self._accepts, "PgBouncer to accept connections")

    def _accepts(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.folder / f".s.PGSQL.{PORT}"))
        return True

    def url(self, database):
        return f"postgresql://postgres@/{database}?host={self.folder}&port={PORT}"

    def connect(self, database):
        return psycopg.connect(self.url(database), autocommit=True, prepare_threshold=None)

    def stop(self):
        self.server.stop()
