"""What becomes of the quarantine's entries, in the ledger (rule 30).

Only the drainer changes states, from the records of the outcomes stream, in its order. Writing them twice is writing
them once: "delivered", "superseded", "replaced" and "dropped" are final, and until then the last one counts. A drainer
that was overtaken may still write what another has long gone beyond: that changes nothing, since times in the stream
never fall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, bindparam, delete, func, insert, literal_column, or_, select, update

from workers.ledger.rows import change_row, stored_moment, stored_text
from workers.ledger.tables import UNRESOLVED, purged, quarantine
from workers.outcomes import UNFINISHED, Cleared, Resolved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from workers.ledger.rows import Row
    from workers.outcomes import Record

MINUTE_MS: Final = 60_000
"""What is purged is added up by the minute it was quarantined in: fine enough for statistics by the hour."""
PROFILE_EVENTS: Final = ("add", "remove", "clear")
"""What a clear supersedes; it says nothing of a segment's name and end."""

_CHANGE = (
    update(quarantine)
    .where(quarantine.c.uid == bindparam("of"), UNRESOLVED)
    .values({name: bindparam(name) for name in ("state", "changed_ms", "changed_by", "note")})
)
_CHANGE_UNFINISHED = _CHANGE.where(func.coalesce(quarantine.c.changed_ms, 0) <= bindparam("changed_ms"))


def apply_changes(connection: Connection, records: Iterable[Record]) -> None:
    """Writes down what became of entries, within the connection's transaction."""
    pending: dict[str, Resolved] = {}
    for record in records:
        if isinstance(record, Resolved):
            before = pending.get(record.entry)
            if before is None or before.state in UNFINISHED:
                pending[record.entry] = record
        elif isinstance(record, Cleared):
            _resolve(connection, pending)
            _clear(connection, record)
    _resolve(connection, pending)


def _resolve(connection: Connection, pending: dict[str, Resolved]) -> None:
    final: list[Row] = [change_row(record) for record in pending.values() if record.state not in UNFINISHED]
    others: list[Row] = [change_row(record) for record in pending.values() if record.state in UNFINISHED]
    if final:
        connection.execute(_CHANGE, final)
    if others:
        connection.execute(_CHANGE_UNFINISHED, others)
    pending.clear()


def _clear(connection: Connection, record: Cleared) -> None:
    changed = {"state": "superseded", "changed_ms": stored_moment(record.at_ms), "note": stored_text(record.code)}
    wanted = and_(
        quarantine.c.integration == stored_text(record.integration),
        quarantine.c.segment == stored_text(record.segment),
        quarantine.c.event_type.in_(PROFILE_EVENTS),
        quarantine.c.sequence < stored_text(record.sequence),
    )
    connection.execute(update(quarantine).where(UNRESOLVED, wanted).values(changed))


def purge(connection: Connection, before_ms: int, most: int) -> int:
    """Deletes entries that were resolved before that, at most so many; returns how many. Their sums stay.

    An event that never reached an integration is done with once it was retried: nothing of it is on its way.
    """
    resolved = or_(~UNRESOLVED, and_(quarantine.c.state == "retried", quarantine.c.source == "intake"))
    wanted = select(quarantine.c.id).where(quarantine.c.changed_ms < before_ms, resolved).limit(most)
    old = quarantine.c.id.in_(list(connection.execute(wanted).scalars()))
    column = quarantine.c
    minute = column.at_ms - column.at_ms % literal_column(str(MINUTE_MS))
    causes = (column.integration, column.event_type, column.code, column.reason, minute)
    sums = select(*causes, func.count()).where(old).group_by(*causes)
    names = ("integration", "event_type", "code", "reason", "at_ms", "many")
    connection.execute(insert(purged).from_select(names, sums))
    return connection.execute(delete(quarantine).where(old)).rowcount
