"""A client whose scripts read a clock that the test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.store import SHIM

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

START_MS = 1_700_000_000_000


class ScriptedClock:
    """The client, with `now_ms` for Redis's clock within scripts."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.now_ms = float(START_MS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def register_script(self, text: str) -> Callable[..., Any]:
        """As the client's, by this clock."""
        script = self._client.register_script(SHIM + text)
        return lambda args: script(args=[*args, round(self.now_ms * 1000)])
