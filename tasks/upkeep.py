"""What is done beside delivery: lanes that wait for long are compacted, outcomes are written to the ledger."""

from __future__ import annotations

from celery.exceptions import Retry

from workers.celery import app, runtime
from workers.ledger.errors import LedgerError

SECONDS = 5.0
COMPACT_SECONDS = 20.0
"""Enough for some millions of operations; a larger lane is bounded the next time it has doubled."""
RETRY_SECONDS = 10.0
"""How long a ledger that is away is left alone; outcomes wait in Redis meanwhile."""


@app.task(name="segsync.upkeep")  # type: ignore[untyped-decorator]
def upkeep(token: str, **_: object) -> None:
    """Compacts, and moves outcomes into the ledger. The permit expires by itself: one look a second is enough."""
    runtime.compact(COMPACT_SECONDS)
    try:
        runtime.drain_outcomes(SECONDS)
    except LedgerError as error:
        runtime.lanes.keep_permit("upkeep", token, RETRY_SECONDS)
        raise Retry(exc=error, when=RETRY_SECONDS) from None
