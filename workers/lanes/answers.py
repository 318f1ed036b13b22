"""Redis's answers, read once: redis-py types each as one, or a promise of one, in bytes or text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from workers.lanes.messages import Claimed, Lost, More, Rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

Text = dict[str, str]


class Moved(NamedTuple):
    """A step of the intake that was moved.

    dropped  operations that were not, of integrations that drop their newest where their backlog is full
    """

    dropped: dict[str, int]


def moved(answer: Sequence[object]) -> Moved:
    """From integrations and numbers by turns."""
    names, numbers = (cast("Sequence[bytes]", answer[::2]), cast("Sequence[int]", answer[1::2]))
    return Moved({name.decode(): number for name, number in zip(names, numbers, strict=True)})


def claimed(claim: str, answer: list[Any]) -> Claimed:
    """A lane that was given to this claim, as claim.lua and join.lua tell it."""
    integration, segment, done, to, clear = (part.decode() for part in answer[1:6])
    suspect, passed, tried_to = (part.decode() for part in answer[8:11])
    return Claimed(
        claim,
        integration,
        segment,
        done,
        to,
        clear,
        attempts=int(answer[6]),
        limit=int(answer[7]) or None,
        suspect=suspect,
        passed=frozenset(passed.split()),
        tried_to=tried_to,
        deaths=answer[11],
        probing=answer[12].decode(),
        open=answer[13],
        no_room=bool(answer[14]),
        aside=answer[15],
        chunks=answer[16:],
    )


def settled(answer: list[Any]) -> More | Rest | Lost:
    """How a turn goes on, as settle.lua says."""
    if answer[0] == b"more":
        return More(answer[1].decode(), answer[2].decode(), answer[3], bool(answer[4]), answer[5:])
    return Lost() if answer[0] == b"lost" else Rest()


def text_of(answer: object) -> str | None:
    """A value as text; None where there is none."""
    return None if answer is None else cast("bytes", answer).decode()


def number_of(answer: object) -> int | None:
    """A value as an integer, which Lua may have written with a fraction; None where there is none."""
    return None if answer is None else int(float(cast("bytes", answer)))


def fields_of(redis: Redis, key: str) -> Text:
    """All fields of a hash; empty where there is none. Raises redis.RedisError."""
    found = cast("dict[bytes, bytes]", redis.hgetall(key))
    return {name.decode(): value.decode() for name, value in found.items()}


def some_fields_of(redis: Redis, key: str, names: Sequence[str]) -> list[str | None]:
    """These fields of a hash, None for each that is not there. Raises redis.RedisError."""
    return [text_of(value) for value in cast("list[bytes | None]", redis.hmget(key, list(names)))]


def members_of(redis: Redis, key: str) -> set[str]:
    """The members of a set. Raises redis.RedisError."""
    return {member.decode() for member in cast("set[bytes]", redis.smembers(key))}


def first_of(redis: Redis, key: str, most: int, *, up_to: float | None = None) -> list[str]:
    """The first members of a sorted set, of a score up to one if it is given. Raises redis.RedisError."""
    high = "+inf" if up_to is None else up_to
    found = cast("list[bytes]", redis.zrangebyscore(key, "-inf", high, start=0, num=most))
    return [member.decode() for member in found]


def field_of(redis: Redis, key: str, name: str) -> str | None:
    """A field of a hash; None where there is none. Raises redis.RedisError."""
    return text_of(redis.hget(key, name))
