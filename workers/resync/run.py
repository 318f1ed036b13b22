"""One run, as Redis keeps it, with its words read once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from workers.lanes.runs import Fields
    from workers.resync.source import Id

State = Literal["waiting", "marked", "removing", "adding", "between", "stopping", "ended"]
Mode = Literal["diff", "replace", "resend"]


@dataclass(frozen=True, slots=True)
class ResyncRun:
    """One run.

    state      waiting to begin, waiting at its mark, removing, adding, between two marks, stopping, or ended
    phase      what it does once its mark is reached: "plan" or "adds"
    first      sequence of its first mark: what came in before that is older than the run
    index      the next operation's, under the mark that stands
    place      where the source is read, and by whom, while that is at a place of its own; "" else
    answered   "1" where a producer answers for the platform, and not the file's source
    disk       token of the files that the last plan has written, on some host
    after      `_id` of the last member that was told; None for none
    late       since when its source is waited for at the mark that stands; 0 where it is not
    ahead, ahead_at  milliseconds that the source's clock was seen to be behind its data at the most, and when last
    looks      how often a verification has compared
    seen       what differed at its last look, where that is little; "" where it says nothing
    accepted_of  digest of the run that has asked for the word which was given; "" where it says nothing
    cleared    digest of where it has taken the segment's rows out, and by which query; "" for nowhere, None where an
               older version that did not note it has begun the run
    stalled    "1" while it stands still until somebody does something, its target is there, or a window opens
    windowed   "1" where that is a window alone
    tries      failures one after the other
    again      says who has asked for it once more since its mark was sent; "" for nobody
    counted    refused ones that have no entry, since the quarantine had no room
    """

    id: str
    integration: str
    segment: str
    kind: str = "resync"
    by: str = ""
    state: str = "waiting"
    phase: str = "plan"
    mode: str = ""
    digest: str = ""
    first: str = ""
    asked: int = 0
    marked: int = 0
    reached: int = 0
    index: int = 0
    answered: str = ""
    place: str = ""
    disk: str = ""
    after: Id | None = None
    late: int = 0
    ahead: int = 0
    ahead_at: int = 0
    looks: int = 0
    seen: str = ""
    tries: int = 0
    members: int = 0
    rows: int = 0
    missing: int = 0
    strays: int = 0
    spelled: int = 0
    folded: int = 0
    repeated: int = 0
    unusable: int = 0
    keyless: int = 0
    removed: int = 0
    added: int = 0
    quarantined: int = 0
    counted: int = 0
    told: int = 0
    accept_removals: int | None = None
    accept_adds: int | None = None
    accepted_of: str = ""
    cleared: str | None = None
    stalled: str = ""
    windowed: str = ""
    again: str = ""
    cancelled: str = ""
    outcome: str = ""
    why: str = ""
    ended: int = 0
    shown: str = ""

    @classmethod
    def read(cls, fields: Fields) -> ResyncRun | None:
        """From Redis; None where there is no such run."""
        if "id" not in fields:
            return None
        words = {name: fields[name] for name in _WORDS if name in fields}
        numbers = {name: int(float(fields[name])) for name in _NUMBERS if fields.get(name)}
        after = json.loads(fields["after"]) if fields.get("after") else None
        return cls(after=after, **words, **numbers)  # type: ignore[arg-type]

    @property
    def progress(self) -> str:
        """How far it is, for people."""
        if self.state == "removing":
            return f"removing, {self.removed:,} of {self.strays:,}"
        if self._is_adding:
            return f"adding, {self.added:,} of {self.members:,}"
        if self.state == "marked":
            return "reading" if self.reached else "waiting for what came before it"
        return self.outcome if self.state == "ended" else self.state

    @property
    def part(self) -> float | None:
        """How much of what it does at this moment is done, from 0 to 1; None where that is not known."""
        done, of = (self.removed, self.strays) if self.state == "removing" else (self.added, self.members)
        return min(1.0, done / of) if of and (self.state == "removing" or self._is_adding) else None

    @property
    def _is_adding(self) -> bool:
        return self.state == "adding" or (self.state in ("between", "marked") and self.phase == "adds")

    @property
    def verifies(self) -> bool:
        """Whether it only looks."""
        return self.kind == "verify"


_WORDS = (
    *("id", "integration", "segment", "kind", "by", "state", "phase", "mode", "digest", "first"),
    *("stalled", "cancelled", "outcome", "why", "shown", "disk", "answered", "place", "again"),
    *("accepted_of", "windowed", "cleared", "seen"),
)
_NUMBERS = (
    *("asked", "marked", "reached", "index", "looks", "tries", "members", "rows", "missing", "strays"),
    *("spelled", "repeated", "unusable", "keyless", "removed", "added", "quarantined", "counted", "told", "ended"),
    *("accept_removals", "accept_adds", "late", "ahead", "ahead_at", "folded"),
)
