"""Reading many rows: all of them, or an error, wherever the link is cut; and nothing is changed."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.engine import make_url

from tests.servers.cutting import Cutting
from tests.targets import TargetDatabase
from workers.connectors import open_lister
from workers.connectors.contract import Target
from workers.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ROWS = 2_500
CUTS = 12
"""Places anywhere in a long list where the link is cut."""
pytestmark = pytest.mark.filterwarnings("ignore:.*ServerCursor.*deleted while still open:ResourceWarning")
"""What psycopg says of a cursor whose CLOSE met a broken link."""
LAST, STEP = 63, 9
"""Of the last bytes of a short one, each so many."""
MORE = 3
"""Bytes that a later session may have beside, whose number has more digits."""
ALL, ERROR = "all of it", "an error"
SHORT = "SELECT id, name FROM listed WHERE id < 4"


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


def endings(database: TargetDatabase, cutting: Cutting, statement: str, places: Iterable[int]) -> Counter[str]:
    """How readings end whose link is cut behind so many bytes: with an error or with all rows, and in no other way."""
    cutting.limit, found = None, Counter[str]()
    whole = read(database, cutting.port, statement)
    for place in places:
        cutting.limit = place
        try:
            assert read(database, cutting.port, statement) == whole, place
            found[ALL] += 1
        except TargetError:
            found[ERROR] += 1
    return found


def bytes_of(database: TargetDatabase, cutting: Cutting, statement: str) -> int:
    """What the server says of a list, from its greeting on."""
    assert read(database, cutting.port, statement)
    return cutting.seen


def test_a_link_that_is_cut_anywhere_gives_an_error_and_no_end(database: TargetDatabase, cutting: Cutting) -> None:
    statement = "SELECT id, name FROM listed"
    total, chance = bytes_of(database, cutting, statement), random.Random(14)
    places = [chance.randrange(1, total - LAST) for _ in range(CUTS)]
    assert endings(database, cutting, statement, places) == {ERROR: CUTS}


@pytest.mark.parametrize("step", [STEP, pytest.param(1, marks=pytest.mark.long)])
def test_a_link_that_is_cut_in_its_last_bytes_gives_all_or_an_error(
    database: TargetDatabase, cutting: Cutting, step: int
) -> None:
    """Where it is cut behind the last one, nothing is missing."""
    total = bytes_of(database, cutting, SHORT)
    ended = endings(database, cutting, SHORT, [*range(total - LAST, total, step), total + MORE])
    assert ended.keys() == {ERROR, ALL}, ended


@pytest.mark.long
def test_a_link_that_is_cut_at_any_byte_gives_all_or_an_error(database: TargetDatabase, cutting: Cutting) -> None:
    """From the server's greeting on."""
    total = bytes_of(database, cutting, SHORT)
    ended = endings(database, cutting, SHORT, [*range(1, total), total + MORE])
    assert ended.keys() == {ERROR, ALL}, ended
    assert ended[ERROR] > ended[ALL], ended


def test_a_lister_changes_nothing(database: TargetDatabase) -> None:
    port = make_url(database.url).port or 0
    with pytest.raises(TargetError):
        read(database, port, "DELETE FROM listed")
    assert database.run("SELECT count(*) FROM listed")[0][0] == ROWS


def test_a_lister_of_a_file_changes_nothing(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "platform.db") as database:
        database.executescript("CREATE TABLE listed (id int); INSERT INTO listed VALUES (1)")
    lister = open_lister(Target("source", "sqlite", f"sqlite:///{tmp_path}/platform.db", None))
    for statement in ("DELETE FROM listed", "INSERT INTO listed VALUES (2) RETURNING id", "PRAGMA user_version = 7"):
        with pytest.raises(TargetError):
            list(lister.pages(statement))
    assert [page.rows for page in lister.pages("SELECT id FROM listed")] == [[(1,)]]
    lister.close()


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
