"""What an ad connector counts in Redis, kept in this process: for tests that count thousands of times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.connectors.audiences import budgets
from workers.connectors.audiences.store import written

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_MS = 86_400_000


class Counts:
    """Stands for a Redis client: how far stores are written, and what logins wrote.

    The scripts are done here once more; that they are right is the affair of the tests that run them.
    """

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}
        self._writes: list[int] = []
        self._blocked_ms = 0

    def hget(self, _key: str, connector: str) -> bytes | None:
        return self._known.get(connector)

    def eval(self, script: str, _keys: int, _first: str, _second: str, *words: Any) -> int:
        if script == written._TELL:
            return self._tell(*words)
        if script == budgets._BLOCK:
            now, wait_ms = words
            self._blocked_ms = now + wait_ms
            return 0
        assert script == budgets._TAKE
        return self._take(*words)

    def _tell(self, connector: str, name: str, counted: int, anyway: str) -> int:
        known = self._known.get(connector, b"").decode().split()
        if not known or anyway or (known[0] == name and int(known[1]) < counted):
            self._known[connector] = f"{name} {counted}".encode()
        return 0

    def _take(self, now: int, removes: int, kept: int, looks: int, ahead: int, *windows: int) -> int:
        waits = self._wait(now, removes, kept, 0, windows)
        if looks:
            return waits
        if waits:
            return max(waits, min(self._wait(now, removes, kept, ahead, windows), DAY_MS))
        self._writes.append(now)
        return 0

    def _wait(self, now: int, removes: int, kept: int, ahead: int, windows: Sequence[int]) -> int:
        waits = max(0, self._blocked_ms - now)
        for seconds, writes in zip(windows[::2], windows[1::2], strict=True):
            may = writes if removes else max(1, writes - writes // kept)
            span = seconds * 1000 * 21 // 20
            within = [each for each in self._writes if each > now - span]
            rounds, place = divmod(ahead, may)
            needs = min(len(within), len(within) + place - may + 1)
            wait = within[needs - 1] + span - now if needs > 0 else 0
            waits = max(waits, wait + rounds * span)
        return waits
