"""A private PostgreSQL: its own folder, a Unix socket, no TCP port."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from .processes import ServerProcess, clean_environment, unprivileged_user
from .waiting import eventually


def programs():
    """The folder of PostgreSQL's server programs, newest first; Debian keeps them off the PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if versions:
        return versions[-1].parent
    found = shutil.which("postgres")
    if found is None:
        raise RuntimeError("PostgreSQL's server is not installed: run 'make install-deps'")
    return Path(os.path.realpath(found)).parent


class Postgres:
    """The server, and the ways in which it fails."""

    # The tests kill processes, never the machine: what the kernel has is safe.
    SETTINGS = {
        "fsync": "off",
        "listen_addresses": "",
        "shared_buffers": "32MB",
        "max_wal_size": "256MB",
        "autovacuum": "off",
    }

    def __init__(self, folder):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.server = None

    @classmethod
    def create(cls, folder):
        """An empty cluster with a database `template`, without schema."""
        postgres = cls(folder)
        postgres.folder.mkdir(mode=0o755)
        user = unprivileged_user()
        if user:
            os.chown(postgres.folder, user.pw_uid, user.pw_gid)
        as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        subprocess.run(
            [programs() / "initdb", "-D", postgres.data, "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-EUTF8"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=clean_environment(),
            cwd="/",
            **as_user,
        )
        return postgres

    def standby(self, folder):
        """A new standby of this server, which must run. It is started and promoted like any server."""
        server = type(self)(folder)
        server.folder.mkdir(mode=0o755)
        user = unprivileged_user()
        as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        if user:
            os.chown(server.folder, user.pw_uid, user.pw_gid)
        command = [programs() / "pg_basebackup", "-h", self.folder, "-U", "postgres", "-D", server.data]
        subprocess.run(
            [*command, "-R", "-c", "fast"],
            check=True,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            cwd="/",
            **as_user,
        )
        return server

    def promote(self):
        with self.connect() as connection:
            # Whoever waits in there may be cancelled meanwhile by what is replayed.
            connection.execute("SELECT pg_promote(wait => false)")
            in_recovery = lambda: connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]  # noqa: E731
            eventually(lambda: not in_recovery(), "a standby to be promoted")

    def copy(self, folder):
        """A second cluster with the same content; this one has to be stopped."""
        assert self.server is None
        shutil.copytree(self.folder, folder, ignore=lambda _, names: [n for n in names if n.startswith(".s.PGSQL")])
        user = unprivileged_user()
        if user:
            for path, folders, files in os.walk(folder):
                for name in (".", *folders, *files):
                    os.chown(os.path.join(path, name), user.pw_uid, user.pw_gid)
        return Postgres(folder)

    def start(self):
        command = [programs() / "postgres", "-D", self.data, "-c", f"unix_socket_directories={self.folder}"]
        for name, value in self.SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        self.server = ServerProcess(command, self.folder / "log", user=unprivileged_user())

        def answers():
            if not self.server.running:
                raise RuntimeError(f"PostgreSQL ended:\n{self.server.log()}")
            try:
                self.connect("postgres").close()
            except psycopg.OperationalError:
                return False
            return True

        eventually(answers, "PostgreSQL to answer")
        return self

    def url(self, database="likes"):
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def connect(self, database="likes", autocommit=True):
        return psycopg.connect(self.url(database), autocommit=autocommit, connect_timeout=30)

    def create_database(self, name):
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def dump(self, database, *options):
        """What pg_dump says of it, without its version, or the random word that newer ones guard their text with."""
        text = subprocess.run(
            [programs() / "pg_dump", *options, self.url(database)],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_environment(),
        ).stdout
        left_out = ("--", "\\restrict", "\\unrestrict")
        return "".join(line for line in text.splitlines(True) if not line.startswith(left_out))

    def let_in(self, *lines):
        """The lines of pg_hba.conf, in front of one that lets the tests in."""
        path = self.data / "pg_hba.conf"
        path.write_text("\n".join([*lines, "local all postgres trust", ""]))
        with self.connect("postgres") as connection:
            connection.execute("SELECT pg_reload_conf()")

    def set(self, name, value):
        """A setting for all sessions, those that are open included; None takes it back."""
        with self.connect("postgres") as connection:
            # A server that was made read-only still takes this.
            if value is None:
                connection.execute(f"ALTER SYSTEM RESET {name}")
            else:
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")

    def put_back(self, copy):
        """Another data directory in place of its own, while it is stopped."""
        owner = self.data.stat()
        shutil.rmtree(self.data)
        shutil.copytree(copy, self.data)
        for path in [self.data, *self.data.rglob("*")]:
            shutil.chown(path, owner.st_uid, owner.st_gid)

    def wait_for(self, primary):
        """Until this standby has replayed all that the primary has now."""
        with primary.connect() as source, self.connect() as target:
            position = source.execute("SELECT pg_current_wal_lsn()").fetchone()[0]
            replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
            eventually(lambda: target.execute(replayed, (position,)).fetchone()[0], "the standby to follow")

    def stop(self):
        if self.server:
            self.server.stop(signal.SIGINT)
            self.server = None

    def kill(self):
        self.server.kill()
        self.server = None

    def pause(self):
        self.server.pause()

    def resume(self):
        self.server.resume()
