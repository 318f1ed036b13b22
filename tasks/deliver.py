"""Delivers what is due to one connector."""

from __future__ import annotations

from celery.exceptions import Retry

from workers.celery import app, runtime, wake_all
from workers.delivery.turn import Failed, Lacking, NothingDue
from workers.errors import SegsyncError

SECONDS = 2.0
"""What one wake-up may take, so that a dead connector cannot hold every process (rule 26a)."""


class TriesAgain(SegsyncError):
    """A batch failed; segsync tries again by itself at the lane's retry time."""


class NeedsSomeone(SegsyncError):
    """A batch failed, and someone must mend its cause; until then segsync only probes."""


@app.task(name="segsync.deliver")  # type: ignore[untyped-decorator]
def deliver(connector: str, token: str, **_: object) -> None:
    """Serves the connector's due lanes for a while; `token` is the permit.

    Ends as RETRY or FAILURE in Flower, naming integration, segment and why. That publishes nothing: the lane holds
    its own retry time, and whichever wake-up comes then serves it (rule 26).
    """
    result = runtime.deliver(connector, token, SECONDS)
    if isinstance(result, Lacking):
        raise NeedsSomeone(str(result))
    if not isinstance(result, NothingDue):
        runtime.lanes.give_back(f"deliver.{connector}", token)
    wake_all("task")
    if isinstance(result, Failed) and result.needs_help:
        raise NeedsSomeone(str(result))
    if isinstance(result, Failed):
        raise Retry(exc=TriesAgain(str(result)), when=result.retry_in_s) from None
