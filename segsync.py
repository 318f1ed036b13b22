"""Pushes segment events to segsync. One file, needing redis-py 5 and Python 3.9 or newer: copy it.

    from segsync import Producer

    with Producer("redis://localhost:6379/0") as producer:
        producer.segment_upsert(7, name="VIP", database="main", groups=["sales"])
        producer.add(7, [{"_id": "61f0", "CustomID": "A-17", "email": "ann@example.com"}])
        producer.remove(7, [{"_id": "61f0", "CustomID": "A-17"}])
        producer.push([{"type": "clear", "segment": {"id": 7}}, b'{"type":"segment_delete","segment":{"id":7}}'])

`AsyncProducer` is the same for asyncio: `async with`, and each method is awaited.

Every method returns the stream ids of what was accepted, in order, and raises one of these:

    ProducerError
    ├── InvalidEvent       what was given cannot be an event
    └── PushFailed         Redis could not be reached, or refused
        └── IntakeFull     segsync is behind: wait, then push the rest

`done` in each says how many of the given items (events of `push`, profiles of `add` and `remove`) are accepted: always
the first ones, so go on from there. Events go in chunks of up to 1,000 and about 1 MB; a chunk is checked before it is
sent, and is accepted whole or not at all. Nothing is sent twice by itself: after an error with `unknown` items, pushing
them again may double them, which a target that stores rows by their key does not notice.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
import time as clock
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from uuid import UUID

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from types import TracebackType
    from typing import NoReturn, Self, Unpack

__all__ = [
    "AsyncProducer",
    "IntakeFull",
    "InvalidEvent",
    "Pipeline",
    "Producer",
    "ProducerError",
    "PushFailed",
    "Resynced",
]

MAX_EVENT_BYTES = 8 * 1024 * 1024
MAX_EVENT_PROFILES = 10_000
MAX_ID_BYTES = 255
MAX_NAME_BYTES = 4096
MAX_FACTS = 1000
MAX_DEPTH = 100
SHALLOW_BYTES = 2 * MAX_DEPTH
MAX_INT = 2**63
CHUNK_EVENTS = 1000
CHUNK_BYTES = 1_000_000

ALIVE_SECONDS = 20
"""Without a word for so long, who answers for the platform is taken for dead."""
LOOK_SECONDS = 0.1
PARTS_AHEAD = 16
"""Parts of an answer, of about 1 MB or 1,000 profiles each, that may wait in Redis to be read."""
BYTES_AHEAD = 16_000_000
"""And bytes of them: of large profiles one alone makes a part."""
STUCK_SECONDS = 60
"""An answer that nobody reads for so long is given up."""

WITH_PROFILES = ("add", "remove")
BARE = ("type", "segment", "profiles")
KINDS = (*WITH_PROFILES, "clear", "segment_upsert", "segment_delete")
SEGMENT_FACTS = ("name", "database", "groups", "tags")

# What people pass and JSON has not, and what they meant.
HINTS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((datetime, date, time), "write it as text, as value.isoformat() does"),
    ((bytes, bytearray), "write it as text, as value.decode() or value.hex() does"),
    ((UUID, Decimal), "write it as text, as str(value) does"),
    ((set, frozenset), "write it as a list"),
)

# Looks at the limits and appends in one step, so that a chunk is accepted whole or not at all: Redis refuses a script
# that it has no memory for at its first write. (Events are never trimmed here: no MAXLEN.)
PUSH = """
if redis.call('EXISTS', KEYS[3]) == 1 then
  local reason = redis.pcall('HGET', KEYS[3], 'reason')
  return {'full', type(reason) == 'string' and reason or ''}
end
local limit = tonumber(redis.call('HGET', KEYS[2], 'intake'))
local length = redis.call('XLEN', KEYS[1])
if limit and length >= limit then
  return {'full', length .. ' events are waiting, ' .. limit .. ' may'}
end
local ids = {}
for index, event in ipairs(ARGV) do
  ids[index] = redis.call('XADD', KEYS[1], '*', 'event', event)
end
return ids
"""

# Several may answer for one segment, and whoever ends takes back its own word alone; in one step, since a word without
# an end would be believed for ever.
ALIVE = """
redis.call('SADD', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _encoding() -> Callable[[Any], str]:
    """What `_encoder.encode` does, with the library's encoder in C made once.

    `encode` makes it anew for each call, which takes longer than to encode an event. Where the library has none, or
    another than we know, its own way.
    """
    make, quote = getattr(json.encoder, "c_make_encoder", None), json.encoder.encode_basestring
    try:
        chunks = make(None, _encoder.default, quote, None, ":", ",", False, False, False)  # type: ignore[misc]
        if "".join(chunks({"é": [1.5, None]}, 0)) == '{"é":[1.5,null]}':
            return lambda value: "".join(chunks(value, 0))
    except TypeError:
        pass
    return _encoder.encode


_encode = _encoding()
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ISO_8601 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?",
    re.ASCII,
)
_EARLIEST, _LATEST = (day - datetime(1970, 1, 1) for day in (datetime(1, 1, 2), datetime(9999, 12, 31)))  # noqa: DTZ001


class Facts(TypedDict, total=False):
    """What an event may say beside its type, its segment's id and its profiles. None is the same as left out.

    Only `segment_upsert` changes what segsync knows of a segment (`[]` = none); other events fill gaps.

    id   your own, for tracing; segsync does not deduplicate by it
    at   when it happened, for templates: ISO 8601 text (UTC where it names no zone), or a datetime with a zone
    """

    name: str | None
    database: str | None
    groups: Iterable[str | int] | None
    tags: Iterable[str | int] | None
    id: str | int | None
    at: str | datetime | None


