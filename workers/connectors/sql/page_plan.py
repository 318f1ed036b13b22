"""What one page of a source costs, as the database's plan tells: whether it reads more than itself.

A page is `WHERE segment_id = 7 AND id > 5000 ORDER BY id LIMIT 500`, in whatever words. Each vendor reads its plans.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

Cost = Literal["begins", "foreign", "sorts", "again", "unknown"]


class AskedPage(NamedTuple):
    """What stands in the statement whose plan it is, as text.

    after  what `{after}` was
    rows   what `{limit}` was
    """

    segment: str
    after: str
    rows: int

    @property
    def equals(self) -> re.Pattern[str]:
        """A condition that something is the segment; its first group is a column's name, where one stands before."""
        return re.compile(rf"(\w*)[`\"')]*(?:::\w+)? *(?:=|<=>) *\(?'?{re.escape(self.segment)}(?![\w.])")

    @property
    def above(self) -> re.Pattern[str]:
        """A condition that something comes behind `{after}`; likewise."""
        return re.compile(rf"(\w*)[`\"')]*(?:::\w+)? *> *\(?'?{re.escape(self.after)}(?![\w.])")


class PagePlan(NamedTuple):
    """What a plan shows.

    cost  "begins": an index leads to the page's beginning; "foreign": rows of other segments are passed over;
          "sorts": all members behind `{after}` are sorted; "again": those before it are passed over; "unknown"
    line  where the plan says so; "" where none does
    """

    cost: Cost
    line: str = ""


UNKNOWN: Final = PagePlan("unknown")
