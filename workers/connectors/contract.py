"""The one door for all targets. Implementations know their target, and nothing of Celery, lanes or retries.

A deliverer's use of it:

    session = connector.open()                     # set up and asserted, perhaps out of a pool
    receipt = session.deliver(shipment, fence)     # as often as there are batches
    session.close()                                # back to the pool

How a shipment becomes statements or requests, what locks it needs, and what makes it one step is behind the door.
Every method raises only `TargetError`, which says in its `phase` what was going on. After any error but `Unfit` the
caller calls `session.discard()`: a broken session is never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from workers.connectors.identifiers import Fields
    from workers.outcomes import QueryRun
    from workers.templates import Query, QueryKind, Row
    from workers.templates.row_naming import Insert


POSITION = "segsync position"
"""Code of an alarm of a lane's position in the target; as in append.lua."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connector goes, its secrets resolved.

    key                connector's key in the configuration
    dialect            the vendor's, as in "mysql"
    url                as configured, without a password
    password           apart from the URL, so that no character of it can be misread; never shown
    statement_timeout  seconds a statement may take
    connect_timeout    seconds a connection may take
    session_name       what the database shows its administrator: "segsync:<connector>"
    timezone           IANA name of the session's zone
    """

    key: str
    dialect: str
    url: str
    password: str | None = field(default=None, repr=False)
    statement_timeout: float = 30.0
    connect_timeout: float = 10.0
    session_name: str = "segsync"
    timezone: str = "UTC"


class Member(Protocol):
    """A profile that is added or removed."""

    @property
    def sequence(self) -> str:
        """Its operation's, as text: 27 digits, which compare as they are ordered."""

    @property
    def key(self) -> tuple[str, ...]:
        """The fields that identify it, as texts."""

    @property
    def row(self) -> Row:
        """As templates see it."""


class Group(NamedTuple):
    """Members that one query is told of together; `kind` is ADD or REMOVE."""

    kind: QueryKind
    members: Sequence[Member]


class SegmentEvent(NamedTuple):
    """A clear, segment_upsert or segment_delete.

    event_time_us, number  as the query sees them: `{event_time}`, `{sequence}`
    """

    kind: QueryKind
    sequence: str
    event_time_us: int
    number: int


class Positions(NamedTuple):
    """What the target's own position of a lane may be, where it is kept (`exactly_once`).

    settled     the last sequence that is known to be in the target, or ""
    handed_out  the last sequence that any deliverer can have delivered
    known       gives the fingerprint of what the lane has at a sequence that is handed out and not settled, and of how
                many it has set aside up to there; "" where it has nothing there
    overruled   whether one that fits neither counts as none: then all that is owed is told, and the position written
                anew
    """

    settled: str
    handed_out: str
    known: Callable[[str], str]
    overruled: bool = False


@dataclass(frozen=True, slots=True)
class Shipment:
    """A batch as a target sees it: what is to be there, all of it or nothing.

    integration  its key
    segment      the segment's id
    name         the segment's name at this point of the lane, None if nobody has said
    lane         names the lane over all installations: for locks and positions
    first, last  sequences of the batch's first and last operation, whatever of them is left to be told
    queries      the integration's, by event; what is absent does nothing
    fields       what is sent of a profile, where the target is an ad account and has no queries
    groups       the profiles, told one group after the other
    event        the segment event that the batch is, and then there are no groups
    positions    set where the target keeps the lane's position: what it has already is left out, and a position that
                 no deliverer can have written holds the lane
    patience     seconds to wait for the lane's lock
    upcoming     gives what most likely comes next, or None; a session that waits for its target may ask for it
                 meanwhile, and get it ready
    before_commit  is called when all is executed, and raises what there is to raise where nothing may be committed
    trial        taken back at its end, whatever comes of it: only to see whether the target would take it
    size         bytes that its profiles had as JSON, if that is known
    """

    integration: str
    segment: str
    name: str | None
    lane: str
    first: str
    last: str
    queries: Mapping[QueryKind, Query]
    groups: tuple[Group, ...] = ()
    event: SegmentEvent | None = None
    positions: Positions | None = None
    patience: float = 30.0
    trial: bool = False
    size: int | None = field(default=None, compare=False)
    fields: Fields | None = field(default=None, compare=False)
    upcoming: Callable[[], Shipment | None] | None = field(default=None, compare=False, repr=False)
    before_commit: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def without(self, sequences: AbstractSet[str]) -> Shipment:
        """The same without some members, or without its event."""
        groups = (
            Group(kind, tuple(m for m in members if m.sequence not in sequences)) for kind, members in self.groups
        )
        event = None if self.event is not None and self.event.sequence in sequences else self.event
        return replace(self, groups=tuple(group for group in groups if group.members), event=event)


