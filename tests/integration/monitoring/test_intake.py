"""What `status` says of the intake's own limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from workers.monitoring import status
from workers.monitoring.consumers import Consumers

if TYPE_CHECKING:
    from tests.integration.place import Place


def said(place: Place, limit: str) -> list[str]:
    runtime = place.publish(integration(), limit)
    found = status.read(runtime, lambda: Consumers(1, {}))
    return [need for need in found.needs if "[intake]" in need]


@pytest.mark.parametrize(
    ("most", "sentences"),
    [
        (11, []),
        (10, ["8 events wait to be routed, 80% of [intake] max"]),
        (8, ["producers are refused: 8 events wait to be routed, and [intake] max is 8"]),
    ],
)
def test_an_intake_near_its_limit_is_told(place: Place, most: int, sentences: list[str]) -> None:
    place.publish(integration())
    for n in range(8):
        place.add(str(n))
    assert said(place, f"[intake]\nmax = {most}\n") == sentences


def test_without_a_limit_nothing_is_said(place: Place) -> None:
    place.publish(integration())
    place.add("7", 100)
    assert said(place, "") == []
