"""POST /api/events: for platforms that can post, and cannot reach Redis.

All of it is looked at before anything is pushed, by the client's own checks (segsync.py). It is pushed in the client's
chunks, each accepted whole or not at all; with an Idempotency-Key how far it has come is kept in the very step that
pushes, so that the same call again goes on from there, and pushes nothing twice.
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from segsync import CHUNK_BYTES, CHUNK_EVENTS, PUSH, InvalidEvent, payloads_of
from workers.console.api.events_body import MOST_PACKED, Item, items_of, unpacked
from workers.console.api.frame import as_json, failure
from workers.console.api.routes import ApiRefused
from workers.console.failures import TooLarge
from workers.console.routes import posted
from workers.errors import SegsyncError
from workers.settings.console import May
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.console.api.frame import Frame
    from workers.lanes.keys import Keys

AT_ONCE: Final = 4
"""Calls that are read at the same time: each may hold 64 MiB, and some more while it is looked at."""
SLOWEST_SECONDS: Final = 60.0
"""How long a call may take to be sent."""
FULL_SECONDS: Final = 10
"""When to come again where the intake is full: workers make room within seconds, or somebody is needed."""
MOST_MISTAKES: Final = 100
"""Mistakes that are told one by one."""
KEPT_SECONDS: Final = 86_400
"""How long it is known how far a call with an Idempotency-Key has come."""
LONGEST_KEY: Final = 255
"""Characters of an Idempotency-Key: more than any id has."""

# The client's own script, and beside it how far this call has come: both or neither. The last two arguments are what
# stands there before and after; the client's script reads all that are left.
PUSH_ONCE: Final = f"""
local seconds, after, before = table.remove(ARGV), table.remove(ARGV), table.remove(ARGV)
if (redis.call('GET', KEYS[4]) or '') ~= before then return {{'moved', ''}} end
local push = function()
{PUSH}
end
local told = push()
if told[1] ~= 'full' then redis.call('SET', KEYS[4], after, 'EX', seconds) end
return told
"""


@dataclass(slots=True)
class Chunk:
    """Events that are pushed in one step.

    upto  how many of the call's items are accepted as a whole with it
    """

    events: list[bytes]
    upto: int
    size: int = 0

    def has_room(self, payload: bytes) -> bool:
        """Whether another event fits, by the client's bounds."""
        return not self.events or (len(self.events) < CHUNK_EVENTS and self.size + len(payload) <= CHUNK_BYTES)


@dataclass(frozen=True, slots=True)
class PushProgress:
    """How far a call has come; kept under its Idempotency-Key, or nowhere.

    name  the key in Redis; "" where nothing is kept
    body  the hash of what was posted: the same makes the same chunks
    """

    name: str
    body: str

    def text(self, chunks: int) -> str:
        """As it is kept, after so many chunks."""
        return f"{self.body}:{chunks}" if chunks else ""


