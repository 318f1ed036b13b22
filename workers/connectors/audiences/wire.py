"""What a platform's wire is to the rounds: calls that change something, looks that do not, and how both fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.rows import SentRow

Change = Literal["add", "remove"]

SETTLED_MS: Final = 600_000
"""Milliseconds after which a platform that seems idle is idle: before, its listing may lag."""


class Fault(Enum):
    """What follows from a call that failed."""

    UNHEARD = "unheard"
    """It may have been done: a lost answer, an answer that is none, a server's own error."""
    UNDONE = "undone"
    """Surely not done; it may pass later."""
    BUDGET = "budget"
    """Too many calls; surely not done."""
    LOOKS = "looks"
    """Too many looks; nothing else need wait for it."""
    LOGIN = "login"
    """The token is refused."""
    GONE = "gone"
    """The audience is not there any more."""
    ROWS = "rows"
    """Surely not done, for some rows' sake, which are named."""
    IN_USE = "in use"
    """It cannot be deleted now."""
    EXISTS = "exists"
    """What is to be created is there already; surely not done."""
    REFUSED = "refused"
    """Someone must mend something."""


class CallFailed(SegsyncError):
    """A call that failed; what it shows is our own sentence, and the platform's code.

    code     platform and its code, as in "yandex-audiences 429 quota"
    wait_ms  until it may be tried again, where the platform says so
    rows     of ROWS: index of the row, and the code of what is wrong with it
    """

    def __init__(
        self, fault: Fault, code: str, reason: str, *, wait_ms: int = 0, rows: Mapping[int, str] | None = None
    ) -> None:
        self.fault = fault
        self.code = code
        self.reason = reason
        self.wait_ms = wait_ms
        self.rows = dict(rows or {})
        super().__init__(f"{code}: {reason}")


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that changed something, answered.

    remote    the audience's id, of a call that has begun one
    handle    by which the call is asked for later; "" where the audience itself is asked for
    applied   it is done, and not only accepted
    live      an audience that was begun is real
    refused   rows that the platform leaves out, by index, with a code
    rejected  rows that it leaves out without saying which
    rest_ms   for so long the platform wants to be left alone
    replaced  nobody is there any more who was not told since the replacement began
    """

    remote: str = ""
    handle: str = ""
    applied: bool = False
    live: bool = True
    refused: Mapping[int, str] = field(default_factory=dict)
    rejected: int = 0
    rest_ms: int = 0
    replaced: bool = False


class ReplacePart(NamedTuple):
    """Which part of a replacement a call is, from 1, and whether it is the last."""

    number: int
    last: bool


class CallProgress(NamedTuple):
    """What a look at a pending call tells.

    state        "working" (seen at it), "done", "failed", "unseen" (not listed)
    rejected     identifiers that it left out
    code         short, where something is worth telling
    of_audience  it is the audience's state, since nothing is known of the call itself: it may tell how it was before
    again_ms     for so long nothing can be asked; then nothing was seen of it
    """

    state: Literal["working", "done", "failed", "unseen"]
    rejected: int = 0
    code: str = ""
    of_audience: bool = False
    again_ms: int = 0


class Sighting(NamedTuple):
    """An audience that bears our mark, or our id.

    real     what was only begun is not
    created  sorts by age
    """

    remote: str
    created: str
    real: bool = True


class AccountSigns(NamedTuple):
    """What a platform says of a login where it is asked, without anything being changed.

    lacks  rights that its token has not; None where the platform tells that with a token only
    terms  what is wrong with terms that somebody must accept; "" for nothing, None where it tells at a first call only
    """

    lacks: tuple[str, ...] | None = None
    terms: str | None = None


class PlatformWire(Protocol):
    """One login's way to its platform. Every method raises CallFailed or TargetError."""

    def account(self) -> str:
        """Who we are there; the smallest question."""

    def signs(self) -> AccountSigns:
        """What it says of rights and terms."""

    def find(self, audience: Audience) -> Sequence[Sighting]:
        """The audiences that can be this one: those that bear its mark, or have its id."""

    def create(self, audience: Audience, rows: Sequence[SentRow]) -> Answered:
        """Begins it; with its first rows where the platform wants some."""

    def confirm(self, audience: Audience) -> None:
        """Makes real what was begun."""

    def take_back(self, since_ms: int, until_ms: int, ours: Collection[str]) -> None:
        """What was begun in this time by a call of which nobody heard, and never made real, goes.

        ours  the platform's ids of what is known
        """

    def change(self, audience: Audience, change: Change, rows: Sequence[SentRow]) -> Answered:
        """Adds or removes rows."""

    def begin_replacing(self, audience: Audience) -> str:
        """What the further calls of a replacement are to know of it; `audience.replaced` has it then."""

    def replace(self, audience: Audience, rows: Sequence[SentRow], part: ReplacePart) -> Answered:
        """Tells members, of whom a replacement leaves nobody but them; of a platform that has such calls."""

    def take_out_the_rest(self, audience: Audience) -> Answered:
        """Ends a replacement: whoever was not told since it began is to go."""

    def poll(self, audience: Audience, call: OpenCall) -> CallProgress:
        """Whether a call is applied."""

    def rename(self, audience: Audience) -> None:
        """Its title is what `audience.title` says."""

    def delete(self, audience: Audience) -> None:
        """It goes; one that is not there is no error."""
