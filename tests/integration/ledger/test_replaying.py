"""What the tests' ledgers and stores get is what Alembic makes, but for the ledger's own id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, text

from tests.integration.replaying import UPGRADES, replaying
from workers.connectors.audiences.store.database import Store
from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.postgresql import PostgresqlServer

SHAPES = {
    "sqlite": ("SELECT type, name, sql FROM sqlite_master ORDER BY name", "SELECT version_num FROM {table}"),
    "postgresql": (
        """SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2""",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT version_num FROM {table}",
    ),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql_server: PostgresqlServer, namespace: str
) -> Iterator[list[str]]:
    """Three databases of one kind, empty."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path / str(n)}.db" for n in range(3)]
        return
    names = [f"{namespace}_{n}" for n in range(3)]
    for name in names:
        postgresql_server.create_database(name)
    yield [postgresql_server.url(name) for name in names]
    for name in names:
        postgresql_server.drop_database(name)


def shape(url: str, version_table: str) -> list[Any]:
    """Its tables, columns and indexes, and the version that it is said to have."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        queries = [text(each.format(table=version_table)) for each in SHAPES[engine.dialect.name]]
        found = [list(map(tuple, connection.execute(each))) for each in queries]
    engine.dispose()
    return found


def id_of(url: str) -> Any:
    with Ledger(url).reading() as connection:
        return connection.execute(text("SELECT id FROM ledger_identity")).scalar()


def with_store(url: str) -> None:
    store = Store(url)
    store.upgrade()
    store.close()


@pytest.mark.usefixtures("real_migrations")
def test_a_ledger_is_the_same_but_for_its_id(urls: list[str]) -> None:
    Ledger(urls[0]).upgrade()
    with replaying():
        for url in urls[1:]:
            Ledger(url).upgrade()
    assert len({str(shape(url, "ledger_version")) for url in urls}) == 1
    assert len({id_of(url) for url in urls}) == 3


@pytest.mark.usefixtures("real_migrations")
def test_a_store_is_the_same_and_may_stand_beside_a_ledger(urls: list[str]) -> None:
    for url in urls[1:]:
        Ledger(url).upgrade()
    with_store(urls[0])
    with replaying():
        with_store(urls[1])
        with_store(urls[2])
    alone, *beside = (shape(url, "ads_version") for url in urls)
    assert beside[0] == beside[1]
    assert {row for rows in alone for row in rows} <= {row for rows in beside[1] for row in rows}


def test_what_is_not_new_is_upgraded_by_alembic(urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    with replaying():
        Ledger(urls[0]).upgrade()
        Ledger(urls[1]).upgrade()
    for module in UPGRADES:
        monkeypatch.setitem(UPGRADES, module, asked.append)
    engine = create_engine(urls[1].replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_version SET version_num = '0001'"))
    engine.dispose()
    with replaying():
        Ledger(urls[1]).upgrade()
    assert len(asked) == 1
