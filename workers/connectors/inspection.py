"""What a target says of itself, for `segsync check --connect`: facts and refusals, judged elsewhere.

Nothing here changes a target: statements are prepared or explained, never run, in transactions that are rolled back,
and with no more rights than a deliverer has. Implementations know their vendor and nothing of integrations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Mark = Literal["fine", "warning", "mistake", "skipped"]
Family = Literal["number", "text", "other"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connector's examination.

    name  "reach", "session", "version", "direct", "lock", "ending" or "writes"
    mark  "mistake" where nobody can deliver before someone has mended it
    what  one sentence: what was found, and the remedy where one is needed
    """

    name: str
    mark: Mark
    what: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the target does not take a statement.

    error     what it comes to when a delivery meets it; its `detail` is the vendor's own sentence
    position  character of the statement, from 1, where the target gives one
    name      the column's, table's or word that the target objects to; "" where it names none
    """

    error: TargetError
    position: int | None = None
    name: str = ""

    @property
    def data(self) -> bool:
        """The values are at fault, which were made up; another sample may fit."""
        return self.error.error_class is ErrorClass.ISOLATE

    @property
    def surely(self) -> bool:
        """The query, the table or a right is at fault, whatever the values (rule 25)."""
        return self.error.error_class is ErrorClass.HOLD and self.error.level is not HoldLevel.LANE


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    name       as the target spells it
    type       as the target spells it, as in "varchar(255)"
    family     what literals it is compared with by nature
    collation  its name; "" for what has none
    merges     what it takes for equal and segsync does not, as in ("case", "trailing blanks")
    required   a row cannot be inserted without a value for it
    computed   the target computes it from other columns
    """

    name: str
    type: str
    family: Family
    collation: str = ""
    merges: tuple[str, ...] = ()
    required: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique key; `partial` if it does not hold for all rows or only for parts or expressions of columns."""

    name: str
    columns: tuple[str, ...]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view as this user may see it; columns by name, in small letters where the target ignores case.

    engine         "" where the target has only one
    transactional  False: what is written stays, even when it is rolled back
    """

    name: str
    columns: Mapping[str, Column]
    unique: tuple[UniqueKey, ...] = ()
    engine: str = ""
    transactional: bool = True


class Examined(Protocol):
    """An open session with a target that is asked about."""

    dialect: str

    def steps(self) -> list[Step]:
        """All that follows the login: version, direct, lock, ending, writes. Raises nothing."""

    def explain(self, statement: str) -> Refusal | None:
        """Whether the target would take a statement; runs nothing. TargetError where the link fails."""

    def table(self, schema: str, name: str) -> Table | None:
        """What is known of a table or view, None if nothing; schema "" is the session's own. TargetError likewise."""

    def close(self) -> None:
        """Ends the session; never raises."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of opening a target: the steps taken, and the session where all of them went well."""

    steps: list[Step] = field(default_factory=list)
    session: Examined | None = None


def grouped(rows: Iterable[tuple[str, str, bool]]) -> tuple[UniqueKey, ...]:
    """Unique keys out of one row for each column: the key's name, the column, whether that makes the key partial."""
    columns: dict[str, list[str]] = {}
    partial: dict[str, bool] = {}
    for name, column, part in rows:
        columns.setdefault(name, []).append(column)
        partial[name] = partial.get(name, False) or part
    return tuple(UniqueKey(name, tuple(found), partial[name]) for name, found in columns.items())


def taken(looks: Mapping[str, Callable[[], Step]], lost: Callable[[], bool]) -> list[Step]:
    """The steps, by name, until the link is lost; a TargetError is the step's mistake."""
    steps: list[Step] = []
    for name, look in looks.items():
        if not lost():
            steps.append(_taken(name, look))
    return steps


def _taken(name: str, look: Callable[[], Step]) -> Step:
    try:
        return look()
    except TargetError as error:
        return failed(name, error)


def failed(name: str, error: TargetError) -> Step:
    """The step that an error ended: our sentence, and what the vendor says."""
    return Step(name, "mistake", told(error))


def told(error: TargetError) -> str:
    """An error in full for the operator; no profile's data can be in it here, since all samples are made up."""
    said = " ".join(error.detail.split())
    return f"{error}; the target says: {said}" if said else str(error)
