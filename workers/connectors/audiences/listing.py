"""Who is in the audiences of a segment, as the store has it: platforms list nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import DELETED
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.tables import audiences, holdings
from workers.connectors.sql.listing import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 5_000
"""Profiles that are read at once: each page is a transaction of its own, so that no writer waits for all of them."""


class SegmentPlace(NamedTuple):
    """One segment of an integration; `width` is how many fields its key has."""

    connector: str
    integration: str
    segment: str
    width: int


class MemberLister:
    """`listing.Lister` of a store: keys of those who are, or are to be, in a segment's audiences."""

    def __init__(self, store_url: str, place: SegmentPlace) -> None:
        self._store = Store(store_url)
        self._place = place

    def pages(self, statement: str) -> Iterator[Page]:  # noqa: ARG002 - there is none
        """As `Lister.pages`; the store is asked by what it was made for."""
        self._store.upgrade()
        columns = tuple(f"key {number}" for number in range(1, self._place.width + 1))
        after: str | None = None
        while True:
            profiles = self._after(after)
            yield Page(columns, [self._key(each) for each in profiles])
            if len(profiles) < PAGE:
                return
            after = profiles[-1]

    def close(self) -> None:
        """As `Lister.close`."""
        self._store.close()

    def _after(self, after: str | None) -> list[str]:
        place, column = self._place, audiences.c
        named = (column.connector == place.connector, column.integration == place.integration)
        of = sa.select(column.id).where(*named, column.segment == place.segment)
        mine = holdings.c.audience.in_(of.where(column.state != DELETED, column.leaving == ""))
        asked = sa.select(holdings.c.profile).where(mine).distinct().order_by(holdings.c.profile).limit(PAGE)
        with self._store.reading() as connection:
            rows = connection.execute(asked if after is None else asked.where(holdings.c.profile > after))
            return list(rows.scalars())

    def _key(self, profile: str) -> tuple[str, ...]:
        return (profile,) if self._place.width == 1 else tuple(map(str, json.loads(profile)))
