"""Redis's answers, read once: redis-py types each as one, or a promise of one, in bytes or text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from workers.lanes.messages import Claimed, Lost, More, Rest, Stop, Systemic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from redis import Redis

Text = dict[str, str]

PAGE: Final = 1000
"""Members that one step of a scan looks at, about, so that nobody else waits for long."""


class StreamEntry(NamedTuple):
    """An entry of a stream: its id, and its fields and values by turns."""

    id: str
    fields: tuple[bytes, ...]


class Moved(NamedTuple):
    """A step of the intake that was moved.

    dropped  operations that were not, of integrations that drop their newest where their backlog is full
    """

    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Alike:
    """Another profile was refused as this one is, nobody else could be asked of either, and none has passed since."""


def given_back(reply: Sequence[bytes]) -> bool | Systemic | Alike:
    """From release.lua: False if the lane is another claim's; after "systemic" a code, how often it came, and so on."""
    if reply[0] == b"alike":
        return Alike()
    if reply[0] != b"systemic":
        return reply[0] == b"ok"
    causes = ((code.decode(), int(times)) for code, times in zip(reply[1::2], reply[2::2], strict=True))
    return Systemic(tuple(sorted(causes, key=lambda cause: -cause[1])))


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
        passed_over=int(answer[16]),
        chunks=answer[17:],
    )


_ENDS: Final[dict[bytes, type[Rest | Stop | Lost]]] = {b"lost": Lost, b"stop": Stop, b"rest": Rest, b"empty": Rest}


def settled(answer: list[Any]) -> More | Rest | Stop | Lost:
    """How a turn goes on, as settle.lua says."""
    if answer[0] == b"more":
        return More(answer[1].decode(), answer[2].decode(), answer[3], bool(answer[4]), answer[5:])
    return _ENDS[answer[0]]()


def text_of(answer: object) -> str | None:
    """A value as text; None where there is none."""
    return None if answer is None else cast("bytes", answer).decode()


def number_of(answer: object) -> int | None:
    """A value as an integer, which Lua may have written with a fraction; None where there is none."""
    return None if answer is None else int(float(cast("bytes", answer)))


def integer_of(answer: object) -> int:
    """What a script returns as a number; 0 for nil."""
    return cast("int | None", answer) or 0


def text_fields(answer: object) -> Text:
    """A hash, out of a pipeline's answers, as text; a field that holds packed bytes is told as far as it is text."""
    found = cast("Mapping[bytes, bytes]", answer)
    return {name.decode(): value.decode(errors="replace") for name, value in found.items()}


def fields_of(redis: Redis, key: str) -> Text:
    """All fields of a hash; empty where there is none. Raises redis.RedisError."""
    return text_fields(redis.hgetall(key))


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


def members_from(redis: Redis, key: str, low: float) -> list[str]:
    """The members of a sorted set, of a score from one on. Raises redis.RedisError."""
    return [member.decode() for member in cast("list[bytes]", redis.zrangebyscore(key, low, "+inf"))]


def packed_fields_of(redis: Redis, key: str) -> dict[str, bytes]:
    """The same of a hash whose values are no text."""
    found = cast("dict[bytes, bytes]", redis.hgetall(key))
    return {name.decode(): value for name, value in found.items()}


def packed_field_of(redis: Redis, key: str, name: str) -> bytes | None:
    """A field of such a hash; None where there is none. Raises redis.RedisError."""
    return cast("bytes | None", redis.hget(key, name))


def scan_fields(redis: Redis, key: str) -> Iterator[dict[str, bytes]]:
    """A hash, however large, some fields at a time, one more than once perhaps. Raises redis.RedisError."""
    cursor = 0
    while True:
        cursor, page = cast("tuple[int, dict[bytes, bytes]]", redis.hscan(key, cursor, count=PAGE))
        yield {name.decode(): value for name, value in page.items()}
        if cursor == 0:
            return


def scan_members(redis: Redis, key: str) -> Iterator[list[tuple[str, float]]]:
    """A sorted set, however large, some members with their scores at a time.

    None is missed that is there all the while, whatever becomes of its score. Raises redis.RedisError.
    """
    cursor = 0
    while True:
        cursor, page = cast("tuple[int, list[tuple[bytes, float]]]", redis.zscan(key, cursor, count=PAGE))
        yield [(member.decode(), score) for member, score in page]
        if cursor == 0:
            return


def scan_streams(redis: Redis, pattern: str) -> Iterator[list[str]]:
    """Names of streams, some at a time; odd bytes are spelled out. Raises redis.RedisError."""
    cursor = 0
    while True:
        answer = redis.scan(cursor, match=pattern, count=PAGE, _type="stream")
        cursor, page = cast("tuple[int, list[bytes]]", answer)
        yield [name.decode(errors="backslashreplace") for name in page]
        if cursor == 0:
            return


def ranked(redis: Redis, key: str, first: int, last: int) -> list[tuple[str, float]]:
    """Members of a sorted set with their scores, by their places. Raises redis.RedisError."""
    found = cast("list[tuple[bytes, float]]", redis.zrange(key, first, last, withscores=True))
    return [(member.decode(), score) for member, score in found]


def score_of(redis: Redis, key: str, member: str) -> float | None:
    """A member's score; None where it is none. Raises redis.RedisError."""
    return redis.zscore(key, member)


def length_of(redis: Redis, key: str) -> int:
    """How many entries a stream has. Raises redis.RedisError."""
    return redis.xlen(key)


def entries_of(redis: Redis, key: str, most: int, *, first: str = "-", last: str = "+") -> list[StreamEntry]:
    """A stream's entries from one place to another, at most so many. Raises redis.RedisError."""
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange(key, min=first, max=last, count=most))
    return [
        StreamEntry(entry_id.decode(), tuple(part for pair in fields.items() for part in pair))
        for entry_id, fields in found
    ]


def field_of(redis: Redis, key: str, name: str) -> str | None:
    """A field of a hash; None where there is none. Raises redis.RedisError."""
    return text_of(redis.hget(key, name))
