"""What the lanes' scripts are told, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True)
class Claimed:
    """A lane that is ours until its lease ends, with the operations handed out.

    claim     id of the claim that owns it: every later call of the turn names it
    done      last settled sequence, '' if none since the lane was last empty
    to        last sequence handed out
    clear     sequence of the last clear in the lane that makes what is before it moot, or ''
    attempts  failed tries of the batch at the head
    limit     the most operations a batch may have after a failure; None: as many as configured
    suspect   end of the batch in which the one at fault is looked for, or ''
    passed    event types of which something passed since it began to fail
    tried_to  last sequence that somebody may have tried before, or ''
    deaths    processes that have ended over the batch at the head, as it is cut now
    probing   id of the integration's hold that this is the probe of, or ''
    open      entries of the lane in the quarantine
    no_room   whether the quarantine has as many entries of the integration as it may have
    aside     what is to go to the quarantine, packed by who has found it
    passed_over  operations of the segment that were set aside before
    """

    claim: str
    integration: str
    segment: str
    done: str
    to: str
    clear: str
    attempts: int
    limit: int | None
    suspect: str
    passed: frozenset[str]
    tried_to: str
    deaths: int
    probing: str
    open: int
    no_room: bool
    aside: bytes = field(repr=False)
    passed_over: int
    chunks: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing is due; the permit has been given back."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The connector is held, or its circuit is open: connect, and say with `circuit` what came of it.

    hold  id of the hold that this is the probe of, or ''
    """

    hold: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """What has kept a connector from its target: failed tries, ms from the first to the end, code and our sentence."""

    tries: int
    ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class More:
    """The lane stays ours; `chunks` come after what was handed out before."""

    to: str
    clear: str
    open: int
    no_room: bool
    chunks: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """The batch is settled, and what is under way behind it is not to be committed; the lane is still the claim's."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The lane is not ours any more; it is empty, or waits for its time."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Another claim has the lane by now: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Systemic:
    """So many profiles are refused that the query must be at fault; nothing was changed.

    causes  the codes they were refused with, the most frequent first, and how often each
    """

    causes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a deliverer says when it is done with a batch, and what it still holds; see settle.lua.

    go_on      whether it would serve the lane's next batch
    under_way  whether that one has been sent already, and waits for this to be committed
    """

    integration: str
    segment: str
    claim: str
    settled_before: str
    settled: str
    operations: int
    next_ms: int | None
    held_operations: int
    held_chunks: int
    go_on: bool
    under_way: bool = False
    limit: int | None = None
    suspect: str = ""
    passed: AbstractSet[str] = frozenset()
    lifts: str = ""
    good: int = 0
    ran: AbstractSet[str] = frozenset()
    aside: bytes = b""
    change: bytes = b""
    entries: int = 0
    tried_to: str = ""
    statements: int = 0
    counted: int = 0
    passed_over: int = 0
    records: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """Why a lane is given back unsettled; see release.lua. Without a lane: whatever the claim got."""

    integration: str
    segment: str
    claim: str
    how: str = "untried"
    delay_ms: int = 0
    attempts: int = 0
    limit: int | None = None
    suspect: str = ""
    passed: AbstractSet[str] = frozenset()
    bad: str = ""
    unasked: str = ""
    aside: bytes = b""
    level: str = ""
    connector: str = ""
    code: str = ""
    reason: str = ""
    records: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lane that has waited for long, as it stands.

    chunks       how many it has
    untouchable  the last sequence that somebody may have tried to deliver
    """

    integration: str
    segment: str
    chunks: int
    untouchable: str


@dataclass(frozen=True, slots=True)
class Compaction:
    """Neighbouring chunks of a waiting lane, and those that take their place; see compact.lua.

    first    index of the first one
    headers  of those that are replaced; none: the lane is done
    chunks   not more of them than `headers`
    less     operations that they hold less
    """

    integration: str
    segment: str
    first: int = 1
    headers: Sequence[bytes] = ()
    chunks: Sequence[bytes] = ()
    less: int = 0
    records: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class Requeue:
    """An entry of the quarantine that is retried or dropped.

    integration   "" where it never reached one
    slot          where it stands in the lane's hash of open entries, or will when it is retried; "" where none
    event, retry  fields of the event that goes into the intake
    """

    entry: str
    integration: str
    segment: str
    slot: str
    event: bytes = b""
    retry: bytes = b""

    @property
    def where(self) -> tuple[str, str, str, str]:
        """What names it to the script."""
        return self.entry, self.integration, self.segment, self.slot


@dataclass(frozen=True, slots=True)
class Wake:
    """A wake-up to send: `token` is the permit; none is sent to a queue that holds `limit` messages."""

    queue: str
    token: str
    limit: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What a look at all due times gave."""

    sleep_ms: int
    last_event: bytes
    last_bell: bytes
    wakes: list[Wake]
