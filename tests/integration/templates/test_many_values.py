"""A hundred thousand hostile values for each engine in `make proof`: what is stored is what came, at every place.

Random templates are judged elsewhere; here it is the values, as many of them as large batches can carry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.templates.places import Profile, compiled, rendered
from tests.integration.templates.writing import Server, serving
from tests.proof import draws, seeded
from tests.servers.clickhouse import ClickhouseEngine
from tests.servers.mariadb import BINARY
from tests.unit.templates.odd_templates import odd_value, storable
from workers.templates import QueryKind

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.proof import Recorder
    from workers.connectors.contract import Target

pytestmark = pytest.mark.proof

VALUES = draws(2_000, 100_000)
BATCH = 1_000

PLACES = ["{$x.F}", "'{$x.F}'", "'a-{$x.F}-b'", "'it''s {$x.F}{$x.F}'", "{trim $x.F}"]
DOUBLE = ['"{$x.F}"', "\"a'{$x.F}'b\""]
"""Where double quotes are for texts."""

FIND = 'SELECT count(*) FROM t WHERE n >= 0 AND c0 IN ({batch_in "F"})'


def query(places: list[str]) -> str:
    names = ", ".join(["n", *(f"c{n}" for n in range(len(places)))])
    return f"INSERT INTO t ({names}) VALUES {{for $i, $x = $batch}}({{$i}}, {', '.join(places)}){{autocomma}}{{end}}"


def stored(text: str) -> list[str]:
    """What the places must hold."""
    return [text, text, f"a-{text}-b", f"it's {text}{text}", text.strip(), text, f"a'{text}'b"]


def value(dice: random.Random, dialect: str) -> str:
    """Some odd values in one, now and then a long one, or one with any character there is."""
    text = "".join(odd_value(dice) for _ in range(dice.randint(1, 3)))
    if dice.random() < 0.2:
        text += "".join(chr(dice.choice([dice.randrange(0xD800), dice.randrange(0xE000, 0x110000)])) for _ in range(4))
    if dice.random() < 0.01:
        text *= 300
    return storable(text, dialect)


def batches(dialect: str) -> Iterator[tuple[int, list[Profile]]]:
    """All values, a batch at a time, and the seed."""
    dice, seed = seeded(5)
    for _ in range(0, VALUES, BATCH):
        yield seed, [{"F": value(dice, dialect)} for _ in range(BATCH)]


def check(server: Server, places: list[str], record: Recorder) -> None:
    columns = [f"c{n}" for n in range(len(places))]
    writing = compiled(query(places), server.dialect)
    finding = compiled(FIND, server.dialect, QueryKind.REMOVE)
    for seed, batch in batches(server.dialect):
        server.transact("DELETE FROM t", *rendered(writing, batch))
        for row, profile in zip(server.rows(*columns), batch, strict=True):
            assert list(row) == stored(profile["F"])[: len(places)], (seed, profile)
        keyed = [profile for profile in batch if profile["F"]]
        ((count,),) = server.database.rows(rendered(finding, keyed)[0])
        assert count == len(keyed), seed
    record("drew", f"{VALUES:,} values, each in {len(places)} places")


def table(kind: str, places: list[str], options: str = "") -> str:
    return f"CREATE TABLE t (n int, {', '.join(f'c{n} {kind}' for n in range(len(places)))}) {options}"


def test_mariadb_stores_what_came(mariadb_target: Target, record_property: Recorder) -> None:
    places = [*PLACES, *DOUBLE]
    for server in serving(mariadb_target, table("longtext", places, f"COLLATE {BINARY}")):
        check(server, places, record_property)


def test_postgresql_stores_what_came(postgresql_target: Target, record_property: Recorder) -> None:
    for server in serving(postgresql_target, table('text COLLATE "C"', PLACES)):
        check(server, PLACES, record_property)


def test_sqlite_stores_what_came(sqlite_target: Target, record_property: Recorder) -> None:
    for server in serving(sqlite_target, table("text", PLACES)):
        check(server, PLACES, record_property)


def test_clickhouse_stores_what_came(record_property: Recorder) -> None:
    engine = ClickhouseEngine()
    try:
        engine.run(table("String", PLACES, "ENGINE = Memory"))
        writing = compiled(query(PLACES), "clickhouse")
        for seed, batch in batches("clickhouse"):
            engine.run("TRUNCATE TABLE t", *rendered(writing, batch))
            columns = [f"c{n}" for n in range(len(PLACES))]
            for row, profile in zip(engine.texts("t", columns), batch, strict=True):
                assert list(row) == stored(profile["F"])[: len(PLACES)], (seed, profile)
        record_property("drew", f"{VALUES:,} values, each in {len(PLACES)} places")
    finally:
        engine.close()
