"""Which loops are all that VALUES or IN (…) has: without one item there is nothing left of the statement to run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.templates.nodes import Node, Text

if TYPE_CHECKING:
    from collections.abc import Collection

_BLANK = r"(?:[ \t\n]|/\*(?:(?!\*/).)*+\*/|--[^\n]*+)*+"
_ENDS = re.compile(_BLANK + r"\)", re.DOTALL)
_GOES_ON = re.compile(_BLANK + r"[,(]", re.DOTALL)


def is_list(before: Collection[str], following: Node | None) -> bool:
    """Whether a loop is a whole list. `before` is what came last on each way (see Progress.previous)."""
    text = following.text if isinstance(following, Text) else ""
    if set(before) == {"in("}:
        return _ENDS.match(text) is not None
    return set(before) == {"values"} and _GOES_ON.match(text) is None
