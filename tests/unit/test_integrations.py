"""Scopes decide what is delivered where; integrations are values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from workers.integrations import Integration, Scope, Segment, named_insert
from workers.templates import QueryKind, compile_query
from workers.templates.row_naming import Meeting

if TYPE_CHECKING:
    from workers.integrations import ScopeKind
    from workers.templates import Query

SALES = frozenset({"sales"})
EU = frozenset({"eu"})
NONE: frozenset[str] = frozenset()

UNKNOWN = Segment("7")
ELSEWHERE = Segment("7", database="other", groups=SALES, tags=EU)
DESCRIBED = Segment("7", "VIP", "main", frozenset({"sales", "ops"}), frozenset({"eu", "us"}))
EMPTY = Segment("7", "VIP", "main", NONE, NONE)


def scope(kind: ScopeKind, *values: str, database: str = "main") -> Scope:
    return Scope(database, kind, frozenset(values))


@pytest.mark.parametrize(
    ("asked", "segment", "wanted"),
    [
        (scope("all"), DESCRIBED, True),
        (scope("all"), ELSEWHERE, False),
        (scope("groups", "sales", "press"), DESCRIBED, True),
        (scope("groups", "press"), DESCRIBED, False),
        (scope("groups", "sales"), ELSEWHERE, False),
        (scope("groups", "eu"), DESCRIBED, False),
        (scope("groups", "sales"), EMPTY, False),
        (scope("tags", "us"), DESCRIBED, True),
        (scope("tags", "sales"), DESCRIBED, False),
        (scope("tags", "eu"), ELSEWHERE, False),
    ],
)
def test_a_described_segment_is_judged_by_what_is_known(asked: Scope, segment: Segment, wanted: bool) -> None:
    assert asked.wants(segment, "main") is wanted


@pytest.mark.parametrize("segment", [UNKNOWN, ELSEWHERE, DESCRIBED, EMPTY])
def test_hand_picked_ids_match_whatever_is_known(segment: Segment) -> None:
    """Rule 4."""
    assert scope("ids", "6", "7").wants(segment, "main")
    assert not scope("ids", "77").wants(segment, "main")


def test_an_undescribed_segment_is_in_the_default_database_without_groups_or_tags() -> None:
    assert scope("all").wants(UNKNOWN, "main")
    assert not scope("all").wants(UNKNOWN, "other")
    assert not scope("groups", "sales").wants(UNKNOWN, "main")
    assert not scope("tags", "eu").wants(UNKNOWN, "main")


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (scope("all"), scope("all"), True),
        (scope("all"), scope("all", database="other"), False),
        (scope("all"), scope("tags", "eu"), True),
        (scope("all"), scope("ids", "7"), True),
        (scope("groups", "a", "b"), scope("groups", "b", "c"), True),
        (scope("groups", "a"), scope("groups", "b"), False),
        (scope("groups", "a"), scope("groups", "a", database="other"), False),
        (scope("tags", "a"), scope("tags", "a"), True),
        (scope("groups", "a"), scope("tags", "a"), False),
        (scope("ids", "7"), scope("ids", "7", database="other"), True),
        (scope("ids", "7"), scope("ids", "8"), False),
        (scope("ids", "7"), scope("groups", "7"), False),
    ],
)
def test_scopes_overlap_where_one_segment_is_in_both_for_sure(one: Scope, other: Scope, meet: bool) -> None:
    assert one.overlaps(other) is meet
    assert other.overlaps(one) is meet


class _Query:
    """All that an integration's digest asks of a query."""

    def __init__(self, digest: str) -> None:
        self.digest = digest


def integration(key: str = "vip", field: str = "CustomID", *, batched: bool = False, add: str = "a") -> Integration:
    queries = {QueryKind.ADD: _Query(add), QueryKind.REMOVE: _Query("r")}
    return Integration(
        key=key,
        connector="crm",
        scope=scope("all"),
        key_fields=(field,),
        queries=cast("dict[QueryKind, Query]", queries),
        batched=batched,
    )


def test_the_digest_tells_what_statements_depend_on_and_nothing_else() -> None:
    digests = {
        each.digest
        for each in (integration(), integration(field="email"), integration(batched=True), integration(add="b"))
    }

    assert len(digests) == 4
    assert integration("other").digest == integration().digest


def test_integrations_are_equal_by_value_and_can_be_hashed() -> None:
    one = integration()

    assert one == Integration(
        key="vip", connector="crm", scope=scope("all"), key_fields=("CustomID",), queries=one.queries
    )
    assert len({one, one, integration("other")}) == 2


def test_what_a_remove_changes_counts_with_what_an_add_does() -> None:
    texts = {
        QueryKind.ADD: "INSERT INTO t (k, a) VALUES {for $l = $batch}('{$l.K}', 1){autocomma}{end}"
        " ON DUPLICATE KEY UPDATE a = 2",
        QueryKind.REMOVE: 'UPDATE t SET gone = 1 WHERE k IN ({batch_in "K"})',
    }
    compiled = {
        kind: compile_query(text, dialect="mysql", kind=kind, batch=True, key=("K",)) for kind, text in texts.items()
    }
    insert = named_insert(compiled)
    assert insert is not None
    assert insert.changed == {"a", "gone"}
    assert insert.found_by == {Meeting("K", "k")}
