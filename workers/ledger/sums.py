"""Sums of deliveries by the hour, kept up in the very transaction that writes the deliveries.

So they are right at any time, cost the same to read however many deliveries there were, and stay when single deliveries
go. Waiting times are kept to two digits, rounded up: a percentile of theirs is at most a tenth too long, and there are
90 of them for each power of ten.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import BigInteger, case, literal_column

from workers.ledger.tables import failed_hours, hours

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from workers.ledger.rows import Row

HOUR_MS: Final = 3_600_000
COUNTS: Final = ("queries", "statements", "rows", "profiles", "unsent", "merged", "moot")
OF_QUERIES: Final = COUNTS[:5]
"""What is counted of a query; the others are of a whole batch."""
KEY: Final = ("hour", "integration", "event_type", "waited_ms")
_CAUSE: Final = ("hour", "integration", "event_type", "outcome", "code", "reason")
_POWERS: Final = tuple(10**power for power in range(1, 12))
"""Waits are at most 10^12 ms (`rows.py`): steps of 10 from 100 on, of 100 from 1,000 on, and so on."""


def rounded(waited_ms: int) -> int:
    """A wait rounded up to two digits."""
    step = next((step for step in reversed(_POWERS) if waited_ms >= 10 * step), 1)
    return -(-waited_ms // step) * step


def rounded_column(column: ColumnElement[int]) -> ColumnElement[int]:
    """The same, in SQL."""
    steps = []
    for step in reversed(_POWERS):
        raised = column + literal_column(str(step - 1), BigInteger())
        steps.append(
            (column >= literal_column(str(10 * step)), raised - raised % literal_column(str(step), BigInteger()))
        )
    return case(*steps, else_=column)


def hours_of(delivered: Iterable[tuple[Row, Sequence[Row]]]) -> list[Row]:
    """Rows of `hours` for rows of `deliveries` and the `queries` of each, in the order of their keys."""
    sums: dict[tuple[Any, ...], dict[str, int]] = {}
    for delivery, queries in delivered:
        hour, wait = _number(delivery["started_ms"]) // HOUR_MS, _number(delivery["waited_ms"])
        for query in queries:
            counts = {name: query[name] for name in OF_QUERIES[1:]} | {"queries": query["runs"]}
            counts["longest_ms"] = wait if query["runs"] else 0
            _count(sums, (hour, delivery["integration"], query["event_type"], rounded(wait)), counts)
        if delivery["outcome"] == "delivered" and (delivery["merged"] or delivery["moot"]):
            types = {query["event_type"] for query in queries}
            only = types.pop() if len(types) == 1 else ""
            counts = {"merged": delivery["merged"], "moot": delivery["moot"]}
            _count(sums, (hour, delivery["integration"], only, rounded(wait)), counts)
    return [dict(zip(KEY, key, strict=True)) | counts for key, counts in sorted(sums.items())]


def _count(sums: dict[tuple[Any, ...], dict[str, int]], key: tuple[Any, ...], counts: dict[str, Any]) -> None:
    known = sums.setdefault(key, dict.fromkeys((*COUNTS, "longest_ms"), 0))
    longest = max(known["longest_ms"], counts.pop("longest_ms", 0))
    for name, value in counts.items():
        known[name] += value
    known["longest_ms"] = longest


def failed_hours_of(tries: Iterable[Row]) -> list[Row]:
    """Rows of `failed_hours` for rows of `deliveries` that failed, in the order of their keys."""
    sums: dict[str, Row] = {}
    for each in tries:
        if each["outcome"] != "delivered":
            at = _number(each["started_ms"])
            cause = {name: each[name] for name in _CAUSE[1:]} | {"hour": at // HOUR_MS}
            row = cause | {"tries": each["tries"], "first_ms": at, "last_ms": at, "segment": each["segment"]}
            key = cause_key(row)
            sums[key] = _joined(sums[key], row) if key in sums else row | {"key": key}
    return [sums[key] for key in sorted(sums)]


def cause_key(row: Row) -> str:
    """The key of a row of `failed_hours`."""
    text = "\0".join(str(row[name]) for name in _CAUSE)
    return hashlib.sha256(text.encode()).hexdigest()


def _joined(known: Row, row: Row) -> Row:
    last = row if _number(row["last_ms"]) >= _number(known["last_ms"]) else known
    return known | {
        "tries": _number(known["tries"]) + _number(row["tries"]),
        "first_ms": min(_number(known["first_ms"]), _number(row["first_ms"])),
        "last_ms": last["last_ms"],
        "segment": last["segment"],
    }


def _number(value: object) -> int:
    return cast("int", value)


def added_to_hours(new: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - each dialect has its own `excluded`
    """What becomes of a row of `hours` that is there already, where `new` is what is to be added."""
    known = hours.c
    sums: dict[str, ColumnElement[Any]] = {name: known[name] + new[name] for name in COUNTS}
    return sums | {"longest_ms": case((new.longest_ms > known.longest_ms, new.longest_ms), else_=known.longest_ms)}


def added_to_failed_hours(new: Any) -> dict[str, ColumnElement[Any]]:  # noqa: ANN401 - as above
    """The same for `failed_hours`."""
    known = failed_hours.c
    return {
        "tries": known.tries + new.tries,
        "first_ms": case((new.first_ms < known.first_ms, new.first_ms), else_=known.first_ms),
        "last_ms": case((new.last_ms > known.last_ms, new.last_ms), else_=known.last_ms),
        "segment": case((new.last_ms >= known.last_ms, new.segment), else_=known.segment),
    }
