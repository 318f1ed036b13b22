"""Which loops are all that VALUES or IN (…) has, and what it means that they come out empty."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.templates.conjuncts import BEHIND, spoils
from workers.templates.model import BAD_VALUE, RowProblem
from workers.templates.nodes import For, Node, Text

if TYPE_CHECKING:
    from collections.abc import Collection

    from workers.templates.dialect import Dialect
    from workers.templates.progress import Progress

_BLANK = r"(?:[ \t\n]|/\*(?:(?!\*/).)*+\*/|--[^\n]*+)*+"
_CLOSED = re.compile(_BLANK + r"\)", re.DOTALL)
_ENDS = re.compile(
    _BLANK + r"\)" + _BLANK + r"(?:\Z|;|(?:and|order|limit|returning|output|group|on|option|or|union|except)\b)",
    re.DOTALL | re.IGNORECASE,
)
_GOES_ON = re.compile(_BLANK + r"[,(]", re.DOTALL)

NO_ITEM = "expected at least one item: there is no list without any in IN (…) and VALUES"


_OUTER = frozenset({("left", "join"), ("right", "join"), ("full", "join"), ("outer", "join"), ("outer", "apply")})
_FILLED = ("with", "fill")
"""ClickHouse makes the rows between those that there are."""
_WRITERS = frozenset({"insert", "update", "delete", "merge"})
"""Verbs that, in brackets of WITH, do something whatever the statement itself does."""
_OTHER_ROWS = frozenset({"union", "except", "intersect", "minus", "having", "rollup", "cube", "grouping"})
"""Words beside which a statement has rows though its VALUES have none."""
_PARTS = frozenset({"", "with", "merge"})
"""Verbs that come before one of `_WRITERS` which is a part of the same statement."""
_BEFORE_PARTS = frozenset({"do", "key", "for", "then"})


class Lists:
    """Those of the statement that is being read: what else it says may make values of them."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._conditions: list[For] = []
        self._rows: list[For] = []
        self._last = ""
        self._spoiled = False
        self._has_other_rows = False

    def take(self, node: For, before: Collection[str], following: Node | None) -> None:
        """Says what a loop is. `before` is what came last on each way (see Progress.previous)."""
        text = following.text if isinstance(following, Text) else ""
        is_in = {*before} <= {"in(", "value in("} and _CLOSED.match(text) is not None
        is_rows = {*before} <= {"values", "value rows"} and _GOES_ON.match(text) is None
        node.is_list = (is_in and {*before} == {"in("} and _ENDS.match(text) is not None) or (
            is_rows and {*before} == {"values"}
        )
        node.is_value = (is_in or is_rows) and not node.is_list
        node.is_rows = is_rows
        if node.is_list:
            (self._conditions if is_in else self._rows).append(node)

    def saw(self, word: str, read: Progress) -> None:
        """Notes a word outside of all literals, and how far the statement had come."""
        pair = (self._last, word)
        by_source = (*pair, read.verb) == ("by", "source", "merge")
        others = read.depth == 0 and (word in _OTHER_ROWS or pair in _OUTER or by_source)
        acts = pair == _FILLED or (word in _WRITERS and self._writes_more(read))
        self._spoiled = self._spoiled or acts or spoils(word, read)
        self._has_other_rows = self._has_other_rows or acts or others
        self._last = word

    def saw_sign(self, sign: str, read: Progress) -> None:
        """The same for a sign."""
        if sign in self._dialect.either:
            self.saw("or", read)
        if sign == "(" and read.where == BEHIND and read.depth == 0:
            self._spoiled = self._has_other_rows = True

    def _writes_more(self, read: Progress) -> bool:
        """Whether a verb does something beside the statement: in WITH, or behind it without `;` as in SQL Server."""
        follows = self._dialect.one_batch and read.verb not in _PARTS and self._last not in _BEFORE_PARTS
        return read.depth > 0 or follows

    def end(self) -> None:
        """The statement has been read."""
        for node in [*self._conditions * self._spoiled, *self._rows * self._has_other_rows]:
            node.is_list, node.is_value = False, True
        self._conditions, self._rows, self._last = [], [], ""
        self._spoiled = self._has_other_rows = False


def refuse_empty(field: str) -> None:
    """For a list that is a value and came out empty: RowProblem."""
    raise RowProblem(field, BAD_VALUE, NO_ITEM)
