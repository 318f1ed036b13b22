"""What is posted to the routes that change anything: decoded by these types, and described by them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from workers.control.wanted import told_of

MOST_IDS: Final = 1_000
"""Entries that one call may name: fewer than any ledger's driver takes in one statement."""


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; `status` and the audit log show it."""

    reason: str = ""


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An integration or a connector."""

    name: str
    reason: str = ""


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an ad platform has shown to whoever consented; "" where no person is needed."""

    code: str = ""
    reason: str = ""


class WhichEntries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries by their ids, at most 1,000 of them, or all open ones of an integration, a segment or a code, or all."""

    ids: Annotated[list[int], msgspec.Meta(max_length=MOST_IDS)] = []
    integration: str | None = None
    segment: str | int | None = None
    code: str | None = None
    all: bool = False
    reason: str = ""


class Age(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old, as "30d", or a time in ISO 8601."""

    older_than: str
    reason: str = ""


class OneOrAll(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment; all that have an audience there, where none is said."""

    segment: str | int | None = None
    reason: str = ""

    @property
    def named(self) -> str | None:
        """Its id, as a text."""
        return None if self.segment is None else str(self.segment)


class WhichSegments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Segments of an integration: by their ids, those that need it, or all."""

    integration: str
    segments: list[str | int] = []
    needed: bool = False
    all: bool = False
    reason: str = ""


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much a run may do: at most so many rows removed, and members added."""

    removals: int | None = None
    adds: int | None = None
    reason: str = ""


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be applied: a whole configuration as GET /api/configuration gives it, or this console's own file.

    basis    the revision that it was made from; where another is applied by now, nothing is published
    drop     removed integrations whose operations are thrown away
    dry_run  only says what differs
    """

    configuration: dict[str, Any] | None = None
    basis: int | None = None
    drop: list[str] = []
    dry_run: bool = False
    reason: str = ""


class WayOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of what an integration owes that is taken out: "drain" or "drop" it; "" where it owes nothing.

    basis  the revision that was seen; where another is applied by now, nothing is published
    """

    how: Literal["", "drain", "drop"] = ""
    basis: int | None = None
    reason: str = ""


class Whom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is meant: profiles by their `_id` or a key, and values that are theirs; at most 10,000 together."""

    profiles: list[str | int] = []
    values: list[str] = []
    reason: str = ""

    @property
    def ids(self) -> list[str]:
        """Profiles, as texts."""
        return [str(each) for each in self.profiles]

    @property
    def told(self) -> str:
        """How many, for the audit log."""
        return told_of(self.ids, self.values)


class WayBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an earlier revision is applied once more; as in `Publication`."""

    basis: int | None = None
    drop: list[str] = []
    dry_run: bool = False
    reason: str = ""
