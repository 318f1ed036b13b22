"""A few dozen histories; `make proof SEEDS=20000` runs many. And that they would tell: the judge sees what is wrong."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulation.histories import a_place, run, shrink
from tests.simulation.judge import DEATHS
from tests.simulation.plans import WINDOW, Plan, Settings, plan
from tests.simulation.target import SimulatedSession
from workers.delivery import leases
from workers.windows import DailyWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.adapter import Place

SEEDS = range(1, 25)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with a_place() as found:
        yield found


@pytest.mark.parametrize("seed", SEEDS)
def test_every_operation_has_its_fate(place: Place, seed: int) -> None:
    history = run(plan(seed), place)
    assert not history.wrong, f"python -m tests.simulation --only {seed}"


def test_lanes_go_together_in_some_histories(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    together, lanes = SimulatedSession.deliver_together, list[int]()

    def counting(self: SimulatedSession, shipments: Any, fence: Any) -> Any:
        lanes.append(len(shipments))
        return together(self, shipments, fence)

    monkeypatch.setattr(SimulatedSession, "deliver_together", counting)
    assert run(plan(43), place).wrong == []
    assert max(lanes) > 2


def quiet(amount: int = 12, rates: dict[str, float] | None = None) -> Plan:
    """A history in which nothing goes wrong but what `rates` say."""
    events = [
        (
            "producer-1",
            number * 0.5,
            {
                "type": "add",
                "segment": {"id": 1},
                "at": f"2020-01-01T00:00:{number:02d}Z",
                "profiles": [{"_id": f"e{number}.0", "op": f"e{number}.0", "CustomID": f"K{number}"}],
            },
        )
        for number in range(amount)
    ]
    settings = Settings(size=2, timeout_s=0.2, exactly_once=True)
    return Plan(1, "quiet", settings, 2, 20.0, (), rates or {}, events, [])


def test_a_seed_is_one_history(place: Place) -> None:
    first, second = (run(plan(7), place, tracing=True) for _ in range(2))
    assert first.told == second.told
    assert len(first.told) > 100


def test_a_thread_that_others_left_takes_no_part(place: Place) -> None:
    """A heartbeat of an earlier test in this process looks up the same module for its clock."""
    ended = threading.Event()

    def beats() -> None:
        while not ended.is_set():
            vars(leases)["time"].sleep(0.001)

    thread = threading.Thread(target=beats)
    thread.start()
    try:
        histories = [run(plan(7), place, tracing=True) for _ in range(2)]
    finally:
        ended.set()
        thread.join()
    assert histories[0].told == histories[1].told
    assert histories[0].wrong == []


def test_what_is_left_out_does_not_happen_and_the_rest_does(place: Place) -> None:
    whole = run(quiet(rates={"redis:unanswered": 0.1}), place)
    left_out = {each for each in whole.met if each.startswith("event")}
    part = run(quiet(rates={"redis:unanswered": 0.1}).leaving_out(left_out), place)
    assert left_out
    assert part.met
    assert not left_out & {*part.met}


def test_nothing_is_wrong_with_a_quiet_history(place: Place) -> None:
    assert run(quiet(), place).wrong == []


def test_a_rate_and_a_window_lose_nothing(place: Place) -> None:
    for rate, window in (("2/s", ""), ("", WINDOW), ("20/s", WINDOW)):
        planned = quiet(rates={"redis:unanswered": 0.03, "target:commit unanswered": 0.1})
        history = run(replace(planned, settings=replace(planned.settings, rate=rate, window=window)), place)
        assert history.wrong == []
        assert history.seconds > (40 if window else 5)


def test_what_is_told_before_its_window_is_seen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DailyWindow, "for_scripts", lambda *_: "")
    planned = quiet()
    history = run(replace(planned, settings=replace(planned.settings, window=WINDOW)), place)
    assert any(what.startswith("told before its window: ADD e0.0") for what in history.wrong)


def test_an_event_that_is_pushed_again_as_a_whole_comes_after_what_was_refused_since(place: Place) -> None:
    """What ended three routers is pushed again as a new event, and supersedes what came behind it and was refused."""
    planned = quiet(3)
    first, second = planned.events[0][2], planned.events[2][2]
    second["profiles"][0]["CustomID"] = first["profiles"][0]["CustomID"]
    history = run(replace(planned, deadly=frozenset({first["at"]}), refused=frozenset({"e2.0"})), place, tracing=True)
    assert history.wrong == []
    assert sum("worker" in line and line.endswith(" dies") for line in history.told) == DEATHS


def test_an_operation_that_a_target_forgets_is_missed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = SimulatedSession._apply

    def forgets(self: SimulatedSession) -> None:
        self._pending = [each for each in self._pending if each.what != "e3.0"]
        apply(self)

    monkeypatch.setattr(SimulatedSession, "_apply", forgets)
    history = run(quiet(), place)
    assert any("lost: ADD e3.0" in what for what in history.wrong)
    assert any("row ('1', 'K3')" in what for what in history.wrong)


def test_what_is_committed_twice_is_seen_and_shrunk(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that forgets its positions: then an answer that is lost repeats a batch."""

    def forgets(self: SimulatedSession, lane: str, integration: str) -> str:
        del lane, integration
        self._call("position", inside=True)
        return ""

    monkeypatch.setattr(SimulatedSession, "position", forgets)
    history = run(quiet(rates={"target:commit unanswered": 0.3}), place)
    assert any("exactly once, yet" in what for what in history.wrong)
    least = shrink(history, place, tries=60)
    assert least.kinds & history.kinds
    assert len(least.met) < len(history.met)
    assert any("commit unanswered" in each for each in least.met)


def test_what_nobody_delivers_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise TypeError("the target's driver is broken")

    monkeypatch.setattr(SimulatedSession, "execute", refuses)
    history = run(quiet(), place)
    assert any("the target's driver is broken" in what for what in history.wrong)
