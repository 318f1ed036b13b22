"""What a repeated delivery would do, and one that is left out; what verbs do beside what they say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.integrations import named_insert
from workers.preflight.seen import Remark, Seen, fields, names, spelled, warning
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.inspection import Table
    from workers.preflight.shapes import Shape


def repeated(seen: Seen, at: int, shape: Shape) -> Iterator[Remark]:
    """What comes of a batch that comes again; `at` is the statement's place in the query."""
    yield from _growing(seen, shape)
    yield from _plain_insert(seen, at, shape)


def verbs(seen: Seen, shape: Shape, table: Table | None) -> Iterator[Remark]:
    """IGNORE, and REPLACE."""
    if shape.ignores:
        yield warning(
            f"IGNORE in the change of {shape.table!r} {seen.traits.ignoring}; expected the statement without IGNORE, "
            f"and {seen.traits.upsert} where a row may be there: what does not fit then goes to quarantine"
        )
    if table is not None and table.caution and shape.verb == "insert":
        yield warning(f"{table.name!r} {table.caution}")
    if shape.conflict == "replace" and table is not None:
        yield from _replacing(shape, table)


def _replacing(shape: Shape, table: Table) -> Iterator[Remark]:
    """REPLACE deletes the row that is there, and inserts another."""
    lost = [] if shape.listed is None else [name for name in table.columns if name not in shape.listed]
    kept = [name for name in lost if not table.columns[name].computed]
    found = []
    if kept:
        found.append(f"{spelled(table, kept)} lose what they hold")
    if table.followers:
        found.append(f"rows of {names(table.followers)} that point at it are deleted or emptied by their foreign keys")
    if found:
        yield warning(
            f"REPLACE deletes the row of {shape.table!r} that is there and inserts another, so {', and '.join(found)}; "
            "expected an INSERT that updates the row that is there"
        )


_TOLD_ONCE = "of several operations for one key in a batch only the last is told"
_TOLD_ALL = 'expected ordering = "strict" or no batch, with which each of them is told'


def told_once(seen: Seen, shape: Shape) -> Iterator[Remark]:
    """Where the outcome depends on operations that a later one of their key made needless."""
    if not (seen.merges and seen.kind.has_profiles):
        return
    if shape.keeps:
        yield warning(
            f"sets {names(shape.keeps)} of {shape.table!r} from what is there, while {_TOLD_ONCE}: nothing is "
            f"left of those before it; {_TOLD_ALL}, or a value that does not depend on the old one"
        )
    elif kept := _kept(seen, shape):
        yield warning(
            f"leaves {names(kept)} of a row of {shape.table!r} that is there as it is, while {_TOLD_ONCE}: a new row "
            f"then begins with what came last and not with what came first; {_TOLD_ALL}"
        )
    elif seen.kind is QueryKind.REMOVE and shape.verb == "update" and named_insert(seen.integration.queries):
        yield warning(
            f"changes rows of {shape.table!r} and deletes none, while {_TOLD_ONCE}: of a member who is added and "
            f"removed in one batch there is no row then; {_TOLD_ALL}"
        )


def _kept(seen: Seen, shape: Shape) -> list[str]:
    """Columns that take more of a profile than its key, and only when the row is new."""
    if shape.verb != "insert" or shape.conflict not in ("nothing", "ignore", "update"):
        return []
    others = {name: set(fields(seen, values)) - {*seen.identity} for name, values in shape.inserted.items()}
    return [name for name, taken in others.items() if taken and name not in shape.sets]


_REPEATED = "delivery is at least once, so after a crash the same batch comes again"


def _growing(seen: Seen, shape: Shape) -> Iterator[Remark]:
    if shape.grows and not seen.integration.exactly_once:
        columns = names(shape.grows)
        yield warning(
            f"sets {columns} of {shape.table!r} from what is there, which counts twice when it is repeated: "
            f"{_REPEATED}; expected exactly_once = true, or a value that does not depend on the old one"
        )


def _plain_insert(seen: Seen, at: int, shape: Shape) -> Iterator[Remark]:
    if shape.verb != "insert" or shape.conflict or shape.guarded or seen.integration.exactly_once:
        return
    cleared = any(
        before.verb == "delete" and (before.schema, before.table) == (shape.schema, shape.table)
        for before, _ in seen.changes[:at]
    )
    if not cleared:
        once = ", or exactly_once" if seen.has_transactions else ""
        yield warning(
            f"inserts into {shape.table!r} and does not say what happens to a row that is there already: "
            f"{_REPEATED}, and a member added again is inserted again; expected {seen.traits.upsert_whole}{once}"
        )
