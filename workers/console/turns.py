"""Whatever asks targets for somebody at a browser or with a token: only so many at once, and none for long."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.settings import Settings

AT_ONCE: Final = 4
"""Of one console: each takes a thread of the forty that everybody's pages share."""
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
"""The longest that a target is waited for here, whatever its connector allows deliveries."""


class Busy(SegsyncError):
    """As many as may are asking targets."""


class AskingTurns:
    """Of one console."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def one(self) -> Iterator[None]:
        """A turn; Busy where none is free."""
        if not self._free.acquire(blocking=False):
            raise Busy(f"{AT_ONCE} are asking targets already; expected one of them to end first: try it again soon")
        try:
            yield
        finally:
            self._free.release()


def hurried(settings: Settings) -> Settings:
    """The same, with no connector and no source waited for longer than a person would."""
    connectors = {
        key: replace(
            each,
            connect_timeout=min(each.connect_timeout, CONNECT_SECONDS),
            statement_timeout=min(each.statement_timeout, ANSWER_SECONDS),
        )
        for key, each in settings.connectors.items()
    }
    sources = {
        key: replace(each, timeout=min(each.timeout, ANSWER_SECONDS)) if isinstance(each, FeedSettings) else each
        for key, each in settings.sources.items()
    }
    return replace(settings, connectors=connectors, sources=sources)
