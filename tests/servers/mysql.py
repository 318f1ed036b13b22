"""A private MySQL, out of the packages of Debian's unstable release: the only registry here that has one.

With libraries of its own down to the C library, by whose loader it is run; nothing of the machine is used or changed.
What is fetched (60 MB) is fetched when a test of `make proof` asks for it.
"""

from __future__ import annotations

import subprocess

from tests.repository import ROOT
from tests.servers.debian import fetch_release, library_path
from tests.servers.mariadb import AS_ROOT, MariadbServer
from tests.servers.process import ServerError, ServerProcess, new_folder

FOLDER = ROOT / ".servers" / "mysql"
LOADER = "usr/lib64/ld-linux-x86-64.so.2"


class MysqlServer(MariadbServer):
    """The same on MySQL."""

    def _process_of(self, port: int, tls: list[str], *, durable: bool) -> ServerProcess:
        tree = fetch_release(FOLDER, "sid", ["mysql-server-core"])
        folder = new_folder("mysql")
        program = [str(tree / LOADER), "--library-path", library_path(tree), str(tree / "usr/sbin/mysqld")]
        command = [*program, "--no-defaults", *AS_ROOT, f"--basedir={tree / 'usr'}", f"--datadir={folder / 'data'}"]
        command += [f"--tmpdir={folder}", "--secure-file-priv=", f"--lc-messages-dir={tree / 'usr/share/mysql'}"]
        initialise = [*command, "--initialize-insecure"]
        done = subprocess.run(initialise, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(f"mysqld --initialize-insecure failed:\n{done.stdout}{done.stderr}")
        command += [f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve", "--mysqlx=OFF"]
        command += [f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", "--skip-log-bin"]
        command += ["--innodb-buffer-pool-size=128M", f"--innodb-flush-log-at-trx-commit={1 if durable else 2}"]
        command += [f"--innodb-doublewrite={'ON' if durable else 'OFF'}", *tls]
        # Its first account may come from 127.0.0.1 only by the name of localhost, which is not looked up.
        first = folder / "first.sql"
        first.write_text(
            "CREATE USER IF NOT EXISTS root@'127.0.0.1';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        return ServerProcess(folder, [*command, f"--init-file={first}"])
