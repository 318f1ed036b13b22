"""Beat's task: wakes what is due, so that partial batches go in time even if every pulse is dead."""

from __future__ import annotations

from workers import failpoints
from workers.celery import app, wake_all
from workers.failpoints import reach


# Every five seconds all day long: in Flower it would drown what matters.
@app.task(name="segsync.flush", send_events=False)  # type: ignore[untyped-decorator]
def flush(**_: object) -> None:
    """The same look at all due times that the pulse takes."""
    reach(failpoints.WITHIN_FLUSH)
    wake_all("beat")
