"""What people do with the quarantine: `segsync quarantine retry` and `drop` (rule 30).

A retry goes back through the intake, as an event addressed to the one integration that the entry belongs to, so it
gets its place among everything else; whether something came after it is looked up when it is delivered. What never
reached an integration is pushed as it came, to all that want it. A member that an ad platform refuses is told to it
once more, from the store of its account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from workers.errors import SegsyncError
from workers.events.retry_header import RetryHeader, encode
from workers.lanes.answers import field_of
from workers.lanes.messages import Requeue
from workers.outcomes import UNFINISHED
from workers.quarantine import entries as quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.lanes import Lanes
    from workers.lanes.keys import Keys
    from workers.ledger.database import Ledger
    from workers.quarantine.entries import EntryDetail, Selection

OF_AUDIENCE: Final = "audience"
"""The source of an entry for a member that an ad platform refuses."""
MOST_SKIPPED: Final = 1_000
"""Of so many at the most it is said why."""
GONE: Final = "something has come after it meanwhile; or Redis has lost what did: then export it, and push it yourself"
SPELLED: Final = (
    "what came later has another spelling of its key, which the table may take for the same row: look at the row, then"
    " drop it, or export it and push it yourself"
)
_WHY: Final = {
    "gone": GONE,
    "spelled": SPELLED,
    "pushed": "it was pushed again already; the ledger will tell soon",
    "not refused": "its account's store has it as refused no more: it is on its way, or has left; the ledger will tell",
}


class MemberRetry(Protocol):
    """Tells ad platforms refused members once more."""

    def __call__(self, entries: Sequence[EntryDetail], by: str) -> list[str]:
        """For each "ok" or "not refused". TargetError where a store is away, SettingsError, redis.RedisError."""


class RetryStopped(SegsyncError):
    """Nothing more is retried now; the message says why, and how many were."""


@dataclass(slots=True)
class Requeued:
    """What a command did.

    entries  retried or dropped
    left     (id, why not) of the others; no more than MOST_SKIPPED
    skipped  how many others there are
    """

    entries: int = 0
    left: list[tuple[int, str]] = field(default_factory=list)
    skipped: int = 0

    def skip(self, entry: EntryDetail, why: str) -> None:
        """Notes an entry that is left as it is."""
        self.skipped += 1
        if len(self.left) < MOST_SKIPPED:
            self.left.append((entry.id, why))


def _of_no_account(entries: Sequence[EntryDetail], by: str) -> list[str]:  # noqa: ARG001 - as `MemberRetry`
    return ["not refused"] * len(entries)


def retry(
    ledger: Ledger,
    lanes: Lanes,
    keys: Keys,
    wanted: Selection,
    by: str,
    retry_members: MemberRetry = _of_no_account,
) -> Requeued:
    """Sends entries on their way once more; they are "retried" until it is known what came of them.

    The ledger should be up to date (Runtime.drain_outcomes). Open entries; by their ids also those on their way, for
    which it is their way that counts that arrives first. UnknownEntry, RetryStopped, LedgerError, redis.RedisError;
    of members also TargetError and SettingsError.
    """
    done = Requeued()
    for page in quarantine.pages(ledger, wanted):
        fit = [entry for entry in page if _fits(done, entry, why_not_retried(entry))]
        pushed = [entry for entry in fit if entry.source != OF_AUDIENCE]
        if pushed:
            _refuse_full(lanes, keys, done)
            _count(done, pushed, lanes.retry(by, [_requeued(entry, lanes.installation) for entry in pushed]))
        members = [entry for entry in fit if entry.source == OF_AUDIENCE]
        if members:
            _count(done, members, retry_members(members, by))
    return done


def _count(done: Requeued, entries: Sequence[EntryDetail], verdicts: Sequence[str]) -> None:
    for entry, verdict in zip(entries, verdicts, strict=True):
        if verdict == "ok":
            done.entries += 1
        else:
            done.skip(entry, _WHY[verdict])


def drop(ledger: Ledger, lanes: Lanes, wanted: Selection, by: str) -> Requeued:
    """Marks entries dropped; a retry that is on its way leads nowhere. UnknownEntry, LedgerError, redis.RedisError."""
    done = Requeued()
    for page in quarantine.pages(ledger, wanted):
        fit = [entry for entry in page if _fits(done, entry, _why_final(entry))]
        lanes.drop(by, [_placed(entry) for entry in fit])
        done.entries += len(fit)
    return done


def _fits(done: Requeued, entry: EntryDetail, why_not: str) -> bool:
    if why_not:
        done.skip(entry, why_not)
    return not why_not


def _why_final(entry: EntryDetail) -> str:
    return "" if entry.state in UNFINISHED else f"it is {entry.state}"


def why_not_retried(entry: EntryDetail) -> str:
    """Why an entry cannot be retried; "" where it can."""
    if why := _why_final(entry):
        return why
    if not entry.is_whole:
        return f"only the first {len(entry.payload):,} of its {entry.size:,} bytes were kept; push it again yourself"
    if entry.source == "outcomes":
        return "it is a record of segsync's own that cannot be read, and no event"
    if entry.source == "intake" and not entry.payload:
        return "it came without the field 'event', so there is nothing to push"
    return ""


def _refuse_full(lanes: Lanes, keys: Keys, done: Requeued) -> None:
    reason = field_of(lanes.redis, keys.full_marks, "reason")
    if reason is not None:
        raise RetryStopped(f"{reason}; {done.entries:,} entries were retried, the others are as they were")


def _slot(entry: EntryDetail) -> str:
    """What had no key when it was quarantined gets a slot of its own once it is retried."""
    return entry.slot or f"r:{entry.uid}"


def _placed(entry: EntryDetail) -> Requeue:
    if entry.integration is None:
        return Requeue(entry.uid, "", "", "")
    return Requeue(entry.uid, entry.integration, entry.segment or "", _slot(entry))


def _requeued(entry: EntryDetail, installation: str) -> Requeue:
    ticket = RetryHeader(entry.uid, entry.retries + 1, at_us=entry.event_us)
    if entry.integration is None:
        event = entry.payload if entry.event_type is None else event_of(entry)
        return Requeue(entry.uid, "", "", "", event=event, retry=encode(ticket, installation))
    place = _placed(entry)
    ticket = msgspec.structs.replace(ticket, integration=entry.integration, slot=place.slot)
    return Requeue(
        place.entry,
        place.integration,
        place.segment,
        place.slot,
        event=event_of(entry),
        retry=encode(ticket, installation),
    )


def event_of(entry: EntryDetail) -> bytes:
    """The event again, with the one profile as it came, byte for byte."""
    head = {"type": entry.event_type, "segment": {"id": entry.segment}}
    if entry.event_type not in ("add", "remove"):
        return msgspec.json.encode(head)
    return msgspec.json.encode(head | {"profiles": [msgspec.Raw(entry.payload)]})
