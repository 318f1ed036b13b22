"""Whether a batch's adds and removes must take turns, which costs statements: by what the target says of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.unique_keys import names_rows_by_key
from workers.integrations import Ordering
from workers.templates import QueryKind

if TYPE_CHECKING:
    from workers.connectors.inspection import Examined
    from workers.integrations import Integration

BY_TURNS = (
    "a batch's adds and removes run by turns, since the unique keys of its table are not made of the key alone;"
    ' ordering = "exact" lets them run together, where different keys are surely different rows'
)


def takes_turns(session: Examined, integration: Integration) -> str:
    """Why, in one sentence; "" where they need not, or where it is not for the table to tell. Raises TargetError."""
    insert = integration.queries[QueryKind.ADD].naming.insert
    if not integration.batched or integration.ordering is not Ordering.CATALOG or insert is None:
        return ""
    return "" if names_rows_by_key(session, insert, integration.key_fields) else BY_TURNS
