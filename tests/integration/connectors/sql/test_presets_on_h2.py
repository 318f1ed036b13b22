"""What `segsync init` writes for SQL Server and Oracle, run by H2 in its modes for both: one witness of three.

The five events in any order, batches repeated at once and again after later ones, as delivery at least once may bring
them; the rows are what the events, taken one by one, describe. `make proof` alone runs it: it needs Java.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.presets import HOSTILE, Ran, preset_queries
from tests.proof import seeded
from tests.servers import h2
from workers.connectors.sql.vendors import VENDORS
from workers.templates import QueryKind

if TYPE_CHECKING:
    import random
    from pathlib import Path

pytestmark = [pytest.mark.proof, pytest.mark.fetched]

MODES = {"mssql": "MSSQLServer", "oracle": "Oracle"}
UNKNOWN = {
    # H2 has these clauses in other places, or not at all; what they do is not shown here.
    "mssql": (
        (r" WITH \(HOLDLOCK\)", ""),
        (r" COLLATE \w+", ""),
        (r" PERSISTED NOT NULL", ""),
        (r"client_key AS", "client_key varbinary(510) AS"),
    ),
    "oracle": ((r"TO_CHAR\(UNISTR\(('(?:[^']|'')*')\)\)", None),),
}
MEMBERS = "SELECT segment_id || ' ' || RAWTOHEX(STRINGTOUTF8(client_id)) FROM segment_member ORDER BY 1"
NAMES = "SELECT segment_id || ' ' || COALESCE(RAWTOHEX(STRINGTOUTF8(name)), '-') FROM segment ORDER BY 1"


class Told(NamedTuple):
    """An event, or a batch of profiles, and its statements."""

    kind: QueryKind
    segment: str
    keys: tuple[str, ...]
    name: str | None
    statements: list[str]


class Model:
    """What the events come to, taken one by one."""

    def __init__(self) -> None:
        self.members: set[tuple[str, str]] = set()
        self.names: dict[str, str | None] = {}

    def take(self, told: Told) -> None:
        rows = {(told.segment, key) for key in told.keys}
        if told.kind is QueryKind.ADD:
            self.members |= rows
        elif told.kind is QueryKind.REMOVE:
            self.members -= rows
        elif told.kind is QueryKind.SEGMENT_UPSERT:
            self.names[told.segment] = told.name
        else:
            self.members = {row for row in self.members if row[0] != told.segment}
            if told.kind is QueryKind.SEGMENT_DELETE:
                self.names.pop(told.segment, None)

    def rows(self) -> list[str]:
        return sorted(f"{segment} {hexed(key)}" for segment, key in self.members)

    def named(self) -> list[str]:
        return sorted(f"{segment} {hexed(name) if name else '-'}" for segment, name in self.names.items())


def hexed(text: str) -> str:
    return text.encode().hex()


def history(dice: random.Random, ran: Ran, length: int) -> list[Told]:
    kinds = [QueryKind.ADD] * 5 + [QueryKind.REMOVE] * 3
    kinds += [QueryKind.CLEAR, QueryKind.SEGMENT_UPSERT, QueryKind.SEGMENT_UPSERT, QueryKind.SEGMENT_DELETE]
    events = []
    for _ in range(length):
        kind, segment = dice.choice(kinds), dice.choice(["7", "8", "-9000000000000000000"])
        keys = tuple(dice.sample(HOSTILE, dice.randint(1, len(HOSTILE)))) if kind.has_profiles else ()
        name = dice.choice([*HOSTILE, None, ""]) if kind is QueryKind.SEGMENT_UPSERT else None
        events.append(Told(kind, segment, keys, name, ran.statements(kind, keys, segment=segment, name=name)))
    return events


def repeated(dice: random.Random, events: list[Told]) -> list[Told]:
    """As they may come: from any place on once more, before what follows."""
    come: list[Told] = []
    for at in range(len(events)):
        again = dice.choice([0, 0, 1, 1, 2, 3])
        come += events[max(0, at + 1 - again) : at + 1] or [events[at]]
    return come


def tables(dialect: str) -> list[str]:
    preset = VENDORS[dialect].preset
    return [preset.members, preset.segments]


def known_to_h2(dialect: str, statement: str) -> str:
    for pattern, instead in UNKNOWN[dialect]:
        statement = re.sub(pattern, instead if instead is not None else plain, statement)
    return statement


def plain(written: re.Match[str]) -> str:
    """A literal of code points, as the text that it is."""
    return re.sub(r"\\(\\|[0-9A-F]{4})", lambda code: "\\" if code[1] == "\\" else chr(int(code[1], 16)), written[1])


@pytest.mark.parametrize("dialect", MODES)
@pytest.mark.parametrize("case", range(4))
def test_the_rows_are_what_the_events_describe(dialect: str, case: int, tmp_path: Path) -> None:
    dice, seed = seeded(case)
    events = history(dice, Ran(preset_queries(dialect)), 40)
    model = Model()
    for told in events:
        model.take(told)
    come = [text for told in repeated(dice, events) for text in told.statements]
    script = [known_to_h2(dialect, text) for text in [*tables(dialect), *come]]

    members, names = h2.run(MODES[dialect], tmp_path, script, MEMBERS, NAMES)
    assert (sorted(members), sorted(names)) == (model.rows(), model.named()), f"seed {seed}"


@pytest.mark.parametrize(("dialect", "size"), [("mssql", 10_000), ("oracle", 1_200)])
def test_a_large_batch_arrives_twice_and_is_there_once(dialect: str, size: int, tmp_path: Path) -> None:
    """H2 needs 13 s for a MERGE from 1,000 SELECTs."""
    ran = Ran(preset_queries(dialect))
    keys = [f"key {number}" for number in range(size)]
    statements = [*tables(dialect), *ran.statements(QueryKind.ADD, keys) * 2]
    statements += ran.statements(QueryKind.REMOVE, keys[: size // 2])
    script = [known_to_h2(dialect, text) for text in statements]

    ((count,),) = h2.run(MODES[dialect], tmp_path, script, "SELECT COUNT(*) FROM segment_member")
    assert count == str(size // 2)


@pytest.mark.parametrize("dialect", MODES)
def test_a_position_is_made_once_and_moved(dialect: str, tmp_path: Path) -> None:
    position = VENDORS[dialect].position
    assert position is not None
    # The condition is a word of T-SQL's own; its two statements are run without it, the second where it would be.
    make = position.make.format(lane="l", integration="crm").partition(" IF @@ROWCOUNT = 0 ")
    first = [make[0].rstrip(";"), make[2]] if make[2] else [make[0]]
    move = "UPDATE segsync_position SET position = '000000000000000000000000001' WHERE lane = 'l'"
    script = [known_to_h2(dialect, text) for text in [position.create, *first, move, make[0].rstrip(";")]]

    ((found,),) = h2.run(MODES[dialect], tmp_path, script, "SELECT position FROM segsync_position")
    assert found == "000000000000000000000000001"
