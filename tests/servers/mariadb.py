"""A private MariaDB: `mariadbd` on PATH, or Debian's packages unpacked below `.servers/`, or a server by URL.

Run as `python -m tests.servers.mariadb` it fetches and unpacks the packages (once), so that tests need no network.
SEGSYNC_TEST_MARIADB_URL (an administrator's, as in mysql://root:secret@host:3306) takes a server that is there.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import pymysql

from tests.servers.debian import install, library_path
from tests.servers.process import ServerError, ServerProcess, free_port, new_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT = "SEGSYNC_TEST_MARIADB_URL"
FOLDER = Path(__file__).resolve().parents[2] / ".servers" / "mariadb"
REAL_MYSQL = "SEGSYNC_TEST_MYSQL"
"""Set, all that asks for a MariaDB is given a MySQL (mysql.py)."""
BINARY = "utf8mb4_0900_bin" if os.environ.get(REAL_MYSQL) else "utf8mb4_nopad_bin"
"""The collation that compares code points and ignores no blanks, which each of them calls by a name of its own."""
AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []
"""Both refuse to run as root unasked."""
PACKAGES = ("mariadb-server-core", "mariadb-client-core")
"""What they need beyond the machine's own libraries is found by asking ldd: names differ between releases."""

USER = "segsync"
"""An ordinary account, as a user of ours would have: all rights on the tests' databases and nothing else."""

PASSWORD_USER, PASSWORD = "guarded", "right: %/@' horse"
"""An account with a password, which must not be read as a part of a URL."""

REMEDIES = f"""no MariaDB for the tests: {{reason}}
Either put `mariadbd` and `mariadb-install-db` (10.5 or later) on PATH,
or set {ENVIRONMENT} to an administrator's URL, as in mysql://root:secret@host:3306"""


@dataclass(frozen=True)
class Programs:
    """Where MariaDB is; `base` is None where it knows by itself."""

    server: Path
    initialiser: Path
    base: Path | None = None

    @property
    def arguments(self) -> list[str]:
        """What both programs are told of their place and, since they refuse root unasked, of their user."""
        arguments = ["--no-defaults"]
        arguments += [f"--basedir={self.base}"] if self.base else []
        return [*arguments, *AS_ROOT]

    @property
    def environment(self) -> Mapping[str, str]:
        """What both need to find their libraries."""
        return {"LD_LIBRARY_PATH": library_path(self.base.parent)} if self.base else {}


def programs() -> Programs:
    """MariaDB's programs, fetched if need be; ServerError with the remedies where that fails."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    server, initialiser = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db", path=path)
    if server and initialiser:
        return Programs(Path(server), Path(initialiser))
    try:
        base = install(FOLDER, PACKAGES, "usr/sbin/mariadbd") / "usr"
    except (ServerError, OSError) as error:
        raise ServerError(REMEDIES.format(reason=error)) from error
    return Programs(base / "sbin/mariadbd", base / "bin/mariadb-install-db", base)


@dataclass(frozen=True)
class Account:
    """Who may do everything on a server."""

    host: str
    port: int
    user: str = "root"
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> Account:
        """From mysql://user:password@host:port; ServerError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in {"mysql", "mariadb"} or not parts.hostname:
            raise ServerError(f"{ENVIRONMENT} is no URL like mysql://root:secret@host:3306")
        user, password = unquote(parts.username or "root"), unquote(parts.password or "")
        return cls(parts.hostname, parts.port or 3306, user, password)


