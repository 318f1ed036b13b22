"""The connectors of one process: made when they are first needed, their secrets resolved; and what ad accounts owe."""

from __future__ import annotations

import os
import secrets
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from workers.connectors import connect
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.target import AdTarget
from workers.errors import ErrorClass, HoldLevel, SettingsError, TargetError, WrongUsage
from workers.lanes.answers import members_of
from workers.lanes.clock import redis_ms
from workers.lanes.keys import Keys
from workers.lanes.tending import tend_again
from workers.log import ACCOUNT_FAILED, tell
from workers.quarantine import refused_members
from workers.settings.spelling import nearest, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis

    from workers.connectors.audiences.connector import AdConnector
    from workers.connectors.contract import Connector
    from workers.lanes import Lanes
    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector

HOLD_MS = 300_000
"""Milliseconds until the next look at a login that needs someone: as long as for a refused password."""


class Targets:
    """The connectors of one revision."""

    def __init__(
        self, settings: Mapping[str, AnyConnector], lanes: Lanes, environ: Mapping[str, str] = os.environ
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
            made: Connector = self._ads(target) if isinstance(target, AdTarget) else connect(target)
            self._made[key] = made
        return self._made[key]

    def dispose(self) -> None:
        """Closes all links."""
        for connector in self._made.values():
            connector.dispose()
        self._made = {}

    def tend(self, key: str, seconds: float) -> None:
        """Sends what an ad account is owed, for about so long, and says when there is more. redis.RedisError.

        What the platform refuses by name goes to the quarantine.

        A login that needs someone holds the connector, as a refused password would; a store that is out of reach opens
        its circuit.
        """
        if self._settings[key].dialect not in PLATFORMS:
            return
        due: int | None = None
        # Before it, as well: what nobody thought of is not met again at once.
        tend_again(self._lanes.redis, self._lanes.keys, key, None)
        try:
            due = cast("AdConnector", self.get(key)).tend(seconds)
        except TargetError as error:
            how = "hold" if error.error_class is ErrorClass.HOLD else "open"
            self._lanes.circuit(key, how, delay_ms=HOLD_MS, code=error.code, reason=error.reason)
            tell(ACCOUNT_FAILED, connector=key, reason=f"{error.code}: {error.reason}")
        tend_again(self._lanes.redis, self._lanes.keys, key, due)
        if key in self._made:
            with suppress(TargetError):  # its store is away: that was said, and the next look tells it
                refused_members.tell(self._lanes.redis, self._lanes.keys, cast("AdConnector", self._made[key]))

    def _ads(self, target: AdTarget) -> AdConnector:
        return _connector(target, self._lanes.redis, self._lanes.keys, self._lanes.owner)


def _connector(target: AdTarget, redis: Redis, keys: Keys, owner: str) -> AdConnector:
    # Loads SQLAlchemy and httpx, 0.4 s, which nobody else needs.
    try:
        from workers.connectors.audiences.connector import AdConnector, AdPlace  # noqa: PLC0415 - start-up time
    except ImportError as error:
        reason = f"the package {error.name!r} is not installed; expected pip install 'segsync[ads]'"
        raise TargetError(ErrorClass.HOLD, "ads packages", reason, level=HoldLevel.CONNECTOR) from None
    budget, looks, clock = keys.budget(target.key), keys.looks(target.key), lambda: redis_ms(redis)
    return AdConnector(target, AdPlace(redis, budget, looks, keys.nothing, keys.ad_stores, clock, owner))


class OpenAccount(NamedTuple):
    """An ad account as a command opens it; connector and Redis are to be closed.

    is_applied  whether workers know the connector
    """

    connector: AdConnector
    redis: Redis
    keys: Keys
    is_applied: bool

    def clock(self) -> int:
        """Redis's, in Unix ms."""
        return redis_ms(self.redis)


def open_account(settings: Settings, key: str, environ: Mapping[str, str] = os.environ) -> OpenAccount:
    """The ad account that a file calls so. WrongUsage where there is none; SettingsError, redis.RedisError."""
    accounts = {name: each for name, each in settings.connectors.items() if each.dialect in PLATFORMS}
    if key not in accounts:
        expected = nearest(key, accounts) or "; the file has none (docs/ads.md)"
        raise WrongUsage(f"{show(key)} is no connector with a platform{expected}")
    target = accounts[key].resolve(environ)
    assert isinstance(target, AdTarget)  # noqa: S101 - it has a platform
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    applied = key in members_of(redis, keys.connectors)
    return OpenAccount(_connector(target, redis, keys, f"command {secrets.token_hex(6)}"), redis, keys, applied)


@contextmanager
def opened_account(settings: Settings, key: str) -> Iterator[OpenAccount]:
    """The same, closed in the end."""
    account = open_account(settings, key)
    with closing(account.redis), closing(account.connector):
        yield account
