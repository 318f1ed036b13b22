"""The table `segsync_position`: how far each lane is in the target, moved in the batch's own transaction (rule 22).

It belongs to the user, who makes it once: `CREATE` is what `segsync init` prints. A lane's name is kept as a hash of
fixed length, since a segment's id may be any text.
"""

from __future__ import annotations

import hashlib

CREATE = {
    "mysql": "CREATE TABLE segsync_position (lane char(32) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,"
    " integration varchar(63) CHARACTER SET ascii NOT NULL, position varchar(27) CHARACTER SET ascii NOT NULL)"
    " ENGINE=InnoDB",
    "postgresql": "CREATE TABLE segsync_position (lane char(32) PRIMARY KEY, integration varchar(63) NOT NULL,"
    " position varchar(27) NOT NULL)",
    "sqlite": "CREATE TABLE segsync_position (lane text PRIMARY KEY, integration text NOT NULL,"
    " position text NOT NULL)",
}

_MAKE = {
    "mysql": "INSERT IGNORE INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')",
    "postgresql": "INSERT INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')"
    " ON CONFLICT DO NOTHING",
    "sqlite": "INSERT INTO segsync_position (lane, integration, position) VALUES ('{lane}', '{integration}', '')"
    " ON CONFLICT DO NOTHING",
}


def lane_hash(lane: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(lane.encode(), digest_size=16).hexdigest()


def make(dialect: str, lane: str, integration: str) -> str:
    """Makes the lane's row where there is none; settings see to it that a key has nothing to escape."""
    return _MAKE[dialect].format(lane=lane_hash(lane), integration=integration)


def read(dialect: str, lane: str) -> str:
    """Reads and locks the lane's row; SQLite's transaction has the whole file already."""
    locked = "" if dialect == "sqlite" else " FOR UPDATE"
    return f"SELECT position FROM segsync_position WHERE lane = '{lane_hash(lane)}'{locked}"


def move(lane: str, to: str) -> str:
    """Writes the lane's position: digits, or nothing."""
    if to and not (to.isascii() and to.isdigit()):
        raise ValueError(f"expected a sequence of digits, got {to!r}")
    return f"UPDATE segsync_position SET position = '{to}' WHERE lane = '{lane_hash(lane)}'"
