"""The revisions that were applied, kept so that one can be looked at, compared and applied again.

No secret is in them: what is published has the variables of addresses and passwords as they were written.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError
from workers.lanes.answers import packed_field_of, packed_fields_of
from workers.settings.differences import compared

if TYPE_CHECKING:
    from redis import Redis
    from redis.client import Pipeline

    from workers.lanes.keys import Keys

KEPT: Final = 50
"""Revisions, the newest: a few kilobytes each, packed."""


class UnknownRevision(SegsyncError):
    """No revision of this number is kept; the message says which are."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A configuration as it was published.

    at    ISO 8601, UTC, by the clock of whoever applied it
    by    user and host
    note  why, where a command did it: "rollback to 3"; else ""
    text  what was published
    """

    number: int
    at: str
    by: str
    note: str
    text: str


@dataclass(frozen=True, slots=True)
class ToldRevision:
    """A revision that was applied, and which keys it changed; [] for the oldest that is kept."""

    revision: int
    at: str
    by: str
    note: str
    changed: list[str]


def keep(pipe: Pipeline, keys: Keys, revision: Revision) -> None:
    """Adds a revision to those that are kept, and forgets the oldest, in the caller's transaction."""
    told = {"at": revision.at, "by": revision.by, "note": revision.note, "text": revision.text}
    pipe.hset(keys.revisions, str(revision.number), zlib.compress(json.dumps(told).encode()))
    pipe.hdel(keys.revisions, str(revision.number - KEPT))


def forget_all(pipe: Pipeline, keys: Keys) -> None:
    """Before a first revision: numbers begin anew."""
    pipe.delete(keys.revisions)


def history(redis: Redis, keys: Keys) -> list[Revision]:
    """All that are kept, the newest first. redis.RedisError."""
    fields = packed_fields_of(redis, keys.revisions)
    found = [_unpacked(int(number), packed) for number, packed in fields.items()]
    return sorted(found, key=lambda each: -each.number)


def listed(redis: Redis, keys: Keys) -> list[ToldRevision]:
    """The same as it is shown, each compared with the one before it. redis.RedisError."""
    kept = history(redis, keys)
    return [
        ToldRevision(each.number, each.at, each.by, each.note, _changed(each, before))
        for each, before in zip_longest(kept, kept[1:])
    ]


def _changed(revision: Revision, before: Revision | None) -> list[str]:
    return [] if before is None else [str(each) for each in compared(before.text, revision.text)]


def find(redis: Redis, keys: Keys, number: int) -> Revision:
    """One that is kept; UnknownRevision. redis.RedisError."""
    packed = packed_field_of(redis, keys.revisions, str(number))
    if packed is None:
        numbers = sorted(int(each) for each in packed_fields_of(redis, keys.revisions))
        told = f"expected one of {numbers[0]} to {numbers[-1]}" if numbers else "none is kept yet"
        raise UnknownRevision(f"no revision {number}; {told}")
    return _unpacked(number, packed)


def _unpacked(number: int, packed: bytes) -> Revision:
    told = json.loads(zlib.decompress(packed))
    return Revision(number, told["at"], told["by"], told["note"], told["text"])
