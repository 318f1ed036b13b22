"""What is done beside delivery: lanes that wait for long are compacted, outcomes are written to the ledger."""

from __future__ import annotations

from celery.exceptions import Retry

from workers.celery import app, runtime, wake_all
from workers.ledger.errors import LedgerError

SECONDS = 1.0
"""What one slice may take of each, so that what shares the worker with it need not wait for long."""
REST_SECONDS = 1.0
"""Between two slices where nothing is left: many outcomes at once are cheaper than one by one."""
LEDGER_AWAY_SECONDS = 10.0
"""How long a ledger that is away is left alone; outcomes wait in Redis meanwhile."""


@app.task(name="segsync.upkeep")  # type: ignore[untyped-decorator]
def upkeep(token: str, **_: object) -> None:
    """One slice of it; `token` is its permit. Raises Retry, for Flower alone, where the ledger is away."""
    try:
        runtime.upkeep(token, SECONDS, rest=REST_SECONDS, rest_of_ledger=LEDGER_AWAY_SECONDS)
    except LedgerError as error:
        raise Retry(exc=error, when=LEDGER_AWAY_SECONDS) from None
    wake_all("task")
