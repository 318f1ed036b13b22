"""Yandex.Audiences, end to end with a fake of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.connectors.audiences.rig import hashes, people
from workers.connectors.audiences.store.audiences import oldest_live
from workers.connectors.audiences.store.calls import OpenCall

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.rig import Rig


def test_a_segment_is_begun_when_it_is_large_enough(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(40))))
    rig.run()
    assert not yandex.segments
    assert rig.standing().waits == "data (40 of 100)"
    rig.deliver(("add", people(range(40, 120))))
    rig.run()
    assert yandex.members("VIP") == hashes(people(range(120)))
    assert rig.standing().state == "live"
    assert rig.standing().members == 120


def test_who_leaves_goes_and_who_stays_stays(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(120))))
    rig.run()
    changed = [{"id": "3", "email": "new@example.com"}]
    rig.deliver(("remove", people(range(100, 110))), ("add", changed))
    rig.run()
    left = [each for each in people(range(120)) if int(each["id"]) not in (3, *range(100, 110))]
    assert yandex.members("VIP") == hashes([*left, *changed])


def test_a_list_that_others_asked_for_is_not_taken_at_its_word_too_early(rig: Rig, yandex: FakeYandex) -> None:
    """It may lag: what it says of a call that nobody saw at work counts ten minutes after the call, and not before."""
    rig.deliver(("add", people(range(120))))
    rig.run()
    with rig.connector.store.reading() as connection:
        (audience,) = oldest_live(connection, "ya", 1)
    call = OpenCall(1, "add", "pending", "", 1, yandex.now, 0, 0, seen=False)
    asked = []
    for minutes in (2, 4, 8, 11, 15, 17):
        yandex.now = call.made_ms + minutes * 60_000
        before = len(yandex.looked)
        rig.connector.way.wire.poll(audience, call)
        asked.append(len(yandex.looked) - before)
    assert asked == [1, 0, 1, 1, 0, 1], "the list of the eighth minute says nothing in the eleventh"