class Stopped(SegsyncError):
    """Pushing ended before its end; `accepted` items are in the intake, always the first ones."""

    def __init__(self, why: str, accepted: int, *, full: bool) -> None:
        self.accepted = accepted
        self.full = full
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class EventsDoor:
    """The route for events."""

    frame: Frame
    _slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    def routes(self) -> list[Route]:
        """One."""
        return [Route("/api/events", self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        try:
            token = self.frame.token(request, May.PUSH)
            with self._slot():
                body = await posted(request, MOST_PACKED, SLOWEST_SECONDS)
                if body is None:
                    raise TooLarge(MOST_PACKED)
                return await run_in_threadpool(self._pushed, request, token.name, body)
        except Stopped as stopped:
            return _told(stopped)
        except (SegsyncError, RedisError) as error:
            return failure(error)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            why = "others are being read; expected a moment later"
            raise ApiRefused(HTTPStatus.TOO_MANY_REQUESTS, why, retry_after="1")
        try:
            yield
        finally:
            self._slots.release()

    def _pushed(self, request: Request, token: str, body: bytes) -> Response:
        site = self.frame.site
        content = unpacked(body, request.headers.get("content-encoding", ""))
        progress = _progress(request, token, content, site.keys)
        items = items_of(content, request.headers.get("content-type", ""))
        chunks, mistakes, many = _looked_at(items)
        if many:
            error = f"{counted(many, 'mistake')}; nothing was pushed"
            return as_json({"error": error, "accepted": 0, "mistakes": mistakes}, 400)
        # What was sent and not answered may have been accepted: nothing is sent again by itself.
        client = site.runtime().local.redis.client(retry=Retry(NoBackoff(), 0))
        before = push(client, site.keys, chunks, progress)
        return as_json({"accepted": len(items), "known_before": before})


def _told(stopped: Stopped) -> Response:
    told = {"error": str(stopped), "accepted": stopped.accepted}
    if stopped.full:
        return as_json(told, 429, {"retry-after": str(FULL_SECONDS)})
    return as_json(told | {"unknown": "the answer was lost: what comes next may be accepted or not"}, 503)


def _looked_at(items: list[Item]) -> tuple[list[Chunk], list[dict[str, Any]], int]:
    """The events in chunks, as the client makes them; or its first mistakes, and how many there are."""
    chunks, mistakes, many = [Chunk([], 0)], list[dict[str, Any]](), 0
    for number, item in enumerate(items, 1):
        try:
            payloads = payloads_of(item.event)
        except InvalidEvent as invalid:
            many += 1
            if many <= MOST_MISTAKES:
                where = {"where": invalid.place} if invalid.place else {}
                mistakes.append({item.kind: item.number} | where | {"what": invalid.problem})
            continue
        for payload in payloads:
            if not chunks[-1].has_room(payload):
                chunks.append(Chunk([], chunks[-1].upto))
            chunks[-1].events.append(payload)
            chunks[-1].size += len(payload)
        chunks[-1].upto = number
    return [chunk for chunk in chunks if chunk.events], mistakes, many


def _progress(request: Request, token: str, body: bytes, keys: Keys) -> PushProgress:
    told = request.headers.get("idempotency-key", "")
    if len(told) > LONGEST_KEY or not told.isprintable():
        raise ApiRefused(HTTPStatus.BAD_REQUEST, f"Idempotency-Key: expected at most {LONGEST_KEY} characters of text")
    named = hashlib.sha256(f"{token}\0{told}".encode()).hexdigest()[:32]
    return PushProgress(keys.console(f"pushed:{named}") if told else "", hashlib.sha256(body).hexdigest()[:32])


def push(redis: Redis, keys: Keys, chunks: list[Chunk], progress: PushProgress) -> int:
    """Pushes what is not pushed yet; how many items were known before. Stopped, ApiRefused."""
    known = _known(redis, progress)
    before = done = chunks[known - 1].upto if known else 0
    for number in range(known, len(chunks)):
        try:
            told = _push_one(redis, keys, chunks[number], progress, number)
        except RedisError as error:
            full = "OOM" in str(error)
            why = "Redis is at its maxmemory" if full else f"Redis is out of reach: {error}"
            raise Stopped(f"{'the intake is full: ' if full else ''}{why}", done, full=full) from None
        if told[:1] == [b"full"]:
            reason = told[1].decode(errors="replace") or "no reason given"
            raise Stopped(f"the intake is full: {reason}", done, full=True)
        if told[:1] == [b"moved"]:
            raise ApiRefused(HTTPStatus.CONFLICT, "the same call is being pushed by somebody else; ask again later")
        done = chunks[number].upto
    return before


def _push_one(redis: Redis, keys: Keys, chunk: Chunk, progress: PushProgress, number: int) -> list[bytes]:
    names = (keys.events, keys.limits, keys.full_marks)
    if progress.name:
        more = (progress.text(number), progress.text(number + 1), KEPT_SECONDS)
        told: Any = redis.eval(PUSH_ONCE, len(names) + 1, *names, progress.name, *chunk.events, *more)
    else:
        told = redis.eval(PUSH, len(names), *names, *chunk.events)
    return list(told)


def _known(redis: Redis, progress: PushProgress) -> int:
    """How many chunks of this very call were pushed before; ApiRefused where its key belongs to another."""
    kept: Any = redis.get(progress.name) if progress.name else None
    if kept is None:
        return 0
    body, _, chunks = kept.decode().partition(":")
    if body != progress.body:
        raise ApiRefused(
            HTTPStatus.UNPROCESSABLE_ENTITY, "this Idempotency-Key came with something else before; expected a new one"
        )
    return int(chunks)
