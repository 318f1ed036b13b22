"""Where in Redis a person's data waits: events, operations, and runs of resyncs that show keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from workers.lanes.answers import field_of
from workers.lanes.chunks import MARK, UnreadableChunk, unpack
from workers.lanes.walking import chunks, entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from redis import Redis

    from workers.control.person import Person
    from workers.lanes.keys import Keys


class WaitingIn(NamedTuple):
    """A lane with operations of theirs, and how many."""

    integration: str
    segment: str
    operations: int


def in_intake(redis: Redis, keys: Keys, person: Person) -> int:
    """Events that no router has moved yet. redis.RedisError."""
    return sum(any(map(person.is_in, each.fields)) for each in entries(redis, keys.events))


def in_lanes(redis: Redis, keys: Keys, is_theirs: Callable[[str, bytes], bool]) -> list[WaitingIn]:
    """Lanes that owe something of theirs, those of integrations that are gone among them. redis.RedisError.

    is_theirs  asked of an integration and an operation's profile
    """
    found = []
    prefix = f"{keys.namespace}:chunks:"
    for name in _keys(redis, prefix, "list"):
        integration, _, segment = name.removeprefix(prefix).partition(":")
        operations = sum(is_theirs(integration, each) for each in _bodies(redis, name))
        if operations:
            found.append(WaitingIn(integration, segment, operations))
    return sorted(found)


def in_runs(redis: Redis, keys: Keys, is_named_in: Callable[[str, str], bool]) -> list[str]:
    """Keys in Redis of the runs that show keys of theirs. redis.RedisError.

    is_named_in  asked of an integration and what its run shows
    """
    return sorted(
        name
        for name in _keys(redis, f"{keys.namespace}:run:", "hash")
        if is_named_in(*(field_of(redis, name, field) or "" for field in ("integration", "shown")))
    )


def _bodies(redis: Redis, key: str) -> Iterator[bytes]:
    for chunk in chunks(redis, key):
        try:
            operations = unpack(chunk)[1]
        except UnreadableChunk:
            yield chunk  # no JSON: its words are looked at
            continue
        yield from (each.body for each in operations if each.is_profile and each.kind != MARK)


def _keys(redis: Redis, prefix: str, kind: str) -> Iterator[str]:
    """Names that begin so; a namespace has no sign that a pattern would take for its own."""
    for name in redis.scan_iter(match=f"{prefix}*", count=1_000, _type=kind):
        yield cast("bytes", name).decode(errors="replace")
