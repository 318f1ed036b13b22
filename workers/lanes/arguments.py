"""Messages as the lanes' scripts take them: their arguments, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers.lanes.messages import Release, Settlement


def settlement(done: Settlement, lease_ms: int, budget_bytes: int) -> list[object]:
    """As settle.lua has them."""
    return [
        done.integration,
        done.segment,
        done.claim,
        done.settled_before,
        done.settled,
        done.operations,
        "" if done.next_ms is None else done.next_ms,
        done.held_operations,
        done.held_chunks,
        2 if done.under_way else int(done.go_on),
        lease_ms,
        budget_bytes,
        "" if done.limit is None else done.limit,
        done.suspect,
        " ".join(sorted(done.passed)),
        done.lifts,
        done.good,
        done.aside,
        done.change,
        done.entries,
        done.tried_to,
        done.statements,
        done.counted,
        " ".join(sorted(done.ran)),
        done.passed_over,
        *done.records,
    ]


def giving_back(release: Release, lease_ms: int) -> list[object]:
    """As release.lua has them."""
    return [
        release.integration,
        release.segment,
        release.claim,
        release.how,
        release.delay_ms,
        release.attempts,
        "" if release.limit is None else release.limit,
        release.suspect,
        " ".join(sorted(release.passed)),
        release.level,
        release.connector,
        release.code,
        release.reason,
        lease_ms,
        release.bad,
        release.aside,
        release.unasked,
        *release.records,
    ]
