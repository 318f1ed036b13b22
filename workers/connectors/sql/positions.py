"""The table `segsync_position`: how far each lane is in the target, moved in the batch's own transaction (rule 22).

It belongs to the user, who makes it once, as `segsync init` prints it; each vendor has its own words for it. A lane's
name is kept as a hash of fixed length, since a segment's id may be any text.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from workers.connectors.sql.vendors import VENDORS

if TYPE_CHECKING:
    from workers.connectors.sql.vendor import PositionTable

CREATE = {scheme: vendor.position.create for scheme, vendor in VENDORS.items() if vendor.position is not None}
"""By dialect, of those that have transactions."""


def lane_hash(lane: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(lane.encode(), digest_size=16).hexdigest()


def make(dialect: str, lane: str, integration: str) -> str:
    """Makes the lane's row where there is none; settings see to it that a key has nothing to escape."""
    return _table(dialect).make.format(lane=lane_hash(lane), integration=integration)


def read(dialect: str, lane: str) -> str:
    """Reads and locks the lane's row."""
    lock = _table(dialect).lock
    return f"SELECT position FROM segsync_position WHERE lane = '{lane_hash(lane)}'{lock}"


def move(lane: str, to: str) -> str:
    """Writes the lane's position: digits, or nothing."""
    if to and not (to.isascii() and to.isdigit()):
        raise ValueError(f"expected a sequence of digits, got {to!r}")
    return f"UPDATE segsync_position SET position = '{to}' WHERE lane = '{lane_hash(lane)}'"


def _table(dialect: str) -> PositionTable:
    table = VENDORS[dialect].position
    if table is None:  # settings refuse `exactly_once` there
        raise ValueError(f"{dialect} has no transactions, and so no positions")
    return table
