"""What `status` asks of the ledger: by the whole of it, or at a glance where that is enough."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from workers.errors import SegsyncError
from workers.lanes.keys import Keys
from workers.ledger.glance import glance
from workers.ledger.known import known
from workers.settings.ledger_place import published_ledger
from workers.settings.published import published

if TYPE_CHECKING:
    from redis import Redis

    from workers.ledger.glance import Glance
    from workers.runtime import Runtime
    from workers.settings import LocalSettings


class Place(Protocol):
    """Where an installation stands, as far as Redis has it; a Runtime is one."""

    local: LocalSettings
    keys: Keys

    @property
    def redis(self) -> Redis:
        """A client of it."""


class OnlyRedis:
    """A place without all that delivers, for those who only look."""

    def __init__(self, local: LocalSettings) -> None:
        self.local = local
        self.keys = Keys(local.namespace)

    @cached_property
    def redis(self) -> Redis:
        """This process's client."""
        return self.local.redis.client()


class Books(Protocol):
    """What of the ledger is told. Both raise SegsyncError where it cannot be, and redis.RedisError."""

    def open_entries(self) -> dict[str | None, int]:
        """Open entries of the quarantine per integration; None counts what never reached one."""

    def is_unnoticed(self) -> bool:
        """Whether this Redis was emptied and nothing was written to the ledger since."""


class WholeBooks:
    """By the ledger's own code, which says what is wrong with it, and brings its schema up to date."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def open_entries(self) -> dict[str | None, int]:
        """As in Books."""
        from workers.quarantine.entries import count_open  # noqa: PLC0415 - SQLAlchemy takes 0.2 s to load

        return count_open(self._runtime.ledger)

    def is_unnoticed(self) -> bool:
        """As in Books."""
        from workers.ledger.identity import is_unnoticed  # noqa: PLC0415 - as above

        runtime = self._runtime
        return is_unnoticed(runtime.redis, runtime.keys, runtime.ledger, runtime.applied.installation)


class QuickBooks:
    """At a glance; where that does not tell, by the ledger's own code. One look is for all that is asked."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def open_entries(self) -> dict[str | None, int]:
        """As in Books."""
        return self._glance.open_entries if self._glance else self._whole.open_entries()

    def is_unnoticed(self) -> bool:
        """As in Books."""
        place = self._place
        if self._glance is None:
            return self._whole.is_unnoticed()
        if place.redis.exists(place.keys.ledger):
            return False
        applied = published(place.redis, place.keys)
        return applied is not None and self._glance.installation not in {"", applied.installation}

    @cached_property
    def _glance(self) -> Glance | None:
        place = self._place
        applied = published(place.redis, place.keys)
        if applied is None:
            return None
        pinned = known(place.redis, place.keys)
        try:
            url = published_ledger(applied.text, place.local)
        except (SegsyncError, ValueError):
            return None  # what is wrong is said where all of it is read
        return glance(url, place.keys.namespace, pinned)

    @cached_property
    def _whole(self) -> WholeBooks:
        from workers.runtime import Runtime  # noqa: PLC0415 - all that delivers, SQLAlchemy among it

        return WholeBooks(Runtime(self._place.local))
