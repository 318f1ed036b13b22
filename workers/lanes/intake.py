"""Reads the beginning of the intake: the first entries by the script that says how far it was moved, more by pages.

A script's XRANGE makes Redis turn each entry into values of Lua and back, which takes it five times as long as the
entry itself. So only the first entries, which are all where few wait, come by the script. What the pages bring stood
in the intake when they were read, behind those, and all of it is moved by a step that names the position that the
script said: if somebody has moved anything since, it moves nothing (append.lua).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.moves import InEntry

FIRST: Final = 120
"""Entries that the script reads, in pages of 8, 16, 32 and 64: giants must not pile up in its memory."""
PAGE: Final = 64
"""Entries of one page, at the most: there may be giants behind small ones, which shows when they have come."""
EVENT: Final = b"event"
GREATEST: Final = b"18446744073709551615-18446744073709551615"
"""Nothing stands behind this id, and Redis refuses to look there."""


def read_on(redis: Redis, stream: str, entries: list[tuple[bytes, InEntry]], most: int, budget: int) -> None:
    """Adds what comes behind these entries, up to `most` of them and about `budget` bytes. Raises redis.RedisError."""
    size, step = sum(_size(given) for _, given in entries), len(entries)
    while len(entries) < most and size < budget and entries[-1][0] != GREATEST:
        fitting = max(1, (budget - size) * len(entries) // max(size, 1))
        step = min(2 * step, PAGE, most - len(entries), fitting)
        # The name as bytes: the client library would make a dictionary of an entry, in which a field stands once.
        page = redis.execute_command(b"XRANGE", stream, b"(" + entries[-1][0], "+", "COUNT", step)  # type: ignore[no-untyped-call]
        found: list[InEntry] = [each[1] if len(each) == 2 and each[0] == EVENT else each for _, each in page]  # noqa: PLR2004 - a name and its value
        fit, size = _fitting(found, size, budget)
        entries += zip([entry_id for entry_id, _ in page[:fit]], found[:fit], strict=True)
        if fit < len(page) or len(page) < step:
            return


def _fitting(found: list[InEntry], size: int, budget: int) -> tuple[int, int]:
    """How many of these are taken until the budget is used up, and the size then: what is beyond is read again."""
    for number, each in enumerate(found):
        if size >= budget:
            return number, size
        size += len(each) if type(each) is bytes else _size(each)
    return len(found), size


def _size(given: InEntry) -> int:
    return len(given) if isinstance(given, bytes) else sum(map(len, given[1::2]))