class ProducerError(Exception):
    """A push did not succeed, or not to its end.

    accepted  stream ids of what is in the intake
    done      how many of the given events (of profiles, for add and remove) these are: the first ones
    unknown   how many of the given items, after these, may or may not be accepted: the answer was lost
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.accepted: list[str] = []
        self.done = self.unknown = 0
        super().__init__(reason)

    def __str__(self) -> str:
        lost = f"; whether the next {self.unknown:,} were is not known" if self.unknown else ""
        return f"{self.reason}; accepted before it: {self.done:,}{lost}"


class InvalidEvent(ProducerError):
    """What was given cannot be an event; of its chunk nothing was sent.

    place  where, as in "events[3].profiles[0]._id"; "" is the event itself
    index  0-based place among the events of `push`; 0 for the other methods
    """

    def __init__(self, problem: str, place: str = "", index: int = 0) -> None:
        self.place = place
        self.problem = problem
        self.index = index
        super().__init__(f"{place}: {problem}" if place else problem)


class PushFailed(ProducerError):
    """Redis could not be reached, or refused."""


class IntakeFull(PushFailed):
    """Segsync is behind, or its Redis is full: nothing more is accepted for now. Wait, then push the rest."""


class Resynced(NamedTuple):
    """How a resync of a segment ended that `snapshot` has answered.

    outcome  "done", "needs confirmation", "failed" or "cancelled"
    why      a sentence, where it is not done
    """

    integration: str
    run: str
    outcome: str
    why: str
    members: int
    added: int
    removed: int


class _Events:
    """The methods that make an event of what they are given, whoever sends it."""

    def _send(self, entries: Iterable[_Entry]) -> list[str]:
        raise NotImplementedError

    def add(self, segment_id: str | int, profiles: Iterable[dict[str, Any]], **facts: Unpack[Facts]) -> list[str]:
        """These profiles came into the segment: any number, from a list or a generator, sent as events of up to 10,000.

        Each carries its `_id` and all the fields that queries use: a later add of a profile replaces an earlier one.
        """
        return self._send(_of_profiles("add", segment_id, profiles, facts))

    def remove(self, segment_id: str | int, profiles: Iterable[dict[str, Any]], **facts: Unpack[Facts]) -> list[str]:
        """These profiles left the segment; each carries its `_id` and the fields that the remove query uses."""
        return self._send(_of_profiles("remove", segment_id, profiles, facts))

    def clear(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """All profiles left the segment."""
        return self._send(_of_segment("clear", segment_id, facts))

    def segment_upsert(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """The segment was made, or changed; what is left out is unchanged."""
        return self._send(_of_segment("segment_upsert", segment_id, facts))

    def segment_delete(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """The segment was deleted."""
        return self._send(_of_segment("segment_delete", segment_id, facts))


class Producer(_Events):
    """Pushes events; safe to share between threads.

    url        of segsync's Redis, as redis-py understands it
    namespace  the one in segsync.toml
    client     a redis-py client of your own instead of the url. It stays open, and it should not retry: redis-py
               repeats a push whose answer was lost
    """

    def __init__(
        self, url: str = "redis://localhost:6379/0", *, namespace: str = "segsync", client: redis.Redis | None = None
    ) -> None:
        self._owned = client is None
        self._client = _connected(url) if client is None else client
        self._script = self._client.register_script(PUSH)
        self._keys = _keys(namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections, unless the client is yours. Nothing waits to be sent: every method sends at once."""
        if self._owned:
            self._client.close()

    def resync(self, segment_id: str | int, integration: str | None = None) -> list[str]:
        """Asks segsync to make the segment's rows equal to the platform again: see docs/resync.md.

        integration  the key of the only one that is meant; None: all that follow the segment
        """
        return self._send(_of_resync(segment_id, integration))

    def snapshot(
        self,
        segment_id: str | int,
        read: Callable[[], Iterable[dict[str, Any]]],
        integration: str | None = None,
        *,
        timeout: float | None = None,
    ) -> list[Resynced]:
        """Makes the segment's rows equal to what `read` gives, and waits until that is done: see docs/resync.md.

        Returns how each run ended, [] where no integration follows the segment. What `read` raises fails the run, which
        then has removed nothing, and is raised here. PushFailed where Redis is lost; InvalidEvent
        where there is no such integration, and for what `read` gives and is no profile.

        read      gives all members, from a list or a generator, as they are when it is called: not before what was
                  pushed until now has been delivered, and once for each integration or more often
        timeout   seconds after which TimeoutError is raised; None: waits for as long as it takes
        """
        entries = _of_resync(segment_id, integration)
        answer = _Answer(self._client, self._keys[0], str(segment_id), integration, timeout)
        try:
            answer.check()
            with answer.alive():
                answer.request = self._send(entries)[0]
                while not answer.is_over():
                    answer.give(read)
                    clock.sleep(LOOK_SECONDS)
                return answer.results()
        except redis.RedisError as error:
            raise _failure(error, 1) from error

    def push(self, events: Iterable[dict[str, Any] | str | bytes]) -> list[str]:
        """Events as objects or as JSON, which is sent as it is; one too large is split, and has several ids."""
        return self._send(_of_events(events))

    def _send(self, entries: Iterable[_Entry]) -> list[str]:
        accepted: list[str] = []
        done = 0
        chunks = _chunks(entries)
        try:
            with _Beside() as beside:
                chunk = next(chunks, None)
                while chunk is not None:
                    answer = beside.begin(self._append, chunk, chunk[-1].done - done)
                    try:
                        following = next(chunks, None)
                    finally:
                        accepted += answer()
                        done = chunk[-1].done
                    chunk = following
        except ProducerError as error:
            error.accepted, error.done = accepted, done
            raise
        return accepted

    def pipeline(self) -> Pipeline:
        """For many single events: gathers them, and sends 1,000 in a round trip while you go on. See Pipeline."""
        return Pipeline(self._append)

    def _append(self, chunk: list[_Entry], items: int) -> list[str]:
        try:
            reply = self._script(keys=self._keys, args=[entry.payload for entry in chunk])
        except redis.RedisError as error:
            raise _failure(error, 0 if _was_never_sent(error, self._client) else max(items, 1)) from error
        return _accepted(reply)


