"""How long a lane is ours, by the local clock, and the thread that keeps it so (rules 12, 18).

The lease in Redis says when others may take over. Here stands the deliverer's own view of it, counted from before
the claim was sent, on a clock that goes on while the machine sleeps: a COMMIT is only sent while there is time left.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from redis import RedisError

from workers.lanes.store import LEASE_MS
from workers.log import HEARTBEAT_FAILED, LEASE_NOT_RENEWED, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lanes import Lanes
    from workers.lanes.messages import Release

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
RENEW_EVERY = LEASE_MS / 10_000
"""Seconds between renewals, 3: a permit lives 10 s, a lease 30 s."""


MOST_LEFT = 1_000
"""Lanes to give back that are remembered while Redis is away; those beyond wait for the end of their lease."""


def now() -> float:
    """Seconds on the clock that leases are counted by."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """One lane, held by one deliverer.

    claim     id of the claim that owns the lane
    sent      `now()` from before the claim was sent
    deadline  `now()` beyond which nothing renews it, however alive the process looks (rule 12)
    """

    def __init__(self, integration: str, segment: str, claim: str, queue: str, token: str, sent: float) -> None:
        self.integration = integration
        self.segment = segment
        self.claim = claim
        self.queue = queue
        self.token = token
        self.renewed = sent
        self.deadline = sent
        self.lost = False

    def extend(self, sent: float) -> None:
        """The lane was claimed or renewed by a command sent at `sent`."""
        self.renewed = max(self.renewed, sent)

    def allow(self, seconds: float) -> None:
        """The next step may take so long; the heartbeat renews no longer than that."""
        self.deadline = now() + seconds

    def left(self) -> float:
        """Seconds until others may take the lane."""
        return 0.0 if self.lost else self.renewed + LEASE_MS / 1000 - now()


class Heartbeat:
    """Renews the leases of one process, from one thread that starts when it is first needed.

    A forked child has no thread and no leases: it begins anew.
    """

    def __init__(self, lanes: Callable[[], Lanes]) -> None:
        self._lanes = lanes
        self._leases: set[Lease] = set()
        self._left: dict[str, Release] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def watch(self, lease: Lease) -> None:
        """Renews this lease from now on."""
        with self._lock:
            self._leases.add(lease)
            self._start()

    def drop(self, lease: Lease) -> None:
        """The lane was given back."""
        with self._lock:
            self._leases.discard(lease)

    def give_back(self, release: Release) -> None:
        """Releases a lane as soon as Redis can be told, so that nobody waits for the lease of who has let go.

        However late that is: it names its claim, and so frees nobody else's lane.
        """
        with self._lock:
            self._left[release.claim] = release
            while len(self._left) > MOST_LEFT:
                del self._left[next(iter(self._left))]
            self._start()

    def _run(self) -> None:
        while True:
            time.sleep(RENEW_EVERY / 3)
            with self._lock:
                leases = list(self._leases)
            try:
                for lease in leases:
                    self._renew(lease)
                self._release_what_was_left()
            except Exception as error:  # noqa: BLE001 - a thread that ends would renew nothing any more, without a word
                tell(HEARTBEAT_FAILED, error=type(error).__name__)

    def _release_what_was_left(self) -> None:
        with self._lock:
            left = list(self._left.values())
        for release in left:
            try:
                self._lanes().release(release)
            except RedisError:
                return
            with self._lock:
                self._left.pop(release.claim, None)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="segsync-heartbeat", daemon=True)
            self._thread.start()

    def _renew(self, lease: Lease) -> None:
        sent = now()
        if sent - lease.renewed < RENEW_EVERY or sent > lease.deadline:
            return
        try:
            if self._lanes().renew(lease.integration, lease.segment, lease.claim, lease.queue, lease.token):
                lease.extend(sent)
            else:
                lease.lost = True
        except RedisError as error:
            # The lease runs on; if Redis stays away, the deliverer will not commit (Lease.left).
            name = type(error).__name__
            tell(LEASE_NOT_RENEWED, integration=lease.integration, segment=lease.segment, error=name)
