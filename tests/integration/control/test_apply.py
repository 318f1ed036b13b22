"""What `apply` does beside publishing: nothing that is owed is left behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.ledger.records import failure
from tests.integration.place import integration
from workers.control import apply as applying
from workers.control.apply import WrongChoice
from workers.control.drain import drain
from workers.control.leaving_integrations import TakenBack
from workers.control.losses import ApplyRefused
from workers.control.pause import NotSettled, UnknownIntegration, pause
from workers.lanes import Claimed, Lanes
from workers.ledger import failing
from workers.settings import from_published, load_local, revision
from workers.settings.revision import Superseded

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.control.apply import ApplyPlan, Report
    from workers.runtime import Runtime

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""From the tables of integrations to others."""


def apply(place: Place, *integrations: str, **choices: Any) -> Report:
    settings = place.write(*integrations)
    given = {name: choices.pop(name) for name in ("drain", "drop") if name in choices}
    plan = applying.plan(place.redis, place.keys, settings, **given)
    return applying.carry_out(place.redis, place.keys, plan, **choices)


def applied(place: Place) -> int:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    return found.revision


def names(place: Place) -> set[bytes]:
    members: Any = place.redis.smembers(place.keys.integrations)
    return set(members)


def left_of(place: Place, key: str) -> list[bytes]:
    """Every key in Redis that belongs to an integration."""
    return [name for name in place.redis.scan_iter(f"{place.keys.namespace}:*", count=1000) if key in _parts(name)]


def _parts(name: bytes) -> list[str]:
    return name.decode().split(":")


def test_the_first_file_and_every_other_is_a_new_revision(place: Place) -> None:
    assert apply(place, integration()).revision == 1
    report = apply(place, integration(timeout="3s"))
    assert (report.revision, report.changed) == (2, True)
    assert place.redis.xlen(place.keys.bell) == 1


def test_of_several_that_were_made_from_the_same_revision_one_is_published(place: Place) -> None:
    apply(place, integration())
    plans = [
        applying.plan(place.redis, place.keys, place.write(integration(timeout=f"{seconds}s")))
        for seconds in range(3, 9)
    ]
    start, came = threading.Barrier(len(plans)), list[int | str]()

    def publish(plan: ApplyPlan) -> None:
        start.wait(10)
        try:
            came.append(applying.carry_out(place.redis, place.keys, plan, basis=1).revision)
        except Superseded as error:
            came.append(str(error))

    threads = [threading.Thread(target=publish, args=(plan,)) for plan in plans]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    told = "revision 2 is applied, and this was made from 1; nothing was published. Look at the difference again"
    assert sorted(came, key=str) == [2, *[told] * (len(plans) - 1)]
    assert applied(place) == 2


def test_the_same_file_again_changes_nothing(place: Place) -> None:
    apply(place, integration())
    report = apply(place, integration())
    assert (report.revision, report.changed) == (1, False)


def test_the_difference_is_shown_before_anything_is_done(place: Place) -> None:
    apply(place, integration())
    plan = applying.plan(place.redis, place.keys, place.write(integration(timeout="3s"), integration("erp")))
    told = [str(each) for each in plan.differences]
    assert "~ integrations.crm.batch.timeout" in told
    assert any(line.startswith("+ integrations.erp.") for line in told)
    assert applied(place) == 1


def test_what_leaves_the_file_and_owes_nothing_is_forgotten(place: Place) -> None:
    apply(place, integration(), integration("crm2"))
    failing.note(place.redis, place.keys, [failure()])
    assert failing.key_of(place.keys.namespace, "crm").encode() in left_of(place, "crm")
    apply(place, integration("crm2"))
    assert names(place) == {b"crm2"}
    assert left_of(place, "crm") == []


def test_what_leaves_the_file_and_owes_something_is_refused(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)

    with pytest.raises(ApplyRefused, match=r"crm .* owes 10 operations.*--drain crm.*--drop crm"):
        apply(place)
    assert applied(place) == 1
    assert drain(runtime).batches == 1


def test_dropping_throws_away_what_is_owed_and_counts_it(place: Place) -> None:
    """More lanes than one step removes, and an integration whose key begins alike keeps its own."""
    runtime = place.publish(integration(), integration("crm2"))
    for segment in range(600):
        place.add(str(segment), 1)
    place.add("0", 10)
    runtime.route("t", 30)

    report = apply(place, integration("crm2"), drop=["crm"])

    (dropped,) = report.dropped
    assert (dropped.key, dropped.operations, dropped.lanes) == ("crm", 610, 600)
    assert names(place) == {b"crm2"}
    assert left_of(place, "crm") == []
    assert place.redis.hget(place.keys.routed, "dropped") == b"610"
    assert place.redis.zcard(place.keys.timed("crm2")) + place.redis.zcard(place.keys.full("crm2")) == 600
    assert place.redis.hget(place.keys.integration("crm2"), "backlog") == b"610"


def test_an_orphan_can_be_dropped_later(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)
    place.publish()

    assert apply(place, drop=["crm"]).dropped[0].operations == 10
    assert names(place) == set()


def test_lanes_are_not_dropped_under_a_delivery_in_flight(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)
    assert isinstance(Lanes(place.redis, place.keys.namespace, 1, "one").claim("db", "t", 4), Claimed)

    with pytest.raises(NotSettled):
        apply(place, drop=["crm"], patience=0.2)
    assert place.redis.exists(place.keys.lane("crm", "7"))

    place.redis.hset(place.keys.lane("crm", "7"), "until", 1)
    assert apply(place, drop=["crm"]).dropped[0].operations == 10


