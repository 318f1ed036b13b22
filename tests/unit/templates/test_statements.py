"""A statement's end, where several stand in one text."""

from __future__ import annotations

import pytest

from workers.templates.statements import terminated


@pytest.mark.parametrize(
    ("statement", "ended"),
    [
        ("DELETE FROM t", "DELETE FROM t;"),
        ("DELETE FROM t;", "DELETE FROM t;"),
        ("DELETE FROM t -- all;", "DELETE FROM t -- all;\n;"),
        ("DELETE FROM t # all", "DELETE FROM t # all\n;"),
        ("DELETE FROM t // all", "DELETE FROM t // all\n;"),
        ("-- all\nDELETE FROM t", "-- all\nDELETE FROM t;"),
        ("INSERT INTO t VALUES ('--')", "INSERT INTO t VALUES ('--')\n;"),
    ],
)
def test_no_comment_hides_the_semicolon(statement: str, ended: str) -> None:
    assert terminated(statement) == ended
