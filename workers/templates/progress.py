"""How far a statement has been read, as far as the rules about statements need it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from workers.templates import conjuncts, table_lists
from workers.templates.table_lists import MOST_DEPTH, TableLists

_WRITERS = frozenset({"insert", "merge", "replace"})
_MAIN = frozenset({*_WRITERS, "update", "delete", "select"})
_LISTED = frozenset({"with", "recursive", ","})
"""What stands before a name in the list of WITH, and before no verb."""

_MODIFIERS = frozenset(
    (
        *("low_priority", "delayed", "high_priority", "ignore"),  # MySQL
        *("or", "replace", "rollback", "abort", "fail"),  # SQLite
        *("percent", "overwrite"),  # SQL Server, ClickHouse
    )
)
"""Words between INSERT, MERGE or REPLACE and its INTO."""

_MATCHERS = (
    *("regexp", "regex", "match", "multimatch", "like", "ilike", "notlike", "notilike"),
    *("replaceregexp", "extract", "countmatches"),
)
"""How functions begin whose later values are patterns."""

_PATTERNS = frozenset({"like", "ilike", "rlike", "regexp", "glob", "similar", "against"})
"""Words before a pattern, be it in brackets or not."""
_PATTERNS_FIRST = frozenset({"patindex", "splitbyregexp"})
"""Functions whose first value is a pattern."""

_ENDS_PATTERN = frozenset(
    (
        *("and", "or", "xor", "then", "when", "else", "end", "escape", "is", "in", "between", "as", "do", "on", "for"),
        *("where", "group", "having", "order", "limit", "offset", "fetch", "returning", "window", "set", "values"),
        *("union", "except", "intersect", "minus", "select", "from", "into", "join", "left", "inner", "cross"),
    )
)
"""Words that stand behind a pattern, and in none."""

_SOURCES = frozenset({"from", "using", "join"})
_KEPT = frozenset({*_LISTED, *_SOURCES, "update", "log", "in", "on", "as", "is", "not"})
_BECOMES = {("in", "("): "value in(", ("target", "."): "into"} | {(word, "("): "from(" for word in _SOURCES}
_BEFORE_BRACKETS = frozenset({*_SOURCES, "in", "as", "on", "and", "or", "where", "exists"})
"""Words that a bracket may follow, and that are no functions."""
_BEFORE_VERB = frozenset({"(", "in(", "value in(", "from("})


class Progress(NamedTuple):
    """What has been read of a statement.

    alter     "" outside of an ALTER; "alter" directly after the word, then "table"
    verb      what the statement does, "with" before that is known
    previous  the last word or sign, where it matters; "in(" for a bracket behind an IN that every row must meet,
              "value in(" behind another, "from(" for one that holds a table; "values" where the rows follow that the
              statement is about, "value rows" where others do; "into" where a table's name comes next, "target" behind
    depth     how many brackets are open
    into      why INTO may follow: "verb" (INSERT, MERGE, REPLACE), "top" (in INSERT TOP (…)), "many" (Oracle's INSERT
              ALL), "output" (SQL Server's OUTPUT … INTO), "errors" (Oracle's LOG ERRORS INTO); "" where it may not
    set       whether SET may follow: it belongs to an UPDATE
    selects   whether the statement's own SELECT has begun
    tables    whether its FROM has
    calls     whether that computes something, which may be a row where there is none
    where     how far a condition of the statement's own WHERE has come, as in `conjuncts`; "" outside of it
    matcher   depth of the brackets in which a pattern is matched, 0 outside of all
    pattern   whether its first value is over, so that a pattern follows
    operand   1 more than the depth of the brackets in which what stands behind LIKE or its like is read, 0 outside
    lists     where tables are named
    """

    alter: str = ""
    verb: str = ""
    previous: str = ""
    depth: int = 0
    into: str = ""
    set: bool = False
    selects: bool = False
    tables: bool = False
    calls: bool = False
    where: str = ""
    matcher: int = 0
    pattern: bool = False
    operand: int = 0
    lists: TableLists = TableLists()

    @property
    def in_pattern(self) -> bool:
        """Whether what is read here is a part of a pattern."""
        return self.pattern or self.operand > 0


def after_word(word: str, read: Progress, *, first: bool, called: bool | None) -> Progress:
    """The progress after a word; `first` if it begins the statement, `called` if a bracket follows, as in REPLACE(…).

    Only a word in a verb's place is one: MERGE in `SELECT 1 AS merge` is a name, and so is OUTPUT behind a SELECT.
    """
    is_verb = first or read.previous in _BEFORE_VERB or _begins_main(word, read)
    verb = word if first or (read.depth == 0 and is_verb and read.verb == "with") else read.verb
    return read._replace(
        alter=word if word == "alter" or read.alter == "alter" else read.alter,
        verb=verb,
        previous=_previous(word, read, called=called),
        into=_into(word, read, is_verb=is_verb, called=called),
        set=word == "update" or (read.set and word != "set"),
        selects=read.selects or (word == "select" and verb != "with" and read.depth == 0),
        tables=read.tables or (word == "from" and read.selects and read.depth == 0 and read.previous != "distinct"),
        calls=read.calls or ((called is not False or word == "apply") and _computes(word, read)),
        where=conjuncts.after_word(word, read) if read.depth == 0 else read.where,
        operand=_operand(word, read, called=called),
        lists=table_lists.after_word(word, read.lists, read.depth, read.previous, called=called),
    )


@lru_cache(maxsize=4096)
def after_sign(sign: str, read: Progress) -> Progress:
    """The progress after a sign, a literal or a placeholder. Asked for often: on every way to its place."""
    previous = _BECOMES.get((read.previous, sign), sign if sign in ("(", ",", ".") else "")
    if previous == "value in(" and read.where == conjuncts.OPEN and read.depth == 0:
        previous = "in("
    where = conjuncts.after_sign(sign, read) if read.depth == 0 else read.where
    into = read.into if read.into in ("top", "many", "output") else ""
    depth, matcher, pattern, operand = read.depth, read.matcher, read.pattern, read.operand
    calls = read.calls
    if sign == "(":
        calls = calls or (read.selects and depth == 0 and not read.tables and not read.where)
        depth = min(depth + 1, MOST_DEPTH)
        if read.previous == "match" and not matcher:
            matcher = depth
    elif sign == ")":
        depth = max(depth - 1, 0)
        if depth < matcher:
            matcher, pattern = 0, False
        operand = operand if depth + 1 >= operand else 0
        into = "verb" if into == "top" else into
    elif sign == ",":
        pattern = pattern or (depth == matcher and matcher > 0)
        operand = operand if depth + 1 > operand else 0
    return read._replace(
        previous=previous,
        into=into,
        depth=depth,
        calls=calls,
        where=where,
        matcher=matcher,
        pattern=pattern,
        operand=operand,
        lists=table_lists.after_sign(sign, read.lists, depth),
    )


def _computes(word: str, read: Progress) -> bool:
    return read.selects and read.depth == 0 and not read.where and word not in _BEFORE_BRACKETS


def before_pattern(read: Progress) -> Progress:
    """The progress before what is a pattern."""
    return read._replace(operand=read.depth + 1)


def _begins_main(word: str, read: Progress) -> bool:
    """Whether a word is what the list of WITH was written for."""
    return read.verb == "with" and read.depth == 0 and word in _MAIN and read.previous not in _LISTED


def after_name(read: Progress, *, called: bool | None) -> Progress:
    """The progress after a name in quotes; `called` as in `after_word`."""
    behind = after_sign("name", read)
    lists = behind.lists._replace(unsure=read.lists.next and called is None)
    return behind._replace(previous="target" if read.previous == "into" else "", lists=lists)


def names_columns(read: Progress) -> bool:
    """Whether a name here is followed by its columns' names and is no call: INSERT INTO t (…).

    So it is in WITH t (…) AS, too, and nothing that is read by then tells that from WITH f(…) AS t, or from what stands
    behind a later comma: such a name is taken for a call.
    """
    return read.previous == "into"


def _previous(word: str, read: Progress, *, called: bool | None) -> str:
    if word == "into" or read.previous == "into":
        return "into" if word in ("into", "table") else "target"
    if called is not False and word.startswith(_MATCHERS):
        return "match"
    if word == "values":
        # A table of the statement's own FROM, and of no SELECT within it.
        is_table = read.previous == "from(" and read.depth == 1 and not read.calls
        return word if read.depth == 0 or is_table else "value rows"
    if (word == "distinct" and read.previous in ("is", "not")) or (
        word == "array" and read.previous not in ("as", ".")
    ):
        return word
    return word if word in _KEPT else ""


def _operand(word: str, read: Progress, *, called: bool | None) -> int:
    in_brackets = called is True
    if word in _PATTERNS or (word == "match" and not in_brackets) or (word in _PATTERNS_FIRST and in_brackets):
        return read.depth + 1 + in_brackets
    return 0 if word in _ENDS_PATTERN and read.depth < read.operand else read.operand


def _into(word: str, read: Progress, *, is_verb: bool, called: bool | None) -> str:
    if word in _WRITERS and is_verb and called is False:
        return "verb"
    if read.into == "verb":
        return {"top": "top", "all": "many", "first": "many"}.get(word, "verb" if word in _MODIFIERS else "")
    if read.into in ("top", "many"):
        return "" if word == "select" else read.into
    if read.into == "output":
        return "" if word in ("into", "values", "select", "from", "where") else "output"
    if word == "output" and read.depth == 0 and not read.selects and read.verb not in ("select", "with"):
        return "output"
    return "errors" if word == "errors" and read.previous == "log" and read.verb not in ("select", "with") else ""
