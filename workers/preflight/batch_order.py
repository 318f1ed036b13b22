"""Whether a batch's adds and removes must take turns, which costs statements: by what the target says of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.unique_keys import names_rows_by_key
from workers.integrations import Ordering, named_insert

if TYPE_CHECKING:
    from workers.connectors.inspection import Examined
    from workers.integrations import Integration

BY_TURNS = (
    "a batch's adds and removes run by turns, since by its table's unique keys, types or triggers two keys could meet;"
    ' ordering = "exact" lets them run together, where different keys are surely different rows'
)


def takes_turns(session: Examined, integration: Integration) -> str:
    """Why, in one sentence; "" where they need not, or where it is not for the table to tell. Raises TargetError."""
    if not integration.batched or integration.ordering is not Ordering.CATALOG:
        return ""
    insert = named_insert(integration.queries)
    if insert is None:
        return ""
    return "" if names_rows_by_key(session, insert, integration.key_fields) else BY_TURNS
