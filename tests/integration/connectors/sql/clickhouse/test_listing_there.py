"""Reading many rows of ClickHouse: all of them, or an error; and nothing is changed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from workers.connectors import open_lister
from workers.connectors.sql.clickhouse.listing import _Rows
from workers.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.clickhouse import ClickhouseServer
    from workers.connectors.contract import Target


def read(target: Target, statement: str) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    lister = open_lister(target)
    try:
        pages = list(lister.pages(statement))
    finally:
        lister.close()
    return pages[0].columns, [row for page in pages for row in page.rows]


def test_rows_come_as_values_and_in_pages(clickhouse_target: Target) -> None:
    columns, rows = read(
        clickhouse_target,
        "SELECT number AS _id, concat('a\n\"', toString(number)) AS name, toDecimal64('1.50', 2) AS n, NULL AS none, "
        "toDateTime('2026-11-28 10:00:00', 'UTC') AS at, [1, 2] AS list, nan AS odd FROM numbers(2500)",
    )
    assert columns == ("_id", "name", "n", "none", "at", "list", "odd")
    assert len(rows) == 2500
    assert rows[7] == (7, 'a\n"7', Decimal("1.5"), None, "2026-11-28T10:00:00Z", [1, 2], None)
    assert read(clickhouse_target, "SELECT 1 AS a WHERE 0") == (("a",), [])
    greatest = "SELECT toUInt64('18446744073709551615') AS a"
    assert read(clickhouse_target, greatest)[1] == [(18446744073709551615,)]


def test_an_error_in_the_body_of_an_answer_that_began_well_is_no_end(
    clickhouse_target: Target, clickhouse_server: ClickhouseServer
) -> None:
    clickhouse_server.fail(clickhouse_target.url.rpartition("/")[2], "FROM numbers", "late")
    with pytest.raises(TargetError) as raised:
        read(clickhouse_target, "SELECT number FROM numbers(9)")
    assert raised.value.code == "clickhouse 241"


@pytest.mark.parametrize(
    "profile",
    [
        {"max_result_rows": "2", "result_overflow_mode": "break", "max_block_size": "2"},
        {"max_rows_to_read": "2", "read_overflow_mode": "break", "max_block_size": "2"},
        {"max_rows_in_set": "2", "set_overflow_mode": "break"},
        {"limit": "2"},
        {"offset": "2"},
    ],
    ids=lambda profile: [*profile][-1 if len(profile) < 3 else 1],
)
def test_a_profile_that_ends_lists_early_hides_nobody(
    clickhouse_target: Target, clickhouse_server: ClickhouseServer, profile: dict[str, str]
) -> None:
    """The answer says that it is whole, with as many rows as it has: whoever stands behind would be removed."""
    database = clickhouse_target.url.rpartition("/")[2]
    clickhouse_server.run("CREATE TABLE t (k Int64) ENGINE = MergeTree ORDER BY k", database)
    clickhouse_server.run("INSERT INTO t SELECT number FROM numbers(9)", database)
    clickhouse_server.fail(database, "AS c FROM", "profile", text=json.dumps(profile))
    statement = "SELECT number AS c FROM numbers(9)"
    if "set_overflow_mode" in profile:
        statement = "SELECT k AS c FROM t WHERE k IN (SELECT k FROM t)"
    try:
        _, rows = read(clickhouse_target, statement)
    except TargetError as error:
        assert error.code in ("clickhouse 158", "clickhouse 191", "clickhouse 396")  # noqa: PT017 - or all of them
    else:
        assert len(rows) == 9


def test_nothing_is_changed(clickhouse_target: Target, clickhouse_server: ClickhouseServer) -> None:
    database = clickhouse_target.url.rpartition("/")[2]
    clickhouse_server.run("CREATE TABLE t (k String) ENGINE = MergeTree ORDER BY k", database)
    for statement in ("INSERT INTO t VALUES ('a')", "WITH 1 AS x INSERT INTO t SELECT 'a'", "DROP TABLE t"):
        with pytest.raises(TargetError):
            read(clickhouse_target, statement)
    assert clickhouse_server.run("SELECT count() FROM t", database).strip() == "0"


ANSWER = b"""{
\t"meta":
\t[
\t\t{
\t\t\t"name": "k",
\t\t\t"type": "String"
\t\t}
\t],

\t"data":
\t[
\t\t["a"],
\t\t["b"]
\t],

\t"rows": 2
}
"""


def rows_of(answer: bytes, size: int = 7) -> list[tuple[object, ...]]:
    def chunks() -> Iterator[bytes]:
        for at in range(0, len(answer), size):
            yield answer[at : at + size]

    return list(_Rows(chunks()))


def test_what_is_cut_off_at_any_byte_is_no_end() -> None:
    assert rows_of(ANSWER) == rows_of(ANSWER, 1) == [("a",), ("b",)]
    assert rows_of(ANSWER.rstrip()) == [("a",), ("b",)], "the last line end says nothing"
    for place in range(len(ANSWER.rstrip())):
        with pytest.raises(Exception):  # noqa: B017, PT011 - of the driver's, or of JSON's: both are judged
            rows_of(ANSWER[:place])
    with pytest.raises(Exception, match="Code: 241"):
        rows_of(ANSWER.partition(b'\t\t["b"]')[0] + b"Code: 241. DB::Exception: Memory limit exceeded.\n")
    with pytest.raises(Exception, match='"rows": 2'):
        rows_of(ANSWER.replace(b',\n\t\t["b"]', b""))
