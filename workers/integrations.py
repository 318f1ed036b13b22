"""What the configuration declares, as the router and the deliverers use it: frozen values, nothing to parse.

`Scope.wants` is asked for every event and integration, so it is two comparisons and a set operation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from workers.templates.row_naming import Meeting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.identifiers import Fields
    from workers.templates import Query, QueryKind
    from workers.templates.row_naming import Insert
    from workers.windows import DailyWindow

ScopeKind = Literal["all", "ids", "groups", "tags"]


class Ordering(StrEnum):
    """What may pass what within a batch (rule 15); only exact and strict are written by a user."""

    EXACT = "exact"
    """Different texts of a key are different rows, says the configuration."""
    STRICT = "strict"
    """Nothing passes anything, and nothing is merged: also where what names a row cannot be told from the queries."""
    FOLDED = "folded"
    """The queries name rows by the key alone: keys that differ however far they are folded may pass one another."""
    CATALOG = "catalog"
    """As folded where the table's unique keys are the key's alone, as strict elsewhere (delivery/orderings.py)."""

    @property
    def merges(self) -> bool:
        """Whether an operation makes an earlier one of the very same key needless."""
        return self in (Ordering.EXACT, Ordering.FOLDED)


def safe_ordering(queries: Mapping[QueryKind, Query]) -> Ordering:
    """The least order that ends as one operation at a time does, as far as add's and remove's texts tell."""
    naming = {kind.value: query.naming for kind, query in queries.items()}
    add, remove = naming.get("add"), naming.get("remove")
    if add is None or remove is None or not add.plain or not remove.plain or remove.others:
        return Ordering.STRICT
    # What is no plain insert has no columns whose types and keys could be asked for.
    return Ordering.CATALOG if add.insert else Ordering.STRICT


def named_insert(queries: Mapping[QueryKind, Query]) -> Insert | None:
    """What `add` inserts, with the columns in which `remove` looks for it, and those that either gives another value.

    None where `add` is no plain INSERT.
    """
    naming = {kind.value: query.naming for kind, query in queries.items()}
    insert, remove = naming["add"].insert, naming.get("remove")
    if insert is None or remove is None:
        return None if insert is None else replace(insert, bends=naming["add"].bends)
    written = remove.insert.columns if remove.insert else {}
    meets = (Meeting(field, column.lower()) for column, taken in written.items() for field in taken)
    changed, bends = insert.changed | remove.changed, naming["add"].bends | remove.bends
    return replace(insert, found_by=remove.meets.union(meets), changed=changed, bends=bends)


Tolerance = Literal["data", "none"]
WhenFull = Literal["block", "drop"]
OnEnter = Literal["flag", "resync"]
OnLeave = Literal["keep", "clear"]

DEFAULT_TIMEOUT_MS = 60_000
"""How long a batch waits for its last profile where the file says nothing."""
DEFAULT_MAX_QUARANTINE = 100_000
"""Open entries of the quarantine that an integration may have where the file says nothing."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is known of a segment. None means that no event ever said; an empty set means "none", said."""

    id: str
    name: str | None = None
    database: str | None = None
    groups: frozenset[str] | None = None
    tags: frozenset[str] | None = None


DRAINING: Final = "\x01 draining"
"""The segment of an integration that is being drained: there is none, since an id never holds a control character."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which segments an integration follows.

    database  the profile database they must be in; means nothing for hand-picked ids
    kind      "all" of the database, or those with one of the named groups, tags or ids
    values    the groups, tags or ids; empty for "all"
    """

    database: str
    kind: ScopeKind = "all"
    values: frozenset[str] = frozenset()

    @property
    def is_draining(self) -> bool:
        """Whether it follows nothing until what it owes is delivered, and then leaves."""
        return self.kind == "ids" and self.values == {DRAINING}

    def wants(self, segment: Segment, default_database: str) -> bool:
        """Whether this scope follows `segment`, which is in `default_database` if nobody said (rule 4)."""
        if self.kind == "ids":
            return segment.id in self.values
        if (segment.database or default_database) != self.database:
            return False
        if self.kind == "all":
            return True
        known = segment.groups if self.kind == "groups" else segment.tags
        return known is not None and not known.isdisjoint(self.values)

    @property
    def words(self) -> str:
        """For people: "main: groups sales"."""
        values = ", ".join(sorted(self.values))
        if self.kind == "ids":
            return f"segments {values}"
        return f"{self.database}: all segments" if self.kind == "all" else f"{self.database}: {self.kind} {values}"

    def overlaps(self, other: Scope) -> bool:
        """Whether one segment can be in both for sure; a group and a tag that may happen to meet do not count."""
        if self.kind == other.kind != "all":
            return (self.kind == "ids" or self.database == other.database) and not self.values.isdisjoint(other.values)
        return self.database == other.database and "all" in (self.kind, other.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One integration, its queries compiled.

    key            its name in the file, in Redis keys and in statistics
    active         False is a pause written down in the file: events are kept (rule 34)
    key_fields     the profile's fields that identify the row (rule 16); never empty
    batched        False: one profile at a time, and `batch_size` is 1 and `timeout_ms` 0
    batch_size     operations that make a batch full, counted before merging
    timeout_ms     milliseconds from a batch's first event until it goes although it is not full
    queries        what is absent does nothing; add and remove are always there; empty for an ad account
    fields         what an ad account is sent of a profile; None for a database
    ordering       what may pass what within a batch
    max_backlog    operations; None means no limit of its own
    max_lag        seconds that its oldest operation may have waited; None: batches late by a minute are told
    max_quarantine open entries of the quarantine; with as many, what would add to them is held
    window         hours in which it may be told; None: at any time
    members        lists the keys that a segment has in the target, for resyncs; None where there is no such query
    on_enter       of a segment that comes into scope by an event: "flag" it, or ask for its "resync" at once
    on_leave       what becomes of the rows of one that an upsert takes out of scope: "keep" them, or "clear"
    verify         seconds within which every segment is verified once, again and again; None: when somebody asks
    digest         of what a delivery's statements depend on: queries, key, mode
    """

    key: str
    connector: str
    scope: Scope
    key_fields: tuple[str, ...]
    queries: Mapping[QueryKind, Query] = field(hash=False)
    name: str = ""
    description: str = ""
    active: bool = True
    batched: bool = False
    batch_size: int = 1
    timeout_ms: int = 0
    exactly_once: bool = False
    tolerance: Tolerance = "data"
    ordering: Ordering = Ordering.STRICT
    max_backlog: int | None = None
    when_full: WhenFull = "block"
    max_lag: float | None = None
    max_quarantine: int = DEFAULT_MAX_QUARANTINE
    window: DailyWindow | None = None
    members: Query | None = field(default=None, hash=False)
    fields: Fields | None = field(default=None, hash=False)
    on_enter: OnEnter = "flag"
    on_leave: OnLeave = "keep"
    verify: float | None = None
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self._fingerprint())

    @property
    def is_listed(self) -> bool:
        """Whether anything lists what the target has of a segment: a query, or an ad account's store."""
        return self.members is not None or self.fields is not None

    def answers(self, kind: QueryKind) -> bool:
        """Whether the target is told of such events; what it is not told of makes nothing moot."""
        return self.fields is not None or kind in self.queries

    def _fingerprint(self) -> str:
        """32 hexadecimal digits; unlike `hash` the same in every process."""
        parts = [*self.key_fields, "batch" if self.batched else "single", self.ordering]
        parts += [f"{kind}={query.digest}" for kind, query in sorted(self.queries.items())]
        parts += [f"fields={self.fields.digest}"] if self.fields is not None else []
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
