"""How the compiler reads a finished statement: piece by piece, as the template's tags cut it.

The text that stands in the template is marked when the statement is written, so that each piece can be read again by
the compiler's lexer, in the state in which the one before it ended. What is not marked is a value.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from tests.unit.templates.lexers import LEXERS
from workers.templates import codegen
from workers.templates.dialects import DIALECTS
from workers.templates.expression_code import Part
from workers.templates.lexer import QUOTE, Lexer, State
from workers.templates.regions import IDENTIFIER, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, CLOSE = "\ue000", "\ue001"
"""Around each piece of the template's own text; they stand in no template and no data."""

_END = re.compile(r"\n?;\Z")
"""What ends a statement for SQL Server: ours, and no value."""
_PIECE = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}|([^{OPEN}]+)")


class Span(NamedTuple):
    """A literal, a name or a comment: its kind, and from where to where it goes. `holds`: whether a value is in it."""

    kind: str
    start: int
    end: int
    holds: bool = False


@contextmanager
def marking() -> Iterator[None]:
    """Queries that are compiled meanwhile mark the template's own text."""

    def text(self: codegen._Generator, found: str) -> None:
        if found:
            self._parts.append(Part(self._names.constant(OPEN + found + CLOSE), fixed=True))

    with patch.object(codegen._Generator, "_text", text), patch.object(codegen, "comma_tail", lambda _body: None):
        yield


def unmarked(statement: str) -> str:
    """The statement as it would be without marks."""
    return statement.replace(OPEN, "").replace(CLOSE, "")


class _Listener:
    """Takes every word as it comes; what is wrong was said when the query was compiled."""

    def mistake(self, at: int, what: str) -> None:
        pass

    def word(self, _at: int, _word: str, state: State, *, called: bool | None) -> State:  # noqa: ARG002 - the protocol's
        return state

    def name(self, _at: int, _name: str, state: State, *, called: bool | None) -> State:  # noqa: ARG002 - the protocol's
        return state

    def sign(self, _sign: str, state: State) -> State:
        return state

    def semicolon(self, at: int, state: State) -> None:
        pass


class FirstReading:
    """One statement, marked, read by the compiler's lexer."""

    def __init__(self, statement: str, dialect: str) -> None:
        self._lexer = Lexer(DIALECTS[dialect])
        self._dialect = dialect
        self._state = State()
        self._at = 0
        self._start = 0
        self._stretch = 0
        self._holds = False
        self.spans: list[Span] = []
        for match in _PIECE.finditer(_END.sub(lambda end: f"{OPEN}{end[0]}{CLOSE}", statement)):
            if match[1] is not None:
                self._piece(match[1])
            else:
                self._value(match[2])
        if self._state.region is not None:
            self._close(self._state, self._at)

    def _piece(self, text: str) -> None:
        at, state, listener = 0, self._state._replace(fresh=False), _Listener()
        self._stretch += 1
        while at < len(text):
            before, began = state, at
            if state.region is None:
                at, state = self._lexer._outside(state, text, at, self._stretch, listener)
                if state.region is not None:
                    self._start, self._holds = self._at + began, False
            else:
                at, state = self._lexer._inside(state, text, at, self._stretch, listener)
                if state.region is None:
                    self._close(before, self._at + at)
        self._state = state
        self._at += len(text)

    def _close(self, state: State, end: int) -> None:
        region = state.region
        assert region is not None
        kind = "comment" if region.comment else "name" if region.name in (IDENTIFIER, VARIABLE) else "literal"
        self.spans.append(Span(kind, self._start, end, self._holds))

    def _value(self, text: str) -> None:
        """In a literal it is a part of it; outside it is what the second lexer sees in it when it stands alone."""
        if self._state.region is not None:
            self._holds = True
        else:
            alone = LEXERS[self._dialect](text)
            alone.tokens()
            for kind, start, end in alone.spans:
                if kind not in ("word", "sign"):
                    self.spans.append(Span("literal", self._at + start, self._at + end, holds=True))
            self._state = self._state._replace(tail=QUOTE)
        self._at += len(text)
