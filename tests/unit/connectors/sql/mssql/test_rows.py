"""Rows of an answer as they come: an error behind some of them is no end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pytds import tds_base

from workers.connectors.sql.mssql.connection import Refused, TdsSession

ROW, RESULT, DONE = tds_base.TDS_ROW_TOKEN, tds_base.TDS7_RESULT_TOKEN, tds_base.TDS_DONE_TOKEN


def answer(*markers: int, more: int = 0) -> Any:
    """A session that is to read these tokens; `more` of its ends say that something follows."""
    ends = [True] * more + [False]
    messages: list[dict[str, Any]] = []

    def take(marker: int) -> None:
        if marker == tds_base.TDS_ERROR_TOKEN:
            messages.append({"marker": marker, "msgno": 8134, "message": "Divide by zero error", "state": 1})

    session: Any = SimpleNamespace(
        begin_response=lambda: None,
        conn=SimpleNamespace(sock=SimpleNamespace(limit=lambda _: None)),
        get_token_id=iter(markers).__next__,
        process_token=take,
        messages=messages,
        row=[7],
        res_info=SimpleNamespace(columns=[SimpleNamespace(column_name="id")]),
    )
    session._end = lambda _: (0, ends.pop(0))
    session._raise_refusal = lambda: TdsSession._raise_refusal(session)
    return session


def test_an_error_behind_rows_is_raised_and_is_no_end() -> None:
    columns: list[str] = []
    rows = TdsSession.each_row(answer(RESULT, ROW, ROW, tds_base.TDS_ERROR_TOKEN, DONE), 1.0, columns)
    assert (next(rows), columns) == ((7,), ["id"])
    assert next(rows) == (7,)
    with pytest.raises(Refused, match="8134"):
        next(rows)


def test_what_a_server_says_before_the_rows_is_no_end_of_them() -> None:
    rows = TdsSession.each_row(answer(DONE, RESULT, ROW, DONE, more=1), 1.0, [])
    assert list(rows) == [(7,)]
