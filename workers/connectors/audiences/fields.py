"""An integration's `fields`, compiled: from a profile to what a platform is sent of it. Pure."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.normalisation import FORMS, NotNormal, hashed, hashed_already
from workers.connectors.identifiers import Identifier, LeftOut, Record
from workers.templates import RowProblem

if TYPE_CHECKING:
    from workers.connectors.audiences.records import AdField, Hash
    from workers.templates import Row
    from workers.templates.plain_value import PlainValue

REVISION: Final = "2"
"""Raised when the same value comes to another normal form than before, so that digests differ."""


@dataclass(frozen=True, slots=True)
class FieldSource:
    """One field of a platform, and where it is taken from.

    value    from the profile
    hash     how it is sent: the field's own way, or "" where hashing is off
    already  the profile has the hash, not the value; it is taken as it is, and its shape looked at
    """

    field: AdField
    value: PlainValue
    hash: Hash
    already: bool = False

    def identifiers(self, row: Row, region: str) -> list[Identifier]:
        """What is sent of a profile, one for each kind; [] where it has nothing. NotNormal, RowProblem."""
        text = self.value.of(row)
        if not text.strip():
            return []
        if self.already:
            return [Identifier(self.field.kinds[0], hashed_already(text, self.hash))]
        return self.spelled(text, region)

    def spelled(self, text: str, region: str) -> list[Identifier]:
        """A value as it is sent, where the profile has no hash of it. NotNormal."""
        return _spelled(self.field, self.hash, text, region)


@dataclass(frozen=True, slots=True)
class CompiledFields:
    """`records.Fields`.

    platform  its key
    region    of phone numbers that name no country; "" for none
    consent   the profile's own, which must be a yes; None where nobody is asked
    """

    platform: str
    sources: tuple[FieldSource, ...]
    region: str = ""
    consent: PlainValue | None = None

    def record(self, row: Row) -> Record:
        """As `records.Fields.record`."""
        if self.consent is not None and not _consents(self.consent, row):
            return Record(withheld=True)
        alone: dict[Identifier, None] = {}
        along: dict[Identifier, None] = {}
        left_out = []
        for source in self.sources:
            try:
                found = source.identifiers(row, self.region)
            except NotNormal as why:
                left_out.append(LeftOut(source.field.name, str(why)))
            except RowProblem as problem:
                left_out.append(LeftOut(source.field.name, problem.reason))
            else:
                (alone if source.field.alone else along).update(dict.fromkeys(found))
        return Record(tuple(alone), tuple(along), tuple(left_out))

    def spellings(self, value: str) -> set[Identifier]:
        """All that a value, or the hash of one, may have been sent as."""
        found: set[Identifier] = set()
        for source in self.sources:
            if source.field.alone:
                found |= spellings(source.field, source.hash, value, self.region)
        return found

    @property
    def digest(self) -> str:
        """As `records.Fields.digest`."""
        parts = [REVISION, self.platform, self.region, self.consent.digest if self.consent else ""]
        for source in self.sources:
            already = "hashed already" if source.already else ""
            parts += [source.field.name, source.field.form, source.hash, already, source.value.digest]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def spellings(field: AdField, how: Hash, value: str, region: str) -> set[Identifier]:
    """All that a value, or the hash of one, may have been sent as by one field."""
    found: set[Identifier] = set()
    with suppress(NotNormal):
        found.update(_spelled(field, how, value, region))
    with suppress(NotNormal):
        if how:
            found.add(Identifier(field.kinds[0], hashed_already(value, how)))
    return found


def _spelled(field: AdField, how: Hash, text: str, region: str) -> list[Identifier]:
    forms = FORMS[field.form](text, region)
    return [Identifier(kind, hashed(form, how), not how) for kind, form in zip(field.kinds, forms, strict=True)]


def _consents(consent: PlainValue, row: Row) -> bool:
    try:
        return consent.says_yes(row)
    except RowProblem:
        return False
