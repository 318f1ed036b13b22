"""What a step of the intake reads and does: the messages of read.lua and append.lua."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Run:
    """Operations of one segment for the same integrations, on their way into the lanes.

    kept  whether they may not be dropped where the backlog is full: they come out of the quarantine
    mark  "RUN NONCE" where it is the mark of a resync's run, which stands alone, or ""
    """

    segment: str
    operations: int
    head_ms: int
    bar: str
    clear: str
    chunk: bytes
    integrations: Sequence[str]
    kept: bool = False
    mark: str = ""


InEntry = bytes | list[bytes]
"""What stands in an entry of the intake: its only field `event`, or [field, value, ...] where there are others."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The beginning of the intake.

    position     how far it has been moved, as `Move.position` said
    quarantined  open entries of the quarantine that never reached an integration
    now_ms       Redis's clock
    entries      (id, what stands in it)
    """

    position: str
    quarantined: int
    now_ms: int
    entries: list[tuple[bytes, InEntry]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Move:
    """One step of the intake: what `append` does at once.

    owner      who has the lease of the routing
    read_from  the position as it was read
    last_id    the last entry that is moved as a whole: the intake is trimmed up to it
    resync     (integration, segment, sequence) of what came into a scope
    ignored    fields that mean nothing to segsync
    """

    owner: str
    read_from: str
    position: str
    last_id: str
    runs: Sequence[Run] = ()
    segments: Sequence[tuple[str, bytes]] = ()
    unwanted: Sequence[tuple[str, int]] = ()
    resync: Sequence[tuple[str, str, str]] = ()
    left: Sequence[tuple[str, str]] = ()
    events: int = 0
    operations: int = 0
    ignored: int = 0
    quarantined: int = 0
    records: Sequence[bytes] = ()
