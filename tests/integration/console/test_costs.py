"""What a page costs: rounds to Redis, whatever the number of integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import Connection

from tests.integration.console.browser import Browser
from tests.integration.place import integration
from workers.console.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from starlette.types import ASGIApp

    from tests.integration.place import Place


MOST_ROUNDS = 60


def test_a_page_asks_redis_a_few_times_however_many_integrations_there_are(
    place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them; with 40 integrations and 30 segments, so that one round for each of either would be noticed."""
    runtime = place.publish(*(integration(f"crm{n}") for n in range(40)))
    for n in range(30):
        place.add(str(n))
    runtime.route("t", 5)
    browser = Browser(make_console())
    rounds: list[object] = []
    sending = Connection.send_packed_command

    def counted(self: Connection, command: Any, check_health: bool = True) -> None:
        rounds.append(command)
        sending(self, command, check_health)  # type: ignore[no-untyped-call]

    browser.get("/")
    monkeypatch.setattr(Connection, "send_packed_command", counted)
    asked = {}
    for path in (
        page.path.replace("{key}", "crm1").replace("{number}", "1") for page in PAGES if "{id}" not in page.path
    ):
        rounds.clear()
        assert browser.client.get(path, params={"id": "7"}).status_code == 200, path
        asked[path] = len(rounds)
    assert {path: many for path, many in asked.items() if not 0 < many < MOST_ROUNDS} == {}
