"""Who has left is forgotten: what the store keeps of people goes when it says nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.connectors.audiences.rig import Rig, hashes, people

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex


def kept(rig: Rig) -> int:
    return len(rig.rows("SELECT id FROM ads_identifier"))


def test_who_has_left_is_forgotten_within_two_days(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    rig.deliver(("remove", people([5, 6])))
    rig.run(hours=1)
    assert kept(rig) == 120
    rig.run(hours=49)
    assert kept(rig) == 118
    assert rig.rows("SELECT id FROM ads_call")
    rig.run(hours=32 * 24, step_s=86_400)
    assert not rig.rows("SELECT id FROM ads_call")
    assert yandex.members("VIP") == hashes(people([n for n in range(120) if n not in (5, 6)]))
    rig.deliver(("add", people([5])))
    rig.run(hours=1)
    assert yandex.members("VIP") == hashes(people([n for n in range(120) if n != 6]))


def test_who_leaves_before_the_audience_is_begun_is_forgotten_too(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(9))))
    rig.deliver(("remove", people([3])))
    rig.run(hours=49)
    assert kept(rig) == 8
    assert not yandex.segments or yandex.members("VIP") == hashes(people([n for n in range(9) if n != 3]))


def test_of_a_deleted_audience_nobody_is_known(rig: Rig) -> None:
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET leaving = 'delete', due_ms = 1")
    rig.run(hours=1)
    assert rig.standing().state == "deleted"
    assert not rig.rows("SELECT id FROM ads_identifier")
    assert not rig.rows("SELECT profile FROM ads_holding")
