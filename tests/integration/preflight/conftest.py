"""Places on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.preflight.checking import Place
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mariadb import MariadbServer


@pytest.fixture
def mariadb(tmp_path: Path, mariadb_url: str, mariadb_server: MariadbServer) -> Place:
    return Place(tmp_path, TargetDatabase("mysql", mariadb_url, mariadb_server.password))


@pytest.fixture
def postgresql(tmp_path: Path, postgresql_url: str) -> Place:
    return Place(tmp_path, TargetDatabase("postgresql", postgresql_url))


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_url: str) -> Place:
    return Place(tmp_path, TargetDatabase("sqlite", sqlite_url))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def anywhere(request: pytest.FixtureRequest) -> Place:
    """Each database in turn, with the usual tables and a row in each."""
    place: Place = request.getfixturevalue(request.param)
    place.database.create()
    place.database.run(
        "INSERT INTO member (segment_id, client_id) VALUES (7, 'A')", "INSERT INTO segment VALUES (7, 'x')"
    )
    return place
