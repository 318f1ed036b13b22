"""The place of an operation in the order of all that came in (rule 1).

Inside it is text of fixed width, 13 digits of milliseconds, 7 of a counter within one and 7 of the place in the
event, so that text compares as numbers do: in Lua, where numbers end at 53 bits, and in a target's table.
"""

from __future__ import annotations

import hashlib
from string import ascii_lowercase
from typing import NamedTuple

MAX_MS = 2**43 - 1
"""Milliseconds that a sequence can hold: until 2248."""
MAX_N = 2**20 - 1
"""Events within one millisecond that a sequence can hold: `number` keeps to 63 bits, and never falls."""
TEXT_LENGTH = 27
"""Digits: 13 of milliseconds, 7 of the stream id's second part, 7 of the place in the event."""


def text_of(ms: int, n: int, index: int) -> str:
    """The fixed-width digits."""
    return f"{ms:013d}{n:07d}{index:07d}"


def fingerprint_of(content: bytes) -> str:
    """Five letters of whatever stands at a sequence."""
    value = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())
    return "".join(ascii_lowercase[value // 26**place % 26] for place in range(5))


def number_of(ms: int, n: int) -> int:
    """`{sequence}` of templates: 63 bits, never falling along a lane."""
    return (ms << 20) + n


class Sequence(NamedTuple):
    """A place in the order.

    ms     Unix milliseconds
    n      place among the events of one millisecond
    index  place of the profile within its event; 0 for a segment event
    """

    ms: int
    n: int
    index: int = 0  # type: ignore[assignment]  # tuple.index means nothing here

    def __str__(self) -> str:
        return text_of(*self)

    @classmethod
    def from_text(cls, text: str) -> Sequence:
        """Back from the fixed-width digits. ValueError for anything else."""
        if len(text) != TEXT_LENGTH or not text.isdecimal() or not text.isascii():
            raise ValueError(f"{text[: TEXT_LENGTH + 1]!r} is no sequence; expected {TEXT_LENGTH} digits")
        return cls(int(text[:13]), int(text[13:20]), int(text[20:]))

    @property
    def number(self) -> int:
        """`{sequence}` of templates."""
        return number_of(self.ms, self.n)

    @property
    def fits(self) -> bool:
        """Whether its digits are as many as there is room for."""
        return 0 <= self.ms <= MAX_MS and 0 <= self.n <= MAX_N

    def next_event(self) -> Sequence:
        """The first place that an event after this one can have."""
        return Sequence(self.ms, self.n + 1) if self.n < MAX_N else Sequence(self.ms + 1, 0)
