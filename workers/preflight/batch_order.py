"""Whether a batch's adds and removes must take turns, which costs statements: by what the target says of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.unique_keys import why_keys_meet
from workers.integrations import Ordering, named_insert

if TYPE_CHECKING:
    from workers.connectors.inspection import Examined
    from workers.integrations import Integration

BY_TURNS = (
    "a batch's adds and removes run by turns, since two keys could be one row: {why};"
    ' ordering = "exact" lets them run together, where different keys are surely different rows'
)


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
