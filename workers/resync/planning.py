"""The plan of a run: the source's keys, then the target's, read to their ends and closed before anything is written."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Self

import msgspec

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.resync.keys_on_disk import KeyDifference, KeyFiles, compare, remove
from workers.resync.profiles import UnfitSource, key_to_tell, keys_of_rows, told_fields
from workers.resync.source import TWICE
from workers.settings.spelling import counted
from workers.templates import SegmentView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from workers.connectors.sql.listing import Lister, Page
    from workers.delivery.key_folding import Key
    from workers.integrations import Integration
    from workers.resync.source import Membership, SomeMembers


class UnlistedTarget(TargetError):
    """A target's rows cannot be listed to their end; any other TargetError of a plan is its source's."""

    @classmethod
    def of(cls, error: TargetError) -> Self:
        """What the target has said."""
        return cls(error.error_class, error.code, error.reason, level=error.level, phase=error.phase)


class Planner:
    """Compares one segment's source and target.

    unusable  members without a usable key, of the last plan
    lacking   fields that the query `add` names, and that none of its members can have
    keyless   rows of the target whose key is null or empty, in part at least: no member's, and not to be removed by it

    open_target  a new session with the target; raises only TargetError
    keep         called now and then: says that this goes on, or raises where it must not
    spool        how many profiles are kept at the most, to be told without another reading; more are read again
    """

    def __init__(
        self,
        integration: Integration,
        segment: str,
        open_target: Callable[[], Lister],
        keep: Callable[[], None],
        *,
        spool: int = 0,
    ) -> None:
        self._integration = integration
        self._segment = segment
        self._open_target = open_target
        self._keep = keep
        self._spool = spool
        self.unusable = self.keyless = 0
        self.lacking: list[str] = []

    def plan(self, source: Membership, folder: Path) -> KeyDifference:
        """What differs; TargetError and UnfitSource where one side cannot be read to its end.

        Without a query `members` only the source is read: all its members count as missing.
        """
        remove(folder)
        keys, ids = KeyFiles(folder, "source"), KeyFiles(folder, "ids")
        with spooling(folder) if self._spool else nullcontext(None) as out:
            members = self._read_source(source, keys, ids, out)
        rows = KeyFiles(folder, "target")
        if self._integration.members is not None or self._integration.fields is not None:
            try:
                self._read_target(rows)
            except TargetError as error:
                raise UnlistedTarget.of(error) from error
        return compare(members, rows, folder, self._keep)

    def _read_source(self, source: Membership, keys: KeyFiles, ids: KeyFiles, out: BinaryIO | None) -> KeyFiles:
        self.unusable, read = 0, 0
        for page in source.everything(self._keep):
            if not read:
                self.lacking = page.lacks(told_fields(self._integration))
            read += len(page.ids)
            if out and read > self._spool:
                out.close()
                out = None
            if out:
                write_down(out, page.profiles())
            if not source.paged:
                ids.add([(str(each),) for each in page.ids])
            found = [key for key in keys_to_tell(page, self._integration) if key is not None]
            keys.add(found)
            self.unusable += len(page.ids) - len(found)
            self._keep()
        if ids.repeats():
            raise UnfitSource(TWICE)
        if self.unusable and not keys.count:
            if self._integration.fields is not None:
                raise UnfitSource(f"of none of its {self.unusable:,} members anything can be sent; {_FIELDS}")
            names = ", ".join(map(repr, self._integration.key_fields))
            raise UnfitSource(
                f"none of its {self.unusable:,} members has a usable key; expected the field {names} in what it gives"
            )
        return keys

    def _read_target(self, keys: KeyFiles) -> None:
        width, self.keyless = len(self._integration.key_fields), 0
        lister = self._open_target()
        try:
            listing = listing_of(self._integration, self._segment) if self._integration.members is not None else ""
            for page in lister.pages(listing):
                check_width(page, width)
                found = [key for key in keys_of_rows(page.rows) if key is not None]
                keys.add(found)
                self.keyless += len(page.rows) - len(found)
                self._keep()
        finally:
            lister.close()


_FIELDS = "expected the fields of the integration in what it gives"


def keys_to_tell(page: SomeMembers, integration: Integration) -> Iterable[Key | None]:
    """The keys of a page's members; None for each that has no usable one, or of whom nothing can be sent."""
    if integration.fields is None:
        return page.keys(integration.key_fields)
    return (key_to_tell(body, integration) for body in page.profiles())


def spooled(folder: Path) -> Path:
    """Profiles as they were read, one a line: there only once their end has been proven."""
    return folder / "members"


@contextmanager
def spooling(folder: Path) -> Iterator[BinaryIO]:
    """Where the profiles are written. OSError, whatever ends the reading, and who closes it leave none of them."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"members-coming-{secrets.token_hex(8)}"
    with draft.open("wb") as out:
        yield out
        whole = not out.closed
    if whole:
        draft.rename(spooled(folder))
    else:
        draft.unlink()


def write_down(out: BinaryIO, profiles: Iterable[bytes]) -> None:
    """Each on a line of its own, whatever JSON it came as: what a platform prints for people has lines within."""
    out.writelines((msgspec.json.format(body, indent=-1) if b"\n" in body else body) + b"\n" for body in profiles)


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
    gives = counted(found, "column")
    return _wrong(f"`members` gives {gives}, and the key has {expected}; expected the key's columns, in order")


def _wrong(what: str) -> TargetError:
    return TargetError(ErrorClass.HOLD, "segsync members", what, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)
