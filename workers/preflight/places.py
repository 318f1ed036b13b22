"""From a target's objection to a statement back to the query's text: line and column, where they can be told."""

from __future__ import annotations

import re

_TAG = re.compile(r"\{\s*(?:\*.*?\*|[$A-Za-z/][^{}]*)\}", re.DOTALL)
_QUOTES = ('"', "`", "[")
_WORD = re.compile(r"\w+")


def place(source: str, statement: str, position: int | None, name: str) -> tuple[int, int] | None:
    """Line and column, from 1, of what a target objects to.

    position  its character in the statement, from 1; the word there counts
    name      the word, where the target says only that

    A word that stands in the query as often as in the statement is taken by its number; one that stands there once is
    taken as it is; else the first one, where nothing but a name is known; and otherwise nothing is said.
    """
    if position is not None and statement[position - 1 : position] in _QUOTES:
        position += 1
    word = _word_at(statement, position) or name
    if not word:
        return None
    masked = _TAG.sub(lambda tag: re.sub(r"[^\n]", "\0", tag[0]), source)
    there = _places(word, masked)
    if not there:
        return None
    if position is None or len(there) == 1:
        return _line_and_column(source, there[0])
    ours = _places(word, statement)
    if len(ours) == len(there) and position - 1 in ours:
        return _line_and_column(source, there[ours.index(position - 1)])
    return None


def _word_at(statement: str, position: int | None) -> str:
    if position is None:
        return ""
    found = _WORD.match(statement, position - 1)
    return found[0] if found else ""


def _places(word: str, text: str) -> list[int]:
    return [match.start() for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)]


def _line_and_column(source: str, offset: int) -> tuple[int, int]:
    before = source[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")
