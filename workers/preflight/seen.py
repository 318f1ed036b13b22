"""One query as it was looked at, and how findings of it are worded. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from workers.connectors.sql.vendors import VENDORS
from workers.integrations import Ordering
from workers.preflight.samples import SEGMENT, fields_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.connectors.inspection import Table
    from workers.connectors.sql.vendor import Traits
    from workers.integrations import Integration
    from workers.preflight.literals import Value
    from workers.preflight.shapes import Shape
    from workers.templates import QueryKind

EXACT = 'ordering = "exact" says'
Level = Literal["warning", "mistake"]
Remark = tuple[Level, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """One query as it was looked at.

    changes  its shapes in order, each with its table; None for a table that the target does not show
    values   what each field of the sample had, so that a literal tells its field
    alike    fields of the key, and in what two of them may differ without a difference in the statements
    moving   fields of the key, and the columns whose inserted value changes with them, as a hash does
    merges   of several operations for one key in a batch only the last is told
    sparse   the query's shapes for a profile that has nothing but its key
    numbers  its shapes where a field is a number, by the field; of fields that stand without quotes somewhere
    """

    integration: Integration
    kind: QueryKind
    dialect: str
    changes: Sequence[tuple[Shape, Table | None]]
    values: Mapping[str, object]
    alike: dict[str, list[str]] = field(default_factory=dict)
    moving: Mapping[str, frozenset[str]] = field(default_factory=dict)
    merges: bool = False
    sparse: Sequence[Shape] = ()
    numbers: Mapping[str, Sequence[Shape]] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The query's key path."""
        return f"integrations.{self.integration.key}.queries.{self.kind}"

    @property
    def traits(self) -> Traits:
        """How the target's dialect is read."""
        return VENDORS[self.dialect].traits

    @property
    def has_transactions(self) -> bool:
        """Whether `exactly_once` can be had."""
        return VENDORS[self.dialect].has_transactions

    @property
    def identity(self) -> tuple[str, ...]:
        """The fields that name one row: the segment's id, and the key where profiles come with the event."""
        return (SEGMENT, *self.integration.key_fields) if self.kind.has_profiles else (SEGMENT,)

    def merging(self, what: str) -> Remark:
        """That different keys may be one row: a mistake where the file says that they are not."""
        if self.integration.ordering is Ordering.EXACT:
            return mistake(f"{what}; {EXACT} that they are two, so rows would be wrong: leave it out")
        return warning(what)


def fields(seen: Seen, values: Sequence[Value]) -> list[str]:
    """The sample's fields that some literals hold."""
    return list(dict.fromkeys(name for value in values for name in fields_in(value.text, seen.values)))


def spelled(table: Table, columns: Sequence[str]) -> str:
    """Columns as the table spells them, in quotes."""
    return names([table.columns[name].name if name in table.columns else name for name in columns])


def warning(what: str) -> Remark:
    """Probably not meant."""
    return "warning", what


def mistake(what: str) -> Remark:
    """Deliveries will fail."""
    return "mistake", what


def joined(words: Sequence[str]) -> str:
    """Words with commas and an "and"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def names(words: Sequence[str]) -> str:
    """Words in quotes, with commas."""
    return ", ".join(map(repr, words))
