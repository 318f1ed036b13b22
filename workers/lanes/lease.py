"""What one process at a time does (routing, upkeep, resyncs): its lease is taken, kept and left here, nowhere else.

A lease lives as long as its task: kept by a thread meanwhile, left whatever the task ends with. What Redis cannot be
told is told as soon as it answers. So only a process that has ended leaves one behind, and counts as a death.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.errors import SegsyncError
from workers.lanes.store import LEASE_MS
from workers.log import LEASE_KEEPER_FAILED, LEASES_NOT_KEPT, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.lanes.store import Lanes

ROUTE: Final = "route"
UPKEEP: Final = "upkeep"
RESYNC: Final = "resync"
KEEP_EVERY_SECONDS: Final = LEASE_MS / 10_000
LONGEST_SECONDS: Final = 600.0
"""A task that takes longer hangs: it is not kept from others for ever."""


@dataclass(slots=True, eq=False)
class Held:
    """A lease that is ours.

    owner    random for each take
    deaths   processes that have ended over this task since it last got on
    began    seconds, by a clock that only grows
    """

    name: str
    owner: str
    deaths: int
    began: float
    rest_ms: int = 0
    why: str = ""

    def rest(self, seconds: float, why: str) -> None:
        """Once it is left, nobody is woken for it for so long; `why` is for people."""
        self.rest_ms, self.why = round(seconds * 1000), why


class Leases:
    """The leases of one process. A forked child makes its own.

    lanes  gives the scripts by the revision that is followed at the moment
    """

    def __init__(self, lanes: Callable[[], Lanes]) -> None:
        self._lanes = lanes
        self._held: set[Held] = set()
        self._left: list[Held] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def hold(self, name: str, token: str) -> Iterator[Held | None]:
        """Has the lease for as long as the block takes; None, at once, while another process has it.

        `token` is the permit that this came with; it is given back. Raises Stale and redis.RedisError.
        """
        self.tell_what_was_left()
        held = Held(name, f"{self._lanes().owner}:{secrets.token_hex(4)}", 0, time.monotonic())
        try:
            deaths = self._lanes().take_lease(name, held.owner, token)
        except RedisError:
            self._leave_later(held)  # it may have come through, and only its answer be lost
            raise
        if deaths is None:
            yield None
            return
        held.deaths = deaths
        self._keep(held)
        try:
            yield held
        finally:
            with self._lock:
                self._held.discard(held)
            self._leave(held)

    def _leave(self, held: Held) -> None:
        try:
            self._lanes().leave_lease(held.name, held.owner, held.rest_ms, held.why)
        except (RedisError, SegsyncError):
            self._leave_later(held)

    def _leave_later(self, held: Held) -> None:
        with self._lock:
            self._left.append(held)
            self._start()

    def tell_what_was_left(self) -> None:
        """Leaves what could not be left when it was over. Raises redis.RedisError."""
        while self._left:
            held = self._left[0]
            self._lanes().leave_lease(held.name, held.owner, held.rest_ms, held.why)
            with self._lock:
                if held in self._left:
                    self._left.remove(held)

    def _keep(self, held: Held) -> None:
        with self._lock:
            self._held.add(held)
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="segsync-leases", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(KEEP_EVERY_SECONDS)
            try:
                self.keep_all()
                self.tell_what_was_left()
            except (RedisError, SegsyncError) as error:
                tell(LEASES_NOT_KEPT, error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - a thread that ends would keep nothing any more, without a word
                tell(LEASE_KEEPER_FAILED, error=type(error).__name__, traceback=True)

    def keep_all(self) -> None:
        """Keeps what is held, but for what has taken so long that it must be hanging. Raises redis.RedisError."""
        with self._lock:
            held = [each for each in self._held if time.monotonic() - each.began < LONGEST_SECONDS]
        for each in held:
            self._lanes().keep_lease(each.name, each.owner)
