"""What somebody has done is written down before it is done, and that it failed after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from workers import outcomes
from workers.control.acting import Actor, recorded
from workers.errors import WrongUsage
from workers.outcomes import Acted

if TYPE_CHECKING:
    from tests.integration.place import Place

ANN = Actor("ann", "console", "10.0.0.7")


def acts(place: Place) -> list[Acted]:
    """Acts on their way to the ledger."""
    entries: Any = place.redis.xrange(place.keys.outcomes)
    found = [outcomes.decode(fields[b"r"]) for _, fields in entries]
    return [record for record in found if isinstance(record, Acted)]


def test_it_is_written_down_before_it_is_done(place: Place) -> None:
    with recorded(place.redis, place.keys, ANN, "pause", "crm", reason="moved"):
        (found,) = acts(place)
    assert (found.who, found.via, found.address, found.act, found.target, found.reason) == (
        *("ann", "console", "10.0.0.7", "pause", "crm", "moved"),
    )
    assert len(acts(place)) == 1


@pytest.mark.parametrize(
    ("error", "told"), [(WrongUsage("no such thing"), "no such thing"), (ValueError("ann@example.com"), "ValueError")]
)
def test_why_it_failed_is_told_and_nothing_that_others_said(place: Place, error: Exception, told: str) -> None:
    with pytest.raises(type(error)), recorded(place.redis, place.keys, ANN, "pause", "crm"):
        raise error
    assert [each.failed for each in acts(place)] == ["", told]


def test_a_full_redis_takes_it_too(full_place: Place) -> None:
    """Pausing may be just what a full Redis needs."""
    full_place.redis.config_set("maxmemory", 1)
    try:
        with recorded(full_place.redis, full_place.keys, ANN, "pause", "crm"):
            pass
    finally:
        full_place.redis.config_set("maxmemory", 0)
    assert len(acts(full_place)) == 1


def test_nothing_is_done_that_could_not_be_written_down(place: Place) -> None:
    place.redis.set(place.keys.outcomes, "no stream")
    done = False
    with pytest.raises(Exception, match="WRONGTYPE"), recorded(place.redis, place.keys, ANN, "pause", "crm"):
        done = True
    assert not done


def test_whatever_somebody_is_called_and_says_is_written_down(place: Place) -> None:
    """Bytes of a command line that are no text, a NUL, and more than anybody says."""
    who = Actor("ann\udce9", "by\udcffte", "\ud800")
    with recorded(place.redis, place.keys, who, "pause\udcff", "x" * 5_000, reason="caf\udce9\0"):
        pass
    (found,) = acts(place)
    assert (found.who, found.via, found.address, found.act) == ("ann?", "by?te", "?", "pause?")
    assert (len(found.target), found.reason) == (1_000, "caf?\0")
