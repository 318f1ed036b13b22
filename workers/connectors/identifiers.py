"""What is sent of a profile to an ad account: the border between an integration's fields and the one door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from workers.templates import Row


class Identifier(NamedTuple):
    """One value as a platform gets it.

    kind   the platform's own word for it: a column, a schema key, a type of list ("email", "EMAIL", "emails")
    value  as sent: a hash in lower-case hexadecimal, or a plain id; never empty, never the hash of an empty text
    plain  not hashed: whoever keeps it seals it
    """

    kind: str
    value: str
    plain: bool = False


class LeftOut(NamedTuple):
    """A value that could not be normalised, and so is not sent.

    field   as in `fields`: "phone"
    reason  short, our own, the same for all of its kind, so that it can be counted: "too few digits"; never a value
    """

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """One profile as a platform sees it.

    identifiers  each finds the person by itself, and is added and removed by itself; none twice. None at all: the
                 profile goes to the quarantine
    companions   only sent along with them: a name, a city, a date of birth
    left_out     what could not be normalised; a field that is missing, null or empty is no mistake, and not here
    withheld     the profile's own consent is no yes: nothing is sent of it (and nothing is in the record), and what was
                 sent before is taken away
    """

    identifiers: tuple[Identifier, ...] = ()
    companions: tuple[Identifier, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    withheld: bool = False


class Fields(Protocol):
    """An integration's `fields`, compiled: what is sent of a profile, for adds and removes alike."""

    def record(self, row: Row) -> Record:
        """What is sent of one profile; never raises for what stands in it."""

    @property
    def digest(self) -> str:
        """Of all that a record depends on: fields, normal forms, hashing. The same in every process."""
