"""Pushes events through faults, and knows exactly which of them were accepted.

Ids are wanted here and not left to Redis: an event whose answer was lost is sent again under the id that it was to
have, and a script knows whether Redis has it already, even after it was trimmed. Where others have pushed meanwhile,
as resyncs do with their marks, it stands behind them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.events import Made

Accepted = tuple["Made", int, int]
PUSH = """
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then return known end
redis.call('HSET', KEYS[2], ARGV[1], '')
local id = redis.pcall('XADD', KEYS[1], ARGV[1], 'event', ARGV[2])
if type(id) == 'table' then id = redis.call('XADD', KEYS[1], '*', 'event', ARGV[2]) end
redis.call('HSET', KEYS[2], ARGV[1], id)
return id
"""
"""Its first write is one that a full Redis refuses."""
PUSHED = "chaos:pushed"


class Pusher:
    """Pushes one round's events, `pace` events a second, in a thread.

    client  gives a client for the Redis that is the primary at that time
    commit  called with each event before it is pushed, and again where it is pushed anew, behind others
    """

    def __init__(
        self,
        client: Callable[[], Any],
        stream: str,
        after: tuple[int, int],
        commit: Callable[[Made], object] = lambda _: None,
    ) -> None:
        self._commit = commit
        self._client = client
        self._stream = stream
        self._last = after
        self._connected: Any = None
        self._waiting: deque[Accepted] = deque()
        self.accepted: list[Accepted] = []
        self.refused = 0
        self.last_chance = float("inf")
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None

    @property
    def last(self) -> tuple[int, int]:
        """The last id that was given to an event."""
        return self._last

    def start(self, made: list[Made], pace: float, together: int) -> None:
        """Begins; `together` events go in one pipeline."""
        self._thread = threading.Thread(target=self._run, args=(made, pace, together), name="pusher", daemon=True)
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Waits for the end; what Redis goes on to refuse for so long is given up and does not count."""
        self.last_chance = time.monotonic() + seconds
        if self._thread is not None:
            self._thread.join(seconds + 30)
            assert not self._thread.is_alive(), "the pusher hangs"
        if self.error is not None:
            raise self.error

    def _run(self, made: list[Made], pace: float, together: int) -> None:
        try:
            started = time.monotonic()
            for index in range(0, len(made), together):
                self._number(made[index : index + together])
                self._send()
                time.sleep(max(0.0, started + index / pace - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.error = error
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        client, self._connected = self._connected, None
        if client is not None:
            client.close()

    def _number(self, made: list[Made]) -> None:
        for each in made:
            self._commit(each)
            ms = max(time.time_ns() // 1_000_000, self._last[0])
            self._last = (ms, self._last[1] + 1 if ms == self._last[0] else 0)
            self._waiting.append((each, *self._last))

    def _send(self) -> None:
        while self._waiting:
            batch = list(self._waiting)
            self._connected = self._connected or self._client()
            pipe = self._connected.pipeline(transaction=False)
            for made, ms, n in batch:
                pipe.eval(PUSH, 2, self._stream, PUSHED, f"{ms}-{n}", made.data)
            try:
                answers = pipe.execute(raise_on_error=False)
            except (redis.ConnectionError, redis.TimeoutError):
                answers = [redis.ConnectionError()] * len(batch)
                self._hang_up()  # the primary may be another one by now
            self._waiting.clear()
            self._sort(batch, answers)
            if self._waiting:
                time.sleep(0.05)

    def _sort(self, batch: list[Accepted], answers: list[Any]) -> None:
        full: list[Made] = []
        for (made, ms, n), answer in zip(batch, answers, strict=True):
            if isinstance(answer, bytes):
                at, _, number = answer.decode().partition("-")
                self.accepted.append((made, int(at), int(number)))
            elif isinstance(answer, (redis.ConnectionError, redis.TimeoutError)):
                self._waiting.append((made, ms, n))
            elif "OOM" in str(answer):
                full.append(made)
            else:
                raise AssertionError(f"XADD {ms}-{n}: {type(answer).__name__}: {answer}")
        if time.monotonic() < self.last_chance:
            self._number(full)
        else:
            self.refused += len(full)
