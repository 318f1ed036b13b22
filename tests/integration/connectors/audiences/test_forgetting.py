"""Who has left is forgotten: what the store keeps of people goes when it says nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import Account, changes, on
from tests.integration.connectors.audiences.rig import Rig, hashes, people, sha256
from workers.connectors.audiences.erasing import Eraser

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
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


@on("yandex", "vk")
def test_who_leaves_after_a_creation_of_which_nobody_heard_is_forgotten_too(
    account: Account, rig: Rig, fake: FakePlatform
) -> None:
    """Nobody is in an audience that never was real: their removal would be owed for ever, with their hashes."""
    fake.fail(account.changes[0], Reply(500, {}))
    rig.deliver(("add", people(range(9))))
    rig.tend()
    rig.deliver(("remove", people(range(8))))
    rig.run(hours=72)
    assert rig.standing().state == "new"
    assert (kept(rig), rig.standing().owed) == (1, 1)
    made = changes(fake)
    rig.deliver(("add", people(range(8, 12))))
    rig.run(hours=4)
    assert account.members(fake) == account.wanted(people(range(8, 12)))
    assert changes(fake) - made == {"yandex": 2, "vk": 2}[account.name], "none of them takes anybody out"


def test_an_erasure_forgets_nobody_whom_a_call_may_put_back(rig: Rig, yandex: FakeYandex) -> None:
    """An add is unheard, its person leaves, and somebody else is erased; then the add lands, late."""
    rig.deliver(("add", people(range(120))))
    rig.run(hours=5)
    rig.deliver(("add", people([500, *range(130, 240)])))
    rig.fake.advance(7_200)
    yandex.stall("modify_data")
    rig.tend()
    rig.fake.advance(400)
    rig.tend()
    rig.deliver(("remove", people([500, *range(130, 240)])))
    rig.run(hours=5, step_s=400)
    assert not yandex.members("VIP") & hashes(people([500]))
    eraser = Eraser(rig.connector, [])
    assert eraser.erase(eraser.find({"nobody"}, ()), int(yandex.now)) == 111
    yandex.land()
    yandex.work()
    assert yandex.members("VIP") >= hashes(people([500]))
    for _ in range(8):
        rig.run(hours=12, step_s=400)
        rig.fake.advance(12 * 3_600)
    assert not yandex.members("VIP") & hashes(people([500]))
    assert eraser.erase(set(), int(yandex.now)) == 0
    assert kept(rig) == 120


def test_a_value_is_found_that_an_integration_sent_which_is_gone(rig: Rig) -> None:
    """Nobody has its fields any more: every field of the platform is tried."""
    rig.deliver(("add", [*people([1, 2]), {"id": "3", "phone": "79995551111"}]))
    gone = Eraser(rig.connector, [])
    assert {each.profile for each in gone.find((), {"P1@example.com", "+7 999 555-11-11"})} == {"1", "3"}
    assert {each.profile for each in gone.find((), {sha256("p2@example.com")})} == {"2"}


def test_an_id_that_was_only_sent_along_is_found(rig: Rig) -> None:
    rig.deliver(("add", [*people([1]), *people([2], outer="Outer-2"), *people([3], outer="Outer-3")]))
    eraser = Eraser(rig.connector, [])
    assert {each.profile for each in eraser.find((), {"Outer-2"})} == {"2"}
    assert {each.profile for each in eraser.find((), {sha256("Outer-3")})} == {"3"}
    assert not eraser.find((), {"outer-2"})


def beside(rig: Rig) -> set[str]:
    """What the store has of what goes along, opened."""
    found = rig.rows("SELECT companions FROM ads_holding UNION SELECT companions FROM ads_identifier")
    return {value for (sealed,) in found if sealed for value in rig.connector.sent_along(bytes(sealed)).values()}  # type: ignore[arg-type]


def test_of_who_shared_an_address_nothing_stays_beside_it(rig: Rig, yandex: FakeYandex) -> None:
    """As long as their outer id stands in the shared row, something of them is left."""
    ann, bob = ({"id": name, "email": "same@example.com", "outer": name} for name in ("ann", "bob"))
    rig.deliver(("add", [ann, *people(range(120))]))
    rig.run()
    rig.deliver(("add", [bob]))
    rig.run()
    eraser = Eraser(rig.connector, [])
    assert eraser.erase(eraser.find((), {"ann"}), int(yandex.now)) == 1
    assert eraser.leaving(()).anybody == 1
    rig.run()
    assert eraser.erase(eraser.find((), {"ann"}), int(yandex.now)) == 0
    assert beside(rig) == {sha256("bob")}
    assert yandex.members("VIP") == hashes([bob, *people(range(120))])


def test_of_who_had_an_address_before_nothing_stays_beside_it(rig: Rig, yandex: FakeYandex) -> None:
    """Left before the other came, and nothing was sent meanwhile: the address stays, and their outer id goes."""
    ann, bob = ({"id": name, "email": "same@example.com", "outer": name} for name in ("ann", "bob"))
    rig.deliver(("add", [ann, *people(range(120))]))
    rig.run()
    rig.deliver(("remove", [ann]))
    rig.deliver(("add", [bob]))
    rig.run()
    assert beside(rig) == {sha256("bob")}
    assert yandex.members("VIP") == hashes([bob, *people(range(120))])


def test_of_a_deleted_audience_nobody_is_known(rig: Rig) -> None:
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET leaving = 'delete', due_ms = 1")
    rig.run(hours=1)
    assert rig.standing().state == "deleted"
    assert not rig.rows("SELECT id FROM ads_identifier")
    assert not rig.rows("SELECT profile FROM ads_holding")


def test_who_is_found_by_a_value_leaves_all_lists_and_segments_of_the_integration(rig: Rig) -> None:
    """In the other segment they have another address; the key of another integration may be somebody else's."""
    ann = {"id": "ann", "email": "ann@example.com", "phone": "79995551111"}
    rig.deliver(("add", [ann, *people([1, 2])]))
    for segment in ("8", "9"):
        rig.deliver(("add", [{**ann, "email": "ann.new@example.com", "phone": ""}, *people([1])]), segment=segment)
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET integration = 'others' WHERE segment = '9'")
    eraser = Eraser(rig.connector, [])
    eraser.erase(eraser.find((), {"ann@example.com"}), int(rig.fake.now))
    held = rig.rows("SELECT a.segment, h.profile FROM ads_holding h JOIN ads_audience a ON a.id = h.audience")
    assert set(held) == {("7", "1"), ("7", "2"), ("8", "1"), ("9", "1"), ("9", "ann")}
