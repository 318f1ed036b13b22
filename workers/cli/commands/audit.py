"""`segsync audit`: who has had what done."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE
from workers.cli.installation import open_runtime
from workers.cli.output import print_json, print_table
from workers.ledger.errors import LedgerError
from workers.ledger.past_acts import list_acts
from workers.monitoring.periods import minute, moment, zone_of

if TYPE_CHECKING:
    from workers.ledger.past_acts import PastAct

UP_TO_DATE_SECONDS: Final = 10.0
"""How long what is on its way to the ledger is written down first."""


def run(since: str, target: str | None, limit: int, *, as_json: bool, tz: str = "UTC") -> int:
    """Prints the newest acts, newest first."""
    zone = zone_of(tz)
    start = moment(since, "--since", datetime.now(UTC), zone)
    runtime = open_runtime()
    with suppress(LedgerError):  # if it is away, the look itself says so
        runtime.drain_outcomes(UP_TO_DATE_SECONDS)
    found = list_acts(runtime.ledger, start, target=target, limit=limit)
    if as_json:
        print_json(found)
    elif not found:
        typer.echo(f"nobody has had anything done since {minute(start, zone)}")
    else:
        columns = (f"at, {zone}", "who", "via", "act", "what", "?reason", "?from", "?failed")
        print_table(columns, ((f"{a.at.astimezone(zone):%m-%d %H:%M:%S}", *_cells(a)) for a in found))
    return FINE


def _cells(act: PastAct) -> tuple[str | None, ...]:
    return (act.who, act.via, act.act, act.target or None, act.reason or None, act.address or None, act.failed or None)
