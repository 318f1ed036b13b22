"""In which order a batch's operations run: rounds, one after the other in one transaction. Pure.

The target must end as if the operations had been taken one by one. One statement for many of a kind is what makes
batches fast; so removes run before adds wherever no remove can meet an add that it passes:

    exact        different keys are different rows, says whoever wrote the configuration: one round
    folded       keys that differ however far they are folded are different rows, and the queries find the row by the
                 key alone: a round ends before a key that may be one of its others, and before a remove that any
                 language's collation may take for one of its adds
    strict       nothing passes anything, and nothing is merged: what names a row is not known, or a user says so

Within a round adds keep their sequence: where a second unique key frees a value for a later profile, the order counts.
What may be one row never stands twice in one statement: PostgreSQL refuses to touch a row twice in one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from workers.delivery.key_folding import fold_key, fold_key_far
from workers.integrations import Ordering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.delivery.key_folding import Key

Item = TypeVar("Item")


@dataclass(slots=True)
class Round(Generic[Item]):
    """What runs together: the removes, then the adds, each in the order they came."""

    removes: list[Item] = field(default_factory=list)
    adds: list[Item] = field(default_factory=list)


def into_rounds(operations: Iterable[tuple[bool, Key, Item]], ordering: Ordering) -> list[Round[Item]]:
    """The rounds of a batch's operations, as (whether it is an add, key, operation) in the order they came.

    ordering  CATALOG counts as STRICT: whoever knows the target's unique keys says which of the two it is

    >>> came = [(True, ("7",), "add 7"), (False, ("8",), "remove 8"), (False, ("007",), "remove 007")]
    >>> [(one.removes, one.adds) for one in into_rounds(came, Ordering.FOLDED)]
    [(['remove 8'], ['add 7']), (['remove 007'], [])]
    """
    rounds: list[Round[Item]] = []
    removed: set[Key] = set()
    added: set[Key] = set()
    passed: set[Key] = set()  # adds that a remove of this round would pass
    for is_add, key, item in operations:
        folded, far = (key, key) if ordering is Ordering.EXACT else (fold_key(key), fold_key_far(key))
        current = rounds[-1] if rounds else None
        meets = folded in added or (not is_add and (folded in removed or far in passed))
        if current is None or meets or not _may_join(current, ordering, is_add=is_add):
            current = Round()
            rounds.append(current)
            removed.clear()
            added.clear()
            passed.clear()
        (added if is_add else removed).add(folded)
        if is_add:
            passed.add(far)
        (current.adds if is_add else current.removes).append(item)
    return rounds


def _may_join(current: Round[Item], ordering: Ordering, *, is_add: bool) -> bool:
    """Whether an operation that comes last may run in this round, so that a remove passes the round's adds."""
    passes = not is_add and bool(current.adds)
    return ordering in (Ordering.EXACT, Ordering.FOLDED) or not passes
