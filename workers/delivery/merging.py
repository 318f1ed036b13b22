"""Which operations of a batch a later one of their key makes needless (rule 15). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.delivery.key_folding import fold_key
from workers.events.event import Kind
from workers.integrations import Ordering

if TYPE_CHECKING:
    from workers.delivery.batch import Key, Keyed

# Looked up once: an enum's members are slow to look up, and this is done for every operation.
_REMOVE = int(Kind.REMOVE)


class Merger:
    """Takes operations one after the other; the last one of the very same key counts, where anything is merged.

    merged  how many have gone
    """

    def __init__(self, ordering: Ordering) -> None:
        self.merged = 0
        self._ordering = ordering
        self._members: dict[Key | str, Keyed] = {}
        self._spelled: dict[Key, Key] = {}

    def members(self) -> list[Keyed]:
        """What is left, in the order it came."""
        return list(self._members.values())

    def take(self, member: Keyed) -> None:
        """The next one."""
        if not self._ordering.merges or (self._ordering is Ordering.FOLDED and self._has_other_spelling(member)):
            self._members[member.sequence] = member
            return
        before = self._members.get(member.key)
        if before is not None and self._is_taken_back(before, member):
            self._members[before.sequence] = self._members.pop(member.key)
        elif before is not None:
            self.merged += 1
            # It takes its place in the order, too.
            del self._members[member.key]
        self._members[member.key] = member

    def _has_other_spelling(self, member: Keyed) -> bool:
        """Whether the batch has had a key that may be the same row: which of them is stored depends on each of them."""
        spelled = self._spelled.setdefault(fold_key(member.key), member.key)
        if spelled == member.key:
            return False
        self._spelled[fold_key(member.key)] = ()
        return True

    def _is_taken_back(self, before: Keyed, member: Keyed) -> bool:
        """Whether a row that is removed comes anew: what nobody says of it begins at its defaults then."""
        if self._ordering is Ordering.EXACT:
            return False
        return before.operation.kind == _REMOVE and member.operation.kind != _REMOVE
