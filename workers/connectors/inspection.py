"""What a target says of itself, for `segsync check --connect`: facts and refusals, judged elsewhere.

Nothing here changes a target: statements are prepared or explained, never run, in transactions that are rolled back,
and with no more rights than a deliverer has. Implementations know their vendor and nothing of integrations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
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

    name          as the target spells it
    type          as the target spells it, as in "varchar(255)"
    family        what literals it is compared with by nature
    collation     its name; "" for what has none
    merges        what it takes for equal and segsync does not, as in ("case", "trailing blanks")
    required      a row cannot be inserted without a value for it
    computed      the expression that a generated column is computed by; "" for others
    null_becomes  what is stored for NULL, without a word; "" where that is NULL, or refused
    digits_become what is stored for a text of digits, likewise; "" where that is the text, its number, or refused
    """

    name: str
    type: str
    family: Family
    collation: str = ""
    merges: tuple[str, ...] = ()
    required: bool = False
    computed: str = ""
    null_becomes: str = ""
    digits_become: str = ""


class KeyPart(Enum):
    """What of a column is in a unique key."""

    WHOLE = auto()
    BEGINNING = auto()
    EXPRESSION = auto()
    """Something computed: what comes with it is no column's name, but the expression, or "" where it is not told."""
    SOME_ROWS = auto()
    """The whole column, of the rows that a condition chooses."""
    COLLATED = auto()
    """The whole column, by a collation of the key's own, which takes more for equal than the column's."""


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """A unique key.

    columns     those that are in it as they are, or by their beginning
    partial     it holds for some rows only
    beginnings  columns of which only the first characters count
    computed    an expression is in it, beside the columns
    expressions those expressions, where the target tells them
    collated    columns that it compares by a collation of its own, which takes more for equal than theirs
    deferrable  it may be checked later than at once, so that no upsert can go by it
    """

    name: str
    columns: tuple[str, ...]
    partial: bool = False
    beginnings: tuple[str, ...] = ()
    computed: bool = False
    expressions: tuple[str, ...] = ()
    collated: tuple[str, ...] = ()
    deferrable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view as this user may see it; columns by name, in small letters where the target ignores case.

    engine         "" where the target has only one
    transactional  False: what is written stays, even when it is rolled back
    followers      tables whose rows are deleted or emptied together with a row of this one (foreign keys)
    is_view        its unique keys are those of tables that are not looked at
    replaces       a row that is inserted replaces the one with the same unique key, whatever the INSERT says
    triggers       other rows than those of a statement, or other values, may be written by triggers or rules of its own
    caution        what its engine does with rows that queries must know, as the end of a sentence; "" mostly
    lacks          rights on it that this user lacks, of SELECT, INSERT, UPDATE and DELETE, where the database does not
                   say so when it explains a statement
    barred         columns that a sequence fills which this user has no right to, and that sequence
    """

    name: str
    columns: Mapping[str, Column]
    unique: tuple[UniqueKey, ...] = ()
    engine: str = ""
    transactional: bool = True
    followers: tuple[str, ...] = ()
    is_view: bool = False
    replaces: bool = False
    triggers: bool = False
    caution: str = ""
    lacks: tuple[str, ...] = ()
    barred: Mapping[str, str] = field(default_factory=dict)


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


ALIKE = {
    "case": ("a", "A"),
    "accents": ("a", "\u00e1"),
    "trailing blanks": ("a", "a "),
    "how accents are composed": ("\u00e1", "a\u0301"),
    "width": ("a", "\uff41"),
    "invisible characters": ("a", "a\u00ad"),
}
"""Pairs of texts that a collation may take for one; asked, since names of collations do not tell."""
NUMBER_SPELLING = "how a number is written (7, 007, 7.0)"
TIME_SPELLING = "how a date or time is written"


def grouped(rows: Iterable[tuple[str, str, KeyPart]]) -> tuple[UniqueKey, ...]:
    """Unique keys out of one row for each part: the key's name, the column, and what of it counts."""
    parts: dict[str, list[tuple[str, KeyPart]]] = {}
    for name, column, part in rows:
        parts.setdefault(name, []).append((column, part))
    return tuple(_key(name, found) for name, found in parts.items())


def _key(name: str, parts: list[tuple[str, KeyPart]]) -> UniqueKey:
    return UniqueKey(
        name,
        tuple(column for column, part in parts if part is not KeyPart.EXPRESSION),
        partial=any(part is KeyPart.SOME_ROWS for _, part in parts),
        beginnings=tuple(column for column, part in parts if part is KeyPart.BEGINNING),
        computed=any(part is KeyPart.EXPRESSION for _, part in parts),
        expressions=tuple(text for text, part in parts if part is KeyPart.EXPRESSION and text),
        collated=tuple(column for column, part in parts if part is KeyPart.COLLATED),
    )


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
