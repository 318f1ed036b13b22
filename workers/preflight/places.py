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

    A word that stands in the query once is taken as it is, and one that stands there as often as in the statement by
    its number. Of a query's other statements and branches it may be, too: then what stands before it decides, as far
    as it is alike; and where that tells none from the others, nothing is said.
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
    ours = _places(word, statement)
    if len(there) == 1 or (position is None and not ours):
        return _line_and_column(source, there[0])
    if len(ours) == len(there):
        number = 0 if position is None else ours.index(position - 1) if position - 1 in ours else None
        return None if number is None else _line_and_column(source, there[number])
    if len(ours) > len(there):  # a loop's
        return _line_and_column(source, there[0]) if position is None else None
    found = _most_alike(masked, there, statement, ours[0] if position is None else position - 1)
    return None if found is None else _line_and_column(source, found)


def _most_alike(source: str, there: list[int], statement: str, at: int) -> int | None:
    """Before which of these places the query reads most like the statement does before its own; None for a tie."""
    alike = {place: _alike(source[:place], statement[:at]) for place in there}
    best = max(alike.values(), key=len)
    found = [place for place, common in alike.items() if common == best]
    return found[0] if len(found) == 1 and best.strip() else None


def _alike(text: str, other: str) -> str:
    """What both end in."""
    pairs = enumerate(zip(reversed(text), reversed(other), strict=False))
    length = next((at for at, (one, another) in pairs if one != another), min(len(text), len(other)))
    return text[len(text) - length :]


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
