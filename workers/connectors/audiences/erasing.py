"""Taking a person out of an ad account: by key, or by a value as it would have been sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.fields import CompiledFields, spellings
from workers.connectors.audiences.store import erasing, refusal_entries

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.connectors.audiences.connector import AdConnector
    from workers.connectors.audiences.records import AdField
    from workers.connectors.audiences.store.erasing import Holder, LeftBehind
    from workers.connectors.audiences.store.members import Kept
    from workers.connectors.identifiers import Fields, Identifier


OWN_ID: Final = "own id"
"""The form of fields by which a customer knows a person."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases people from one account's store, and so from its audiences.

    fields  of the integrations that the account has now; their regions of phone numbers are those that are tried
    """

    connector: AdConnector
    fields: Collection[Fields | None]

    def find(self, names: Collection[str], values: Collection[str]) -> set[Holder]:
        """Who is named so, or was sent with one of these values: in all that they are in.

        TargetError where the store is away, or another secret sealed it.
        """
        kept = {one for value in values for one in self._kept(value)}
        self.connector.prove_secret()
        with self.connector.store.reading() as connection:
            found = erasing.find_holders(connection, self.connector.key, {*names, *values}, kept)
            opened = self.connector.sent_along
            found |= erasing.find_sent_along(connection, self.connector.key, self._along(values), opened)
            return erasing.widen(connection, self.connector.key, found)

    def leaving(self, values: Collection[str]) -> LeftBehind:
        """What the store has of those who have left. TargetError as `find`."""
        kept = {one for value in values for one in self._kept(value)}
        self.connector.prove_secret()
        with self.connector.store.reading() as connection:
            return erasing.find_leaving(connection, self.connector.key, kept)

    def erase(self, holders: Collection[Holder], now_ms: int) -> int:
        """They leave all audiences; returns how many identifiers, of anybody, wait for the platform. TargetError."""
        store, platform = self.connector.store, self.connector.platform
        with store.changing() as connection:
            erasing.erase(connection, holders, now_ms, whole_rows=platform.whole_rows)
        # Apart: audiences are locked in one order, by all who lock several of them.
        with store.changing() as connection:
            return erasing.sweep(connection, self.connector.key, now_ms)

    def holders_of(self, entries: Collection[str]) -> dict[str, str]:
        """By entry of the quarantine, its uid, the key of one who holds what is refused. TargetError as `find`."""
        self.connector.prove_secret()
        with self.connector.store.reading() as connection:
            return refusal_entries.holders_of(connection, self.connector.key, entries)

    def _along(self, values: Collection[str]) -> set[Identifier]:
        """As ids that are only sent along; names, cities and days of birth are shared by too many."""
        ids = [each for each in self.connector.platform.fields.values() if not each.alone and each.form == OWN_ID]
        return {one for value in values for each in ids for one in spellings(each, each.hash, value, "")}

    def _kept(self, value: str) -> set[Kept]:
        """As each field of the platform may have sent it, hashed or not: integrations that did may be gone."""
        platform = self.connector.platform
        found: set[Identifier] = set()
        compiled = [each for each in self.fields if isinstance(each, CompiledFields)]
        for each in compiled:
            found |= each.spellings(value)
        for field in filter(_is_alone, platform.fields.values()):
            for how in {field.hash, ""} if platform.hashing_off else {field.hash}:
                for region in {"", *(each.region for each in compiled)}:
                    found |= spellings(field, how, value, region)
        return {self.connector.kept(each) for each in found}


def _is_alone(field: AdField) -> bool:
    return field.alone
