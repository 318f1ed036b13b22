"""What a page costs: rounds to Redis, whatever the number of integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import Connection

from tests.integration.console.browser import Browser
from tests.integration.place import integration

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.integration.place import Place


@pytest.mark.parametrize("path", ["/"])
def test_a_page_asks_redis_a_few_times_however_many_integrations_there_are(
    path: str, place: Place, make_console: Callable[..., ASGIApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.publish(*(integration(f"crm{n}", segments=f"[{n}]") for n in range(60)))
    browser = Browser(make_console())
    browser.get(path)
    rounds = []
    sending = Connection.send_packed_command

    def counted(self: Connection, command: Any, check_health: bool = True) -> None:
        rounds.append(command)
        sending(self, command, check_health)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "send_packed_command", counted)
    browser.get(path)
    assert 0 < len(rounds) < 50