class AsyncProducer:
    """As `Producer`, for asyncio: its methods are awaited, from one event loop.

    Events are checked and written in the event loop, about 0.1 s for 10,000 profiles. Pushes that are awaited side by
    side come into the intake in any order; one that is cancelled may have been accepted.

    client  a redis.asyncio client of your own instead of the url
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        namespace: str = "segsync",
        client: redis.asyncio.Redis | None = None,
    ) -> None:
        self._owned = client is None
        self._client = _connected_async(url) if client is None else client
        self._script = self._client.register_script(PUSH)
        self._keys = _keys(namespace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections, unless the client is yours."""
        if self._owned:
            await self._client.aclose()

    async def add(self, segment_id: str | int, profiles: Iterable[dict[str, Any]], **facts: Unpack[Facts]) -> list[str]:
        """These profiles came into the segment; see `Producer.add`."""
        return await self._send(_of_profiles("add", segment_id, profiles, facts))

    async def remove(
        self, segment_id: str | int, profiles: Iterable[dict[str, Any]], **facts: Unpack[Facts]
    ) -> list[str]:
        """These profiles left the segment; see `Producer.remove`."""
        return await self._send(_of_profiles("remove", segment_id, profiles, facts))

    async def clear(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """All profiles left the segment."""
        return await self._send(_of_segment("clear", segment_id, facts))

    async def segment_upsert(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """The segment was made, or changed; what is left out is unchanged."""
        return await self._send(_of_segment("segment_upsert", segment_id, facts))

    async def segment_delete(self, segment_id: str | int, **facts: Unpack[Facts]) -> list[str]:
        """The segment was deleted."""
        return await self._send(_of_segment("segment_delete", segment_id, facts))

    async def resync(self, segment_id: str | int, integration: str | None = None) -> list[str]:
        """Asks segsync to make the segment's rows equal to the platform again; see `Producer.resync`."""
        return await self._send(_of_resync(segment_id, integration))

    async def snapshot(
        self,
        segment_id: str | int,
        read: Callable[[], Any],
        integration: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - as in `Producer`
    ) -> list[Resynced]:
        """As `Producer.snapshot`; what `read` gives may be awaited, and be iterated with `async for`.

        Nothing in it may block the event loop: who is silent for 20 s is taken for dead. What blocks belongs into
        `Producer.snapshot`, or into `asyncio.to_thread`.
        """
        entries = _of_resync(segment_id, integration)
        answer = _AsyncAnswer(self._client, self._keys[0], str(segment_id), integration, timeout)
        try:
            await answer.check()
            async with answer.alive():
                answer.request = (await self._send(entries))[0]
                while not await answer.is_over():
                    await answer.give(read)
                    await asyncio.sleep(LOOK_SECONDS)
                return await answer.results()
        except redis.RedisError as error:
            raise _failure(error, 1) from error

    async def push(self, events: Iterable[dict[str, Any] | str | bytes]) -> list[str]:
        """Events as objects or as JSON; see `Producer.push`."""
        return await self._send(_of_events(events))

    async def _send(self, entries: Iterable[_Entry]) -> list[str]:
        accepted: list[str] = []
        done = 0
        try:
            for chunk in _chunks(entries):
                accepted += await self._append(chunk, chunk[-1].done - done)
                done = chunk[-1].done
        except ProducerError as error:
            error.accepted, error.done = accepted, done
            raise
        return accepted

    async def _append(self, chunk: list[_Entry], items: int) -> list[str]:
        try:
            reply = await self._script(keys=self._keys, args=[entry.payload for entry in chunk])
        except redis.RedisError as error:
            raise _failure(error, 0 if _was_never_sent(error, self._client) else max(items, 1)) from error
        return _accepted(reply)


class _Lines:
    """Profiles as the parts of an answer: lines of JSON, and a last one that proves the end."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = self._count = 0

    def add(self, profile: object) -> bytes | None:
        """One more; a part, where one is full. InvalidEvent."""
        line = _profile(profile, f"profiles[{self._count}]", MAX_EVENT_BYTES)
        self._count += 1
        self._lines.append(line)
        self._size += len(line)
        return self._part() if len(self._lines) >= CHUNK_EVENTS or self._size >= CHUNK_BYTES else None

    def end(self) -> bytes:
        """The last part."""
        self._lines.append(b'{"end":true,"count":%d}' % self._count)
        return self._part()

    def _part(self) -> bytes:
        part = b"+" + b"".join(line + b"\n" for line in self._lines)
        self._lines, self._size = [], 0
        return part


class _Answering:
    """What a wait for a segment's runs knows, whoever asks Redis; segsync's reader takes the answers."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis-py's, for threads or for asyncio
        events: str,
        segment: str,
        integration: str | None,
        timeout: float | None,
    ) -> None:
        self._client = client
        self._space = events.rpartition(":")[0]
        self._segment, self._integration = segment, integration
        self._session = secrets.token_hex(8)
        self._ends = None if timeout is None else clock.monotonic() + timeout
        self._answered = ""
        self._claimed = ""
        self._runs: dict[str, None] | None = None
        self._gave: dict[str, None] = {}
        self._put_sizes: deque[int] = deque(maxlen=PARTS_AHEAD)
        self.request = ""

    def _key(self, *names: str) -> str:
        return ":".join((self._space, *names))

    @property
    def _answering(self) -> str:
        return self._key("answering", self._segment)

    def _check_known(self, known: object) -> None:
        """InvalidEvent where the only integration that is meant is none."""
        if not known:
            raise InvalidEvent(f"{self._integration!r} is not applied; expected the key of one that is", "integration")

    def _has_room(self, waiting: int, part: bytes) -> bool:
        """Whether a part may be put behind those that wait, which are the last ones."""
        sizes = list(self._put_sizes)[-waiting:] if waiting else []
        return not waiting or (waiting < PARTS_AHEAD and sum(sizes) + len(part) <= BYTES_AHEAD)

    @property
    def _all(self) -> list[str]:
        """Runs that were asked for, and those that were answered: one that another call has begun, perhaps."""
        return list({**(self._runs or {}), **self._gave})

    def _is_routed(self, position: object) -> bool:
        return bool(position) and _places(_said(position).partition("|")[0]) >= _places(self.request)

    def _found(self, lanes: dict[Any, Any]) -> dict[str, None]:
        found: dict[str, None] = {}
        for lane, run in lanes.items():
            integration, _, segment = _said(lane).partition(":")  # a segment's id may hold colons
            if segment == self._segment and self._integration in (None, integration):
                found[_said(run)] = None
        return found

    def _check_time(self) -> None:
        if self._ends is not None and clock.monotonic() > self._ends:
            raise TimeoutError(f"the resync of segment {self._segment} is not over; it goes on, unless nobody answers")

    def _results(self, fields: Iterable[list[Any]]) -> list[Resynced]:
        return [
            Resynced(_said(key), run, _said(outcome), _said(why), int(members or 0), int(added or 0), int(removed or 0))
            for run, (key, outcome, why, members, added, removed) in zip(self._all, fields)  # noqa: B905 - Python 3.9 has no strict
        ]

    def _wish(self, found: object) -> tuple[str, str]:
        """The token of the answer that is wanted, and its run; "" where none is."""
        if not found:
            return "", ""
        wish = json.loads(_said(found))
        return wish["token"], wish["run"]


_OF_A_RUN = ("integration", "outcome", "why", "members", "added", "removed")


class _Answer(_Answering):
    """One call of `Producer.snapshot`."""

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Says that this producer answers, for as long as the block takes. redis.RedisError."""
        over = threading.Event()

        def live() -> None:
            while not over.wait(ALIVE_SECONDS / 4):
                with suppress(redis.RedisError):
                    self._say()

        self._say()
        thread = threading.Thread(target=live, name="segsync-snapshot", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            with suppress(redis.RedisError):
                self._client.srem(self._answering, self._session)

    def _say(self) -> None:
        self._client.eval(ALIVE, 1, self._answering, self._session, ALIVE_SECONDS)
        if claimed := self._claimed:  # read once: the thread that answers takes it back
            self._client.set(claimed, self._session, ex=ALIVE_SECONDS)

    def check(self) -> None:
        """InvalidEvent where nobody can answer; redis.RedisError."""
        if self._integration is not None:
            self._check_known(self._client.sismember(self._key("integrations"), self._integration))

    def is_over(self) -> bool:
        """Whether all runs have ended; TimeoutError."""
        self._check_time()
        if self._runs is None and self._is_routed(self._client.hget(self._key("intake"), "position")):
            pattern = "*:" + re.sub(r"([*?\[\]\\^-])", r"\\\1", self._segment)
            self._runs = self._found(dict(self._client.hscan_iter(self._key("runs", "of"), pattern, 1000)))
        if self._runs is None:
            return False
        return all(_said(self._client.hget(self._key("run", run), "state")) in ("ended", "") for run in self._all)

    def results(self) -> list[Resynced]:
        """How the runs ended."""
        return self._results([self._client.hmget(self._key("run", run), _OF_A_RUN) for run in self._all])

    def give(self, read: Callable[[], Iterable[dict[str, Any]]]) -> None:
        """Answers, if an answer is wanted and nobody else gives it; raises what `read` does."""
        token, run = self._wish(self._client.get(self._key("wanted", self._segment)))
        claim = self._key("claimed", token)
        if not token or token == self._answered:
            return
        self._answered = token
        if not self._client.set(claim, self._session, nx=True, ex=ALIVE_SECONDS):
            return
        self._gave[run] = None
        self._claimed = claim
        try:
            self._tell(token, read)
        except redis.RedisError:
            raise
        except BaseException:
            with suppress(redis.RedisError):
                self._client.rpush(self._key("parts", token), b"!")
                self._client.expire(self._key("parts", token), STUCK_SECONDS)
            raise
        finally:
            self._claimed = ""

    def _tell(self, token: str, read: Callable[[], Iterable[dict[str, Any]]]) -> None:
        lines = _Lines()
        for profile in read():
            part = lines.add(profile)
            if part is not None and not self._put(token, part):
                return
        if self._put(token, lines.end()):
            self._put(token, b".")

    def _put(self, token: str, part: bytes) -> bool:
        """False where nobody wants the answer any more."""
        key, stuck = self._key("parts", token), clock.monotonic() + STUCK_SECONDS
        while clock.monotonic() < stuck:
            if self._wish(self._client.get(self._key("wanted", self._segment)))[0] != token:
                return False
            if self._has_room(self._client.llen(key), part):
                self._put_sizes.append(len(part))
                self._client.rpush(key, part)
                self._client.expire(key, STUCK_SECONDS)
                return True
            clock.sleep(LOOK_SECONDS)
        return False


class _AsyncAnswer(_Answering):
    """One call of `AsyncProducer.snapshot`; see `_Answer`."""

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Says that this producer answers, for as long as the block takes. redis.RedisError."""

        async def live() -> None:
            while True:
                await asyncio.sleep(ALIVE_SECONDS / 4)
                with suppress(redis.RedisError):
                    await self._say()

        await self._say()
        task = asyncio.ensure_future(live())
        try:
            yield
        finally:
            task.cancel()
            with suppress(redis.RedisError):
                await self._client.srem(self._answering, self._session)

    async def _say(self) -> None:
        await self._client.eval(ALIVE, 1, self._answering, self._session, ALIVE_SECONDS)
        if self._claimed:
            await self._client.set(self._claimed, self._session, ex=ALIVE_SECONDS)

    async def check(self) -> None:
        """As in `_Answer`."""
        if self._integration is not None:
            self._check_known(await self._client.sismember(self._key("integrations"), self._integration))

    async def is_over(self) -> bool:
        """Whether all runs have ended; TimeoutError."""
        self._check_time()
        if self._runs is None and self._is_routed(await self._client.hget(self._key("intake"), "position")):
            pattern = "*:" + re.sub(r"([*?\[\]\\^-])", r"\\\1", self._segment)
            found = self._client.hscan_iter(self._key("runs", "of"), pattern, 1000)
            self._runs = self._found({lane: run async for lane, run in found})
        if self._runs is None:
            return False
        states = [await self._client.hget(self._key("run", run), "state") for run in self._all]
        return all(_said(state) in ("ended", "") for state in states)

    async def results(self) -> list[Resynced]:
        """How the runs ended."""
        return self._results([await self._client.hmget(self._key("run", run), _OF_A_RUN) for run in self._all])

    async def give(self, read: Callable[[], Any]) -> None:
        """Answers, if an answer is wanted and nobody else gives it; raises what `read` does."""
        token, run = self._wish(await self._client.get(self._key("wanted", self._segment)))
        claim = self._key("claimed", token)
        if not token or token == self._answered:
            return
        self._answered = token
        if not await self._client.set(claim, self._session, nx=True, ex=ALIVE_SECONDS):
            return
        self._gave[run] = None
        self._claimed = claim
        try:
            await self._tell(token, read)
        except redis.RedisError:
            raise
        except BaseException:
            with suppress(redis.RedisError):
                await self._client.rpush(self._key("parts", token), b"!")
                await self._client.expire(self._key("parts", token), STUCK_SECONDS)
            raise
        finally:
            self._claimed = ""

    async def _tell(self, token: str, read: Callable[[], Any]) -> None:
        lines, given = _Lines(), read()
        profiles = await given if isinstance(given, Awaitable) else given
        async for profile in _each(profiles):
            part = lines.add(profile)
            if part is not None and not await self._put(token, part):
                return
        if await self._put(token, lines.end()):
            await self._put(token, b".")

    async def _put(self, token: str, part: bytes) -> bool:
        """False where nobody wants the answer any more."""
        key, stuck = self._key("parts", token), clock.monotonic() + STUCK_SECONDS
        while clock.monotonic() < stuck:
            if self._wish(await self._client.get(self._key("wanted", self._segment)))[0] != token:
                return False
            if self._has_room(await self._client.llen(key), part):
                self._put_sizes.append(len(part))
                await self._client.rpush(key, part)
                await self._client.expire(key, STUCK_SECONDS)
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False


async def _each(profiles: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    if isinstance(profiles, AsyncIterable):
        async for profile in profiles:
            yield profile
    else:
        for profile in profiles:
            yield profile


def _said(value: object) -> str:
    """What Redis has said, whether its client speaks text or bytes; "" for nothing."""
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _places(stream_id: str) -> tuple[int, int]:
    ms, _, n = stream_id.partition("-")
    return int(ms), int(n or 0)


def _keys(namespace: str) -> list[str]:
    return [f"{namespace}:{name}" for name in ("events", "limits", "full")]


class Pipeline(_Events):
    """Gathers what its methods are given, and sends it chunk by chunk, and the rest at the end of the block.

        with producer.pipeline() as events:
            for change in changes:
                events.add(change.segment, [change.profile])

    Each call is checked at once: InvalidEvent keeps nothing of it, and the next call may go on. PushFailed comes with a
    later call than the one that it is about: its `done` says how many calls, of all that were made, are accepted. Then,
    and after any other error in the block, nothing more is sent, and what is on its way is waited for: go on behind the
    pipeline's `done` calls with a new pipeline. Stream ids are not kept: the methods return empty lists. Not for
    several threads.
    """

    def __init__(self, send: Callable[[list[_Entry], int], list[str]]) -> None:
        self._append = send
        self._beside = _Beside()
        self._gathered: list[_Entry] = []
        self._size = self._calls = self._sent = 0
        self._answer: Callable[[], list[str]] | None = None
        self._over = False
        self._refused: InvalidEvent | None = None
        self.done = 0
        """How many calls are accepted as far as is known; exactly, after `flush` (all) and after the block."""
        self.unknown = 0
        """How many calls after these may or may not be accepted: the answer was lost."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._beside:
            if error is None:
                self.flush()
            else:
                self._end(error)
            self._over = True

    def _end(self, error: BaseException) -> None:
        """After an error in the block: counts what is on its way, which its own error says, too."""
        if not self._over:
            with suppress(ProducerError):
                self._wait()
        if self._refused is not None and error is self._refused:
            self._refused.done, self._refused.unknown = self.done, self.unknown

    def event(self, event: dict[str, Any] | str | bytes) -> None:
        """One event as an object or as JSON, as `Producer.push` takes them."""
        self._send(_of_event(event))

    def flush(self) -> None:
        """Sends what is gathered, and waits until all of it is accepted."""
        self._refuse_if_over()
        self._begin()
        self._wait()

    def _send(self, entries: Iterable[_Entry]) -> list[str]:
        self._refuse_if_over()
        try:
            payloads = [entry.payload for entry in entries]
        except InvalidEvent as error:
            error.done = self.done
            self._refused = error
            raise
        self._calls += 1
        for left, payload in zip(range(len(payloads) - 1, -1, -1), payloads):  # noqa: B905 - Python 3.9 has no strict
            if len(self._gathered) == CHUNK_EVENTS or (self._gathered and self._size + len(payload) > CHUNK_BYTES):
                self._begin()
            self._gathered.append(_Entry(payload, self._calls - bool(left)))
            self._size += len(payload)
        return []

    def _refuse_if_over(self) -> None:
        if self._over:
            raise ValueError("the pipeline is over, or has failed; make a new one")

    def _begin(self) -> None:
        """Sends what is gathered as soon as what is on its way is accepted."""
        self._wait()
        if self._gathered:
            chunk, self._gathered, self._size = self._gathered, [], 0
            self._sent = chunk[-1].done
            with self._counted():
                self._answer = self._beside.begin(self._append, chunk, self._sent - self.done)

    def _wait(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            with self._counted():
                answer()
        self.done = self._sent

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except ProducerError as error:
            self._over = True
            error.done, self.unknown = self.done, error.unknown
            raise


def _connected(url: str) -> redis.Redis:
    """A client that sends everything once: a lost answer is the caller's to judge."""
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, retry=once, **_link_options(url))


def _connected_async(url: str) -> redis.asyncio.Redis:
    """Likewise."""
    once = AsyncRetry(NoBackoff(), 0)
    return redis.asyncio.Redis.from_url(url, retry=once, **_link_options(url))


def _link_options(url: str) -> dict[str, Any]:
    """Times in seconds; redis-py refuses TCP's options for a Unix socket."""
    tcp = {} if url.startswith("unix:") else {"socket_connect_timeout": 10, "socket_keepalive": True}
    return {"socket_timeout": 30, **tcp}


def _failure(error: redis.RedisError, unknown: int) -> PushFailed:
    """What an error of Redis's means; where it is the link's, so many of the given items may have been accepted."""
    if isinstance(error, redis.ResponseError):
        if "OOM command not allowed" in str(error):
            return IntakeFull("the intake is full: Redis is at its maxmemory")
        return PushFailed(f"Redis refused: {error}")
    failure = PushFailed(f"the link to Redis failed: {str(error).rstrip('.')}")
    failure.unknown = unknown
    return failure


def _was_never_sent(error: redis.RedisError, client: redis.Redis | redis.asyncio.Redis) -> bool:
    """Whether nothing can be accepted: no connection came about, or it was refused, as redis-py and the server say it.

    Of a client that repeats a push this may be the second try, and the first was sent.
    """
    retry = getattr(client, "get_retry", lambda: None)()
    if retry is None or getattr(retry, "_retries", 1) != 0:
        return False
    refused = isinstance(error, redis.AuthenticationError) or "READONLY" in str(error)
    return refused or re.match(r"Error (\S+ )?connecting to |Timeout connecting to server", str(error)) is not None


def _accepted(reply: list[str | bytes]) -> list[str]:
    """The ids that the script answered with; raises IntakeFull where it took nothing."""
    texts = [text.decode() if isinstance(text, bytes) else text for text in reply]
    if texts[0] == "full":
        raise IntakeFull(f"the intake is full: {texts[1] or 'no reason given'}")
    return texts


class _Beside:
    """Sends a full chunk from another thread, so that the next is made meanwhile: Redis takes as long as that does.

    Never more than one at a time: what is accepted is always the first part of what was given. The thread lives as long
    as one push, since a process that forks would not have it any more.
    """

    _threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._threads is not None:
            self._threads.shutdown()

    def begin(
        self, send: Callable[[list[_Entry], int], list[str]], chunk: list[_Entry], items: int
    ) -> Callable[[], list[str]]:
        """What gives the ids, or raises, when the chunk has been sent; one that is not full is the last, mostly."""
        if len(chunk) == CHUNK_EVENTS:
            self._threads = self._threads or ThreadPoolExecutor(1, "segsync-push")
            with suppress(RuntimeError):  # no thread is to be had while the interpreter ends
                return self._threads.submit(send, chunk, items).result
        ids = send(chunk, items)
        return lambda: ids


class _Entry(NamedTuple):
    """An event as it is sent, and how many of the given items are complete with it."""

    payload: bytes
    done: int


class _Digits:
    """A number with a fraction or an exponent from a producer's JSON: written again as it came."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _chunks(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    chunk: list[_Entry] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) == CHUNK_EVENTS or size + len(entry.payload) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += len(entry.payload)
    if chunk:
        yield chunk


def _refuse(place: str, problem: str) -> NoReturn:
    raise InvalidEvent(problem, f"{place:.200}") from None


# --- From what was given to what is sent -------------------------------------------------------------------------


def _event(kind: str, segment_id: str | int, facts: Facts) -> dict[str, Any]:
    given: dict[str, Any] = {key: value for key, value in facts.items() if value is not None}
    unknown = facts.keys() - Facts.__annotations__.keys()
    if unknown:
        raise TypeError(f"{kind}() got an unexpected keyword argument {min(unknown)!r}")
    for key in given.keys() & {"groups", "tags"}:
        given[key] = list(given[key]) if isinstance(given[key], (set, frozenset, Iterator)) else given[key]
    segment = {"id": segment_id, **{key: given.pop(key) for key in SEGMENT_FACTS if key in given}}
    return {"type": kind, "segment": segment, **given}


# What is wrong is found while these are gone over, by who also says how much was accepted before.
def _of_segment(kind: str, segment_id: str | int, facts: Facts) -> Iterator[_Entry]:
    for payload in _written(_event(kind, segment_id, facts)):
        yield _Entry(payload, 1)


def _of_profiles(
    kind: str, segment_id: str | int, profiles: Iterable[dict[str, Any]], facts: Facts
) -> Iterator[_Entry]:
    event = _event(kind, segment_id, facts)
    if isinstance(profiles, (dict, str, bytes)) or not hasattr(profiles, "__iter__"):
        _refuse("profiles", f"expected a list of profiles, got {_type_name(profiles)}")
    _check(event)
    yield from _parts(event, profiles)


def _of_resync(segment_id: str | int, integration: str | None) -> list[_Entry]:
    event = _event("resync", segment_id, {})
    _check_segment(event["segment"])
    if integration is not None:
        _check_plain(integration, "integration")
        event["integration"] = integration
    return [_Entry(_encoder.encode(event).encode(), 1)]


def _of_event(event: dict[str, Any] | str | bytes) -> Iterator[_Entry]:
    for payload in payloads_of(event):
        yield _Entry(payload, 1)


def _of_events(events: Iterable[dict[str, Any] | str | bytes]) -> Iterator[_Entry]:
    if isinstance(events, (dict, str, bytes)):
        raise TypeError(f"push() takes a list of events, got one {type(events).__name__}; put it in a list")
    return _entries(events)


def _entries(events: Iterable[Any]) -> Iterator[_Entry]:
    for index, event in enumerate(events):
        try:
            payloads = payloads_of(event)
        except InvalidEvent as error:
            raise InvalidEvent(error.problem, _join(f"events[{index}]", error.place), index) from None
        for payload in payloads[:-1]:
            yield _Entry(payload, index)
        yield _Entry(payloads[-1], index + 1)


def payloads_of(event: dict[str, Any] | str | bytes) -> list[bytes]:
    """What is sent for an event: its JSON, or that of several like it where it is large. Raises InvalidEvent."""
    if not isinstance(event, dict):
        return _from_json(event)
    usual = _usual(event)
    return _written(event) if usual is None else [usual]


def _usual(event: dict[str, Any]) -> bytes | None:
    """The JSON of an event as nearly all are, looked at once: a profile that came or went, with ids that surely are.

    None says nothing of it: `_written` judges it, and writes the same for what is taken here.
    """
    if tuple(event) != BARE:
        return None
    kind, segment, profiles = event.values()
    if type(profiles) is not list or len(profiles) != 1 or not _names_only_itself(segment):
        return None
    profile = profiles[0]
    value = profile.get("_id") if type(profile) is dict else None
    if not _is_usual_id(value) or kind not in WITH_PROFILES:
        return None
    try:
        data = f"{_opening(kind, segment['id'])}{_encode(profile)}]}}".encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return data if len(data) <= SHALLOW_BYTES or _is_plain(data) else None


def _is_usual_id(value: object) -> bool:
    """Whether it surely is a proper `_id`: a short text, or an integer of a database's."""
    if type(value) is str:
        return 0 < len(value) <= MAX_ID_BYTES // 4
    return type(value) is int and 0 <= value < MAX_INT


@lru_cache(1_000)
def _opening(kind: str, segment_id: str | int) -> str:
    """What an event's JSON begins with, up to its profiles."""
    return _encode({"type": kind, "segment": {"id": segment_id}, "profiles": []})[:-2]


def _is_plain(data: bytes) -> bool:
    return len(data) <= MAX_EVENT_BYTES and data.count(b"[") + data.count(b"{") <= MAX_DEPTH


def _written(event: dict[str, Any]) -> list[bytes]:
    _check(event)
    profiles = _checked_profiles(event)
    if event["type"] in WITH_PROFILES:
        whole = _whole(event, profiles)
        return [entry.payload for entry in _parts(event, profiles)] if whole is None else [whole]
    payload = _json(_head(event), "")
    if len(payload) > MAX_EVENT_BYTES:
        _refuse("", f"{len(payload):,} bytes; an event is at most {MAX_EVENT_BYTES:,}")
    return [payload]


def _whole(event: dict[str, Any], profiles: list[Any] | tuple[Any, ...]) -> bytes | None:
    """The event in one piece, where nothing in it needs a closer look: most have a profile or a few."""
    if len(profiles) > MAX_DEPTH or isinstance(event.get("at"), datetime):
        return None
    _check_profiles(profiles)
    try:
        data = _encode(event).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    # Each level takes a bracket on either side.
    return data if len(data) <= SHALLOW_BYTES or _is_plain(data) else None


def _parts(event: dict[str, Any], profiles: Iterable[dict[str, Any]]) -> Iterator[_Entry]:
    """The event, or several like it with so many profiles each as one may carry; at least one."""
    opening = _json(_head(event), "")[:-1] + b',"profiles":['
    room = MAX_EVENT_BYTES - len(opening) - len(b"]}")
    part: list[bytes] = []
    size = done = 0
    for index, profile in enumerate(profiles):
        text = _profile(profile, f"profiles[{index}]", room)
        if part and (len(part) == MAX_EVENT_PROFILES or size + len(text) > room):
            yield _Entry(opening + b",".join(part) + b"]}", done)
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
        done = index + 1
    yield _Entry(opening + b",".join(part) + b"]}", done)


def _head(event: dict[str, Any]) -> dict[str, Any]:
    head = {key: value for key, value in event.items() if key != "profiles"}
    if isinstance(event.get("at"), datetime):
        head["at"] = event["at"].isoformat()
    return head


def _from_json(given: object) -> list[bytes]:
    """The JSON as it is, where a look shows that segsync can read it; else written anew, or split."""
    data, text = _bytes_and_text(given)
    event = _parsed(text)
    _check(event)
    profiles = _checked_profiles(event)
    if len(data) > MAX_EVENT_BYTES or len(profiles) > MAX_EVENT_PROFILES or _needs_a_closer_look(text):
        return _written(event)
    _check_profiles(profiles)
    return [data]


def _needs_a_closer_look(text: str) -> bool:
    return "\\ud" in text or "\\uD" in text or text.count("[") + text.count("{") > MAX_DEPTH


def _bytes_and_text(given: object) -> tuple[bytes, str]:
    try:
        if isinstance(given, str):
            return given.encode(), given
        if isinstance(given, (bytes, bytearray)):
            return bytes(given), given.decode()
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        _refuse("", f"not UTF-8 (byte {error.start})")
    _refuse("", f"expected an object (dict) or its JSON (str or bytes), got {_type_name(given)}")


def _parsed(text: str) -> dict[str, Any]:
    try:
        event = json.loads(text, parse_float=_Digits, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse("", f"not JSON: {error.msg} (character {error.pos})")
    except RecursionError:
        _refuse("", "nested too deeply")
    except ValueError:
        _refuse("", "holds an integer of more than 4,300 digits")
    if not isinstance(event, dict):
        _refuse("", f"expected an object, got {_type_name(event)}")
    return event


def _no_constant(name: str) -> NoReturn:
    _refuse("", f"{name} is no JSON; leave the field out, or write null")


# --- What makes an event -----------------------------------------------------------------------------------------


def _check(event: dict[str, Any]) -> None:
    """All but the profiles; what is written here stands in docs/events.md."""
    kind, segment = event.get("type"), event.get("segment")
    if kind in WITH_PROFILES and len(event) == len(BARE) and "profiles" in event and _names_only_itself(segment):
        return
    if kind == "resync":
        _refuse("", "the type 'resync' is no change of a segment; expected Producer.resync, or `segsync resync`")
    if event.get("snapshot") is not None:
        _refuse("", "the key 'snapshot' is reserved; expected an event without it")
    if not isinstance(kind, str) or kind not in KINDS:
        _refuse("type", f"expected one of {', '.join(KINDS)}, got {_shown(kind)}")
    if not isinstance(segment, dict):
        _refuse("segment", f"expected an object with an id, got {_type_name(segment)}")
    _check_segment(segment)
    if event.get("id") is not None:
        _check_id(event["id"], "id")
    if event.get("at") is not None:
        _check_time(event["at"])


def _names_only_itself(segment: object) -> bool:
    """Whether it surely is an object with a proper id and nothing else, as most are: a look that costs little."""
    if not isinstance(segment, dict) or len(segment) != 1:
        return False
    value = segment.get("id")
    if isinstance(value, str):
        return 0 < len(value) <= MAX_ID_BYTES // 4 and value.isprintable()
    return type(value) is int and 0 <= value < MAX_INT


def _check_segment(segment: dict[str, Any]) -> None:
    _check_plain(segment.get("id"), "segment.id")
    name, database = segment.get("name"), segment.get("database")
    if name is not None and not _is_name(name):
        _refuse("segment.name", f"expected text of at most {MAX_NAME_BYTES:,} bytes without NUL")
    if database is not None:
        if not isinstance(database, str):
            _refuse("segment.database", f"expected text, got {_type_name(database)}")
        _check_plain(database, "segment.database")
    for key in ("groups", "tags"):
        if segment.get(key) is not None:
            _check_facts(segment[key], f"segment.{key}")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and "\0" not in name and len(name.encode(errors="replace")) <= MAX_NAME_BYTES


def _check_facts(values: object, place: str) -> None:
    values = _as_list(values, place)
    if len(values) > MAX_FACTS:
        _refuse(place, f"expected at most {MAX_FACTS:,}, got {len(values):,}")
    for index, value in enumerate(values):
        _check_plain(value, f"{place}[{index}]")


def _check_plain(value: object, place: str) -> None:
    _check_id(value, place)
    if isinstance(value, str) and not value.isprintable() and _CONTROL.search(value):
        _refuse(place, f"{_shown(value)} holds a control character; expected plain text")


def _check_id(value: object, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        _refuse(place, f"expected a string or an integer, got {_type_name(value)}")
    if value == "":
        _refuse(place, "is empty; expected a string or an integer")
    if not _short(value):
        _refuse(place, f"is longer than {MAX_ID_BYTES} bytes")


def _short(value: str | int) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_BYTES // 4 or len(value.encode(errors="replace")) <= MAX_ID_BYTES
    return abs(value) < 10**MAX_ID_BYTES and len(int.__repr__(value)) <= MAX_ID_BYTES


def _check_time(at: object) -> None:
    text = at.isoformat() if isinstance(at, datetime) else at
    if not isinstance(text, str) or not _is_time(text):
        expected = "expected ISO 8601 with a time of day, years 1 to 9999, as in '2026-11-21T18:30:00.123Z'"
        _refuse("at", f"{expected}, got {_shown(text)}")
    if isinstance(at, datetime) and at.utcoffset() is None:
        _refuse("at", "is a datetime without a zone; expected one with, as datetime.now(timezone.utc) is")


def _is_time(text: str) -> bool:
    """Whether it is a date and time whose moment in UTC lies a day inside of what a datetime can hold."""
    match = _ISO_8601.fullmatch(text)
    if match is None:
        return False
    day, minute, second, sign, hours, minutes = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}") - datetime(1970, 1, 1)  # noqa: DTZ001 - UTC
    except ValueError:
        return False
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return _EARLIEST <= (local - offset if sign == "+" else local + offset) < _LATEST


def _checked_profiles(event: dict[str, Any]) -> list[Any] | tuple[Any, ...]:
    kind, profiles = event["type"], event.get("profiles")
    if profiles is None and kind in WITH_PROFILES:
        _refuse("profiles", f"{kind} needs them, found none; expected a list ([] does nothing)")
    profiles = _as_list(() if profiles is None else profiles, "profiles")
    if profiles and kind not in WITH_PROFILES:
        _refuse("profiles", f"{kind} takes none, got {len(profiles):,}")
    return profiles


def _check_profiles(profiles: list[Any] | tuple[Any, ...]) -> None:
    for index, profile in enumerate(profiles):
        if not isinstance(profile, dict) or not _is_usual_id(profile.get("_id")):
            _check_profile(profile, f"profiles[{index}]")


def _check_profile(profile: object, place: str) -> None:
    if not isinstance(profile, dict):
        _refuse(place, f"expected an object, got {_type_name(profile)}")
    _check_id(profile.get("_id"), f"{place}._id")


def _as_list(values: object, place: str) -> list[Any] | tuple[Any, ...]:
    if isinstance(values, (list, tuple)):
        return values
    _refuse(place, f"expected a list, got {_type_name(values)}")


# --- JSON --------------------------------------------------------------------------------------------------------


def _profile(profile: object, place: str, room: int) -> bytes:
    if not isinstance(profile, dict) or not _is_usual_id(profile.get("_id")):
        _check_profile(profile, place)
    data = _json(profile, place)
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _text(profile, place)  # refuses what is too deep
    if len(data) > room:
        _refuse(place, f"has {len(data):,} bytes; its event could have {room:,} for it")
    return data


def _json(value: object, place: str) -> bytes:
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        return _text(value, place).encode()


def _text(value: object, place: str, left: int = MAX_DEPTH) -> str:
    """The slow way to JSON: writes decimals with their digits, and knows the place of what it refuses."""
    if isinstance(value, (dict, list, tuple)) and not left:
        _refuse(place, f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        items = (f"{_key(key, place)}:{_text(item, _join(place, key), left - 1)}" for key, item in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_text(item, f"{place}[{index}]", left - 1) for index, item in enumerate(value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    return value.text if isinstance(value, _Digits) else _leaf(value, place)


def _key(key: object, place: str) -> str:
    if isinstance(key, str):
        return _leaf(key, f"a key of {place}")
    if key is None or isinstance(key, (bool, int, float)):
        return f'"{_leaf(key, place)}"'
    _refuse(place, f"a key is {_type_name(key)}; expected text")


def _leaf(value: object, place: str) -> str:
    try:
        text = _encoder.encode(value)
        text.encode()
    except UnicodeError:
        _refuse(place, "holds half of a surrogate pair, which UTF-8 cannot carry")
    except TypeError:
        hints = (hint for types, hint in HINTS if isinstance(value, types))
        _refuse(place, f"is {_type_name(value)}; {next(hints, 'JSON has no such value')}")
    except ValueError:
        what = "an integer of more than 4,300 digits" if isinstance(value, int) else "not finite; expected a number"
        _refuse(place, f"is {what}")
    return text


def _join(place: str, key: object) -> str:
    return f"{place}.{key}" if place and key else place or str(key)


def _type_name(value: object) -> str:
    if value is None:
        return "nothing"
    return "a number with a fraction" if isinstance(value, _Digits) else type(value).__name__


def _shown(value: object) -> str:
    try:
        return f"{value!r:.60}"
    except ValueError:
        return "an integer of more than 4,300 digits"
