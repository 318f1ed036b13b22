"""Integrations that leave when they owe nothing any more: waited for beside the pages, as `apply --drain` waits."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.control.apply import Report

AT_ONCE: Final = 8
"""That one console waits for: each is a thread that looks a few times a second."""


class StillDraining(SegsyncError):
    """It is waited for already, or too many others are."""


@dataclass(slots=True)
class _Wait:
    """One removal.

    ended  whether its work is over; left: whether whoever began it had gone on by then. Only one can come first
    """

    done: threading.Event = field(default_factory=threading.Event)
    report: Report | None = None
    error: Exception | None = None
    ended: bool = False
    left: bool = False


class Drains:
    """Those of one console. They end with it: what is draining goes on, and to remove it once more waits again."""

    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        wait = self._waits.get(key)
        return wait is not None and not wait.done.is_set()

    def failure(self, key: str) -> Exception | None:
        """Why the last wait for it came to nothing, once nobody waited for that; None where it did not."""
        wait = self._waits.get(key)
        return wait.error if wait is not None and wait.left else None

    def begin(
        self, key: str, work: Callable[[], Report], failed: Callable[[Exception], None], patience: float
    ) -> Report | None:
        """Has it done; what came of it, or None where that takes longer than `patience` seconds.

        failed  is told why it came to nothing, once nobody waits for it here

        Raises what `work` raises meanwhile, and StillDraining.
        """
        wait = _Wait()
        with self._lock:
            if key in self:
                raise StillDraining(f"{key} is being drained, and leaves when it owes nothing")
            if sum(not each.done.is_set() for each in self._waits.values()) >= AT_ONCE:
                raise StillDraining(f"{AT_ONCE} integrations are being drained; expected one of them to end first")
            self._waits[key] = wait
        threading.Thread(target=self._run, args=(wait, work, failed), name=f"drain-{key}", daemon=True).start()
        wait.done.wait(patience)
        with self._lock:
            wait.left = not wait.ended
        if wait.error is not None and not wait.left:
            raise wait.error
        return None if wait.left else wait.report

    def _run(self, wait: _Wait, work: Callable[[], Report], failed: Callable[[Exception], None]) -> None:
        try:
            try:
                wait.report = work()
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits, or written down
                wait.error = error
            with self._lock:
                wait.ended = True
            if wait.error is not None and wait.left:
                failed(wait.error)
        finally:
            wait.done.set()
