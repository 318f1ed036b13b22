"""Named locks that a session holds until its transaction ends, as played servers have them."""

from __future__ import annotations

import threading
import time


class Locks:
    """Who holds which; safe to share between threads."""

    def __init__(self) -> None:
        self._owners: dict[str, object] = {}
        self._changed = threading.Condition()

    def take(self, name: str, who: object, seconds: float) -> bool:
        """Whether `who` has it within so long."""
        until = time.monotonic() + seconds
        with self._changed:
            while self._owners.get(name, who) is not who:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            self._owners[name] = who
        return True

    def owner(self, name: str) -> object | None:
        """Who has it."""
        return self._owners.get(name)

    def let_go(self, who: object) -> None:
        """All that `who` holds."""
        with self._changed:
            for name in [name for name, owner in self._owners.items() if owner is who]:
                del self._owners[name]
            self._changed.notify_all()
