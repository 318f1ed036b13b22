"""How long a lane is ours, by the local clock, and the thread that keeps it so (rules 12, 18).

The lease in Redis says when others may take over. Here stands the deliverer's own view of it, counted from before
the claim was sent, on a clock that goes on while the machine sleeps: a COMMIT is only sent while there is time left.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from redis import RedisError

from workers.lanes.store import LEASE_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lanes import Lanes
    from workers.lanes.messages import Release

log = logging.getLogger(__name__)

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
RENEW_EVERY = LEASE_MS / 10_000
"""Seconds between renewals, 3: a permit lives 10 s, a lease 30 s."""


def now() -> float:
    """Seconds on the clock that leases are counted by."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """One lane, held by one deliverer.

    sent      `now()` from before the claim was sent
    deadline  `now()` beyond which nothing renews it, however alive the process looks (rule 12)
    """

    def __init__(self, integration: str, segment: str, queue: str, token: str, sent: float) -> None:
        self.integration = integration
        self.segment = segment
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
        self._left: dict[tuple[str, str], tuple[Lease, Release]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def forget(self) -> None:
        """In a forked child: the parent's leases are the parent's."""
        self._leases = set()
        self._left = {}
        self._lock = threading.Lock()
        self._thread = None

    def watch(self, lease: Lease) -> None:
        """Renews this lease from now on."""
        with self._lock:
            self._leases.add(lease)
            self._left.pop((lease.integration, lease.segment), None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="segsync-heartbeat", daemon=True)
                self._thread.start()

    def drop(self, lease: Lease) -> None:
        """The lane was given back."""
        with self._lock:
            self._leases.discard(lease)

    def give_back(self, lease: Lease, release: Release) -> None:
        """Releases a lane as soon as Redis can be told, so that nobody waits for the lease of who has let go."""
        with self._lock:
            self._left[lease.integration, lease.segment] = lease, release

    def _run(self) -> None:
        while True:
            time.sleep(RENEW_EVERY / 3)
            with self._lock:
                leases = list(self._leases)
            try:
                for lease in leases:
                    self._renew(lease)
                self._release_what_was_left()
            except Exception:  # a thread that ends would renew nothing any more, without a word
                log.exception("the heartbeat failed; it goes on")

    def _release_what_was_left(self) -> None:
        # Under the lock: nothing of ours may claim such a lane and lose it to this.
        with self._lock:
            for lane, (lease, release) in list(self._left.items()):
                try:
                    if lease.left() > RENEW_EVERY:  # else it is about to be anybody's
                        self._lanes().release(release)
                except RedisError:
                    return
                del self._left[lane]

    def _renew(self, lease: Lease) -> None:
        sent = now()
        if sent - lease.renewed < RENEW_EVERY or sent > lease.deadline:
            return
        try:
            if self._lanes().renew(lease.integration, lease.segment, lease.queue, lease.token):
                lease.extend(sent)
            else:
                lease.lost = True
        except RedisError as error:
            # The lease runs on; if Redis stays away, the deliverer will not commit (Lease.left).
            log.warning("lease of %s/%s not renewed: %s", lease.integration, lease.segment, type(error).__name__)
