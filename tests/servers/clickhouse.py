"""ClickHouse's engine, the wheel `chdb-core`: in this process, or as a server (`clickhouse_front`).

It comes up with 14 threads and 260 MB that stay until its process ends, and there can be one session at a time: so it
is started when a test asks for it. In this process one file of tests should do.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.servers.process import ServerError, ServerProcess, free_port, new_folder

USER, PASSWORD = "segsync", "right: %/@' horse"
READER = "reader"
"""May change nothing, by the front's own word; with the same password."""


class ClickhouseEngine:
    """One session over a folder that goes with it. Every statement is a query of its own, as over HTTP."""

    def __init__(self) -> None:
        from chdb import session  # noqa: PLC0415 - 0.7 s and 260 MB, for those who ask for it alone

        make: Any = session.Session  # it has no type hints
        self._session: Any = make()

    def run(self, *statements: str) -> None:
        """Runs statements that give no rows."""
        for statement in statements:
            self._session.query(statement)

    def rows(self, statement: str) -> list[list[Any]]:
        """A statement's rows; whole numbers of 64 bits and decimals come as texts."""
        answer = self._session.query(statement, "JSONCompactStringsEachRow").bytes()
        return [json.loads(line) for line in answer.splitlines()]

    def texts(self, table: str, columns: list[str]) -> list[tuple[str | None, ...]]:
        """The bytes of a table's texts, in the order of their number `n`, read as UTF-8; null is None."""
        read = ", ".join(f"if({name} IS NULL, '-', hex({name}))" for name in columns)
        found = self.rows(f"SELECT {read} FROM {table} ORDER BY n")
        return [tuple(None if text == "-" else bytes.fromhex(text).decode() for text in row) for row in found]

    def close(self) -> None:
        """Ends the session; its folder goes with it."""
        self._session.close()


class ClickhouseServer:
    """A server of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = new_folder("clickhouse")
        users = json.dumps({"default": "", USER: PASSWORD, READER: PASSWORD})
        command = [sys.executable, "-m", "tests.servers.clickhouse_front", str(self.port), "data", users]
        root = str(Path(__file__).resolve().parents[2])
        self._own: ServerProcess | None = ServerProcess(self.folder, command, env={"PYTHONPATH": root})

    @classmethod
    def attach(cls, address: dict[str, Any]) -> Self:
        """The server that another process of this run has started: it can be used, but not stopped or killed."""
        server = cls.__new__(cls)
        server.port, server.folder, server._own = address["port"], Path(address["folder"]), None
        return server

    @property
    def address(self) -> dict[str, Any]:
        """What `attach` takes."""
        return {"port": self.port, "folder": str(self.folder)}

    @property
    def answers(self) -> bool:
        """Whether it runs statements."""
        try:
            return self.run("SELECT 1") == "1\n"
        except OSError:
            return False

    def url(self, database: str, user: str = USER) -> str:
        """As in segsync.toml."""
        return f"clickhouse://{user}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "default") -> str:
        """A statement of the test's own; the answer, in TabSeparated unless it names a format."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        return self._post(f"/?{urlencode({'database': database})}", statement, headers)

    def fail(self, database: str, word: str, kind: str, code: int = 0, text: str = "made up") -> None:
        """What comes of the next statement with this word, in this database.

        kind  "code" (refused with it), "cut before" and "cut after" it was run, or "late" (an error in an answer that
              has begun well), "endless" (the engine's own timeout does not end it), "profile" (`text` is the user's
              own settings, as JSON)
        """
        fault = {"database": database, "word": word, "kind": kind, "code": code, "text": text}
        self._post("/fault", json.dumps(fault), {})

    def seen(self, database: str) -> list[dict[str, str]]:
        """The last statements that were run in a database, with the parameters that came with them."""
        return [each for each in json.loads(self._post("/seen", "", {})) if each.get("database") == database]

    def create_database(self, name: str) -> None:
        """An empty one."""
        self.run(f"CREATE DATABASE {name} ENGINE = Atomic")

    def drop_database(self, name: str) -> None:
        """With all that is in it."""
        self.run(f"DROP DATABASE IF EXISTS {name} SYNC")

    def start(self) -> None:
        """Starts it (3 s); does nothing while it runs."""
        if not self._process.running:
            self._process.start(lambda: self.answers, 60.0)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._process.resume()

    def remove(self) -> None:
        """Ends it for good, its data with it."""
        self._process.remove()

    @property
    def _process(self) -> ServerProcess:
        if self._own is None:
            raise ServerError("this ClickHouse is shared: it belongs to another process of the run")
        return self._own

    def _post(self, path: str, body: str, headers: dict[str, str]) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body.encode(), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise ServerError(text)
        return text


class ClickhouseCursor:
    """A DB-API connection to a server of ours, as far as tests need one; it is its own cursor."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._server = ClickhouseServer.attach({"port": place.port, "folder": ""})
        self._database = place.path.strip("/")
        self.description: Any = None
        self._rows: list[tuple[Any, ...]] = []

    def cursor(self) -> Self:
        return self

    def execute(self, statement: str) -> None:
        """Runs one statement; of a question the rows are kept."""
        reads = statement.lstrip().upper().startswith("SELECT")
        text = self._server.run(f"{statement} FORMAT JSONCompactEachRow" if reads else statement, self._database)
        self.description = reads or None
        self._rows = [tuple(json.loads(line)) for line in text.splitlines()] if reads else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def close(self) -> None:
        """There is nothing open."""
