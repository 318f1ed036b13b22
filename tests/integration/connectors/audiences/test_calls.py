"""Calls that fail, get lost or are late: each as the document, or experience, says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import HTML, Reply
from tests.integration.connectors.audiences.rig import Rig, hashes, people
from workers.connectors.audiences.platforms import PLATFORMS, YANDEX
from workers.connectors.audiences.rounds import OWNED_MS
from workers.connectors.audiences.store.audiences import begin_anew
from workers.connectors.audiences.wire import SETTLED_MS
from workers.connectors.audiences.yandex import YandexWire

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from workers.connectors.audiences.store.audiences import Audience


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audiences that begin with two rows."""
    monkeypatch.setitem(PLATFORMS, YANDEX.key, replace(YANDEX, first_rows=2))


@pytest.fixture
def begun(rig: Rig) -> Rig:
    """An audience with three members."""
    rig.deliver(("add", people(range(3))))
    rig.run()
    return rig


def changes(yandex: FakeYandex) -> int:
    return sum(path.endswith("modify_data") for _, path in yandex.calls)


def test_accepted_is_not_applied(begun: Rig, yandex: FakeYandex) -> None:
    begun.deliver(("add", people(range(3, 6))))
    begun.run(hours=1, work=False)
    standing = begun.standing()
    assert (standing.accepted, standing.applied, standing.pending) == (6, 3, 3)
    begun.run()
    standing = begun.standing()
    assert (standing.accepted, standing.applied, standing.pending) == (6, 6, 0)
    assert yandex.members("VIP") == hashes(people(range(6)))


def test_one_change_at_a_time_where_only_the_audience_can_be_asked(begun: Rig, yandex: FakeYandex) -> None:
    begun.deliver(("add", people([3])))
    begun.run(hours=1, work=False)
    begun.deliver(("remove", people([3])), ("add", people([4])))
    begun.run(hours=1, work=False)
    assert changes(yandex) == 1
    begun.run()
    assert yandex.members("VIP") == hashes(people([0, 1, 2, 4]))


@pytest.mark.parametrize("how", ["all", "half"])
def test_a_job_that_fails_late_is_sent_again(begun: Rig, yandex: FakeYandex, how: str) -> None:
    begun.deliver(("remove", people([1])), ("add", people(range(3, 7))))
    yandex.fails = [how, how]
    begun.run()
    assert yandex.members("VIP") == hashes(people([0, *range(2, 7)]))
    assert begun.standing().pending == begun.standing().owed == 0


@pytest.mark.parametrize(
    ("reply", "applied"),
    [(Reply(500, {}), False), (HTML, True), (Reply(cut=True), False), (Reply(cut=True), True)],
    ids=["500", "a page", "cut", "done and cut"],
)
def test_a_call_of_which_nobody_heard_is_waited_out(
    begun: Rig, yandex: FakeYandex, reply: Reply, applied: bool
) -> None:
    yandex.fail("modify_data", reply, applied=applied)
    begun.deliver(("add", people([3])))
    begun.run(hours=0.001)
    begun.deliver(("remove", people([3])))
    begun.fake.advance(OWNED_MS / 1000 - 10)
    begun.tend()
    assert changes(yandex) == 1, "it may arrive yet"
    begun.run()
    assert yandex.members("VIP") == hashes(people(range(3)))


def test_a_call_that_stalls_is_not_overtaken(begun: Rig, yandex: FakeYandex) -> None:
    yandex.stall("modify_data")
    begun.deliver(("add", people([3])))
    begun.run(hours=0.001)
    begun.deliver(("remove", people([3])))
    begun.fake.advance(OWNED_MS / 1000 - 10)
    begun.tend()
    yandex.land()
    begun.run()
    assert yandex.members("VIP") == hashes(people(range(3)))


def test_a_listing_that_lags_ends_no_call_early(begun: Rig, yandex: FakeYandex) -> None:
    yandex.lag_ms = SETTLED_MS // 2
    begun.deliver(("add", people([3])))
    begun.run(hours=0.05, work=False)
    begun.fake.advance(120)
    begun.tend()
    assert begun.standing().pending == 1, "the list tells how it was before"
    begun.run()
    assert yandex.members("VIP") == hashes(people(range(4)))


