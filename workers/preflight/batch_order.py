"""Whether a batch's adds and removes must take turns, which costs statements: by what the target says of its table.

And whether that bears out the file's own word, `ordering = "exact"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.unique_keys import why_keys_meet
from workers.integrations import Ordering, named_insert
from workers.preflight.findings import Finding
from workers.preflight.seen import EXACT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.inspection import Examined
    from workers.integrations import Integration

BY_TURNS = (
    "a batch's adds and removes run by turns, since two keys could be one row: {why};"
    ' ordering = "exact" lets them run together, where different keys are surely different rows'
)

CONTRADICTED = (
    f"{EXACT} that different keys are different rows, and the target does not bear that out: {{why}}; where two keys "
    "meet, rows would be wrong; expected it left out, or a table of which it is true"
)
CONFIRMED = (
    'ordering = "exact" is what the table says, too: its unique keys are the key\'s, and no column takes two for one'
)
UNASKED = f"{EXACT} that different keys are different rows; the table is not asked, since add is no plain INSERT"


def takes_turns(session: Examined, integration: Integration) -> str:
    """Why, in one sentence; "" where they need not, or where it is not for the table to tell. Raises TargetError."""
    if not integration.batched or integration.ordering is not Ordering.CATALOG:
        return ""
    insert = named_insert(integration.queries)
    if insert is None:
        return ""
    why = why_keys_meet(session, insert, integration.key_fields)
    return BY_TURNS.format(why=why) if why else ""


def merges(integration: Integration, turns: str) -> bool:
    """Whether of several operations for one key in a batch only the last is told; `turns` is of `takes_turns`."""
    settled = integration.ordering is Ordering.CATALOG and not turns
    return integration.batched and (integration.ordering.merges or settled)


def exactness(
    session: Examined, integration: Integration, found: Sequence[Finding], *, read: bool
) -> tuple[list[Finding], str]:
    """What the target says of the word "exact": what contradicts it, or a sentence for who wrote it; TargetError.

    found  of the integration's queries: what says already that two keys are one row is not said again
    read   whether all of its queries could be
    """
    if not integration.batched or integration.ordering is not Ordering.EXACT:
        return [], ""
    if any(EXACT in each.what for each in found):
        return [], ""
    insert = named_insert(integration.queries)
    if insert is None:
        return [], UNASKED
    # What the key's column takes for equal is among the findings of the queries.
    why = why_keys_meet(session, insert, integration.key_fields, types=False)
    if why:
        where = f"integrations.{integration.key}.ordering"
        return [Finding("warning", where, CONTRADICTED.format(why=why))], ""
    sure = read and not why_keys_meet(session, insert, integration.key_fields)
    return [], CONFIRMED if sure else ""
