"""The connectors of one process: made when they are first needed, their secrets resolved; and what ad accounts owe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from workers.connectors import connect
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.target import AdTarget
from workers.errors import ErrorClass, SettingsError, TargetError
from workers.lanes.clock import redis_ms
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.audiences.connector import AdConnector
    from workers.connectors.contract import Connector
    from workers.lanes import Lanes
    from workers.settings import ConnectorSettings

HOLD_MS = 300_000
"""Milliseconds until the next look at a login that needs someone: as long as for a refused password."""


class Targets:
    """The connectors of one revision."""

    def __init__(
        self, settings: Mapping[str, ConnectorSettings], lanes: Lanes, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._environ = environ
        self._made: dict[str, Connector] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._made

    def get(self, key: str) -> Connector:
        """The connector, its secrets resolved when it is first needed. TargetError where one is missing."""
        if key not in self._made:
            try:
                target = self._settings[key].resolve(self._environ)
            except SettingsError as error:
                reason = "; ".join(str(mistake) for mistake in error.mistakes)
                # It was there a moment ago: others may have it still, and nothing is held for it.
                raise TargetError(ErrorClass.RETRY, "segsync settings", reason) from None
            self._made[key] = self._ads(target) if isinstance(target, AdTarget) else connect(target)
        return self._made[key]

    def dispose(self) -> None:
        """Closes all links."""
        for connector in self._made.values():
            connector.dispose()
        self._made = {}

    def tend(self, key: str, seconds: float) -> None:
        """Sends what an ad account is owed, for about so long, and says when there is more. redis.RedisError.

        A login that needs someone holds the connector, as a refused password would; a store that is out of reach opens
        its circuit.
        """
        if self._settings[key].dialect not in PLATFORMS:
            return
        due: int | None = None
        try:
            due = cast("AdConnector", self.get(key)).tend(seconds)
        except TargetError as error:
            how = "hold" if error.error_class is ErrorClass.HOLD else "open"
            self._lanes.circuit(key, how, delay_ms=HOLD_MS, code=error.code, reason=error.reason)
        tend_again(self._lanes.redis, self._lanes.keys, key, due)

    def _ads(self, target: AdTarget) -> AdConnector:
        # Loads SQLAlchemy and httpx, 0.4 s, which nobody else needs.
        from workers.connectors.audiences.connector import AdConnector, AdPlace  # noqa: PLC0415 - start-up time

        lanes = self._lanes
        place = AdPlace(
            redis=lanes.redis,
            budget_key=lanes.keys.budget(target.key),
            nothing=lanes.keys.nothing,
            clock=lambda: redis_ms(lanes.redis),
            owner=lanes.owner,
        )
        return AdConnector(target, place)
