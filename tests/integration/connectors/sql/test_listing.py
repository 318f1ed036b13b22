"""Reading many rows: all of them, or an error, wherever the link is cut; and nothing is changed."""

from __future__ import annotations

import random
import socket
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from tests.targets import TargetDatabase
from tests.waiting import PATIENCE
from workers.connectors import open_lister
from workers.connectors.contract import Target
from workers.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS = 2_500
CUTS = 12
"""Places where the link is cut, beside the last bytes."""


class Cutting:
    """Forwards one link, and resets it after so many bytes of the server's; counts what came."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.limit: int | None = None
        self.seen = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def _begin(self, work: Callable[..., None], *sockets: socket.socket) -> None:
        thread = threading.Thread(target=work, args=sockets, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self.upstream))
                self._sockets += [client, server]
                self._begin(self._forward, client, server)
                self._begin(self._answer, client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        self.seen = 0
        with suppress(OSError):
            while data := server.recv(65536):
                left = len(data) if self.limit is None else self.limit - self.seen
                self.seen += len(data)
                client.sendall(data[:left])
                if left < len(data):
                    break
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends all of it, once no thread uses it any more."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for each in (self._server, *self._sockets):
            each.close()


@pytest.fixture(params=["postgresql", "mysql"])
def database(request: pytest.FixtureRequest) -> TargetDatabase:
    name = "postgresql" if request.param == "postgresql" else "mariadb"
    password = request.getfixturevalue("mariadb_server").password if name == "mariadb" else None
    database = TargetDatabase(request.param, request.getfixturevalue(f"{name}_url"), password)
    rows = ", ".join(f"({number}, 'member {number}')" for number in range(ROWS))
    database.run("CREATE TABLE listed (id int, name varchar(40))", f"INSERT INTO listed VALUES {rows}")
    return database


@pytest.fixture
def cutting(database: TargetDatabase) -> Iterator[Cutting]:
    between = Cutting(make_url(database.url).port or 0)
    yield between
    between.close()


def read(database: TargetDatabase, port: int, statement: str = "SELECT id, name FROM listed") -> list[tuple[int, str]]:
    url = make_url(database.url).set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    lister = open_lister(Target("source", database.dialect, url, database.password, statement_timeout=5.0))
    try:
        return [row for page in lister.pages(statement) for row in page.rows]
    finally:
        lister.close()


def test_a_link_that_is_cut_anywhere_gives_an_error_and_no_end(database: TargetDatabase, cutting: Cutting) -> None:
    whole = read(database, cutting.port)
    assert len(whole) == ROWS
    total = cutting.seen
    chance = random.Random(14)
    places = [chance.randrange(1, total) for _ in range(CUTS)]
    for place in places:
        cutting.limit = place
        with suppress(TargetError):
            # Where nothing but the farewell was cut off, all of it came.
            assert read(database, cutting.port) == whole, place


def test_a_lister_changes_nothing(database: TargetDatabase) -> None:
    port = make_url(database.url).port or 0
    with pytest.raises(TargetError):
        read(database, port, "DELETE FROM listed")
    assert database.run("SELECT count(*) FROM listed")[0][0] == ROWS


@pytest.mark.parametrize("rows", [0, 3])
def test_a_server_that_gives_nothing_is_given_up(
    database: TargetDatabase, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """At once or in the middle: else its reader would wait for ever, and all other runs with it."""
    monkeypatch.setattr(f"workers.connectors.sql.{database.dialect}.listing.SILENT_SECONDS", 0.3)
    sleep = "pg_sleep(9)::text" if database.dialect == "postgresql" else "sleep(9)"
    port = make_url(database.url).port or 0
    with pytest.raises(TargetError) as raised:
        read(database, port, f"SELECT id, CASE WHEN id < {rows} THEN '' ELSE {sleep} END FROM listed WHERE id < 9")
    assert raised.value.code.split()[0] == database.dialect


def test_a_file_that_gives_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.connectors.sql.sqlite.listing.SILENT_SECONDS", 0.1)
    path = tmp_path / "platform.db"
    sqlite3.connect(path).close()
    lister = open_lister(Target("source", "sqlite", f"sqlite:///{path}", None))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < {}"
    with pytest.raises(TargetError):
        list(lister.pages(endless.format("3 OR i < 0")))
    assert sum(len(page.rows) for page in lister.pages(endless.format("3 LIMIT 2"))) == 2, "each has its own time"
    lister.close()


def test_an_empty_list_has_its_columns(database: TargetDatabase) -> None:
    port = make_url(database.url).port or 0
    assert read(database, port, "SELECT id, name FROM listed WHERE id < 0") == []
