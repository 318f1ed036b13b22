"""What `status` tells of resyncs."""

from __future__ import annotations

from workers.monitoring.resyncs import TROUBLED_TRIES, BegunRun, ResyncState, needs_of_resyncs, notes_of_resyncs


def told(*lanes: str) -> dict[str, str]:
    differing = tuple((lane, str(run)) for run, lane in enumerate(lanes))
    return {need.topic: need.sentence for need in needs_of_resyncs(ResyncState(differing=differing))}


def test_one_need_for_each_integration() -> None:
    found = told("crm:1", "crm:2", "crm:3", "crm:4", "crm:5", "erp:a:b")
    assert list(found) == ["crm differs", "erp differs"]
    assert "segment 1, as run 0 has seen; " in found["crm differs"]
    assert "and 2 more" in found["crm differs"]
    assert "segment a:b, as run 5" in found["erp differs"]


def test_a_further_segment_is_no_news() -> None:
    assert told("crm:1").keys() == told("crm:0", "crm:1", "crm:2", "crm:3").keys()


def test_who_has_asked_for_a_run_that_stands_and_when_is_told() -> None:
    runs = [
        BegunRun("crm", "run 3 (segment 7 of crm)", "ann", 1_700_049_600_000, "reading", "", 0),
        BegunRun("crm", "run 4 (segment 8 of crm)", "", 1_700_049_601_000, "reading", "no source", TROUBLED_TRIES),
    ]
    state = ResyncState(begun=tuple(runs))
    assert list(notes_of_resyncs(state)) == [
        "run 3 (segment 7 of crm), asked for by ann at 2023-11-15 12:00:00 UTC, is open: reading"
    ]
    (need,) = needs_of_resyncs(state)
    assert need.sentence == (
        "run 4 (segment 8 of crm), asked for by somebody at 2023-11-15 12:00:01 UTC, cannot go on, "
        "and its lane waits with it: no source; it is tried again"
    )
