"""A preview, and what came of trying it, as people and programs read them."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from workers.preflight import trial
from workers.settings.spelling import counted, plain
from workers.templates.statements import terminated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.errors import TargetError
    from workers.preflight.preview import Preview, Previewed

NO_QUERY: Final = "there is no such query, so nothing runs"


def sql(preview: Preview) -> str:
    """Statements with headings, as the .sql file keeps them."""
    parts = [part for batch in preview.batches for part in _parts(batch)]
    parts += [f"-- rejected: {line}" for line in preview.rejected]
    return "\n\n".join(parts or ["-- nothing runs"]) + "\n"


def _parts(batch: Previewed) -> Iterator[str]:
    if batch.absent:
        yield f"-- {batch.absent}: {NO_QUERY}"
    for query in batch.queries:
        profiles = f", {counted(query.profiles, 'profile')}" if query.profiles else ""
        yield f"-- {query.event_type}{profiles}\n" + "\n\n".join(_statements(query))


def _statements(query: trial.TriedQuery) -> Iterator[str]:
    """Each with its `;` and, where it was tried, what came of it."""
    for statement, came in zip_longest(query.statements, query.tried):
        yield "\n".join([terminated(statement), *(_came(came) if came is not None else ())])


def _came(came: trial.Ran | TargetError) -> list[str]:
    if isinstance(came, trial.Ran):
        return [f"-- tried: {counted(came.rows, 'row')} affected"]
    first, *others = _failure(came)
    return [f"-- failed: {plain(first)}", *(f"-- {plain(line)}" for line in others)]


def _failure(error: TargetError) -> list[str]:
    """Our sentence, and the vendor's own, which may quote the data: who reads it has the event at hand."""
    said = [line for line in error.detail.splitlines() if line.strip()]
    return [f"{error.code} ({error.error_class.value}): {error.reason}", *(f"    {line}" for line in said)]


def told(outcome: trial.Outcome, preview: Preview) -> Iterator[str]:
    """What came of trying it, in sentences."""
    if outcome.unreachable is not None:
        first, *others = _failure(outcome.unreachable)
        yield from (f"cannot try: {first}", *others)
    if outcome.interrupted:
        yield "interrupted; nothing more was run"
    if outcome.committed:
        yield "WARNING: COMMITTED. A statement ended the transaction by itself; does it call a procedure that commits?"
        yield "WARNING: what had run until then may be in the database for good. Nothing more was run; look at the rows"
    elif outcome.loose:
        yield "its session could not be ended: the server rolls back when the statement that was broken off is over"
    elif outcome.unsure:
        yield "rolled back, except for what a procedure that was called may have committed: look at the rows"
    elif outcome.unreachable is None:
        yield "tried, and rolled back" if any(preview.queries) else "there is nothing to try"


def as_json(key: str, preview: Preview, outcome: trial.Outcome | None) -> dict[str, object]:
    """One object for a program; `outcome` where it was tried."""
    absent = [f"{batch.absent}: {NO_QUERY}" for batch in preview.batches if batch.absent]
    tried: dict[str, object] = {}
    if outcome is not None:
        tried = {
            "rolled_back": not (outcome.committed or outcome.loose or outcome.unsure),
            "interrupted": outcome.interrupted,
            "unreachable": _came_json(outcome.unreachable) if outcome.unreachable else None,
        }
    return {
        "integration": key,
        "segment": preview.segment,
        "queries": [
            {
                "event_type": query.event_type,
                "profiles": query.profiles,
                "statements": query.statements,
                "tried": [_came_json(came) for came in query.tried],
            }
            for queries in preview.queries
            for query in queries
        ],
        "rejected": preview.rejected,
        "notes": [*preview.notes, *absent],
        **tried,
    }


def _came_json(came: trial.Ran | TargetError) -> dict[str, object]:
    if isinstance(came, trial.Ran):
        return {"rows": came.rows}
    return {"code": came.code, "class": came.error_class.value, "reason": came.reason, "detail": came.detail}
