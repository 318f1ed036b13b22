"""Cuts the profiles out of an event's text by its brackets alone, without recursion.

msgspec gives up on a whole event when one profile holds half of a surrogate pair, or a thousand brackets. Then what
is left of the event, and each profile, are decoded apart, so that one bad profile costs one profile: the
others go on. Only valid pieces are accepted, and valid pieces make a valid whole: the cutting need not judge anything.
"""

from __future__ import annotations

import re

BLANKS = " \t\r\n"
"""What JSON allows between its marks."""

_STRING = r'"(?:[^"\\]++|\\.)*+"'
# The next bracket or comma outside of strings. A quote only where its string never ends: what follows cannot be told
# apart then, and trying would take the square of its size.
_MARK = re.compile(rf'(?:[^"\[\]{{}},]++|{_STRING})*+(["\[\]{{}},])', re.DOTALL)
_PROFILES = re.compile(r'[ \t\r\n]*"profiles"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_NO_BRACKETS = re.compile(rf'{_STRING}|[^"\[\]{{}}]++', re.DOTALL)
_SQUARE = str.maketrans("{}", "[]")


def cut_out(text: str) -> tuple[str, list[bytes] | None]:
    """The event with `[]` in the place of its profiles, and the profiles; None if it has none."""
    members, _ = _items(text, text.find("{"))
    for begin, end in reversed(members):  # of two, the last one counts
        match = _PROFILES.match(text, begin, end)
        if match:
            spans, closed = _items(text, match.end())
            raws = [text[first:last].strip(BLANKS).encode() for first, last in spans]
            return f"{text[: match.end()]}[{text[closed - 1 :]}", raws  # closed as it was: that may be wrong
    return text, None


def deeper_than(levels: int, text: str) -> bool:
    """Whether more than so many brackets are open at once: takes the innermost away, level by level."""
    brackets = _NO_BRACKETS.sub("", text).translate(_SQUARE)
    for _ in range(levels):
        brackets = brackets.replace("[]", "")
    return bool(brackets)


def _items(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """Where each item of the object or list that opens at `start` begins and ends, and where the whole ends."""
    spans: list[tuple[int, int]] = []
    begin = start + 1
    depth = 0
    for found in _MARK.finditer(text, start):
        mark = found[1]
        if mark == '"':
            break
        depth += (mark in "[{") - (mark in "]}")
        if depth == 0 or (depth == 1 and mark == ","):
            spans.append((begin, found.end() - 1))
            begin = found.end()
        if depth == 0:
            return spans, begin
    return spans, len(text)
