"""What compaction takes out of a waiting lane, and what it leaves (rule 31)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.delivery.compaction import Thinner
from workers.events.event import Kind
from workers.integrations import Ordering
from workers.lanes.chunks import MAX_OPERATIONS, Operation, Retry, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

Step = tuple[Kind, str | None]
"""An operation's kind and key; None: a profile without one."""


def operations(steps: Sequence[Step], *, retried: frozenset[int] = frozenset()) -> list[Operation]:
    return [
        Operation(1, n, 0, kind, None, _body(kind, key), Retry(f"e{n}", f"s{n}", 1) if n in retried else None)
        for n, (kind, key) in enumerate(steps)
    ]


def _body(kind: Kind, key: str | None) -> bytes:
    return b"" if not kind.is_profile else json.dumps({"_id": "p"} | ({} if key is None else {"K": key})).encode()


def thin(given: list[Operation], *, windows: int = 1, chunk: int = 3) -> tuple[list[Operation], int]:
    """What is left, and how many were counted as gone; in as many windows as asked for, from the end."""
    thinner, less = Thinner(("K",), Ordering.EXACT), 0
    left: list[Operation] = []
    chunks = [pack("name", given[i : i + chunk]) for i in range(0, len(given), chunk)]
    size = -(-len(chunks) // windows) or 1
    for end in range(len(chunks), 0, -size):
        part = chunks[max(0, end - size) : end]
        thinned = thinner.thin(part)
        assert len(thinned.chunks) <= len(part)
        left = [each for one in thinned.chunks for each in unpack(one)[1]] + left
        less += thinned.merged
    return left, less


def state(given: Sequence[Operation]) -> tuple[set[str], int, int]:
    """What a target ends with: its members, and how many segment events and bad profiles it was told of."""
    members: set[str] = set()
    events = bad = 0
    for each in given:
        if not each.is_profile:
            events += 1
            members = set() if each.kind == Kind.CLEAR else members
            continue
        key = json.loads(each.body).get("K")
        if key is None:
            bad += 1
        elif each.kind == Kind.ADD:
            members.add(key)
        else:
            members.discard(key)
    return members, events, bad


STEPS = st.lists(
    st.tuples(
        st.sampled_from([Kind.ADD, Kind.ADD, Kind.REMOVE, Kind.REMOVE, Kind.CLEAR, Kind.SEGMENT_UPSERT]),
        st.sampled_from(["a", "A", "a ", "b", "c", None]),
    ),
    max_size=40,
)


@given(steps=STEPS, windows=st.integers(1, 4), chunk=st.integers(1, 5))
def test_the_target_ends_the_same_and_every_operation_is_accounted_for(
    steps: list[Step], windows: int, chunk: int
) -> None:
    given = operations(steps)

    left, less = thin(given, windows=windows, chunk=chunk)

    assert len(left) + less == len(given)
    assert [each.sequence for each in left] == sorted(each.sequence for each in left)
    assert state(left) == state(given)


@given(steps=STEPS, windows=st.integers(1, 3))
def test_between_two_segment_events_no_key_says_one_thing_in_a_row(steps: list[Step], windows: int) -> None:
    left, _ = thin(operations(steps), windows=windows)

    seen: dict[str, list[Kind]] = {}
    for each in left:
        if not each.is_profile:
            seen.clear()
        elif (key := json.loads(each.body).get("K")) is not None:
            seen.setdefault(key, []).append(Kind(each.kind))
            assert len(seen[key]) == len(set(seen[key])) <= 2


def states(steps: str, ordering: Ordering) -> str:
    """What is left of one key's operations, as letters: r is its removal, other small letters adds of other data."""
    kinds = [Kind.REMOVE if letter == "r" else Kind.ADD for letter in steps]
    bodies = [json.dumps({"_id": "p", "K": "a", "data": letter}).encode() for letter in steps]
    given = [Operation(1, n, 0, kind, None, body) for n, (kind, body) in enumerate(zip(kinds, bodies, strict=True))]
    thinned = Thinner(("K",), ordering).thin([pack("name", given)])
    left = [each for one in thinned.chunks for each in unpack(one)[1]]
    return "".join("r" if each.kind == Kind.REMOVE else json.loads(each.body)["data"] for each in left)


@pytest.mark.parametrize(
    ("came", "exact", "folded"),
    [
        ("ab", "ab", "ab"),
        ("abcd", "cd", "cd"),
        ("abbbb", "ab", "ab"),
        ("aaaa", "a", "a"),
        ("ar", "ar", "ar"),
        ("rara", "ra", "ra"),
        ("aaraab", "ab", "rab"),
        ("xrarbr", "br", "rbr"),
    ],
)
def test_what_the_row_falls_back_to_stays(came: str, exact: str, folded: str) -> None:
    """The last one before the last that says something else; and a removal before an add, where rows have defaults."""
    assert (states(came, Ordering.EXACT), states(came, Ordering.FOLDED)) == (exact, folded)


def test_nothing_is_merged_over_a_segment_event() -> None:
    """Deleting the segment's row may need its members gone, whoever joins it afterwards."""
    given = operations([(Kind.REMOVE, "a"), (Kind.SEGMENT_DELETE, None), (Kind.ADD, "a")])

    assert thin(given) == (given, 0)


def test_what_comes_out_of_the_quarantine_stays_and_supersedes_nothing() -> None:
    given = operations([(Kind.ADD, "a"), (Kind.REMOVE, "a"), (Kind.ADD, "a")], retried=frozenset({1, 2}))

    assert thin(given) == (given, 0)


def test_what_a_clear_would_make_moot_stays() -> None:
    """It may fail for ever, or be taken away: then all that stands before it is owed."""
    given = operations([(Kind.ADD, "a"), (Kind.ADD, "b"), (Kind.CLEAR, None), (Kind.ADD, "a")])

    assert thin(given) == (given, 0)


def test_keys_of_several_fields_are_not_confused() -> None:
    thinner = Thinner(("a", "b"), Ordering.EXACT)
    bodies = [b'{"_id":"1","a":"x","b":"yz"}', b'{"_id":"2","a":"xy","b":"z"}']

    thinned = thinner.thin([pack("n", [Operation(1, n, 0, Kind.ADD, None, body) for n, body in enumerate(bodies)])])

    assert thinned.merged == 0


def test_many_small_chunks_become_few_under_one_name_each() -> None:
    given = operations([(Kind.ADD, str(n)) for n in range(MAX_OPERATIONS + 10)])
    chunks = [pack("old" if each.n < 5 else "new", [each]) for each in given]

    thinned = Thinner(("K",), Ordering.EXACT).thin(chunks)

    assert [(unpack(one)[0], len(unpack(one)[1])) for one in thinned.chunks] == [
        ("old", 5),
        ("new", MAX_OPERATIONS),
        ("new", 5),
    ]
