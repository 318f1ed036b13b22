"""What ClickHouse says of itself.

How a statement is asked about without running it stands in `looking`. ClickHouse has no unique keys; of a table whose
engine replaces rows, what it is ordered by acts as one. Tried on ClickHouse 26.9's engine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.inspection import (
    NUMBER_SPELLING,
    TIME_SPELLING,
    Column,
    KeyPart,
    Refusal,
    Step,
    Table,
    grouped,
    taken,
)
from workers.connectors.sql.clickhouse.errors import named
from workers.connectors.sql.clickhouse.link import connect
from workers.connectors.sql.clickhouse.looking import look
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.inspection import Family, UniqueKey

OLDEST = (24, 8)
"""The first with all the settings that are sent."""
REPLACING = re.compile(r"(?:Shared|Replicated)?ReplacingMergeTree\b")
VERSIONED = re.compile(r"ReplacingMergeTree\((?:'[^']*', *'[^']*',? *)?\w+")
COMPUTED = frozenset({"ALIAS", "MATERIALIZED"})
NO_VERSION = (
    "has no version column: of rows with one key it keeps the one that was inserted last, so a batch that comes late "
    "or again undoes what has overtaken it; expected ReplacingMergeTree(version) with {$lead._sequence} as version"
)

_WRAPPED = re.compile(r"^(?:Nullable|LowCardinality)\((.*)\)$")
_NUMBERS = re.compile(r"U?Int|Float|BFloat|Decimal|Bool")
_TIMES = re.compile(r"Date|Time")


class ClickhouseExamined:
    """`inspection.Examined` on ClickHouse."""

    dialect = "clickhouse"

    def __init__(self, target: Target) -> None:
        self._link = connect(target)

    def steps(self) -> list[Step]:
        """As `Examined.steps`; each statement is a request of its own, so nobody can change a session between."""
        looks = {"version": self._version, "lock": _lock, "writes": self._writes}
        return taken(looks, lambda: self._link.lost)

    def explain(self, statement: str) -> Refusal | None:
        """As `Examined.explain`."""
        try:
            look(self._link, statement)
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; judge knows them all
            return self._refused(error)
        return None

    def table(self, schema: str, name: str) -> Table | None:
        """As `Examined.table`."""
        place = f"database = {_literal(schema) if schema else 'currentDatabase()'} AND"
        rows = self._ask(
            "SELECT name, type, default_kind, default_expression, is_in_sorting_key FROM system.columns"
            f" WHERE {place} table = {_literal(name)} ORDER BY position"
        )
        if not rows:
            return None
        columns = {row[0]: _column(*row[:4]) for row in rows}
        ((engine, full, order),) = self._ask(
            f"SELECT engine, engine_full, sorting_key FROM system.tables WHERE {place} name = {_literal(name)}"
        )
        replaces = REPLACING.match(engine) is not None
        caution = NO_VERSION if replaces and not VERSIONED.search(full) else ""
        unique = _ordered_by(order, set(columns)) if replaces else ()
        is_view = engine.endswith("View")
        return Table(name, columns, unique, engine, is_view=is_view, replaces=replaces, caution=caution)

    def close(self) -> None:
        """As `Examined.close`."""
        self._link.close()

    def _version(self) -> Step:
        ((text,),) = self._ask("SELECT version()")
        found = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
        if found < OLDEST:
            return Step("version", "mistake", f"ClickHouse {text} is too old; expected 24.8 or later")
        return Step("version", "fine", f"ClickHouse {text}")

    def _writes(self) -> Step:
        ((readonly,),) = self._ask("SELECT toString(getSetting('readonly'))")
        if readonly == "1":
            return Step("writes", "mistake", "the user may only read (readonly = 1); expected readonly = 0")
        return Step("writes", "fine", "the user may change rows, as far as its grants go")

    def _ask(self, question: str) -> list[list[str]]:
        """A question of our own; TargetError."""
        try:
            return self._link.rows(question)
        except Exception as error:  # noqa: BLE001 - as in `explain`
            raise self._link.judge(error, Phase.LOCK) from None

    def _refused(self, error: Exception) -> Refusal:
        if isinstance(error, TargetError):
            return Refusal(error)
        judged = self._link.judge(error, Phase.EXECUTE)
        if self._link.lost:
            raise judged from None
        code = getattr(error, "code", None) or 0
        return Refusal(judged, name=named(code, judged.detail))


def _lock() -> Step:
    what = (
        "ClickHouse has neither transactions nor session locks: a statement stays once it has run, a batch that fails "
        "comes again as a whole, and a late one can overlap; expected queries that may be repeated in any order, as "
        "`segsync init --dialect clickhouse` writes them"
    )
    return Step("lock", "skipped", what)


def _column(name: str, kind: str, default: str, expression: str) -> Column:
    # What is left out of an INSERT becomes 0, "" or its default: nothing is required.
    merges: tuple[str, ...] = ()
    family = _family(kind)
    if family == "number":
        merges = (NUMBER_SPELLING,)
    elif _TIMES.match(_inner(kind)):
        merges = (TIME_SPELLING,)
    elif _inner(kind) == "UUID":
        merges = ("case",)
    return Column(name, kind, family, merges=merges, computed=expression if default in COMPUTED else "")


def _family(kind: str) -> Family:
    inner = _inner(kind)
    if _NUMBERS.match(inner):
        return "number"
    return "text" if inner.startswith(("String", "FixedString", "Enum")) else "other"


def _inner(kind: str) -> str:
    while found := _WRAPPED.match(kind):
        kind = found[1]
    return kind


def _ordered_by(order: str, columns: set[str]) -> tuple[UniqueKey, ...]:
    parts = [part.strip().strip("`") for part in re.split(r",(?![^(]*\))", order)]
    return grouped(
        ("ORDER BY", part, KeyPart.WHOLE if part in columns else KeyPart.EXPRESSION) for part in parts if part
    )


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
