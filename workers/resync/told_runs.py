"""Runs as programs are told of them, by commands and by the API."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import structs

if TYPE_CHECKING:
    from workers.outcomes import Resynced
    from workers.resync.run import ResyncRun


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run that Redis has; its counts are those of ResyncRun.

    progress  how far it is, for people
    shown     some keys of "missing", "strays", "spelled" and "folded", by these words; {} for who may not see people's
              ids
    """

    id: str
    integration: str
    segment: str
    kind: str
    by: str
    state: str
    progress: str
    mode: str
    outcome: str
    why: str
    members: int
    rows: int
    missing: int
    strays: int
    spelled: int
    folded: int
    repeated: int
    unusable: int
    removed: int
    added: int
    quarantined: int
    asked: datetime
    shown: dict[str, list[str]]

    @classmethod
    def of(cls, run: ResyncRun, *, sees: bool = True) -> ToldRun:
        """What a run says of itself.

        sees  whether people's ids may be seen
        """
        asked = datetime.fromtimestamp(run.asked / 1000, UTC)
        shown = json.loads(run.shown or "{}") if sees else {}
        names = [field.name for field in fields(cls)][: -len(("asked", "shown"))]
        return cls(**{name: getattr(run, name) for name in names}, asked=asked, shown=shown)


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over, as the ledger has it: the fields of `outcomes.Resynced`."""

    uid: str
    run: str
    integration: str
    segment: str
    kind: str
    mode: str
    by: str
    asked_ms: int
    ended_ms: int
    members: int
    rows: int
    added: int
    removed: int
    kept: int
    unusable: int
    quarantined: int
    outcome: str
    reason: str

    @classmethod
    def of(cls, run: Resynced) -> EndedRun:
        """The same, with the names of its fields."""
        return cls(**structs.asdict(run))
