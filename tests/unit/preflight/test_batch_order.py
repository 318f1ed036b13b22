"""What a target says of `ordering = "exact"`, without one."""

from __future__ import annotations

from typing import cast

import pytest

from workers.connectors.inspection import Column, Examined, Table, UniqueKey
from workers.integrations import Integration, Ordering, Scope
from workers.preflight.batch_order import exactness
from workers.preflight.findings import Finding
from workers.preflight.seen import EXACT
from workers.templates import QueryKind, compile_query

ADD = "INSERT INTO t (seg, k) VALUES {for $x = $batch}({segment_id}, '{$x.K}'){autocomma}{end} ON CONFLICT DO NOTHING"
MERGE = ADD.replace("INSERT INTO t", "WITH a AS (SELECT 1) INSERT INTO t")
REMOVE = 'DELETE FROM t WHERE seg = {segment_id} AND k IN ({batch_in "K"})'


class Shown:
    """A target that shows one table."""

    dialect = "postgresql"

    def __init__(self, kind: str, *, triggers: bool) -> None:
        columns = {"seg": Column("seg", "bigint", "number"), "k": Column("k", kind, "text")}
        self._table = Table("t", columns, (UniqueKey("PRIMARY", ("seg", "k")),), triggers=triggers)

    def table(self, _schema: str, _name: str) -> Table:
        return self._table


def told(
    add: str = ADD,
    *,
    ordering: Ordering = Ordering.EXACT,
    before: str = "",
    kind: str = "text",
    triggers: bool = True,
    read: bool = True,
) -> tuple[list[Finding], str]:
    queries = {
        kind: compile_query(text, dialect="postgresql", kind=kind, batch=True, key=("K",))
        for kind, text in ((QueryKind.ADD, add), (QueryKind.REMOVE, REMOVE))
    }
    integration = Integration(
        key="crm", connector="crm", scope=Scope("main"), key_fields=("K",), queries=queries, batched=True,
        ordering=ordering,
    )  # fmt: skip
    found = [Finding("mistake", "integrations.crm.key", before)] if before else []
    return exactness(cast("Examined", Shown(kind, triggers=triggers)), integration, found, read=read)


def test_what_was_said_of_exact_is_not_said_again() -> None:
    ((finding,), note) = told()
    assert (finding.level, finding.where, note) == ("warning", "integrations.crm.ordering", "")
    assert told(before="something else")[0] == [finding]
    assert told(before=f"two keys are one row; {EXACT} that they are two") == ([], "")


@pytest.mark.parametrize("ordering", [Ordering.STRICT, Ordering.CATALOG, Ordering.FOLDED])
def test_who_does_not_say_exact_is_not_asked(ordering: Ordering) -> None:
    assert told(ordering=ordering) == ([], "")


def test_nothing_is_confirmed_that_could_not_be_looked_at() -> None:
    assert told(triggers=False)[1].startswith('ordering = "exact" is what the table says, too')
    assert told(triggers=False, read=False) == ([], "")
    # Of this type nobody knows what it takes for equal; that is no contradiction, as in ClickHouse's Int64.
    assert told(triggers=False, kind="ltree") == ([], "")
    assert told(MERGE)[1].endswith("the table is not asked, since add is no plain INSERT")
