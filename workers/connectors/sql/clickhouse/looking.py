"""What ClickHouse says of a statement without running it.

EXPLAIN PIPELINE of an INSERT finds tables, columns and rights, and reads no values; so the values are written into
`null(…)`, a table function with the same columns that keeps nothing. Neither DELETE nor ALTER can be explained: a
SELECT with the same conditions can. Constraints and materialized views are not asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Answering(Protocol):
    """A link, as far as it is asked."""

    def rows(self, question: str) -> list[list[str]]:
        """The answer's rows."""

    def run(self, statement: str) -> None:
        """Runs what changes nothing."""


_QUOTED = r"`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\])*\""
_NAME = rf"(?:{_QUOTED}|\w+)(?:\s*\.\s*(?:{_QUOTED}|\w+))?"
_BLANK = r"(?:\s|--[^\n]*\n|/\*.*?\*/)"
_HEAD = rf"{_BLANK}*{{}}\s+(?P<table>{_NAME})"
_FLAGS = re.IGNORECASE | re.DOTALL
_INSERT = re.compile(_HEAD.format(r"INSERT\s+INTO(?:\s+TABLE(?!\s*\())?"), _FLAGS)
_VALUES = re.compile(rf"{_BLANK}*(?:\([^()]*\))?{_BLANK}*(?:SETTINGS\b[^()]*)?VALUES\b", _FLAGS)
_DELETE = re.compile(_HEAD.format(r"DELETE\s+FROM") + r"(?P<what>)(?P<where>\s+WHERE\b.*)", _FLAGS)
_ALTER = re.compile(
    # A text may hold the word WHERE, too.
    _HEAD.format(r"ALTER\s+TABLE")
    + r"\s+(?:DELETE|UPDATE\s+(?P<what>(?:'(?:\\.|''|[^'\\])*'|[^'])*?))(?P<where>\s+WHERE\b.*)",
    _FLAGS,
)
_READS = re.compile(rf"{_BLANK}*(?:SELECT|WITH)\b", _FLAGS)
_COMPUTED = frozenset({"ALIAS", "MATERIALIZED"})


def look(link: Answering, statement: str) -> None:
    """Raises what the server would raise if it ran the statement, as far as it can tell without."""
    found = _INSERT.match(statement)
    if found:
        link.run(f"EXPLAIN PIPELINE {statement}")
        _may(link, "INSERT", found["table"])
        if _VALUES.match(statement, found.end()):
            link.run(_into_nothing(link, statement, found))
        return
    for right, pattern in (("ALTER DELETE", _DELETE), ("ALTER UPDATE, ALTER DELETE", _ALTER)):
        if found := pattern.match(statement):
            link.run(f"EXPLAIN SELECT {found['what'] or 1} FROM {found['table']}{found['where']}")
            _may(link, right, found["table"])
            return
    link.run(f"EXPLAIN {statement}" if _READS.match(statement) else f"EXPLAIN AST {statement}")


def _into_nothing(link: Answering, statement: str, found: re.Match[str]) -> str:
    start, end = found.span("table")
    columns = ", ".join(_declared(link.rows(f"DESCRIBE TABLE {found['table']}")))
    text = columns.replace("\\", "\\\\").replace("'", "\\'")
    return f"{statement[:start]}FUNCTION null('{text}'){statement[end:]}"


def _declared(described: Sequence[Sequence[str]]) -> list[str]:
    """Columns that an INSERT may name, as in "`a` Int64"."""
    return [f"`{_escaped(name)}` {kind}" for name, kind, default, *_ in described if default not in _COMPUTED]


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


def _may(link: Answering, right: str, table: str) -> None:
    """What EXPLAIN does not ask; a server that does not know the question (before 24.11) is not asked."""
    try:
        answer = link.rows(f"CHECK GRANT {right} ON {table}")
    except Exception as error:
        if getattr(error, "code", None) == UNKNOWN_SYNTAX:
            return
        raise
    if answer == [["0"]]:
        reason = f"the user has no right to do this; expected GRANT {right} ON {table}"
        raise TargetError(ErrorClass.HOLD, "clickhouse 497", reason, level=HoldLevel.INTEGRATION)


UNKNOWN_SYNTAX = 62
"""The error's code, as in `errors`."""
