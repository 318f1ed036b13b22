"""A whole installation: a configuration file, and real worker, beat and Flower processes that end with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from segsync import Producer
from tests.nursery import nursery
from tests.waiting import EVERY, PATIENCE, SELDOM, until
from workers.lanes.keys import Keys
from workers.ledger.database import Ledger
from workers.runtime import Runtime
from workers.settings import load_local

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable


class Process:
    """A process group of its own, so that a worker's children end with it."""

    def __init__(self, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._popen = nursery.start(command, env, out)
        self.pid = self._popen.pid

    def children(self) -> list[int]:
        """Pids of the direct children."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def send(self, number: signal.Signals) -> None:
        """A signal to the process itself."""
        self._popen.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit status."""
        return self._popen.wait(seconds)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        if self._popen.returncode is None or self.children_left():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait(PATIENCE)

    def children_left(self) -> bool:
        """Whether anything of the group is alive."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Installation:
    """segsync on a Redis of the test's, with what `configure` wrote.

    Every process started through it is killed by `stop`.
    """

    def __init__(self, folder: Path, redis_url: str, namespace: str) -> None:
        self.folder = folder
        self.file = folder / "segsync.toml"
        self.redis_url = redis_url
        self.broker = redis_url
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.redis: Any = Redis.from_url(redis_url)
        self.processes: list[Process] = []
        self.environ = {**os.environ, "SEGSYNC_CONFIG": str(self.file), "PYTHONUNBUFFERED": "1"}

    def configure(self, text: str) -> None:
        """Writes segsync.toml: the namespace and Redis, and then `text`."""
        head = f'namespace = "{self.namespace}"\n[redis]\nurl = "{self.redis_url}"\n[ledger]\nurl = "sqlite:///ledger.db"\n'
        head += f'[broker]\nurl = "{self.broker}"\n' if self.broker != self.redis_url else ""
        self.file.write_text(head + text)

    @property
    def producer(self) -> Producer:
        """A client as a platform uses it."""
        return Producer(self.redis_url, namespace=self.namespace)

    @property
    def ledger(self) -> Ledger:
        """The ledger, for reading."""
        return Ledger(f"sqlite:///{self.folder / 'ledger.db'}")

    def runtime(self) -> Runtime:
        """For routing and delivering in the test's own process."""
        return Runtime(load_local(self.file))

    def worker(self, *arguments: str, name: str = "w", concurrency: int = 2) -> Process:
        """A Celery worker; with no -Q it serves everything."""
        return self.celery("worker", "-c", str(concurrency), "-n", f"{name}@%h", "-l", "INFO", *arguments)

    def beat(self) -> Process:
        """Celery's beat."""
        return self.celery("beat", "-l", "INFO")

    def flower(self, port: int) -> Process:
        """Flower with its API open."""
        self.environ["FLOWER_UNAUTHENTICATED_API"] = "1"
        return self.celery("flower", "--address=127.0.0.1", f"--port={port}")

    def celery(self, *arguments: str) -> Process:
        """One of Celery's own commands."""
        return self.start([sys.executable, "-m", "celery", "-A", "workers", *arguments], arguments[0])

    def segsync(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A segsync command, run to its end."""
        command = [sys.executable, "-m", "workers.cli", *arguments]
        return nursery.done(command, self.environ, cwd="/")

    def start(self, command: list[str], name: str) -> Process:
        """Starts a process whose log is named after it."""
        process = Process(command, self.environ, self.folder / f"{name}-{len(self.processes)}.log")
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Ends all of it, hard."""
        for process in self.processes:
            process.kill()
        self.redis.close()

    def logs(self) -> str:
        """All that the processes wrote."""
        return "\n".join(f"== {p.log.name}\n{p.log.read_text(errors='replace')}" for p in self.processes)

    def wait(
        self,
        done: Callable[[], object],
        what: str,
        seconds: float = PATIENCE,
        every: float = EVERY,
        seldom: float = SELDOM,
    ) -> None:
        """Waits until `done()`; TimedOut with the logs' end otherwise."""
        until(done, lambda: f"{what}\n{self.logs()[-6000:]}", seconds, every, seldom)

    def ready(self) -> None:
        """Waits until every worker takes tasks and a pulse beats."""
        workers = [p for p in self.processes if p.log.name.startswith("worker") and p.running]
        self.wait(lambda: all(" ready." in p.log.read_text() for p in workers), "all workers ready")
        self.wait(lambda: self.redis.hexists(self.keys.seen, "pulse"), "a worker's first pulse")

    def backlog(self) -> int:
        """Operations that the lanes owe."""
        keys = [key.decode() for key in self.redis.smembers(self.keys.integrations)]
        return sum(int(self.redis.hget(self.keys.integration(key), "backlog") or 0) for key in keys)

    def settled(self) -> bool:
        """Whether nothing is waiting: intake, lanes and outcomes are empty."""
        return not (self.redis.xlen(self.keys.events) or self.backlog() or self.redis.xlen(self.keys.outcomes))

    def settle(self) -> None:
        """Waits until nothing is waiting."""
        self.wait(self.settled, "everything delivered and written down")