def test_what_the_platform_says_of_its_budget_overrules_the_count(begun: Rig, yandex: FakeYandex) -> None:
    begun.fake.advance(3600)
    yandex.fail("modify_data", Reply(429, {"errors": [{"error_type": "quota"}]}, {"Retry-After": "5000"}))
    begun.deliver(("add", people([3])))
    begun.tend()
    assert begun.standing().waits == "budget"
    begun.deliver(("add", people([4])))
    begun.run(hours=1)
    assert changes(yandex) == 1
    begun.run()
    assert yandex.members("VIP") == hashes(people(range(5)))


def test_an_audience_that_vanished_needs_someone(begun: Rig, yandex: FakeYandex) -> None:
    kept = dict(yandex.segments)
    yandex.segments.clear()
    begun.deliver(("add", people([3])))
    begun.run(hours=2)
    standing = begun.standing()
    assert (standing.waits, standing.owed) == ("someone", 1)
    assert standing.reason == "the segment is not there any more"
    yandex.segments.update(kept)
    begun.run()
    assert yandex.members("VIP") == hashes(people(range(4)))


def test_why_nobody_heard_of_a_call_is_told(begun: Rig, yandex: FakeYandex) -> None:
    yandex.fail("modify_data", Reply(500, {}))
    begun.fake.advance(3600)
    begun.deliver(("add", people([3])))
    begun.tend()
    begun.run()
    (told,) = begun.rows("SELECT code, reason FROM ads_call WHERE state = 'unknown'")
    assert (told.code, told.reason) == ("yandex-audiences 500", "the platform failed")


@pytest.mark.parametrize("others", [0, 4], ids=["alone", "between others' turns"])
def test_a_platform_that_fails_for_a_day_needs_someone(begun: Rig, yandex: FakeYandex, others: int) -> None:
    """It is tried on; that nothing comes of it must not look like waiting."""
    for segment in range(others):
        begun.deliver(("add", people([1])), segment=f"other {segment}")
    yandex.fail("modify_data", Reply(500, {}), times=1_000)
    begun.fake.advance(3600)
    begun.deliver(("add", people([3])))
    begun.run(hours=20, step_s=900)
    assert begun.standing().waits != "someone"
    begun.run(hours=8, step_s=900)
    for _ in range(4):
        assert (begun.standing().waits, begun.standing().code) == ("someone", "yandex-audiences 500")
        assert begun.standing().reason == "the platform failed, and nothing else for a day or longer; it is tried on"
        begun.fake.advance(600)
        begun.tend()
    yandex.heal()
    begun.run(hours=8)
    assert (begun.standing().waits, begun.standing().owed) == ("", 0)
    assert yandex.members("VIP") == hashes(people(range(4)))


def test_who_waits_for_the_budget_before_a_segment_is_real_is_not_looked_at_without_end(
    rig: Rig, yandex: FakeYandex
) -> None:
    """Its call is on its way for as long, and nobody looks at it before."""
    rig.deliver(("add", people(range(3))))
    rig.connector.tend(0)
    assert rig.standing().state == "begun"
    rig.connector.budget.block(3_600_000)
    yandex.advance(70)
    due = rig.connector.tend(1)
    assert due is not None
    assert due >= yandex.now + 3_000_000
    yandex.advance(3_700)
    rig.run()
    assert yandex.members("VIP") == hashes(people(range(3)))


def test_an_audience_that_is_begun_anew_in_a_call_is_not_made_real_by_it(
    rig: Rig, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`connect --move` in between: what was confirmed is the old account's."""
    rig.deliver(("add", people(range(3))))
    rig.connector.tend(0)
    confirm = YandexWire.confirm

    def moved(self: YandexWire, audience: Audience) -> None:
        confirm(self, audience)
        with rig.connector.store.changing() as connection:
            begin_anew(connection, rig.connector.key, yandex.clock())

    monkeypatch.setattr(YandexWire, "confirm", moved)
    rig.connector.tend(0)
    assert rig.standing().state == "new"


def test_a_platform_that_fails_for_minutes_needs_nobody_however_often_it_is_asked(
    begun: Rig, yandex: FakeYandex
) -> None:
    begun.fake.advance(3600)
    yandex.fail("GET", Reply(500, {}), times=1_000)
    for number in range(40):
        begun.deliver(("add", people([10 + number])))
        begun.tend()
        begun.fake.advance(20)
        assert begun.standing().waits != "someone", number
