"""The table `segsync_position`: how far each lane is in the target, moved in the batch's own transaction (rule 22).

It belongs to the user, who makes it once, as `segsync init` prints it; each vendor has its own words for it. A lane's
name is kept as a hash of fixed length, since a segment's id may be any text.

A position is as long as a sequence, and begins with the same 13 digits of milliseconds; what follows is written
shorter, so that five letters tell which operation stood there, and how many before it were refused.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.sql.vendors import VENDORS
from workers.events.sequence import Sequence

if TYPE_CHECKING:
    from workers.connectors.sql.vendor import PositionTable

CREATE = {scheme: vendor.position.create for scheme, vendor in VENDORS.items() if vendor.position is not None}
"""By dialect, of those that have transactions."""


_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FORM = re.compile("([0-9]{13})([0-9a-z]{4})([0-9a-z]{5})([A-Za-z]+)")


class Reached(NamedTuple):
    """How far a lane is in the target.

    sequence     of the last operation that is there, 27 digits; "" where none is
    fingerprint  of that operation and of how many the lane had set aside by then, letters; "" where nobody wrote it
    """

    sequence: str = ""
    fingerprint: str = ""

    @classmethod
    def from_text(cls, text: str) -> Reached:
        """As `__str__` wrote it; a sequence alone, too, as it was written before. ValueError for anything else."""
        if not text:
            return cls()
        if text.isdecimal():
            return cls(str(Sequence.from_text(text)))
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:30]!r} is no position; expected 27 digits, or 13, 9 of base 36 and letters")
        ms, n, index, fingerprint = found.groups()
        return cls(str(Sequence(int(ms), int(n, 36), int(index, 36))), fingerprint)

    def __str__(self) -> str:
        if not self.fingerprint:
            return self.sequence
        ms, n, index = Sequence.from_text(self.sequence)
        return f"{ms:013d}{_base_36(n, 4)}{_base_36(index, 5)}{self.fingerprint}"


def _base_36(number: int, length: int) -> str:
    return "".join(_DIGITS[number // 36**place % 36] for place in reversed(range(length)))


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
    """Writes the lane's position: digits and letters, or nothing."""
    if to and not (to.isascii() and to.isalnum()):
        raise ValueError(f"expected digits and letters, got {to!r}")
    return f"UPDATE segsync_position SET position = '{to}' WHERE lane = '{lane_hash(lane)}'"


def _table(dialect: str) -> PositionTable:
    table = VENDORS[dialect].position
    if table is None:  # settings refuse `exactly_once` there
        raise ValueError(f"{dialect} has no transactions, and so no positions")
    return table
