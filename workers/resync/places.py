"""Places at a source: how many processes may read it at once (rule 45).

Who has the lease of all resyncs reads as it goes, and no one else moves a run on meanwhile. A source with `readers = N`
has N - 1 places beside that, each a lease of its own: who has one lets go of all other runs, reads, and takes the lease
of the resyncs again to say what it has found. So there are never more than N, and a dead reader's place is free when
its lease is over.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.errors import SegsyncError, SettingsError, TargetError
from workers.lanes.answers import text_of
from workers.lanes.clock import redis_ms
from workers.lanes.lease import RESYNC
from workers.lanes.runs import ReadingLost
from workers.resync.comparing import ComparedSides, compare
from workers.resync.keys_on_disk import remove
from workers.resync.patience import granted
from workers.resync.profiles import UnfitSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import ExitStack

    from workers.lanes import Lanes
    from workers.lanes.lease import Held, Leases
    from workers.resync.work import Work
    from workers.settings.sources import AnySource

KEPT_SECONDS: Final = 0.2
"""Until Redis is asked again whether the place is ours, and the run is still to be read."""
AGAIN_SECONDS: Final = 0.02
"""Between two tries to get the lease of the resyncs back: it is mostly held for moments."""

Outcome = ComparedSides | Exception


class Places:
    """The places that one turn of the reader may take; what it has taken is left with `stack`."""

    def __init__(self, leases: Leases, lanes: Lanes, stack: ExitStack) -> None:
        self._leases, self._lanes, self._stack = leases, lanes, stack

    def take(self, source: AnySource) -> Held | None:
        """A place beside the lease of the resyncs, if there is one and it is free. redis.RedisError, Stale."""
        for number in range(2, source.readers + 1):
            held = self._stack.enter_context(self._leases.hold(f"{RESYNC}.{source.key}.{number}", ""))
            if held is not None:
                return held
        return None

    def is_taken(self, place: str) -> bool:
        """Whether who has noted this place in a run is alive, and at it."""
        name, _, owner = place.partition(" ")
        held, until = self._lanes.redis.hmget(self._lanes.keys.lease(name), "owner", "until")
        return text_of(held) == owner and int(until or 0) > redis_ms(self._lanes.redis)


@dataclass(frozen=True, slots=True)
class Apart:
    """A run that is read at a place of its own: its mark is reached, and nothing of it changes meanwhile."""

    work: Work
    held: Held

    @property
    def place(self) -> str:
        """As the run notes it."""
        return place_of(self.held)

    def read(self, lanes: Lanes) -> Outcome:
        """What the source and the target have, or why that cannot be read. ReadingLost, redis.RedisError, Stale."""
        try:
            return compare(replace(self.work, keep=self.keeper(lanes)))
        except (TargetError, UnfitSource, SettingsError, OSError) as error:
            return error
        except (SegsyncError, RedisError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - data that nobody has thought of must not stop all other runs
            return error

    def forget_if_over(self) -> None:
        """Whoever has ended the run meanwhile has removed what was read until then, and not what came afterwards."""
        state = self.work.redis.hget(self.work.keys.run(self.work.run.id), "state")
        if text_of(state) in (None, "ended"):
            remove(self.work.folder)

    def keeper(self, lanes: Lanes) -> Callable[[], None]:
        """Says that the reading goes on; ReadingLost where it is nobody's business any more."""
        kept = -KEPT_SECONDS

        def keep() -> None:
            nonlocal kept
            now = time.monotonic()
            self.held.began = now + granted(self.work.settings)
            if now - kept < KEPT_SECONDS:
                return
            kept = now
            if not lanes.keep_lease(self.held.name, self.held.owner):
                raise ReadingLost("the place at the source is another's by now")
            state, place = lanes.redis.hmget(lanes.keys.run(self.work.run.id), "state", "place")
            if (text_of(state), text_of(place)) != ("marked", self.place):
                raise ReadingLost("the run is over, or begins anew")

        return keep


def place_of(held: Held) -> str:
    """A place as the run that is read there notes it."""
    return f"{held.name} {held.owner}"


@contextmanager
def lease_again(leases: Leases, keep: Callable[[], None]) -> Iterator[Held]:
    """The lease of the resyncs, however long another has it; `keep` as in Work. redis.RedisError, Stale."""
    while True:
        with leases.hold(RESYNC, "") as held:
            if held is not None:
                yield held
                return
        keep()
        time.sleep(AGAIN_SECONDS)