def test_draining_delivers_what_is_owed_and_routes_nothing_new_there(place: Place) -> None:
    runtime = place.publish(integration(timeout="1s"), integration("erp"))
    place.add("7", 10)
    runtime.route("t", 5)
    seen = []

    def progress(key: str, owed: int) -> None:
        seen.append((key, owed))
        if len(seen) == 1:
            place.add("8", 10)
            threading.Thread(target=drain, args=(runtime,)).start()

    report = apply(place, integration("erp"), drain=["crm"], progress=progress)

    assert seen[0] == ("crm", 10)
    assert seen[-1] == ("crm", 0)
    assert report.revision == applied(place) == 3
    assert names(place) == {b"erp"}
    assert left_of(place, "crm") == []
    assert {segment for segment, _ in place.rows()} >= {"7"}
    assert place.redis.hget(place.keys.integration("crm"), "backlog") is None


def test_an_interrupted_drain_goes_on_and_can_be_waited_for_again(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(place, drain=["crm"], progress=interrupt)
    assert applied(place) == 2
    place.add("8", 10)
    assert drain(runtime).batches == 1
    assert {segment for segment, _ in place.rows()} == {"7"}

    assert apply(place, drain=["crm"]).revision == 3
    assert names(place) == set()


def test_a_drain_that_was_given_up_is_undone_by_the_old_file(place: Place) -> None:
    runtime = place.publish(integration(timeout="1s"))
    place.add("7", 5)
    runtime.route("t", 5)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(place, drain=["crm"], progress=interrupt)
    assert apply(place, integration(timeout="1s")).revision == 3
    place.add("8", 10)
    assert drain(runtime).batches >= 1
    assert {segment for segment, _ in place.rows()} >= {"8"}


def owing(place: Place) -> Runtime:
    """An installation whose crm owes something, beside another that owes nothing."""
    runtime = place.publish(integration(timeout="1s"), integration("erp"))
    place.add("7", 10)
    runtime.route("t", 5)
    return runtime


def test_what_others_publish_while_it_is_drained_stays(place: Place) -> None:
    runtime = owing(place)
    wanted = place.write(integration("erp"))
    plan = applying.plan(place.redis, place.keys, wanted, ["crm"])

    def progress(_: str, owed: int) -> None:
        if owed and applied(place) == 2:
            apply_beside(place, lambda tables: tables | {"zed": tables["erp"]})
            threading.Thread(target=drain, args=(runtime,)).start()

    report = applying.carry_out(place.redis, place.keys, plan, progress=progress)
    assert report.revision == applied(place) == 4
    found = revision.published(place.redis, place.keys)
    assert found is not None
    assert json.loads(found.text)["integrations"].keys() == {"erp", "zed"}
    assert left_of(place, "crm") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tables: tables | {"crm": tables["erp"]}, "crm was put back meanwhile, by revision 3: it stays"),
        (lambda tables: {"erp": tables["erp"]}, "crm was taken out meanwhile, by revision 3, and owes 10"),
    ],
)
def test_what_was_put_back_while_it_was_drained_stays(place: Place, change: Change, told: str) -> None:
    owing(place)
    plan = applying.plan(place.redis, place.keys, place.write(integration("erp")), ["crm"])

    def progress(_: str, owed: int) -> None:  # noqa: ARG001 - told once, before anything is delivered
        if applied(place) == 2:
            apply_beside(place, change)

    with pytest.raises(TakenBack, match=told):
        applying.carry_out(place.redis, place.keys, plan, progress=progress)
    assert applied(place) == 3


def test_what_comes_back_as_the_last_of_another_is_delivered_is_not_dropped(place: Place) -> None:
    place.publish(integration(timeout="1s"), integration("erp"), integration("old"))
    plan = applying.plan(place.redis, place.keys, place.write(integration("erp")), ["crm"], ["old"])

    def progress(_: str, owed: int) -> None:
        if not owed:
            apply_beside(place, lambda tables: tables | {"old": tables["erp"]})

    with pytest.raises(TakenBack, match="old was put back meanwhile"):
        applying.carry_out(place.redis, place.keys, plan, progress=progress)
    assert b"old" in names(place)


def apply_beside(place: Place, change: Change) -> None:
    """Publishes what is applied, its integrations changed, as somebody else would."""
    found = revision.published(place.redis, place.keys)
    assert found is not None
    document = json.loads(found.text)
    document["integrations"] = change(document["integrations"])
    settings = from_published(json.dumps(document), load_local(place.file))
    revision.publish(place.redis, place.keys, settings, basis=found.revision)


def test_what_is_paused_is_not_drained(place: Place) -> None:
    """It would wait for ever."""
    place.publish(integration())
    pause(place.redis, place.keys, "crm")
    with pytest.raises(WrongChoice, match=r"crm is paused.*segsync resume crm"):
        apply(place, drain=["crm"])


@pytest.mark.parametrize("how", ["drain", "drop"])
def test_what_is_still_in_the_file_is_neither_drained_nor_dropped(place: Place, how: str) -> None:
    place.publish(integration())
    with pytest.raises(WrongChoice, match="crm is still in the file"):
        apply(place, integration(), **{how: ["crm"]})


@pytest.mark.parametrize("how", ["drain", "drop"])
def test_an_unknown_name_is_met_with_the_nearest(place: Place, how: str) -> None:
    place.publish(integration())
    with pytest.raises(UnknownIntegration, match="did you mean 'crm'"):
        apply(place, **{how: ["crn"]})


def test_draining_and_dropping_the_same_is_refused(place: Place) -> None:
    place.publish(integration())
    with pytest.raises(WrongChoice, match="not both"):
        apply(place, drain=["crm"], drop=["crm"])


def test_an_orphan_cannot_be_drained_since_its_queries_are_gone(place: Place) -> None:
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)
    place.publish()
    with pytest.raises(WrongChoice, match=r"its queries with it.*--drop crm"):
        apply(place, drain=["crm"])
