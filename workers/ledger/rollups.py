"""Sums of deliveries back to records (rule 29).

While the ledger is away, the outcomes stream takes so many records, and then `record` in lanes/scripts/common.lua adds
up what came of further tries in a hash: fields `name:group`, where a group is one integration, connector, outcome,
cause, event type, hour and waiting time to the next power of two. What is counted is never lost; the single deliveries
are.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from workers.ledger.sums import HOUR_MS
from workers.log import SUMS_UNREADABLE, tell
from workers.outcomes import Delivery, QueryRun

if TYPE_CHECKING:
    from collections.abc import Mapping

_group = msgspec.msgpack.Decoder(tuple[str, str, str, str, str, str, int, float])


def unfold(fields: Mapping[bytes, bytes]) -> list[Delivery]:
    """A record for each group; its uid is that of the first try in it, so the same however often it is made.

    A group that another version of segsync has written otherwise is left out and told in the log: it must not keep all
    that comes after it from the ledger.
    """
    groups: dict[bytes, dict[str, bytes]] = defaultdict(dict)
    for name, value in fields.items():
        what, _, group = name.partition(b":")
        groups[group][what.decode()] = value
    return [record for group, values in groups.items() if (record := _readable(group, values))]


def _readable(group: bytes, values: dict[str, bytes]) -> Delivery | None:
    try:
        return _delivery(group, values)
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        tell(SUMS_UNREADABLE, tries=values.get("tries", b"?").decode(), error=type(error).__name__)
        return None


def _delivery(group: bytes, values: dict[str, bytes]) -> Delivery:
    integration, connector, outcome, code, reason, event_type, hour, waited = _group.decode(group)
    return Delivery(
        uid=values["uid"].decode(),
        integration=integration,
        connector=connector,
        segment="",
        outcome=outcome,
        first=values["first"].decode(),
        last=values["last"].decode(),
        operations=int(values["operations"]),
        merged=int(values["merged"]),
        moot=int(values["moot"]),
        quarantined=int(values["quarantined"]),
        attempt=1,
        started_ms=hour * HOUR_MS,
        duration_us=int(values["duration_us"]),
        waited_ms=round(waited),
        code=code,
        reason=reason,
        queries=_runs(values),
        tries=int(values["tries"]),
        event_type=event_type,
    )


def _runs(values: dict[str, bytes]) -> list[QueryRun]:
    runs: dict[str, dict[str, int]] = defaultdict(dict)
    for name, value in values.items():
        event_type, dot, what = name.partition(".")
        if dot:
            runs[event_type][what] = int(value)
    return [QueryRun(event_type, **counts) for event_type, counts in sorted(runs.items())]
