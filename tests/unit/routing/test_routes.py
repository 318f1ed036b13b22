"""Which integrations an event goes to, before and after it (rule 4)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from workers.events.event import Kind, SegmentFacts
from workers.integrations import Scope, Segment
from workers.routing.routes import Known, Routes, kept_bytes, restore


def routes(**scopes: Scope) -> Routes:
    integrations: dict[str, Any] = {
        k: SimpleNamespace(key=k, scope=scope, on_enter="flag", on_leave="keep") for k, scope in scopes.items()
    }
    return Routes(integrations, "main")


ALL = Scope("main")
SALES = Scope("main", "groups", frozenset({"sales"}))
PICKED = Scope("main", "ids", frozenset({"7"}))


def facts(segment_id: str = "7", **more: Any) -> SegmentFacts:
    return SegmentFacts(segment_id, **more)


def test_a_segment_that_nobody_described_is_in_the_default_database() -> None:
    """The first event that docs/events.md shows carries no database, and must not go nowhere."""
    table = routes(main=ALL, sales=SALES, picked=PICKED, other=Scope("other"))
    verdict = table.judge(Kind.ADD, facts(), None)
    assert verdict.targets == ("main", "picked")
    assert verdict.known == Known(Segment("7"), ("main", "picked"))
    assert verdict.changed


def test_an_event_that_tells_nothing_new_changes_nothing() -> None:
    table = routes(main=ALL)
    before = table.known(Segment("7", "VIP", "main", frozenset({"a"}), frozenset()))
    verdict = table.judge(Kind.ADD, facts(name="other", groups=("b",)), before)
    assert (verdict.known, verdict.changed, verdict.name) == (before, False, "VIP")


def test_events_fill_gaps_and_only_an_upsert_changes() -> None:
    table = routes(main=ALL, sales=SALES)
    before = table.known(Segment("7", "VIP"))
    filled = table.judge(Kind.ADD, facts(groups=("sales",)), before)
    assert filled.targets == ("main", "sales")
    assert filled.entered == ("sales",)
    assert filled.known is not None
    assert filled.known.segment.groups == frozenset({"sales"})

    more = table.judge(Kind.ADD, facts(name="other", tags=("t",)), filled.known)
    assert more.known is not None
    assert more.known.segment == Segment("7", "VIP", None, frozenset({"sales"}), frozenset({"t"}))

    changed = table.judge(Kind.SEGMENT_UPSERT, facts(name="new", groups=()), filled.known)
    assert changed.known is not None
    assert changed.known.segment == Segment("7", "new", None, frozenset(), None)


def test_the_upsert_that_takes_a_segment_out_is_still_told() -> None:
    table = routes(sales=SALES)
    before = table.known(Segment("7", groups=frozenset({"sales"})))
    out = table.judge(Kind.SEGMENT_UPSERT, facts(groups=("hr",)), before)
    assert out.targets == ("sales",)
    assert out.known is not None
    assert out.known.targets == ()
    assert table.judge(Kind.ADD, facts(), out.known).targets == ()


def test_a_segment_never_seen_has_not_been_left_nor_entered() -> None:
    """The first upsert of another database's segment tells the default database's integration nothing."""
    table = routes(main=ALL, other=Scope("other"))
    verdict = table.judge(Kind.SEGMENT_UPSERT, facts(database="other"), None)
    assert (verdict.targets, verdict.entered) == (("other",), ())


def test_a_delete_is_told_and_then_forgotten() -> None:
    table = routes(main=ALL)
    verdict = table.judge(Kind.SEGMENT_DELETE, facts(), table.known(Segment("7", "VIP")))
    assert (verdict.targets, verdict.known, verdict.name) == (("main",), None, "VIP")


@pytest.mark.parametrize(
    "segment",
    [Segment("7"), Segment("7", "", "db", frozenset(), frozenset({"b", "a"})), Segment("7", "naïve \U0001f600")],
)
def test_what_is_kept_of_a_segment_comes_back(segment: Segment) -> None:
    assert restore("7", kept_bytes(segment)) == segment
