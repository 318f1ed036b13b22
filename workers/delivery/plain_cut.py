"""Cuts what most batches are: profiles alone, each with a key, none out of the quarantine, none set aside. Pure.

The batch that `batching` would cut one operation after the other, made column by column, which takes a fraction of
the time. Whatever is not plain is left to `batching`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from workers.delivery.batch import Batch, Keyed
from workers.delivery.key_folding import fold_columns, fold_columns_far
from workers.delivery.merging import Merger
from workers.events.event import LAST_OF_PROFILES
from workers.events.profiles import profile
from workers.events.sequence import number_of
from workers.integrations import Ordering
from workers.templates import RowProblem, keys_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.delivery.batch import BatchPolicy, Key
    from workers.delivery.hand import Hand
    from workers.lanes.chunks import Operation
    from workers.templates import Row

# A tuple becomes a Keyed without a call of Python's.
_keyed: Final = cast("Callable[[tuple[Operation, Key, Row]], Keyed]", partial(tuple.__new__, Keyed))


def plain_batch(hand: Hand, how: BatchPolicy, size: int, behind: int = 0) -> Batch | None:
    """The batch behind so many operations, of at most `size` of them; None where it is not plain."""
    name, operations = hand.head(size, behind)
    operations = _before_event(operations)
    if not operations or [each for each in operations if each.retry is not None]:
        return None
    members = _members(operations, how.key)
    if members is None:
        return None
    first, last, count = operations[0], operations[-1], len(operations)
    batch = Batch(first.sequence, last.sequence, first.ms, name, count, count, members=members)
    is_mixed = len({each.kind for each in operations}) > 1
    batch.distinct = _are_distinct([each.key for each in members], how.ordering, is_mixed=is_mixed)
    if not batch.distinct:
        merger = Merger(how.ordering)
        for member in members:
            merger.take(member)
        batch.members, batch.merged = merger.members(), merger.merged
    return batch


def _before_event(operations: list[Operation]) -> list[Operation]:
    if max([each.kind for each in operations], default=0) <= LAST_OF_PROFILES:
        return operations
    return operations[: next(at for at, each in enumerate(operations) if not each.is_profile)]


def _members(operations: list[Operation], key: Key) -> list[Keyed] | None:
    """Of each its key and row; None where one has no usable key."""
    profiles = [profile(each.body) for each in operations]
    try:
        keys = keys_of(profiles, key)
    except RowProblem:
        return None
    times = [each.ms * 1000 if each.at_us is None else each.at_us for each in operations]
    numbers = [number_of(each.ms, each.n) for each in operations]
    return list(map(_keyed, zip(operations, keys, rows_of(profiles, times, numbers), strict=True)))


def _are_distinct(keys: list[Key], ordering: Ordering, *, is_mixed: bool) -> bool:
    """Whether no two of them can be one row, as far as the ordering trusts their spelling, and as it matters."""
    if ordering is Ordering.EXACT:
        return len(set(keys)) == len(keys)
    return len(set(fold_columns(keys))) == len(keys) and not (is_mixed and len(set(fold_columns_far(keys))) < len(keys))
