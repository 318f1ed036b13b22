"""What the one door promises of every target: `Connector` and `Session` of workers/connectors/contract.py."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.contract.doors import Door, ads_door, compiled, memory_door, sql_door
from tests.contract.people import UNDOING
from tests.servers.rows import Database
from workers.connectors.contract import PositionAlarm, Positions, Unfit
from workers.connectors.sql.vendors import VENDORS
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.integrations import named_insert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.conftest import People
    from workers.connectors.contract import Fence, Receipt, Session, Shipment

TOGETHER = {"sqlite", "postgresql", "mariadb", "mysql"}
"""Those that take several lanes in one step."""
PLAYED = {"mssql", "oracle"}
"""Those whose catalogue is not played (`connectors/sql/mssql/test_catalog.py` scripts its answers)."""


def door_of(request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == "memory":
        yield memory_door()
    elif request.param == "ads":
        redis, namespace = request.getfixturevalue("redis_client"), request.getfixturevalue("namespace")
        store: Path = request.getfixturevalue("empty_store")
        copy = store.with_name(f"{namespace}.db")
        copy.write_bytes(store.read_bytes())
        yield from ads_door(copy, redis, namespace)
    else:
        people: People = request.getfixturevalue("people")
        yield from sql_door(request.param, people(request.param))


@pytest.fixture(params=[*UNDOING, "clickhouse", "ads"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    yield from door_of(request)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", UNDOING[-1]])
def together(request: pytest.FixtureRequest) -> Iterator[Door]:
    """One that takes several lanes in one step."""
    yield from door_of(request)


@pytest.fixture(params=UNDOING)
def positioned(request: pytest.FixtureRequest) -> Iterator[Door]:
    """One that keeps each lane's position."""
    for door in door_of(request):
        if door.name != "memory":
            target = request.getfixturevalue("people")(request.param)
            position = VENDORS[target.dialect].position
            assert position is not None
            with Database(target) as database:
                # What plays SQL Server has no collations of its own.
                database.run(position.create.replace(" COLLATE Latin1_General_BIN2", ""))
                yield door
                database.run("DROP TABLE segsync_position")
        else:
            yield door


def until_it_passes(door: Door, deliver: Callable[[Session, Fence], object]) -> list[list[str]]:
    """Delivers with a fence that refuses the first time, the second time, ...; who stands there after each."""
    found: list[list[str]] = []
    while True:
        session, fence = door.open(), door.fence(refuses_at=len(found) + 1)
        with suppress(TargetError):
            deliver(session, fence)
        session.discard()
        if len(fence.asked) == len(found):
            return found
        assert len(fence.asked) == len(found) + 1
        found.append(door.present())


def test_the_fence_is_asked_with_the_lock_in_hand_and_before_what_cannot_be_taken_back(door: Door) -> None:
    session, fence = door.open(), door.fence()
    shipment = door.shipment(("add", ["ann"]))
    door.steps.clear()
    session.deliver(shipment, fence)
    written = ["execute", "execute"] if door.name == "ads" else ["fence", "execute"]
    assert door.steps == ["fence", "begin", "fence", *written, "fence", "commit"]
    # How long all of it may take is said once, before.
    assert fence.asked[0] > shipment.patience
    assert set(fence.asked[1:]) == {0.0}


def test_a_fence_that_refuses_leaves_nothing_and_the_lane_to_others(door: Door) -> None:
    shipment = door.shipment(("add", ["ann"]))
    left = until_it_passes(door, lambda session, fence: session.deliver(shipment, fence))
    assert len(left) >= 3
    assert left[: None if door.undoes else 3] == [[]] * (len(left) if door.undoes else 3)
    assert door.present() == ["ann"]


def test_all_of_a_shipment_is_there_or_nothing(door: Door) -> None:
    session = door.open()
    shipment = door.shipment(("add", ["ann"]), ("remove", ["bob"]), ("add", ["cid", door.bad]))
    with pytest.raises(TargetError) as caught:
        session.deliver(shipment, door.fence())
    assert (caught.value.error_class, caught.value.phase) == (ErrorClass.ISOLATE, Phase.EXECUTE)
    assert "secret" not in f"{caught.value} {caught.value!r} {caught.value.code} {caught.value.reason}"
    session.discard()
    assert door.present() == ([] if door.undoes else ["ann"])
    door.deliver(door.shipment(("add", ["dan"])))
    assert "dan" in door.present()


def test_groups_are_told_one_after_the_other_and_the_receipt_counts_them(door: Door) -> None:
    session = door.open()
    first = session.deliver(door.shipment(("add", ["ann", "bob"])), door.fence())
    second = session.deliver(
        door.shipment(("remove", ["ann"]), ("add", ["ann", "cid"]), ("remove", ["bob", "cid"])), door.fence()
    )
    session.close()
    assert door.present() == ["ann"]
    assert [(run.event_type, run.profiles, run.statements, run.rows) for run in first.queries] == [("add", 2, 1, 2)]
    assert told(second) == {"add": 2, "remove": 3}
    assert all(run.statements and run.duration_us >= 0 for run in second.queries)
    assert not first.rejected + second.rejected


def told(receipt: Receipt) -> Counter[str]:
    """Profiles by event type."""
    counted: Counter[str] = Counter()
    for run in receipt.queries:
        counted[run.event_type] += run.profiles
    return counted


