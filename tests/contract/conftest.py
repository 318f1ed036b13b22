"""One table `people` in each database for a whole file: to make one for each test took longer than the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.contract.people import TABLES, database
from tests.servers.rows import Database

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
