"""What can go wrong, and what follows from it.

    SegsyncError
    ├── SettingsError        the configuration is wrong (all mistakes at once); exit status 2
    ├── WrongUsage           an argument of a command cannot be understood; exit status 2
    ├── MalformedEvent       bytes that cannot be an event; quarantined, never raised past the intake
    ├── TargetError          a target refused or failed; carries what to do about it
    └── Stale                this process works by an older configuration than the applied one

Vendors' texts can carry people's data (MySQL prints the duplicate value, PostgreSQL the failing row),
so what an error shows (`str`, `repr`) is our own sentence and the vendor's code, and nothing else.
The vendor's text travels in `TargetError.detail`, which only a quarantine entry may keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SegsyncError(Exception):
    """Root of every error that segsync raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a configuration.

    where     key path, as in `integrations.crm.queries.add`
    what      what is wrong, with the value, and what was expected
    line      1-based line within a query's text, where the mistake is in a query
    column    1-based column within that line
    """

    where: str
    what: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f":{self.line}:{self.column}" if self.line is not None else ""
        return f"{self.where}{place}: {self.what}"


class SettingsError(SegsyncError):
    """The configuration is wrong; `mistakes` holds everything that is, not only the first."""

    def __init__(self, source: str, mistakes: list[Mistake]) -> None:
        self.source = source
        self.mistakes = mistakes
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        # A file's name may hold a line end.
        lines = [f"{source}: {count}", *(f"  {m}" for m in mistakes)]
        super().__init__("\n".join(line.replace(source, source.replace("\n", "\\n")) for line in lines))


class WrongUsage(SegsyncError):
    """An argument cannot be understood; the message names it and what was expected."""


class MalformedEvent(SegsyncError):
    """These bytes cannot be an event; the message says what was found and what was expected."""


class Stale(SegsyncError):
    """This process works by another revision of the configuration than the one that was applied."""


class ErrorClass(str, Enum):
    """What to do about a target's error (docs/architecture.md, "What a failure leads to")."""

    RETRY = "retry"
    """It will pass by itself: deadlock, lock timeout, too many connections, shutdown."""
    AMBIGUOUS = "ambiguous"
    """The link was lost after something was sent: it may have been committed."""
    SPLIT = "split"
    """Too large for the target: a smaller batch can pass."""
    ISOLATE = "isolate"
    """The data's fault: one profile of the batch cannot be stored."""
    HOLD = "hold"
    """Someone must mend something: a wrong query, a missing table or right, a bad password."""
    UNKNOWN = "unknown"
    """A code that no table names: retried five times, then held."""


class HoldLevel(str, Enum):
    """How much stops when someone is needed (rule 25)."""

    LANE = "lane"
    INTEGRATION = "integration"
    CONNECTOR = "connector"


class Matter(str, Enum):
    """What a target's error is about, where somebody asks for more than what to do about it."""

    OTHER = "other"
    UNIQUE_KEY = "unique key"
    """A row with this unique key is there already: in a batch that was tried before, most likely by that very batch."""
    TYPES = "types"
    """Types do not fit: a number may stand where a text is wanted, or the other way round."""
    CONFLICT = "conflict"
    """Another transaction is in the way."""


class Phase(Enum):
    """What was going on when a target failed: what follows from an error depends on it as much as on its code."""

    CONNECT = "connect"
    """Reaching the target and setting the session up; nothing of the user's was sent."""
    LOCK = "lock"
    """Opening a transaction, taking the lane's lock, its position: no profile is at fault, nothing can be committed."""
    RENDER = "render"
    """Making statements of a batch; nothing was sent."""
    EXECUTE = "execute"
    """A query of the user's was running."""
    COMMIT = "commit"
    """COMMIT was sent, or whatever else cannot be taken back."""
    PROBE = "probe"
    """A look whether a target that was away, or held, is back."""


class TargetError(SegsyncError):
    """A target refused or failed.

    error_class   what to do about it
    code          dialect and vendor's code, as in "mysql 1213" or "postgresql 40P01"
    reason        our own sentence; never the vendor's text, never a value
    level         how much is held, where `error_class` is HOLD
    detail        the vendor's text; may hold people's data: only for a quarantine entry
    matter        what it is about

    phase         what was going on; None until the connector has said it
    event_type    of the query that was running; "" outside of queries
    """

    def __init__(
        self,
        error_class: ErrorClass,
        code: str,
        reason: str,
        *,
        level: HoldLevel = HoldLevel.LANE,
        detail: str = "",
        matter: Matter = Matter.OTHER,
        phase: Phase | None = None,
    ) -> None:
        self.error_class = error_class
        self.code = code
        self.reason = reason
        self.level = level
        self.detail = detail
        self.matter = matter
        self.phase = phase
        self.event_type = ""
        super().__init__(f"{code}: {reason}")

    @property
    def already_there(self) -> bool:
        """A unique key was violated: in a batch that was tried before, most likely by that very batch."""
        return self.matter is Matter.UNIQUE_KEY
