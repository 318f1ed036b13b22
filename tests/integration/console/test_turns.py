"""What asks targets and workers for somebody at a browser or with a token: bounded, and written down."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from anyio.to_thread import current_default_thread_limiter

from tests.integration.console.browser import Browser, text_of
from tests.integration.console.entering import console_of, token_table
from tests.integration.console.test_api import Program
from tests.integration.place import integration
from workers.console.turns import ANSWER_SECONDS, AT_ONCE, CONNECT_SECONDS, AskingTurns, hurried
from workers.ledger.past_acts import list_acts
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from starlette.types import ASGIApp, Message

    from tests.integration.place import Place

TOKEN = "edit = false\n" + token_table("both", "both-text", "read", "operate")


def test_only_so_many_ask_targets_at_once(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    place.publish(integration("crm"))
    turns, told = AskingTurns(), "4 are asking targets already"
    browser = Browser(make_console(turns=turns))
    with ExitStack() as taken:
        for _ in range(AT_ONCE):
            taken.enter_context(turns.one())
        assert told in text_of(browser.post("/connectors/db", "/connectors/db/check").text)
        assert told in text_of(browser.get("/system?examine=1", 409))
        form = {"key": "new", "url": "sqlite:///target.db", "password": "none"}
        assert told in text_of(browser.post("/create-connector", "/create-connector/try", **form).text)
    assert "db is fine" in browser.press("/connectors/db", "/connectors/db/check")


def test_no_target_is_waited_for_longer_than_a_person_would(place: Place) -> None:
    pg = 'url = "postgresql://u@h/d"\nconnect_timeout = "60s"\nstatement_timeout = "1h"\n'
    place.write(integration("crm") + f"[connectors.pg]\n{pg}")
    found = hurried(load(place.file)).connectors["pg"]
    assert (found.connect_timeout, found.statement_timeout) == (CONNECT_SECONDS, ANSWER_SECONDS)


def test_another_sites_page_has_nobody_asked(
    place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(integration("crm"))
    browser = Browser(make_console())
    monkeypatch.setattr("workers.doctor._address", lambda: "127.0.0.1")

    def answer(path: str, site: str) -> int:
        return browser.client.get(path, headers={"sec-fetch-site": site}).status_code

    for asked in ("ask", "examine"):
        assert answer(f"/system?{asked}=1", "cross-site") == 403
        assert answer(f"/system?{asked}=1", "same-origin") == 200
    assert answer("/system", "cross-site") == 200


def test_to_examine_everything_is_written_down(
    place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a token that may look, too, where nothing may be changed."""
    monkeypatch.setattr("workers.doctor._address", lambda: "127.0.0.1")
    runtime = place.publish(integration("crm"))
    Browser(make_console()).get("/system?examine=1")
    Program(console_of(place, f"[console]\n{TOKEN}"), "both-text").get("/api/doctor")
    runtime.drain_outcomes(5)
    assert {(act.who, act.via, act.act) for act in list_acts(runtime.ledger)} == {
        ("ann@test", "console", "doctor"),
        ("both", "api", "doctor"),
    }


def test_health_is_told_while_every_thread_of_the_pages_is_busy(place: Place) -> None:
    app = console_of(place, TOKEN.partition("\n")[2])

    async def asked() -> list[Message]:
        limiter = current_default_thread_limiter()
        sent: list[Message] = []
        for each in range(int(limiter.total_tokens)):
            limiter.acquire_on_behalf_of_nowait(("busy", each))

        async def send(message: Message) -> None:
            sent.append(message)

        headers: list[Any] = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "GET", "path": "/health", "headers": headers, "query_string": b""}
        await asyncio.wait_for(app(scope, asyncio.Event().wait, send), 20)  # type: ignore[arg-type]
        return sent

    assert asyncio.run(asked())[0]["status"] == 200
