"""What differs from the platform is one need for each integration, whatever is added to it."""

from __future__ import annotations

from workers.monitoring.resyncs import ResyncState, needs_of_resyncs


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