def test_who_can_be_given_to_no_target_is_named_and_the_rest_passes_in_the_same_session(door: Door) -> None:
    session = door.open()
    shipment = door.shipment(("add", ["ann", "", "bob", ""]))
    door.steps.clear()
    try:
        rejected = session.deliver(shipment, door.fence()).rejected
    except Unfit as unfit:
        assert door.steps == []
        rejected = unfit.rejected
        session.deliver(shipment.without({each.sequence for each in rejected}), door.fence())
    session.close()
    members = shipment.groups[0].members
    assert [each.sequence for each in rejected] == [members[1].sequence, members[3].sequence]
    assert all(each.code and each.reason for each in rejected)
    assert door.present() == ["ann", "bob"]


def test_a_segment_event_is_told_and_what_has_no_query_is_idle(door: Door) -> None:
    session = door.open()
    session.deliver(door.shipment(("add", ["ann", "bob"])), door.fence())
    cleared = session.deliver(door.event("clear"), door.fence())
    assert [(run.event_type, run.profiles) for run in cleared.queries] == [("clear", 0)]
    assert door.present() == []
    named = session.deliver(door.event("segment_upsert"), door.fence())
    assert named.idle + len(named.queries) == 1
    session.close()


def test_a_trial_counts_as_a_delivery_would_and_leaves_nothing(door: Door) -> None:
    session = door.open()
    tried = session.deliver(door.shipment(("add", ["ann"]), trial=True), door.fence())
    assert door.present() == []
    meant = session.deliver(door.shipment(("add", ["ann"])), door.fence())
    session.close()
    assert told(tried) == told(meant)
    assert door.present() == ["ann"]


def test_keys_that_differ_are_two_rows_where_the_targets_unique_keys_say_so(door: Door) -> None:
    insert = named_insert(compiled("sqlite"))
    assert insert is not None
    if door.name in PLAYED:
        return
    assert door.connector.names_rows_by_key(insert, ["Name"]) == (door.name != "memory")
    assert door.connector.names_rows_by_key(insert, ["Other"]) == (door.name == "ads")


def test_a_target_that_is_not_there_is_nobodys_fault_but_its_own(door: Door) -> None:
    if door.nowhere is None:
        return
    lost = door.nowhere()
    with pytest.raises(TargetError) as caught:
        lost.open()
    assert caught.value.phase is Phase.CONNECT
    assert caught.value.error_class is ErrorClass.RETRY or caught.value.level is HoldLevel.CONNECTOR
    lost.dispose()


def test_what_the_target_has_by_its_own_word_is_left_out(positioned: Door) -> None:
    session = positioned.open()
    both = positioned.shipment(("add", ["ann", "bob"]))
    ann = both.groups[0].members[0].sequence

    def known(sequence: str) -> str:
        return {ann: "anns", both.last: "bobs"}.get(sequence, "")

    shorter = replace(both.without({both.last}), last=ann, positions=Positions("", both.last, known))
    session.deliver(shorter, positioned.fence())
    again = replace(both, positions=Positions("", both.last, known))
    assert told(session.deliver(again, positioned.fence())) == {"add": 1}
    assert told(session.deliver(again, positioned.fence())) == {}
    assert positioned.present() == ["ann", "bob"]
    with pytest.raises(PositionAlarm, match="ahead of everything"):
        session.deliver(replace(both, positions=Positions("", ann, known)), positioned.fence())
    session.discard()


def test_a_position_of_what_the_lane_does_not_have_is_an_alarm(positioned: Door) -> None:
    """A Redis whose clock is behind its lost tail gives that one's sequences to what comes next."""
    session = positioned.open()
    both = positioned.shipment(("add", ["ann", "bob"]))

    def shipped(known: str, *, overruled: bool = False) -> Shipment:
        return replace(both, positions=Positions("", both.last, lambda _: known, overruled))

    session.deliver(shipped("first"), positioned.fence())
    for known in ("other", ""):
        with pytest.raises(PositionAlarm, match="does not have"):
            session.deliver(shipped(known), positioned.fence())
        session.discard()
        session = positioned.open()
    session.discard()
    positioned.deliver(positioned.shipment(("remove", ["ann", "bob"])))
    session = positioned.open()
    assert told(session.deliver(shipped("other", overruled=True), positioned.fence())) == {"add": 2}
    session.discard()


def test_which_targets_take_several_lanes_in_one_step(door: Door) -> None:
    session = door.open()
    assert session.takes_several == (door.name in TOGETHER)
    session.close()


def lanes(door: Door, *names: str) -> list[Shipment]:
    """A lane for each."""
    return [door.shipment(("add", [name]), lane=f" of {at}") for at, name in enumerate(names)]


def test_several_lanes_are_one_step_with_a_receipt_for_each(together: Door) -> None:
    session, fence = together.open(), together.fence()
    together.steps.clear()
    receipts = session.deliver_together(lanes(together, "ann", "bob", "cid"), fence)
    session.close()
    assert [told(receipt) for receipt in receipts] == [{"add": 1}] * 3
    assert together.steps == ["fence", "begin", "fence", *["execute"] * 3, "fence", "commit"]
    assert together.present() == ["ann", "bob", "cid"]


def test_a_fence_that_refuses_several_lanes_leaves_nothing_of_any(together: Door) -> None:
    shipments = lanes(together, "ann", "bob")
    left = until_it_passes(together, lambda session, fence: session.deliver_together(shipments, fence))
    assert left == [[], [], []]
    assert together.present() == ["ann", "bob"]


def test_one_bad_profile_of_several_lanes_leaves_nothing_of_any(together: Door) -> None:
    session = together.open()
    with pytest.raises(TargetError) as caught:
        session.deliver_together(lanes(together, "ann", together.bad, "bob"), together.fence())
    assert caught.value.error_class is ErrorClass.ISOLATE
    session.discard()
    assert together.present() == []
