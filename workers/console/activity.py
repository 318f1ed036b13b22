"""What integrations did in the last day, for sparklines: read now and then beside the pages, none of which waits."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.console.charts import spark
from workers.errors import SegsyncError
from workers.ledger.statistics import activity

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

    from workers.ledger.database import Ledger

HOURS: Final = 24
"""Of a sparkline: a day."""
EVERY_SECONDS: Final = 60.0
"""Between two looks at the ledger, as long as somebody looks at the page."""
SOON_SECONDS: Final = 5.0
"""The same where the last look found nothing, as in the first minutes of an installation."""


class Activity:
    """The last look; `ledger` opens what it looks at."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._found: dict[str, dict[datetime, int]] = {}
        self._looked = -EVERY_SECONDS
        self._looking = threading.Lock()

    def spark(self, integration: str) -> Markup:
        """The integration's line, as far as the last look knows."""
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        hours = self._found.get(integration, {})
        return spark("Queries", [hours.get(now - timedelta(hours=HOURS - n), 0) for n in range(1, HOURS + 1)])

    def refresh(self) -> None:
        """Begins a look if the last one is old and none is under way; returns at once."""
        rest = EVERY_SECONDS if self._found else SOON_SECONDS
        if time.monotonic() - self._looked >= rest and self._looking.acquire(blocking=False):
            threading.Thread(target=self._look, name="console-activity", daemon=True).start()

    def _look(self) -> None:
        try:
            self._found = activity(self._ledger(), datetime.now(UTC) - timedelta(hours=HOURS))
        except (SegsyncError, RedisError):
            self._found = {}  # the page itself says that the ledger is away
        finally:
            self._looked = time.monotonic()
            self._looking.release()
