"""One table `people` in each database for a whole file: to make one for each test took longer than the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.people import TABLES, database
from tests.servers.rows import Database
from workers.connectors.audiences.store.database import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target

EMPTY = {"clickhouse": "TRUNCATE TABLE people"}

People = Callable[[str], "Target"]
"""Where a table `people` with nobody in it stands, by the database's name in `people.TABLES`."""


@pytest.fixture(scope="module")
def people(request: pytest.FixtureRequest) -> Iterator[People]:
    """Gives them as they are asked for, each time empty."""
    made: dict[str, Target] = {}
    with ExitStack() as stack:

        def given(name: str) -> Target:
            first = name not in made
            if first:
                made[name] = stack.enter_context(database(name, request))
            with Database(made[name]) as opened:
                opened.run(TABLES[name][0] if first else EMPTY.get(name, "DELETE FROM people"))
            return made[name]

        yield given


@pytest.fixture(scope="session")
def empty_store() -> Iterator[Path]:
    """A store of ad accounts with its tables, in memory: no test here is about a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - below it a folder of our own
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Path(folder) / "empty.db"
        store = Store(f"sqlite:///{made}")
        store.upgrade()
        store.close()
        yield made
