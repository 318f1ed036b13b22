"""What can be given to no target, and why."""

from __future__ import annotations

from tests.unit.delivery.test_superseding import cut
from workers.delivery.failures import unusable


def test_a_killer_without_a_key_is_set_aside_as_a_killer() -> None:
    """It is no member of its batch: it was dropped, and stood neither in the table nor in the quarantine."""
    batch = cut("add ?")
    assert [each.code for each in unusable(batch, deadly=False)] == ["missing key"]
    assert [(each.sequence, each.code) for each in unusable(batch, deadly=True)] == [(batch.first, "poison")]


def test_a_killer_is_set_aside_whatever_it_is() -> None:
    for words in (["add A"], ["remove A"], ["upsert"], ["delete"]):
        assert [each.code for each in unusable(cut(*words), deadly=True)] == ["poison"]
        assert unusable(cut(*words), deadly=False) == []
