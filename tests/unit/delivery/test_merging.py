"""What merging leaves out changes no row: neither its spelling nor what only its first insert writes (rules 15, 31).

The target is a table whose key equates what folds alike, as collations and numeric columns do. An add of a row that is
there changes it and leaves its key as it was spelled; what is not mentioned keeps what it had when the row came.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.delivery.batch import BatchPolicy
from workers.delivery.batching import Buffer
from workers.delivery.compaction import Thinner
from workers.delivery.key_folding import fold
from workers.delivery.rounds import into_rounds
from workers.events.event import Kind
from workers.events.profiles import profile
from workers.integrations import Ordering
from workers.lanes.chunks import Operation, pack, unpack

Came = list[tuple[Kind, str]]
Table = dict[str, tuple[str, bool, str]]
"""Row: how its key is spelled, whether it was there before all of this, which operation changed it last."""

CAME = st.lists(
    st.tuples(st.sampled_from([Kind.ADD, Kind.REMOVE]), st.sampled_from(["ann", "Ann", "ANN", "7", "007", "bob"])),
    min_size=1,
    max_size=20,
)
BEFORE: Table = {"ann": ("aNN", True, ""), "7": ("7.0", True, "")}


def operations(came: Came) -> list[Operation]:
    return [
        Operation(1, n, 0, kind, None, b'{"_id":"p","K":"%s"}' % key.encode()) for n, (kind, key) in enumerate(came)
    ]


def run(told: list[Operation]) -> Table:
    table = dict(BEFORE)
    for one in told:
        key = str(profile(one.body)["K"])
        row = fold(key)
        if one.kind == Kind.REMOVE:
            table.pop(row, None)
        else:
            spelled, old, _ = table.get(row, (key, False, ""))
            table[row] = (spelled, old, one.sequence)
    return table


@given(CAME)
def test_a_batch_leaves_the_rows_of_one_at_a_time(came: Came) -> None:
    given = operations(came)
    buffer = Buffer("", given[-1].sequence, "", [pack("n", given)])
    batch = buffer.cut(BatchPolicy(100, ("K",), Ordering.FOLDED))
    assert batch is not None
    assert len(batch.members) + batch.merged == len(given)
    told = ((each.operation.kind == Kind.ADD, each.key, each.operation) for each in batch.members)
    rounds = into_rounds(told, Ordering.FOLDED)
    assert run([one for each in rounds for one in (*each.removes, *each.adds)]) == run(given)


@example([(Kind.REMOVE, "ann"), (Kind.ADD, "ann")], 5)
@given(CAME, st.integers(1, 5))
def test_compaction_leaves_the_rows_of_one_at_a_time(came: Came, size: int) -> None:
    given = operations(came)
    thinner = Thinner(("K",), Ordering.FOLDED)
    chunks = [pack("n", given[at : at + size]) for at in range(0, len(given), size)]
    left: list[Operation] = []
    for chunk in reversed(chunks):
        left = [one for thinned in thinner.thin([chunk]).chunks for one in unpack(thinned)[1]] + left
    assert run(left) == run(given)


@pytest.mark.parametrize("ordering", [Ordering.EXACT, Ordering.FOLDED])
def test_the_very_same_key_is_merged(ordering: Ordering) -> None:
    given = operations([(Kind.ADD, "a"), (Kind.ADD, "b"), (Kind.ADD, "a"), (Kind.REMOVE, "b")])
    batch = Buffer("", given[-1].sequence, "", [pack("n", given)]).cut(BatchPolicy(100, ("K",), ordering))
    assert batch is not None
    assert batch.merged == 2
    thinned = Thinner(("K",), ordering).thin([pack("n", given)])
    assert thinned.merged == 1, "what b falls back to, should its removal be refused, stays"


def test_strict_merges_nothing() -> None:
    given = operations([(Kind.ADD, "a"), (Kind.ADD, "a")])
    batch = Buffer("", given[-1].sequence, "", [pack("n", given)]).cut(BatchPolicy(100, ("K",), Ordering.STRICT))
    assert batch is not None
    assert batch.merged == 0
