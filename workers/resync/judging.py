"""What a run may do by itself, and what a person must say yes to first (rule 47). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.settings.spelling import show
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.integrations import Integration
    from workers.resync.keys_on_disk import KeyDifference

REMOVALS = 0.10
"""Share of an integration's rows that runs of one day may remove by themselves."""
FEW = 20
"""Rows of one segment that may go whatever share of it they are, while the day's share allows."""
ADDS = 2
"""Times as many members as a target that is not empty has: more than that is another segment's list."""
SPELLED = 0.01
"""Share of rows spelled otherwise that is no accident: the two sides write their keys differently."""

MOST_NAMED = 20
"""Fields that are told of by name."""

SKIPS = (
    "the source's pages of texts skip members where `>` and their order have two collations: "
    "look at `segsync verify --show` whether these are members"
)


class Accepted(NamedTuple):
    """What a person has said yes to; None where nothing was said."""

    removals: int | None = None
    adds: int | None = None


class Today(NamedTuple):
    """What the runs of today have done before, over all segments of the integration.

    ever  whether the integration has ever removed anything by a resync
    """

    rows: int = 0
    removed: int = 0
    ever: bool = True


def sharing(integration: Integration, followers: Iterable[Integration]) -> str:
    """Those of a segment's followers that may keep its rows in the same table, as they are told; "" for none."""
    others = [
        repr(other.key)
        for other in followers
        if other.key != integration.key
        and other.connector == integration.connector
        and _keep_rows_together(integration, other)
    ]
    return ", ".join(sorted(others)[:5])


def _keep_rows_together(one: Integration, other: Integration) -> bool:
    """By the same list of a segment's rows; or by the same clear, where one of them has nothing that lists its own."""
    if one.members is not None and other.members is not None:
        return one.members.wording == other.members.wording
    clears = [each.queries.get(QueryKind.CLEAR) for each in (one, other)]
    wordings = {clear.wording if clear is not None else None for clear in clears}
    return len(wordings) == 1 and None not in wordings


def doubts(
    found: KeyDifference,
    accepted: Accepted,
    today: Today,
    *,
    shared: str = "",
    entering: bool = False,
    may_skip: bool = False,
) -> list[str]:
    """Why nothing may be changed before a person has said yes; [] where nothing stands in the way.

    shared    integrations that may write to the same table, as they are told; "" for none
    may_skip  whether the source may have passed over members, who then look like strays
    entering  whether the segment has just come into scope: its target has what was added since, and no one else
    """
    reasons = [*_of_removals(found, accepted, today, shared), *_of_adds(found, accepted, entering)]
    if may_skip and found.strays and accepted.removals is None:
        reasons.append(f"{found.strays:,} rows would be removed, and {SKIPS}")
    if found.spelled > SPELLED * max(found.rows, 1) and accepted == Accepted():
        reasons.append(
            f"{found.spelled:,} of {found.rows:,} rows are members' spelled otherwise: "
            "expected the source and the target to write keys alike"
        )
    return reasons


def doubts_of_clearing(
    found: KeyDifference, accepted: Accepted, today: Today, *, shared: str = "", may_skip: bool = False
) -> list[str]:
    """The same of a run that clears the segment first, and cannot know whom that removes."""
    reasons = []
    # Who accepts members to be told has seen a source that had some.
    if not found.members and (accepted.removals is None or accepted.adds):
        reasons.append("the source gives no members at all")
    if accepted.adds is not None and found.missing > accepted.adds:
        reasons.append(f"{found.missing:,} members would be told, more than the {accepted.adds:,} that were accepted")
    if accepted == Accepted() and not today.ever:
        reasons.append("all rows would be removed first, as there is no query `members`, and it is the first time")
    if accepted == Accepted() and shared:
        reasons.append(f"all rows would be removed first, and {shared} may keep rows in the same table")
    if accepted.removals is None and may_skip:
        reasons.append(f"all rows would be removed first, and {SKIPS}")
    return reasons


def doubts_of_fields(found: KeyDifference, accepted: Accepted, *, listed: bool) -> list[str]:
    """The same of every run: a column that is misspelled would empty a field of all rows.

    listed  whether the target's rows were: where it has none of the segment's, there is no field to be emptied
    """
    if not found.lacking or not found.members or accepted != Accepted() or (listed and not found.rows):
        return []
    names = ", ".join(map(show, found.lacking[:MOST_NAMED]))
    lacks = f"the source has no column {names}, which the query `add` names"
    return [f"{lacks}: it would be null for every member, over what the target has (where that is right, give NULL)"]


def _of_removals(found: KeyDifference, accepted: Accepted, today: Today, shared: str) -> list[str]:
    if accepted.removals is not None and found.strays <= accepted.removals:
        return []
    if accepted.removals is not None:
        return [f"{found.strays:,} rows would be removed, more than the {accepted.removals:,} that were accepted"]
    reasons = []
    if not found.members:
        reasons.append("the source gives no members at all")
    if not found.strays:
        return reasons
    removed, rows = today.removed + found.stray_rows, max(today.rows + found.rows, 1)
    # The day's rows are other segments', too, and the same ones of earlier runs: they excuse no segment that is wiped.
    alone = found.stray_rows > max(FEW, REMOVALS * found.rows)
    if alone or removed > REMOVALS * rows:
        earlier = f" (with {today.removed:,} of today)" if today.removed else ""
        keys = f", of {found.strays:,} keys, which are what is accepted" if found.repeated_strays else ""
        share = f"{found.stray_rows:,} of {found.rows:,} rows would be removed{earlier}, more than {REMOVALS:.0%}"
        reasons.append(f"{share}{keys}")
    if not today.ever:
        reasons.append(f"{found.strays:,} rows would be removed, and it is the first time for this integration")
    if shared:
        reasons.append(f"{found.strays:,} rows would be removed, and {shared} may keep rows in the same table")
    return reasons


def _of_adds(found: KeyDifference, accepted: Accepted, entering: bool) -> list[str]:
    if accepted.adds is not None:
        if found.missing <= accepted.adds:
            return []
        return [f"{found.missing:,} members are missing, more than the {accepted.adds:,} that were accepted"]
    if found.rows and found.missing > ADDS * found.rows and not entering:
        why = f"{found.missing:,} members are missing in a target of {found.rows:,} rows: more than {ADDS} times that"
        return [f"{why}; does the source give the members of other segments, too, for want of a WHERE?"]
    return []
