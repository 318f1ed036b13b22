"""The plan of a run: the source's keys, then the target's, read to their ends and closed before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.resync.keys_on_disk import KeyDifference, KeyFiles, compare, remove
from workers.resync.profiles import UnfitSource, key_of_row
from workers.resync.source import TWICE
from workers.templates import SegmentView

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workers.connectors.sql.listing import Lister, Page
    from workers.integrations import Integration
    from workers.resync.source import Membership


class Planner:
    """Compares one segment's source and target.

    open_target  a new session with the target; raises only TargetError
    keep         called now and then: says that this goes on, or raises where it must not
    """

    def __init__(
        self, integration: Integration, segment: str, open_target: Callable[[], Lister], keep: Callable[[], None]
    ) -> None:
        self._integration = integration
        self._segment = segment
        self._open_target = open_target
        self._keep = keep
        self.unusable = 0

    def plan(self, source: Membership, folder: Path) -> KeyDifference:
        """What differs; TargetError and UnfitSource where one side cannot be read to its end.

        Without a query `members` only the source is read: all its members count as missing.
        """
        remove(folder)
        members = self._read_source(source, KeyFiles(folder, "source"), KeyFiles(folder, "ids"))
        rows = KeyFiles(folder, "target")
        if self._integration.members is not None:
            self._read_target(rows)
        return compare(members, rows, folder, self._keep)

    def _read_source(self, source: Membership, keys: KeyFiles, ids: KeyFiles) -> KeyFiles:
        self.unusable, usable = 0, 0
        for page in source.everything():
            for each in () if source.rises else page.ids:
                ids.add((str(each),))
            for key in page.keys(self._integration.key_fields):
                if key is None:
                    self.unusable += 1
                else:
                    usable += 1
                    keys.add(key)
            self._keep()
        if ids.repeats():
            raise UnfitSource(TWICE)
        if self.unusable and not usable:
            names = ", ".join(map(repr, self._integration.key_fields))
            raise UnfitSource(
                f"none of its {self.unusable:,} members has a usable key; expected the field {names} in what it gives"
            )
        return keys

    def _read_target(self, keys: KeyFiles) -> None:
        width = len(self._integration.key_fields)
        lister = self._open_target()
        try:
            for page in lister.pages(listing_of(self._integration, self._segment)):
                check_width(page, width)
                for row in page.rows:
                    key = key_of_row(row)
                    if key is not None:
                        keys.add(key)
                self._keep()
        finally:
            lister.close()


def listing_of(integration: Integration, segment: str) -> str:
    """The statement that lists a target's rows of a segment; there is a query `members`. TargetError."""
    members = integration.members
    assert members is not None  # noqa: S101 - asked for before
    statements = members.render([], SegmentView(segment, None, 0, 0))
    if len(statements) != 1:
        raise _wrong(f"`members` is {len(statements)} statements; expected one SELECT")
    return statements[0]


def check_width(page: Page, width: int) -> None:
    """TargetError where a page of that list has other columns than the key."""
    if len(page.columns) != width:
        raise _wrong_columns(len(page.columns), width)


def _wrong_columns(found: int, expected: int) -> TargetError:
    return _wrong(f"`members` gives {found} columns, and the key has {expected}; expected the key's columns, in order")


def _wrong(what: str) -> TargetError:
    return TargetError(ErrorClass.HOLD, "segsync members", what, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)
