"""Who is in an audience: what profiles share, change and leave behind, and segments that are renamed or go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import Reply, Request
from tests.fakes.yandex import FakeYandex
from tests.integration.connectors.audiences.rig import SECRET, hashes, people, sha256
from workers.connectors.audiences.platforms import PLATFORMS, YANDEX

if TYPE_CHECKING:
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Audiences that begin with two rows."""
    monkeypatch.setitem(PLATFORMS, YANDEX.key, replace(YANDEX, first_rows=2))


ANN, BOB = {"id": "1", "email": "same@example.com"}, {"id": "2", "email": "same@example.com"}


def test_what_two_share_stays_until_both_have_left(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", [ANN, BOB, *people([3])]))
    rig.run()
    rig.deliver(("remove", [ANN]))
    rig.run()
    assert yandex.members("VIP") == hashes([BOB, *people([3])])
    rig.deliver(("remove", [BOB]))
    rig.run()
    assert yandex.members("VIP") == hashes(people([3]))


def test_what_its_loser_alone_has_beside_leaves_with_them(
    rig: Rig, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of a shared address was sent with the outer id of one; who stays is told again, with their own."""
    sent: list[tuple[str, str]] = []
    read = FakeYandex._read

    def look(self: FakeYandex, request: Request) -> object:
        sent.append((request.query.get("modification_type", ""), request.parts()["file"].decode()))
        return read(self, request)

    monkeypatch.setattr(FakeYandex, "_read", look)
    rig.deliver(("add", [ANN | {"outer": "ann"}, *people([3], outer="3"), *people([4], outer="4")]))
    rig.run()
    rig.deliver(("add", [BOB | {"outer": "bob"}]))
    rig.run()
    assert sha256("ann") in sent.pop()[1]
    assert not sent
    rig.deliver(("remove", [ANN]))
    rig.run()
    row = ",".join([sha256("same@example.com"), "", "{}", ""])
    assert [(kind, file.split("\n")[1]) for kind, file in sent] == [
        ("subtraction", row.format(sha256("ann"))),
        ("addition", row.format(sha256("bob"))),
    ]
    assert yandex.members("VIP") == hashes([BOB, *people([3, 4])])
    rig.deliver(("remove", [BOB]))
    rig.run()
    assert yandex.members("VIP") == hashes(people([3, 4]))


def test_of_a_changed_address_the_old_one_goes(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    rig.deliver(("add", [{"id": "1", "email": "new@example.com", "phone": "7999"}]))
    rig.run()
    assert yandex.members("VIP") == hashes([*people([0, 2]), {"email": "new@example.com", "phone": "7999"}])


def test_who_leaves_is_removed_as_it_was_sent(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    rig.deliver(("remove", [{"id": "1", "email": "another@example.com"}]))
    rig.run()
    assert yandex.members("VIP") == hashes(people([0, 2]))


def test_of_a_stranger_the_event_s_own_values_are_removed_and_counted(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    segment = next(iter(yandex.segments.values()))
    segment.members |= hashes(people([77]))
    rig.deliver(("remove", people([77])))
    rig.run()
    assert yandex.members("VIP") == hashes(people(range(3)))
    assert rig.standing().unknown_removed == 1


def test_what_comes_and_goes_costs_no_call(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    before = len(yandex.writes())
    rig.deliver(("remove", people([1])), ("add", people([1])), ("add", people([4])), ("remove", people([4])))
    rig.deliver(("remove", people([2])))
    rig.deliver(("add", people([2])))
    rig.run()
    assert len(yandex.writes()) == before


def test_a_cleared_audience_is_empty_and_fills_again(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(5))))
    rig.run()
    rig.tell("clear")
    rig.deliver(("add", people([3, 9])))
    rig.run()
    assert yandex.members("VIP") == hashes(people([3, 9]))


def test_a_renamed_segment_is_renamed_there(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    rig.tell("segment_upsert", name="Gold")
    rig.run()
    assert yandex.members("Gold") == hashes(people(range(3)))


def test_a_name_that_is_refused_stands_in_nobody_s_way(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(9))))
    rig.run()
    yandex.fail("PUT /v1/management/segment/", Reply(400, {"errors": [{"error_type": "invalid_name"}]}), times=500)
    rig.deliver(("remove", people(range(4))), ("add", people([20])), name="refused")
    rig.run()
    assert yandex.members("VIP") == hashes(people([*range(4, 9), 20]))


def test_a_blank_name_is_no_name(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))), name="   ")
    rig.run()
    assert yandex.members("segment 7") == hashes(people(range(3)))


@pytest.mark.parametrize(("policy", "left"), [("empty", set()), ("keep", hashes(people(range(3)))), ("delete", None)])
def test_of_a_deleted_segment_stays_what_the_file_says(
    make_rig: MakeRig, yandex: FakeYandex, policy: str, left: object
) -> None:
    rig = make_rig("yandex", yandex, on_delete={"buyers": policy})
    rig.deliver(("add", people(range(3))))
    rig.run()
    rig.tell("segment_delete")
    rig.run()
    if left is None:
        assert not yandex.segments
        assert (rig.standing().state, rig.standing().members, rig.standing().owed) == ("deleted", 0, 0)
        rig.deliver(("add", people([7, 8])))
        rig.run()
        assert yandex.members("VIP") == hashes(people([7, 8]))
    else:
        assert yandex.members("VIP") == left


def test_of_whom_nothing_can_be_sent_goes_to_the_quarantine(rig: Rig, yandex: FakeYandex) -> None:
    one = {"id": "5", "email": "bad", "phone": "7999"}
    receipt = rig.deliver(("add", [*people(range(3)), {"id": "4", "email": "bad"}, one, {"id": "6"}]))
    rig.run()
    assert [(each.code, each.reason) for each in receipt.rejected] == [
        ("no identifier", "nothing of it can be sent: email: cannot be read"),
        ("no identifier", "it has none of the fields that are sent"),
    ]
    assert yandex.members("VIP") == hashes([*people(range(3)), {"phone": "7999"}])
    assert rig.standing().left_out == 2


def test_who_has_no_address_any_more_loses_the_old_one(rig: Rig, yandex: FakeYandex) -> None:
    rig.deliver(("add", people(range(3))))
    rig.run()
    rig.deliver(("add", [{"id": "1", "email": "bad"}]))
    rig.run()
    assert yandex.members("VIP") == hashes(people([0, 2]))


def test_what_goes_plain_is_kept_sealed(rig: Rig, yandex: FakeYandex) -> None:
    outer = "outer-id-of-ann"
    rig.deliver(("add", [{**each, "outer": outer} for each in people(range(3))]))
    rig.run()
    rig.close()
    kept = b"".join(each.read_bytes() for each in rig.folder.iterdir() if each.name.startswith("store.db"))
    for value in (outer, sha256(outer), "p1@example.com", yandex.access, yandex.refresh, SECRET, "ya-secret"):
        assert value.encode() not in kept
        assert bytes.fromhex(sha256(outer)) not in kept


def test_rows_are_counted_for_the_kind_that_has_changed_them(rig: Rig) -> None:
    three = [{"id": str(n), "email": f"p{n}", "phone": ""} for n in range(3)]
    rig.deliver(("add", three))
    moved = [{**three[0], "email": "other"}, {"id": "9", "email": "p9", "phone": ""}]
    runs = rig.deliver(("add", moved), ("remove", three[1:])).queries
    assert {run.event_type: run.rows for run in runs} == {"add": 3, "remove": 2}
