"""Live parts through a stream: what is sent, and what ends it."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.integration.console.browser import Browser
from tests.integration.console.test_serving import listening
from tests.integration.place import integration
from tests.repository import ROOT
from tests.waiting import PATIENCE
from workers.console import live, streams
from workers.console.pages import PAGES
from workers.console.visit import BROWSER
from workers.control.pause import pause

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Message

    from tests.integration.place import Place

FIGURES, TABLE = "overview-figures", "overview-integrations"


class Listener:
    """A browser's end of a stream, in the test's own loop."""

    def __init__(self) -> None:
        self.status = 0
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.left = asyncio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        if text := message.get("body", b"").decode():
            await self.said.put(text)

    async def part(self) -> dict[str, str]:
        """The next part that comes."""
        while not (text := await asyncio.wait_for(self.said.get(), PATIENCE)).startswith("data: "):
            pass
        found: dict[str, str] = json.loads(text.removeprefix("data: "))
        return found


@asynccontextmanager
async def stream(
    app: ASGIApp, at: str, *parts: str, role: str = "viewer", browser: str = ""
) -> AsyncIterator[tuple[Listener, Any]]:
    """One that is open; ended with the block."""
    query = urlencode([("at", at), *(("part", part) for part in parts)])
    headers = [(b"host", b"localhost"), (b"x-role", role.encode())]
    headers += [(b"cookie", f"{BROWSER}={browser}".encode())] if browser else []
    scope = {"type": "http", "method": "GET", "path": "/live", "query_string": query.encode(), "headers": headers}
    listener = Listener()
    task = asyncio.ensure_future(app(scope, listener.receive, listener.send))
    try:
        yield listener, task
    finally:
        listener.left.set()
        await asyncio.wait_for(task, PATIENCE)


@pytest.fixture
def app(place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch) -> ASGIApp:
    place.publish(integration("crm"))
    monkeypatch.setattr(live, "parts_of", lambda html, real=live.parts_of: [_soon(each) for each in real(html)])
    return make_console()


def _soon(part: live.LivePart) -> live.LivePart:
    return live.LivePart(part.id, 0, part.inside)


def test_what_is_visible_is_sent_and_again_when_it_changes(place: Place, app: ASGIApp) -> None:
    async def look() -> None:
        async with stream(app, "/?q=c", TABLE) as (listener, _):
            first = await listener.part()
            assert (first["id"], "active" in first["inside"]) == (TABLE, True)
            await asyncio.to_thread(pause, place.redis, place.keys, "crm", reason="stocktaking <b>", by="bob")
            second = await listener.part()  # nothing came between: the figures are not asked for
            assert (second["id"], "stocktaking &lt;b&gt;" in second["inside"]) == (TABLE, True)

    asyncio.run(look())


def test_a_closed_page_ends_its_stream_and_leaves_its_place(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 1)

    async def look() -> None:
        async with stream(app, "/", FIGURES) as (listener, _):
            await listener.part()
            async with stream(app, "/", FIGURES) as (other, task):
                await asyncio.wait_for(task, PATIENCE)
                assert (other.status, "1 streams are open" in other.said.get_nowait()) == (503, True)
        async with stream(app, "/", FIGURES) as (listener, _):
            await listener.part()

    asyncio.run(look())


def test_a_browsers_newest_stream_takes_the_place_of_its_oldest(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else six windows take all connections that a browser opens to a host."""
    monkeypatch.setattr(streams, "MOST_OF_BROWSER", 2)

    async def look() -> None:
        async with AsyncExitStack() as stack:

            async def open_one(browser: str) -> tuple[Listener, Any]:
                opened = await stack.enter_async_context(stream(app, "/", FIGURES, browser=browser))
                await opened[0].part()
                return opened

            first, second, others = await open_one("ann"), await open_one("ann"), await open_one("bob")
            nobodys = [await open_one("") for _ in range(3)]
            third = await open_one("ann")
            await asyncio.wait_for(first[1], PATIENCE)
            told = [first[0].said.get_nowait() for _ in range(first[0].said.qsize())]
            assert told[-1] == "event: over\ndata:\n\n"  # it asks, and begins no other at once
            assert not any(task.done() for _, task in (second, third, others, *nobodys))

    asyncio.run(look())


def test_a_stream_looks_at_role_and_session_each_time(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look() -> None:
        for at, role, code in (("/", "nobody", 401), ("/system?examine=1", "editor", 404), ("/x", "editor", 404)):
            async with stream(app, at, FIGURES, role=role) as (listener, task):
                await asyncio.wait_for(task, PATIENCE)
                assert (listener.status, at) == (code, at)
        async with stream(app, "/", FIGURES) as (listener, task):
            await listener.part()
            monkeypatch.setattr("tests.integration.console.conftest.Everybody.viewer", lambda *_: None)
            await asyncio.wait_for(task, PATIENCE)
            told = [listener.said.get_nowait() for _ in range(listener.said.qsize())]
            assert "event: over\ndata:\n\n" in told

    asyncio.run(look())


def test_the_consoles_end_is_held_up_by_no_stream(place: Place) -> None:
    """`listening` ends it in good order, within the time for what is being answered."""
    place.publish(integration("crm"))
    with ExitStack() as stack:
        with listening(place) as at:
            told = stack.enter_context(urllib.request.urlopen(f"{at}live?at=/&part={FIGURES}", timeout=PATIENCE))  # noqa: S310 - http
            assert told.headers["content-type"].startswith("text/event-stream")
            assert "form-action 'self'" in told.headers["content-security-policy"]
            assert told.readline() == b"retry: 3000\n"
        rest = told.read()  # to its end: it was ended, and not cut off
    assert rest.count(b"data: ") == 1


def test_pages_with_live_parts_say_so_and_no_others(app: ASGIApp) -> None:
    folder = ROOT / "workers" / "console" / "html"
    lively = {each.name for each in folder.glob("*.html") if "data-live" in each.read_text(encoding="utf-8")}
    shown = {f"{page.show.__module__.rpartition('.')[2]}.{page.show.__name__}" for page in PAGES if page.live}
    assert len(lively) == len(shown)
    parts = live.parts_of(Browser(app).get("/"))
    marked = re.findall(r'id="([a-z-]+)" data-live', Browser(app).get("/"))
    assert [each.id for each in parts] == marked == [FIGURES, TABLE]
