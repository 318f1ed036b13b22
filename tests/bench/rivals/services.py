"""Rivals that run all the time: Celery with a task for each event, celery-batches, a plain loop."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from tests.bench.report.contest import LONGEST_SECONDS
from tests.bench.rivals.venvs import venv
from tests.installation import Process
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bench.report.contest import Place

SCRIPTS = Path(__file__).parent
GROUP = "rivals"


def environment(place: Place) -> dict[str, str]:
    """What the scripts are told; nothing of the product is on their path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SEGSYNC"))}
    return kept | {
        "RIVAL_TARGET": place.target.url,
        "RIVAL_REDIS": place.redis_url,
        "PYTHONPATH": str(SCRIPTS),
        "PYTHONUNBUFFERED": "1",
    }


class _Rival:
    """One process group, fed by a script or by Redis."""

    title = ""
    script = ""

    def __init__(self) -> None:
        self._process: Process | None = None

    def start(self, place: Place) -> None:
        """Starts it."""
        self._place = place
        self._redis: Any = Redis.from_url(place.redis_url)
        self._process = Process(self._command(), environment(place), place.folder / f"{self.script}.log")

    def idle(self) -> bool:
        """Whether its intake and queues are empty."""
        raise NotImplementedError

    def rests(self) -> bool:
        """The same: it writes nothing down."""
        return self.idle()

    def groups(self) -> list[int]:
        """Its process group."""
        return [self._process.pid] if self._process else []

    def stop(self) -> None:
        """Ends it, and forgets what it left in Redis."""
        if self._process:
            self._process.kill()
            self._redis.flushdb()
            self._redis.close()

    def _command(self) -> list[str]:
        raise NotImplementedError


class CeleryEach(_Rival):
    """Celery as most people begin."""

    title = "Celery, a task for each event"
    script = "celery_each"

    def start(self, place: Place) -> None:
        """A worker with two processes."""
        super().start(place)
        until(lambda: " ready." in (place.folder / f"{self.script}.log").read_text(), "its worker", LONGEST_SECONDS)

    def push(self, events: list[dict[str, Any]]) -> None:
        """Publishes a task for each."""
        lines = "\n".join(json.dumps(event) for event in events)
        command = [str(venv(GROUP) / "python"), "-c", f"import {self.script}; {self.script}.publish()"]
        subprocess.run(command, input=lines, text=True, env=environment(self._place), check=True, cwd="/")

    def idle(self) -> bool:
        """Whether no message waits, with the broker or with the worker."""
        return not (self._redis.llen("celery") or self._redis.hlen("unacked"))

    def _command(self) -> list[str]:
        return [str(venv(GROUP) / "celery"), "-A", self.script, "worker", "-c", "2", "-l", "INFO"]


class CeleryBatches(CeleryEach):
    """Celery with batches of a thousand."""

    title = "celery-batches, 1,000 or 1 s"
    script = "celery_batched"


class PlainLoop(_Rival):
    """An hour's work."""

    title = "a plain loop"
    script = "plain_loop"

    def push(self, events: list[dict[str, Any]]) -> None:
        """XADDs, in pipelines of a thousand."""
        for start in range(0, len(events), 1_000):
            with self._redis.pipeline(transaction=False) as pipe:
                for event in events[start : start + 1_000]:
                    pipe.xadd("loop", {"event": json.dumps(event)})
                pipe.execute()

    def idle(self) -> bool:
        """Whether its stream is empty."""
        return not self._redis.xlen("loop")

    def _command(self) -> list[str]:
        return [str(venv(GROUP) / "python"), str(SCRIPTS / f"{self.script}.py")]
