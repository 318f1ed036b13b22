"""Where IN (…) is a condition that every row must meet which its statement touches: without one item, no row does.

Anywhere else it is a value: in VALUES or SET, behind NOT, beside an OR, in a CASE, in a SELECT that counts what is
left. The statement then runs whatever the list holds. What cannot be told here counts as a value.
"""

from __future__ import annotations

from typing import Final, Protocol

OPEN: Final = "open"
"""In WHERE, and all that stands in this condition so far is a name."""
_ODD: Final = "odd"
_BETWEEN: Final = "between"
"""The next AND belongs to a BETWEEN."""
BEHIND: Final = "behind"
"""Behind the WHERE of the statement's own SELECT. What brackets hold there may be an aggregate, or no column at all,
and then there is a row where there is none: GROUP BY (), ORDER BY count(*)."""
_DONE: Final = "done"
"""Behind ON CONFLICT, whose WHERE chooses among rows that are there already."""
_OVER: Final = ""

_TOUCHES_ROWS = frozenset({"update", "delete", "alter"})
_BEHIND = frozenset({"group", "having", "window", "qualify", "order", "limit", "offset", "fetch"})
_ENDS = frozenset({"returning", "output", "on", "for", "option"})
_NEGATES = frozenset({"not", "is", "like", "ilike", "rlike", "regexp", "similar", "glob", "match", "collate", "escape"})
_SPOILS = frozenset({"or", "xor", "case", "union", "except", "intersect", "minus", "having"})
"""Words beside which no condition of WHERE is one for every row."""
_BARE = frozenset({".", "(", ")", ",", "'", "name"})
"""Signs that may stand in a condition before its IN: a, t.a, `a`, (a, b), lower(a)."""


class StatementRead(Protocol):
    """What conditions depend on of how far a statement was read; each as in `progress.Progress`."""

    @property
    def verb(self) -> str:
        """What the statement does."""

    @property
    def previous(self) -> str:
        """The last word or sign, where it matters."""

    @property
    def depth(self) -> int:
        """How many brackets are open."""

    @property
    def selects(self) -> bool:
        """Whether its own SELECT has begun."""

    @property
    def calls(self) -> bool:
        """Whether that computes something."""

    @property
    def where(self) -> str:
        """How far a condition of its own WHERE has come; "" outside of it."""


def after_word(word: str, read: StatementRead) -> str:
    """`Progress.where` after a word outside of all brackets."""
    where = read.where
    if where == _DONE or (word == "conflict" and read.previous == "on"):
        return _DONE
    if word in _BEHIND:
        return BEHIND if read.selects else _OVER
    if word == "where" and not where:
        return OPEN if read.verb in _TOUCHES_ROWS or (read.selects and not read.calls) else _OVER
    if not where or word in _ENDS:
        return _OVER
    return where if where == BEHIND else _within(word, where)


def _within(word: str, where: str) -> str:
    """Among the conditions themselves."""
    if word == "and":
        return _ODD if where == _BETWEEN else OPEN
    if word == "between":
        return _BETWEEN
    return _ODD if word in _NEGATES else where


def after_sign(sign: str, read: StatementRead) -> str:
    """`Progress.where` after a sign outside of all brackets."""
    return _ODD if read.where == OPEN and sign not in _BARE else read.where


def spoils(word: str, read: StatementRead) -> bool:
    """Whether no IN of this statement is a condition for every row, beside this word."""
    # A second WHERE is that of another statement, or of another command: ALTER TABLE … UPDATE … WHERE …, DELETE WHERE …
    again = word == "where" and read.where not in (_OVER, _DONE)
    return read.depth == 0 and (again or (word in _SPOILS and (bool(read.where) or read.selects)))
