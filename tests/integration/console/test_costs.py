"""What a page costs: rounds to Redis and statements to the ledger, whatever the number of integrations."""

from __future__ import annotations

import threading
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from redis import Connection

from tests.integration.console.browser import Browser
from tests.integration.place import integration
from workers.console.pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from tests.integration.place import Place

MOST_ROUNDS = 60
FEW, MANY = 5, 60
"""Integrations: so many more that one round, or one statement, for each of them would be noticed."""
SEGMENTS = 20
SOURCE = '[sources.main]\nurl = "sqlite:///shop.db"\nmembers = "SELECT {segment_id} AS _id"\n'


class Costs:
    """Counts what is asked while it is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds = self.statements = 0
        sending = Connection.send_packed_command

        def counted(connection: Connection, command: Any, check_health: bool = True) -> None:
            self.rounds += 1
            sending(connection, command, check_health)  # type: ignore[no-untyped-call]

        monkeypatch.setattr(Connection, "send_packed_command", counted)

    def stated(self, *_: object) -> None:
        self.statements += 1

    def of(self, browser: Browser, path: str) -> tuple[int, int]:
        """What a page asks the second time it is looked at."""
        for _ in range(2):
            self.rounds = self.statements = 0
            assert browser.client.get(path, params={"id": "7"}).status_code == 200, path
        return self.rounds, self.statements


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Costs]:
    found = Costs(monkeypatch)
    sa.event.listen(sa.Engine, "before_cursor_execute", found.stated)
    yield found
    sa.event.remove(sa.Engine, "before_cursor_execute", found.stated)


def paths() -> list[str]:
    """Every page but those of one entry of the quarantine, and an empty form."""
    known = {"/connectors/{key}": "/connectors/db", "/sources/{key}": "/sources/main"}
    every = [page.path for page in PAGES if "{id}" not in page.path and page.path != "/erase"]
    named = [reduce(lambda path, place: path.replace(place, known[place]), known, path) for path in every]
    return [path.replace("{key}", "crm1").replace("{number}", "1") for path in named if "/accounts/" not in path]


def test_no_page_asks_redis_or_the_ledger_more_often_where_there_are_more_integrations(
    place: Place, make_console: Callable[..., ASGIApp], costs: Costs
) -> None:
    asked = []
    place.publish(integration("crm0"))  # what /revisions/1 goes back to
    for many in (FEW, MANY):
        runtime = place.publish(*(integration(f"crm{n}") for n in range(many)), SOURCE)
        for n in range(SEGMENTS):
            place.add(str(n))
        runtime.route("t", 5)
        browser = Browser(make_console())
        asked.append({path: costs.of(browser, path) for path in paths()})
    few, many_of_them = asked
    more = {path: (few[path], cost) for path, cost in many_of_them.items() if cost > few[path]}
    assert {path: both for path, both in more.items() if any(b - a > 3 for a, b in zip(*both, strict=True))} == {}
    assert {path: cost for path, cost in many_of_them.items() if not 0 < cost[0] < MOST_ROUNDS} == {}


MOST_CALLS = 900
"""Python's calls that a page may make for each integration: some 100 ns each, so 500 of them take 50 ms."""


def test_no_page_works_long_for_each_integration(place: Place, make_console: Callable[..., ASGIApp]) -> None:
    """In calls, which are as many on any machine."""
    made = [0]

    def counted(_: object, event: str, __: object) -> None:
        made[0] += event in ("call", "c_call")

    calls = []
    place.publish(integration("crm0"))
    for many in (FEW, MANY):
        place.publish(*(integration(f"crm{n}") for n in range(many)))
        browser = Browser(make_console())
        found = {}
        for path in paths():
            browser.client.get(path, params={"id": "7"})
            threading.setprofile(counted)
            made[0] = 0
            browser.client.get(path, params={"id": "7"})
            threading.setprofile(None)
            found[path] = made[0]
        calls.append(found)
    each = {path: (calls[1][path] - calls[0][path]) / (MANY - FEW) for path in calls[0]}
    assert max(calls[0].values()) > 1_000, "they are counted"
    assert {path: many for path, many in each.items() if many > MOST_CALLS} == {}
