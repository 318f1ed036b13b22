"""Live parts of a page as server-sent events: a stream renders the page now and then, and sends the parts that changed.

A stream ends with its page, with its viewer's session, with the console, and after a while; there are only so many, and
of one browser fewer: the newest takes the place of its oldest. The script that listens falls back to asking (live.js),
so whoever has none is served more slowly, and no worse.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route

from workers.console.visit import BROWSER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from workers.console.routes import PageRoute
    from workers.console.streams import OpenStream, Streams

    Look = Callable[[PageRoute, Request], Response]

MOST_STREAMS: Final = 40
"""Of one console, at once."""
AT_ONCE: Final = 2
"""Streams that render at the same time: pages that somebody waits for come between them."""
SHARE: Final = 10
"""A stream rests so many times as long as it rendered, so that it takes a tenth of a processor at most."""
LONGEST_SECONDS: Final = 600.0
"""Of a stream: the browser begins another one."""
AGAIN_MS: Final = 3_000
"""Milliseconds after which a browser begins another one."""
LONGEST_ADDRESS: Final = 2_000
"""Characters of a page's address."""
_PART: Final = re.compile(
    r'<section id="(?P<id>[a-z-]+)" data-live="(?P<seconds>\d+)"[^>]*>(?P<inside>.*?)</section>', re.DOTALL
)
_OVER: Final = frozenset({HTTPStatus.SEE_OTHER, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class LivePart:
    """A part of a page that changes.

    seconds  between two looks
    """

    id: str
    seconds: int
    inside: str


def parts_of(html: str) -> list[LivePart]:
    """All that a page has."""
    return [LivePart(each["id"], int(each["seconds"]), each["inside"]) for each in _PART.finditer(html)]


@dataclass(slots=True)
class LiveDoor:
    """GET /live?at=/&part=overview-figures, as an ASGI application.

    look   renders a page for whoever asks, after its session and role were looked at; runs in a thread
    """

    pages: Sequence[PageRoute]
    look: Look
    streams: Streams
    _routes: list[tuple[Route, PageRoute]] = field(init=False)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def __post_init__(self) -> None:
        self._routes = [(Route(page.path, _nothing), page) for page in self.pages if page.live]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One stream."""
        request = Request(scope)
        at, wanted = request.query_params.get("at", ""), set(request.query_params.getlist("part"))
        if len(self.streams) >= MOST_STREAMS:
            full = PlainTextResponse(f"{MOST_STREAMS} streams are open; expected fewer\n", 503, {"retry-after": "60"})
            await full(scope, receive, send)
            return
        with self.streams.one(request.cookies.get(BROWSER, "")) as place:
            first = await self._rendered(request, at)
            if first is None or first.status_code != HTTPStatus.OK:
                code = HTTPStatus.NOT_FOUND if first is None else first.status_code
                code = HTTPStatus.UNAUTHORIZED if code == HTTPStatus.SEE_OTHER else code
                await PlainTextResponse("no live page\n", code)(scope, receive, send)
                return
            ends = {asyncio.ensure_future(_set(place.ending)), asyncio.ensure_future(_disconnected(receive))}
            try:
                await self._stream(_Stream(request, at, wanted, send, ends, place), first)
            finally:
                for each in ends:
                    each.cancel()

    async def _stream(self, stream: _Stream, page: Response | None) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await stream.send({"type": "http.response.start", "status": 200, "headers": headers})
        await stream.say(f"retry: {AGAIN_MS}\n\n")
        until = time.monotonic() + LONGEST_SECONDS
        took = 0.0
        while page is not None and page.status_code not in _OVER:
            rest = await stream.tell(page)
            if time.monotonic() > until or await stream.ends_within(max(rest, SHARE * took)):
                if stream.place.gives_way:
                    await stream.over()
                break
            began = time.monotonic()
            page = await self._rendered(stream.request, stream.at)
            took = time.monotonic() - began
        else:
            await stream.over()
        await stream.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _rendered(self, request: Request, at: str) -> Response | None:
        """The page at an address of ours, as it is for who asks; None where there is no live one."""
        path, _, query = at.partition("?")
        if len(at) > LONGEST_ADDRESS or not at.isascii():
            return None
        asked = {"path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}
        scope = {**request.scope, **asked, "path_params": {}}
        for route, page in self._routes:
            found, more = route.matches(scope)
            if found is Match.FULL:
                async with self._turns:
                    return await run_in_threadpool(self.look, page, Request({**scope, **more}))
        return None


def _nothing() -> None:
    """Stands where a route is looked for, and never called."""


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@dataclass(slots=True)
class _Stream:
    """One of them: who asked, for which parts, and what ends it."""

    request: Request
    at: str
    wanted: Collection[str]
    send: Send
    ends: Collection[asyncio.Task[None]]
    place: OpenStream
    told: dict[str, str] = field(default_factory=dict)

    async def tell(self, page: Response) -> float:
        """Sends the parts that changed; seconds until the next look. A failure's page has none, and changes nothing."""
        found = [each for each in parts_of(bytes(page.body).decode()) if each.id in self.wanted]
        for each in found:
            if self.told.get(each.id) != each.inside:
                self.told[each.id] = each.inside
                await self.say(f"data: {json.dumps({'id': each.id, 'inside': each.inside})}\n\n")
        await self.say(":\n\n")
        return float(min((each.seconds for each in found), default=5))

    async def say(self, text: str) -> None:
        await self.send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def over(self) -> None:
        """Has the browser ask instead: it would begin another stream at once where one only ends."""
        await self.say("event: over\ndata:\n\n")

    async def ends_within(self, seconds: float) -> bool:
        """Waits so long; whether it must end."""
        done, _ = await asyncio.wait(self.ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