class MariadbServer:
    """A MariaDB of its own, or the one that the environment names (which cannot be killed or restarted).

    durable      commits are on disk before their answer, at the speed that costs
    certificate  what it speaks TLS with, its key in the same file; read anew by FLUSH SSL
    authority    whose clients' certificates it takes
    """

    def __init__(
        self, *, durable: bool = False, certificate: Path | None = None, authority: Path | None = None
    ) -> None:
        external = os.environ.get(ENVIRONMENT)
        self._root = Account.parse(external) if external else Account("127.0.0.1", free_port())
        tls = [f"--ssl-cert={certificate}", f"--ssl-key={certificate}"] if certificate else []
        tls += [f"--ssl-ca={authority}"] if authority else []
        self._own = None if external else self._process_of(self._root.port, tls, durable=durable)
        # Without a password here, so that a URL is all that a test needs; never so on somebody else's server.
        self.password = secrets.token_urlsafe(24) if external else None

    @property
    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            self.admin().close()
        except pymysql.err.OperationalError:  # not listening yet, still recovering, or gone
            return False
        return True

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._root.port

    def url(self, database: str = "", user: str = USER) -> str:
        """As in segsync.toml, by TCP; `password` belongs to it."""
        return f"mysql://{quote(user)}@{self._root.host}:{self.port}/{database}"

    def admin(self) -> pymysql.Connection:
        """An administrator's connection in autocommit; the caller closes it."""
        root = self._root
        return pymysql.connect(
            host=root.host,
            port=root.port,
            user=root.user,
            password=root.password,
            autocommit=True,
            connect_timeout=60,
            ssl_disabled=True,  # or the system's authorities were read each time
        )

    def run(self, *statements: str) -> None:
        """Runs statements as administrator."""
        connection = self.admin()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def start(self) -> None:
        """Starts it, or does nothing while it runs; makes the accounts."""
        if self._own is not None and not self._own.running:
            self._own.start(lambda: self.answers)
        words, quoted = self.password or "", PASSWORD.replace("'", "''")
        self.run(
            # In the words that MySQL has, too. Never without them: who connects while it starts again would be refused.
            f"CREATE USER IF NOT EXISTS {USER}@'%', {PASSWORD_USER}@'%'",
            f"ALTER USER {USER}@'%' IDENTIFIED BY '{words}', {PASSWORD_USER}@'%' IDENTIFIED BY '{quoted}'",
            f"GRANT ALL ON `test\\_%`.* TO {USER}@'%'",
        )

    def create_database(self, name: str) -> None:
        """An empty database; `USER` has all rights on those whose name begins with test_."""
        self.run(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def drop_database(self, name: str) -> None:
        """Drops it; sessions that hold locks in it are ended first, or this would wait for them."""
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        connection = self.admin()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                for (session,) in cursor.fetchall():
                    self._end(session)
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL; what was committed is there after its next start."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: it hangs, its links stay open."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._process.resume()

    def restart(self) -> None:
        """Stops it in good order, if it runs, and starts it on the same port with the same data."""
        self._process.stop()
        self._process.start(lambda: self.answers)

    def remove(self) -> None:
        """Ends it for good, its data with it; on a server by URL: drops the accounts."""
        if self._own is None:
            self.run(f"DROP USER IF EXISTS {USER}@'%'", f"DROP USER IF EXISTS {PASSWORD_USER}@'%'")
        else:
            self._own.remove()

    def _process_of(self, port: int, tls: list[str], *, durable: bool) -> ServerProcess:
        """What is to be started, with empty databases."""
        return _own_process(port, tls, durable=durable)

    @property
    def _process(self) -> ServerProcess:
        if self._own is None:
            raise ServerError(f"the server of {ENVIRONMENT} is not ours to stop: run this test without it")
        return self._own

    def _end(self, session: int) -> None:
        try:
            self.run(f"KILL {session}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != 1094:  # it ended by itself in the meantime
                raise


def _own_process(port: int, tls: list[str], *, durable: bool) -> ServerProcess:
    found = programs()
    folder = new_folder("mariadb")
    command = [str(found.server), *found.arguments, *_places(folder), f"--port={port}"]
    command += [f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", *_settings(durable=durable), *tls]
    process = ServerProcess(folder, command, env=found.environment)
    _initialise(found, folder)
    return process


def _places(folder: Path) -> list[str]:
    # A server that starts removes every "#sql…" in its tmpdir, also another's, which then ends in SIGSEGV (MDEV-30118).
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    return [f"--datadir={folder / 'data'}", f"--tmpdir={scratch}"]


def _settings(*, durable: bool) -> list[str]:
    # Nobody needs a test's rows after a power cut; after a kill they are there, since every COMMIT still writes (2).
    return [
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--innodb-buffer-pool-size=128M",
        f"--innodb-flush-log-at-trx-commit={1 if durable else 2}",
        f"--innodb-doublewrite={'ON' if durable else 'OFF'}",
    ]


def _initialise(found: Programs, folder: Path) -> None:
    # 0.7 s: not worth a template to copy.
    command = [str(found.initialiser), *found.arguments, *_places(folder)]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=96M"]
    environment = {**os.environ, **found.environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"mariadb-install-db failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{programs().server}\n")
    except ServerError as problem:
        sys.exit(str(problem))
