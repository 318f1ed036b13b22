"""Whoever only looks at a lane meets all of it that stays, whatever others take from it meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from workers.lanes.chunks import Operation, pack, unpack
from workers.lanes.walking import PAGE, chunks

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis


def packed(*places: int) -> bytes:
    return pack(None, [Operation(1_700_000_000_000, 0, place, 1, None, b"{}") for place in places])


class Lane:
    """A list of chunks; `meanwhile` is done to it after each page that is read, with the pages read so far."""

    def __init__(self, found: list[bytes], meanwhile: Callable[[list[bytes], int], None]) -> None:
        self.found = found
        self.meanwhile = meanwhile
        self.pages = 0

    def lrange(self, _: str, first: int, last: int) -> list[bytes]:
        page = self.found[first : last + 1]
        self.pages += 1
        self.meanwhile(self.found, self.pages)
        return page


def met(lane: Lane) -> list[int]:
    """The places of the operations that were met."""
    return [each.index for chunk in chunks(cast("Redis", lane), "lane") for each in unpack(chunk)[1]]


def nothing(_: list[bytes], __: int) -> None:
    pass


@pytest.mark.parametrize("many", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_each_is_met_once_where_nobody_takes_any(many: int) -> None:
    assert met(Lane([packed(n) for n in range(many)], nothing)) == [*range(many)]


@pytest.mark.parametrize("taken", [1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_what_stays_is_met_though_a_delivery_takes_some(taken: int) -> None:
    def deliver(found: list[bytes], page: int) -> None:
        if page == 1:
            del found[:taken]

    many = 5 * PAGE
    found = met(Lane([packed(n) for n in range(many)], deliver))
    assert found == [*range(PAGE), *range(max(PAGE, taken), many)]


def test_what_stays_is_met_though_a_delivery_goes_on_and_on() -> None:
    def deliver(found: list[bytes], _: int) -> None:
        del found[:30]

    many = 10 * PAGE
    lane = Lane([packed(n) for n in range(many)], deliver)
    found = met(lane)
    assert found == sorted(found)
    assert {unpack(chunk)[1][0].index for chunk in lane.found} <= set(found)


def test_what_a_compaction_packs_anew_is_met() -> None:
    """As many operations as before in fewer chunks, one of which reaches over what was read."""

    def compact(found: list[bytes], page: int) -> None:
        if page == 1:
            places = [each.index for chunk in found[10:] for each in unpack(chunk)[1]]
            found[10:] = [packed(*places[at : at + 40]) for at in range(0, len(places), 40)]

    many = 4 * PAGE
    assert set(met(Lane([packed(n) for n in range(many)], compact))) == set(range(many))


def test_bytes_that_are_no_chunk_are_met_where_they_stand() -> None:
    lane = Lane([packed(1), b"ann@example.com", packed(2), b"x" * 60], nothing)
    assert [*chunks(cast("Redis", lane), "lane")] == [packed(1), b"ann@example.com", packed(2), b"x" * 60]
