"""The pulse: in every worker, waits for the intake and for the next due time, and sends the wake-ups at once.

Knows nothing of Celery: it is handed `wake`, which sends one (rule 26b). Any number of pulses is harmless, and so
is none: beat runs the same script every five seconds.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis import RedisError

from workers.errors import SegsyncError
from workers.lanes.store import LONGEST_SLEEP_MS
from workers.log import PULSE_GOES_ON, PULSE_PAUSES, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lanes.messages import Tick, Wake
    from workers.runtime import Runtime

PAUSE_SECONDS = 0.02
"""Between two looks of a busy pulse: fifty a second are enough for anybody."""
LONGEST_BACKOFF_SECONDS = 5.0


def pause_after(failures: int) -> float:
    """Seconds until the next look, after so many that failed one after the other: 0.5, 1, 2, 4, and 5 from then on."""
    # The exponent ends, too: a broker may be away for a day, and 2 to the 1,024th is no float any more.
    return min(LONGEST_BACKOFF_SECONDS, 0.25 * 2.0 ** min(failures, 5))


class Pulse:
    """A thread that wakes what is due.

    runtime  made in the thread, with a connection of its own
    wake     sends one wake-up; may raise anything when the broker is out of reach
    changed  called with the runtime when another revision is followed
    looked   called with the runtime after each look, however often that is
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        wake: Callable[[Wake], None],
        changed: Callable[[Runtime], None] | None = None,
        looked: Callable[[Runtime], None] | None = None,
    ) -> None:
        self._make_runtime = runtime
        self._wake = wake
        self._changed = changed
        self._looked = looked
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._client_id: int | None = None
        self._runtime: Runtime | None = None
        # Children are forked beside this thread: never in the middle of its work, or they would inherit
        # half-written sockets and held locks. Blocking in XREAD is outside of it.
        self._working = threading.RLock()

    def start(self) -> None:
        """Starts the thread."""
        os.register_at_fork(
            before=self._working.acquire,
            after_in_parent=self._working.release,
            after_in_child=self._working.release,
        )
        self._thread = threading.Thread(target=self._run, name="segsync-pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tells the thread to end; returns at once."""
        self._stopping.set()
        if self._runtime is not None and self._client_id is not None:
            with suppress(RedisError, OSError), self._runtime.local.redis.client() as client:
                client.client_unblock(self._client_id)

    def stop(self, seconds: float = 2.0) -> None:
        """Ends the thread and waits for it."""
        self.close()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        failures, since = 0, 0.0
        while not self._stopping.is_set():
            try:
                self._beat()
                if failures:
                    tell(PULSE_GOES_ON, tries=failures, seconds=time.monotonic() - since)
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever the broker's client raises: the pulse must go on
                self._forget()
                since = since if failures else time.monotonic()
                failures += 1
                pause = pause_after(failures)
                level = logging.WARNING if failures in (1, 10) or failures % 100 == 0 else logging.DEBUG
                tell(PULSE_PAUSES, level=level, seconds=pause, tries=failures, error=_told(error))
                self._stopping.wait(pause)

    def _beat(self) -> None:
        with self._working:
            runtime = self._runtime or self._connect()
            before = runtime.applied.name
            tick = runtime.tick("pulse")
            for wake in tick.wakes:
                self._wake(wake)
            if tick.wakes:
                runtime.looked("pulse")
            if self._changed is not None and runtime.applied.name != before:
                self._changed(runtime)
            if self._looked is not None:
                self._looked(runtime)
        self._wait(runtime, tick)

    def _forget(self) -> None:
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            with suppress(Exception):  # whatever it is: nobody needs that link any more
                runtime.redis.close()
                runtime.redis.connection_pool.disconnect()

    def _connect(self) -> Runtime:
        runtime = self._make_runtime()
        runtime.redis = runtime.local.redis.client(
            single_connection_client=True, socket_timeout=LONGEST_SLEEP_MS / 1000 + 10
        )
        self._client_id = int(runtime.redis.client_id())
        self._runtime = runtime
        return runtime

    def _wait(self, runtime: Runtime, tick: Tick) -> None:
        """Until an event comes in, a due time comes closer, or the next one is there."""
        if tick.sleep_ms > 0:
            streams: Any = {runtime.keys.events: tick.last_event, runtime.keys.bell: tick.last_bell}
            runtime.redis.xread(streams, count=1, block=tick.sleep_ms)
        time.sleep(PAUSE_SECONDS)


def _told(error: Exception) -> str:
    # Our own errors say what to do; a client's may show a password inside a URL.
    return str(error) if isinstance(error, SegsyncError) else type(error).__name__
