"""The demo for ad accounts: what it needs, what it compares, and how it lets time go by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from workers.cli.commands import demo_ads as command
from workers.cli.demo import ads_story, hours, stand_ins
from workers.cli.demo.ads_events import NOBODY
from workers.cli.demo.ads_story import FoundAtPlatforms
from workers.connectors.audiences.store.audiences import open_audiences
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.tables import audiences, identifiers
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_without_the_repository_it_says_where_the_stand_ins_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_ins, "REPOSITORY", tmp_path)
    with pytest.raises(WrongUsage, match=r"part of segsync's repository.* expected a clone of the repository"):
        command.run(keep=False)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins, "find_spec", lambda name: None if name == "phonenumbers" else name)
    with pytest.raises(WrongUsage, match=r"^ad accounts need phonenumbers; expected pip install 'segsync\[ads\]'$"):
        command.run(keep=False)


def found(**more: Any) -> FoundAtPlatforms:
    """All as it must be, but for what is said."""
    entries: Any = [SimpleNamespace(integration="to-ya", profile=NOBODY.id)]
    values: dict[str, Any] = {
        "expected": {"ya": {("email", "a")}},
        "members": {"ya": {("email", "a")}},
        "standings": {"ya": [SimpleNamespace(owed=0, pending=0)]},
        "entries": entries,
    }
    return FoundAtPlatforms(**(values | more))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, []),
        ({"members": {"ya": set()}}, ["ya: 1 identifiers are missing, such as ('email', 'a')"]),
        (
            {"members": {"ya": {("email", "a"), ("email", "b")}}},
            ["ya: 1 identifiers should not be there, such as ('email', 'b')"],
        ),
        (
            {"standings": {"ya": [SimpleNamespace(owed=1, pending=2)]}},
            ["ya: 1 identifiers are owed, 2 are on their way"],
        ),
        ({"entries": []}, [f"quarantine: []; expected {NOBODY.id} once for each platform"]),
    ],
)
def test_what_differs_is_said(more: dict[str, Any], said: list[str]) -> None:
    assert found(**more).differences() == said


@pytest.mark.parametrize(("members", "status"), [({("email", "a")}, 0), (set(), 1)])
def test_it_ends_with_1_where_a_platform_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, members: set[tuple[str, str]], status: int
) -> None:
    demo: Any = object.__new__(command.AdsDemo)
    demo.folder, demo.started, demo.platforms = tmp_path, 0.0, {}
    demo.installation = SimpleNamespace(start_workers=lambda _: None, signals=SimpleNamespace(count=0))
    settings = SimpleNamespace(local=SimpleNamespace(namespace="x"), connectors={})
    monkeypatch.setattr(demo, "_prepare", lambda: (settings, None, None), raising=False)
    monkeypatch.setattr(demo, "_connect", lambda _: SimpleNamespace(passed=0), raising=False)
    monkeypatch.setattr(demo, "_wait_for_workers", lambda *_: None, raising=False)
    monkeypatch.setattr(demo, "_push_and_wait", lambda *_: found(members={"ya": members}), raising=False)
    monkeypatch.setattr(ads_story, "tell_platforms", lambda *_: None)
    assert demo.run(keep=False) == status


NOW = 10_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An audience that owes somebody, and is to be looked at in ten minutes."""
    made = Store(f"sqlite:///{tmp_path}/store.db")
    made.upgrade()
    with made.changing() as connection:
        (one,) = open_audiences(connection, ("ya", "to-ya", "7"), {""}, "Buyers", NOW).values()
        connection.execute(audiences.update().values(due_ms=NOW + 600_000))
        row = {"audience": one.id, "kind": "email", "value": b"a", "there": 0, "owed": True, "sent_ms": 0}
        connection.execute(identifiers.insert().values(row))
    yield made
    made.close()


class Clock:
    """A stand-in that only has a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def work(self) -> int:
        return 0

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


def account_in(store: Store, clock: Callable[[], int] = lambda: NOW) -> Any:
    """What is looked at of an open account."""
    redis, keys = SimpleNamespace(delete=lambda *_: None), SimpleNamespace(budget=str, looks=str)
    return SimpleNamespace(connector=SimpleNamespace(store=store), clock=clock, redis=redis, keys=keys)


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        pytest.param({}, True, id="it waits for time"),
        pytest.param({"owner": "somebody"}, False, id="somebody is at work on it"),
        pytest.param({"due_ms": NOW}, False, id="it is due"),
        pytest.param({"owed": False}, False, id="nothing is waited for"),
    ],
)
def test_time_goes_by_only_while_all_wait_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], passes: bool
) -> None:
    monkeypatch.setattr(hours, "tend_again", lambda *_: None)
    monkeypatch.setattr(hours, "ring", lambda *_: None)
    with store.changing() as connection:
        for name, value in change.items():
            table = identifiers if name == "owed" else audiences
            connection.execute(table.update().values({name: value}))
    account = account_in(store)
    clock: Any = Clock()
    passing = hours.Hours({"ya": account}, {"ya": clock})
    passing.pass_on()
    with store.reading() as connection:
        due = connection.execute(audiences.select()).one().due_ms
    assert (passing.passed, clock.seconds) == ((1, 3600) if passes else (0, 0))
    assert due == change.get("due_ms", NOW + 600_000) - (3_600_000 if passes else 0)


def test_a_redis_that_is_away_ends_nothing(store: Store) -> None:
    def away() -> int:
        raise RedisConnectionError

    passing = hours.Hours({"ya": account_in(store, away)}, {})
    assert passing.pass_on() is False
    assert passing.passed == 0
