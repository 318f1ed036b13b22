"""Stretches of SQL in which other rules hold: literals, identifiers, comments."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

IDENTIFIER = "an identifier"
VARIABLE = "a variable's name"

IN_COMMENT = "the database would never see it; leave it out, or write {{* … *}}"
IN_IDENTIFIER = "a profile's data cannot be a name of a table, a column or a variable; write the name itself"
IN_DOUBLE_QUOTES = 'in {dialect} "…" is an identifier; use single quotes for a value'
DYNAMIC = "it runs a text as SQL, in which data would be code; call a procedure that takes values"
WRITE_PLAIN = "write an ordinary literal in single quotes instead"


@dataclass(frozen=True, slots=True)
class Region:
    """A kind of stretch.

    name       how messages call it, with its article
    close      what ends it; None for the end of the line
    body       matches from anywhere inside up to `close`
    refuse     why no placeholder may stand in it, with the remedy; "" where one may
    comment    whether it means nothing to the server
    escapes    whether a backslash escapes in it
    """

    name: str
    close: str | None
    body: re.Pattern[str] = field(compare=False)
    refuse: str = ""
    comment: bool = False
    escapes: bool = False


def quoted(name: str, quote: str, *, escapes: bool = False, refuse: str = "", doubles: bool = True) -> Region:
    """A region between quotes; a doubled quote is one inside, where `doubles`."""
    close = "]" if quote == "[" else quote
    q = re.escape(close)
    parts = [rf"[^{q}\\]" if escapes else rf"[^{q}]"]
    if doubles:
        parts.append(q + q)
    if escapes:
        parts.append(r"\\.")
    return Region(name, close, re.compile(f"(?:{'|'.join(parts)})*+", re.DOTALL), refuse, escapes=escapes)


def until(name: str, close: str, refuse: str, *, comment: bool = False) -> Region:
    """A region that only its own end ends, whatever stands before it."""
    return Region(name, close, re.compile(rf"(?:(?!{re.escape(close)}).)*+", re.DOTALL), refuse, comment=comment)


def tagged(opening: str) -> Region:
    """A literal between two equal tags, `$tag$ … $tag$`, in which nothing can be escaped."""
    return until("a $…$ literal", opening, WRITE_PLAIN)


def q_quoted(opening: str) -> Region:
    """Oracle's `q'[ … ]'`, in which nothing can be escaped either."""
    mark = opening[-1]
    return until("a q'…' literal", dict(zip("[{(<", "]})>", strict=True)).get(mark, mark) + "'", WRITE_PLAIN)


LINE_COMMENT = Region("a comment", None, re.compile(r"[^\n]*+"), IN_COMMENT, comment=True)
BLOCK_COMMENT = until("a comment", "*/", IN_COMMENT, comment=True)
