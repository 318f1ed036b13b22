"""Where a statement names its tables: behind FROM and JOIN, and behind the commas of their lists."""

from __future__ import annotations

from typing import NamedTuple

_ENDS = frozenset(
    (
        *("where", "prewhere", "group", "having", "order", "limit", "fetch", "qualify", "window", "settings"),
        *("union", "except", "intersect", "into", "set"),
    )
)
"""Words that stand behind a list of tables, and in none but as names. OFFSET does behind SAMPLE, within it."""
_OPENED = frozenset({"(", "in(", "value in(", "from("})
"""What a bracket's inside begins with (`Progress.previous`)."""


MOST_DEPTH = 12
"""Brackets that are counted; more in one another are taken for as many, so that a loop that opens some has an end."""


class TableLists(NamedTuple):
    """How far a statement's lists of tables have been read.

    queries  the depths of brackets at which there is a SELECT, a bit for each
    lists    the depths at which a list of tables is being read, likewise
    next     whether a table comes next, or a function that gives one
    unsure   whether it was the last word, and only what stands behind a tag tells which of both
    deep     whether all brackets that are counted were open: then a table may come behind every comma and bracket
    """

    queries: int = 0
    lists: int = 0
    next: bool = False
    unsure: bool = False
    deep: bool = False


def after_word(word: str, read: TableLists, depth: int, previous: str, *, called: bool | None) -> TableLists:
    """Behind a word; `previous` is what stood before it. FROM in EXTRACT (YEAR FROM x) names no table."""
    here = 1 << depth
    unsure = read.next and called is None
    if word == "select":
        return read._replace(queries=read.queries | here, lists=read.lists & ~here, next=False, unsure=False)
    if (
        word == "from"
        and previous != "distinct"
        and (depth == 0 or read.queries & here or previous in _OPENED or read.deep)
    ):
        return read._replace(lists=read.lists | here, next=True, unsure=False)
    if word == "join" and previous != "array":
        return read._replace(lists=read.lists | here, next=True, unsure=False)
    if word == "with":
        return read._replace(queries=read.queries | here, next=False, unsure=False)
    # ARRAY JOIN's list, in ClickHouse, is one of expressions; array(…) is a function.
    is_name = read.next or previous in ("as", ".")
    ends = not is_name and (word in _ENDS or (word == "array" and called is False))
    return read._replace(lists=read.lists & ~here if ends else read.lists, next=False, unsure=unsure)


def after_sign(sign: str, read: TableLists, depth: int) -> TableLists:
    """Behind a sign, a literal, a name or a placeholder; `depth` is the one behind it."""
    if sign == ")":
        kept = (2 << depth) - 1
        return TableLists(read.queries & kept, read.lists & kept, deep=read.deep)
    deep = read.deep or (sign == "(" and depth == MOST_DEPTH)
    comes = (
        (read.next and sign == "(") or (sign == "," and bool(read.lists >> depth & 1)) or (deep and sign in ("(", ","))
    )
    return read._replace(next=comes, unsure=False, deep=deep)