class Rejection(NamedTuple):
    """A member, or a segment event, that the target cannot take.

    code    short and stable, for the quarantine
    reason  our sentence; never a value
    detail  the target's own text; may hold people's data
    """

    sequence: str
    code: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a shipment that is in the target.

    queries   what was run, in order, with rows and durations
    rejected  what the target has left out, where it takes the rest without it
    idle      operations for which no query is configured
    checked   what would be checked at COMMIT was checked, in a trial
    unsent    queries of which nothing was sent, since the list that is all of them came out empty
    reached   in a trial: the last sequence that the target says is there, where it keeps a position
    """

    queries: tuple[QueryRun, ...] = ()
    rejected: tuple[Rejection, ...] = ()
    idle: int = 0
    checked: bool = False
    reached: str = ""
    unsent: tuple[QueryRun, ...] = ()


class Unfit(TargetError):
    """Some of a shipment can be given to no target as it is (a NUL, a text where a number is wanted).

    Nothing was sent, and the session stays usable: without `rejected` the rest may pass.
    """

    def __init__(self, rejected: Sequence[Rejection]) -> None:
        first = rejected[0]
        super().__init__(ErrorClass.ISOLATE, first.code, first.reason, detail=first.detail, phase=Phase.RENDER)
        self.rejected = tuple(rejected)


class PositionAlarm(TargetError):
    """What the target says of a lane's position does not fit what was delivered.

    The lane is held until a person decides, or a resync begins.
    """

    def __init__(self, what: str) -> None:
        super().__init__(ErrorClass.HOLD, POSITION, what, level=HoldLevel.LANE, phase=Phase.LOCK)


class Fence(Protocol):
    """Asks whether the lane is still ours."""

    def __call__(self, seconds: float = 0.0) -> None:
        """Raises TargetError where it may be another's by now: then nothing may be committed.

        seconds  what is to come before it is asked again may take so long; 0: no longer than was said before
        """


class Session(Protocol):
    """One session with a target, used by one thread."""

    @property
    def takes_several(self) -> bool:
        """Whether it brings the shipments of several lanes into the target in one step, and heeds `before_commit`."""

    def deliver(self, shipment: Shipment, fence: Fence) -> Receipt:
        """Brings all of a shipment into the target in one step, or nothing of it.

        `fence` is asked with the lane's lock in hand and again before what cannot be taken back. Raises `Unfit`, and
        TargetError with its phase; after a lost answer to what cannot be taken back it is AMBIGUOUS.
        """

    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
        """Brings all of several lanes' shipments into the target in one step, or nothing of any; a receipt for each.

        Only where it `takes_several`. None of them has `positions` or a segment event, or is a trial. `fence` is asked
        for all of them, as in `deliver`, and raised is the same; but no lane's lock is waited for: where one is held,
        TargetError.
        """

    def close(self) -> None:
        """Gives the session, its lock released, back to the pool; never raises."""

    def discard(self) -> None:
        """Ends the link for good; never raises."""


class Connector(Protocol):
    """One target. Safe to share between threads; survives a fork (the child starts with an empty pool)."""

    key: str

    def open(self) -> Session:
        """A session ready for `deliver`. Whatever is raised holds the CONNECTOR or is RETRY, never ISOLATE."""

    def probe(self) -> None:
        """Connects anew and asks the smallest question; TargetError says why it cannot."""

    def names_rows_by_key(self, insert: Insert, key: Sequence[str]) -> bool:
        """Whether two profiles with different keys are always two rows of the table that `insert` fills.

        By the unique keys that the target has now; False where it cannot tell.

        key  the profile's fields that identify the row
        """

    def dispose(self) -> None:
        """Closes every pooled session."""
