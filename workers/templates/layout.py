"""Where a query's statements end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Layout:
    """Where the statements end, and which of them have something in them.

    ends    place of each `;` -> whether anything stands before it: on all ways, on none, or (both) on some
    last    the same for what stands after the last `;`
    cuts    id of a text node -> the indexes of its `;`
    """

    ends: dict[int, set[bool]] = field(default_factory=dict)
    last: set[bool] = field(default_factory=set)
    cuts: dict[int, set[int]] = field(default_factory=dict)
