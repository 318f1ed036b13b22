"""What a repeated delivery would do, and what verbs do beside what they say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.preflight.seen import Remark, Seen, names, spelled, warning

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
