"""What a session is told while it delivers (workers/connectors/sql/delivery.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from workers.connectors.contract import Group, Shipment
from workers.connectors.memory import MemoryConnector, MemorySession
from workers.connectors.sql import delivery
from workers.errors import ErrorClass, TargetError
from workers.outcomes import QueryRun
from workers.templates import Query, QueryKind, Row, compile_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.contract import Fence, Receipt

ADD = "INSERT INTO t (k) VALUES {for $x = $batch}('{$x.K}'){autocomma}{end}"
TOMBSTONE = "INSERT INTO t (k, gone) VALUES {for $x = $batch}('{$x.K}', 1){autocomma}{end}"
REMOVE = 'DELETE FROM t WHERE k IN ({batch_in "K"})'


class Told(MemorySession):
    """A session that notes the batch's name, and what it only tries out."""

    def __init__(self, connector: MemoryConnector) -> None:
        super().__init__(connector)
        self.names: list[str] = []
        self.tried: list[str] = []

    def identify(self, batch: str) -> None:
        self.names.append(batch)

    def try_out(self, statement: str) -> int:
        self.tried.append(statement)
        return 1


class One(NamedTuple):
    sequence: str
    row: Row
    key: tuple[str, ...] = ()


def compiled(text: str, kind: QueryKind) -> Query:
    return compile_query(text, dialect="sqlite", kind=kind, batch=kind.has_profiles, key=("K",))


def shipped(remove: str = TOMBSTONE, keys: Sequence[str] = ("a",)) -> Shipment:
    members = tuple(One(f"{number:027d}", Row({"K": key}, 0, number)) for number, key in enumerate(keys, 1))
    queries = {QueryKind.ADD: compiled(ADD, QueryKind.ADD), QueryKind.REMOVE: compiled(remove, QueryKind.REMOVE)}
    groups = (Group(QueryKind.ADD, members), Group(QueryKind.REMOVE, members))
    return Shipment("i", "7", None, "lane", members[0].sequence, members[-1].sequence, queries, groups)


def never(seconds: float = 0.0) -> None:
    """A fence that nobody has taken down."""


def names(*shipments: Shipment) -> list[str]:
    session = Told(MemoryConnector())
    for shipment in shipments:
        session.deliver(shipment, never)
    return session.names


def test_the_same_batch_has_the_same_name_and_no_other_has() -> None:
    longer, elsewhere = shipped(keys="ab"), replace(shipped(), lane="lane 2")
    one, again, other, third = names(shipped(), shipped(), longer, elsewhere)
    assert one == again != ""
    assert len({one, other, third}) == 3


@pytest.mark.parametrize(
    "remove", [REMOVE, 'UPDATE t SET gone = 1 WHERE k IN ({batch_in "K"})', f"/* INSERT */ {REMOVE}"]
)
def test_a_batch_has_no_name_where_a_query_may_take_rows_away(remove: str) -> None:
    """Were its INSERT left out when it comes again, and the DELETE before it repeated, the row would be missing."""
    assert names(shipped(remove)) == [""]


def test_a_lane_that_was_lost_between_two_statements_is_left_alone() -> None:
    """Without transactions the first statement stays; the second must not follow whoever has the lane now."""
    session = MemorySession(MemoryConnector())
    asked = iter([None, None, None, TargetError(ErrorClass.RETRY, "lease", "over")])

    def fence(seconds: float = 0.0) -> None:  # noqa: ARG001 - as `Fence` has it
        if lost := next(asked):
            raise lost

    with pytest.raises(TargetError, match="over"):
        session.deliver(shipped(), fence)
    assert [text.split()[0] for text in session._statements] == ["INSERT"]


def test_a_trial_is_only_tried_out() -> None:
    connector = MemoryConnector()
    session = Told(connector)
    session.deliver(replace(shipped(), trial=True), never)
    assert len(session.tried) == 2
    assert connector.committed == []


TAGS = "INSERT INTO t (k, tag) VALUES {for $t = lead.tags}('{lead.K}', '{$t}'){autocomma}{end}"


def of_tags(*tags: list[str]) -> Shipment:
    members = tuple(One(f"{n:027d}", Row({"K": str(n), "tags": each}, 0, n)) for n, each in enumerate(tags, 1))
    query = compile_query(TAGS, dialect="sqlite", kind=QueryKind.ADD, batch=False, key=("K",))
    queries, groups = {QueryKind.ADD: query}, (Group(QueryKind.ADD, members),)
    return Shipment("i", "7", None, "lane", members[0].sequence, members[-1].sequence, queries, groups)


def test_a_statement_whose_list_came_out_empty_is_told_of() -> None:
    connector = MemoryConnector()
    session = MemorySession(connector)
    receipt = session.deliver(of_tags([], ["x", "y"]), never)
    (run,) = receipt.queries
    assert (run.profiles, run.statements, run.unsent, run.runs, receipt.unsent) == (2, 1, 1, 1, ())


class TakesSeveral(MemorySession):
    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
        return delivery.deliver_together(self, shipments, fence)

    def begin_together(self, locks: list[str]) -> None:
        self.begin(locks[0], 1.0)


@pytest.mark.parametrize("together", [False, True])
def test_a_query_of_which_nothing_was_sent_has_not_run(*, together: bool) -> None:
    connector = MemoryConnector()
    session = TakesSeveral(connector)
    shipment = of_tags([], [])
    receipt = session.deliver_together([shipment], never)[0] if together else session.deliver(shipment, never)
    assert receipt.queries == ()
    assert receipt.unsent == (QueryRun("add", 0, 0, 0, 0, runs=0, unsent=2),)
    assert together or "begin" not in connector.calls


def test_a_query_that_was_not_sent_has_not_run_beside_one_that_was() -> None:
    tags = compile_query(TAGS, dialect="sqlite", kind=QueryKind.ADD, batch=False, key=("K",))
    both = replace(shipped(), queries={QueryKind.ADD: tags, QueryKind.REMOVE: compiled(REMOVE, QueryKind.REMOVE)})
    receipt = MemorySession(MemoryConnector()).deliver(both, never)
    assert [run.event_type for run in receipt.queries] == ["remove"]
    assert [run.event_type for run in receipt.unsent] == ["add"]
