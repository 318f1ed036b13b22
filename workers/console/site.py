"""What pages work with: the installation that this process's file leads to, and what the console was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.console.activity import Activity
from workers.console.seals import Seals
from workers.console.streams import Streams
from workers.console.turns import AskingTurns
from workers.console.waited_removals import Drains
from workers.lanes.answers import some_fields_of
from workers.ledger import identity
from workers.ledger.database import Ledger
from workers.monitoring.asking import SharedAsk
from workers.runtime import Runtime
from workers.settings import load, load_local
from workers.settings.revision import NothingApplied

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.monitoring.consumers import Consumers


@dataclass(frozen=True, slots=True)
class Site:
    """One console.

    ask     asks Celery's workers, about a second, once for all who ask; may raise anything when the broker is out of
            reach
    turns   of whatever asks targets
    edit    whether revisions may be published here
    """

    ask: Callable[[], Consumers]
    edit: bool = True
    seals: Seals = field(default_factory=Seals)
    drains: Drains = field(default_factory=Drains)
    streams: Streams = field(default_factory=Streams)
    turns: AskingTurns = field(default_factory=AskingTurns)
    _runtime: Runtime = field(default_factory=lambda: Runtime(load_local()))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    activity: Activity = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ask", SharedAsk(self.ask))
        object.__setattr__(self, "activity", Activity(self.ledger))

    @property
    def redis(self) -> Redis:
        """The installation's Redis."""
        return self._runtime.redis

    @property
    def keys(self) -> Keys:
        """The names of its keys."""
        return self._runtime.keys

    def runtime(self) -> Runtime:
        """The installation, by the revision that is applied at this moment; one look at Redis where it is the same.

        Where nothing is applied the runtime raises NothingApplied when its settings are asked for.
        SettingsError, redis.RedisError.
        """
        with self._lock:
            number, installation = some_fields_of(self.redis, self.keys.config, ("revision", "installation"))
            if number is not None and self._runtime.applied.name != (installation, int(number)):
                self._runtime.follow()
            return self._runtime

    def ledger(self) -> Ledger:
        """The applied configuration's ledger; the file's own while nothing is applied.

        SettingsError, LedgerError, redis.RedisError.
        """
        with self._lock:
            try:
                return self.runtime().ledger
            except NothingApplied:
                ledger = Ledger(load().ledger_url)
                identity.ready(self._runtime.redis, self._runtime.keys, ledger)
                return ledger
