"""A segment's id as somebody asks for it: by a command, in a form, or by a program.

What no event could name (docs/events.md, rule 6) is refused: a run of it could do nothing, and nothing is ever found.
"""

from __future__ import annotations

from workers.errors import MalformedEvent, WrongUsage
from workers.events.parsing import bare_segment


def segment_id(text: str) -> str:
    """The same text; WrongUsage where it cannot be a segment's id."""
    try:
        text.encode()
        return bare_segment(text).id
    except (MalformedEvent, UnicodeEncodeError):
        shown = repr(text if len(text) <= 40 else text[:40] + "…")  # noqa: PLR2004 - the only line that cuts one
        expected = "expected 1 to 255 bytes of UTF-8 without control characters, as events have it"
        raise WrongUsage(f"segment {shown} is no id; {expected}") from None


def segment_id_if_any(text: str | None) -> str | None:
    """The same, where only some are asked for; None: all."""
    return None if text is None else segment_id(text)
