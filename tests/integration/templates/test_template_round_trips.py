"""Real servers give back, byte by byte, whatever stood in a profile (the promise that no data becomes code).

Templates are put together of all kinds of places, in any order and with any text of their own around them; batches of
profiles with any text, or none, in their fields. ClickHouse has a file of its own, since its engine is no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.integration.templates.places import (
    ANY_TEXT,
    ATTACKS,
    COLUMNS,
    FIND,
    WITHOUT_NUL,
    Profile,
    Spot,
    any_batch,
    any_places,
    attackers,
    columns,
    compiled,
    expected,
    insert,
    places,
    rendered,
)
from tests.integration.templates.writing import Server, serving
from tests.servers.mariadb import BINARY
from workers.templates import BadRows, QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target

TYPES = {
    "postgresql": ('text COLLATE "C"', ""),
    "mysql": ("longtext", f"COLLATE {BINARY}"),
    "sqlite": ("text", ""),
}


def table(dialect: str) -> str:
    """CREATE TABLE with as many texts as there are kinds of places."""
    kind, options = TYPES[dialect]
    return f"CREATE TABLE t (n int, {', '.join(f'{name} {kind}' for name in columns(COLUMNS))}) {options}"


@pytest.fixture
def postgresql(postgresql_target: Target) -> Iterator[Server]:
    yield from serving(postgresql_target, table("postgresql"))


@pytest.fixture
def mariadb(mariadb_target: Target) -> Iterator[Server]:
    yield from serving(mariadb_target, table("mysql"))


@pytest.fixture
def sqlite(sqlite_target: Target) -> Iterator[Server]:
    yield from serving(sqlite_target, table("sqlite"))


def round_trip(server: Server, found: list[Spot], batch: list[Profile], name: str) -> None:
    """What is written is what is read; a list of keys finds these rows and no others."""
    writing = rendered(compiled(insert(found), server.dialect), batch, name)
    server.transact("DELETE FROM t", *writing)
    assert server.rows(*columns(len(found))) == expected(found, batch, name)

    half = batch[::2]
    (gone,) = server.transact(*rendered(compiled(FIND, server.dialect, QueryKind.REMOVE), half, name))
    assert gone == len(half)
    assert server.rows(*columns(len(found))) == expected(found, batch[1::2], name)


SINGLE, BOTH = places("'"), places('"')


@given(found=any_places("'", backslash=False), batch=any_batch(WITHOUT_NUL), name=WITHOUT_NUL)
@example(found=SINGLE, batch=attackers(ATTACKS), name="' OR 1=1 -- \\")
def test_postgresql_gives_back_what_it_got(
    postgresql: Server, found: list[Spot], batch: list[Profile], name: str
) -> None:
    round_trip(postgresql, found, batch, name)


@given(found=any_places("'", backslash=False), batch=any_batch(WITHOUT_NUL), name=WITHOUT_NUL)
@example(found=SINGLE, batch=attackers(ATTACKS), name="' OR 1=1 -- \\")
def test_sqlite_gives_back_what_it_got(sqlite: Server, found: list[Spot], batch: list[Profile], name: str) -> None:
    round_trip(sqlite, found, batch, name)


@given(found=any_places("'\"", backslash=True), batch=any_batch(ANY_TEXT), name=ANY_TEXT)
@example(found=SINGLE, batch=attackers([*ATTACKS, "\0", "\\\0'"]), name="' OR 1=1 -- \\")
@example(found=BOTH, batch=attackers([*ATTACKS, "\0", '\\\0"']), name='" OR 1=1 -- \\')
def test_mariadb_gives_back_what_it_got(mariadb: Server, found: list[Spot], batch: list[Profile], name: str) -> None:
    round_trip(mariadb, found, batch, name)


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
@given(batch=any_batch(ANY_TEXT), at=st.integers(0, 7))
def test_a_text_that_the_database_cannot_hold_is_a_data_error_of_its_profile(
    dialect: str, batch: list[Profile], at: int
) -> None:
    at %= len(batch)
    batch[at]["F"] = "a\0b"
    query = compiled("INSERT INTO t VALUES {for $x = $batch}('{$x.K}', '{$x.F}'){autocomma}{end}", dialect)
    bad = [n for n, each in enumerate(batch) if "\0" in each["K"] or "\0" in (each.get("F") or "")]

    with pytest.raises(BadRows) as caught:
        rendered(query, batch)

    assert [error.index for error in caught.value.errors] == bad
    assert at in bad
