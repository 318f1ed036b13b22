"""One installation that serves several rounds: its processes, its configuration, and what was pushed to it so far."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import RedisError

from tests.chaos.events import Model
from tests.chaos.failover import Doubt
from tests.chaos.resyncing import Allowed
from tests.chaos.revisions import KEYS
from tests.chaos.servers import DIALECTS, Servers
from tests.chaos.tables import ChaosTarget
from tests.installation import Installation, Process
from workers.settings import load, revision

if TYPE_CHECKING:
    import random

    from tests.chaos.events import Made

ROOT = Path(__file__).resolve().parents[2]
LEASE_MS = 2_000
CELERY: tuple[str, ...] = ("celery", "-A", "workers")
KILLING = ("tests.chaos.killing",)
"""Instead of it: workers that certain profiles end."""


@dataclass(frozen=True, slots=True)
class Armed:
    """A crash point at which the first process that reaches it for the `times`-th time ends, or stops.

    file  made by that process
    """

    point: str
    times: int
    file: Path
    halts: bool

    def environ(self) -> dict[str, str]:
        """What a worker needs to be told."""
        return {
            "SEGSYNC_CRASH_AT": f"{self.point}:{self.times}",
            "SEGSYNC_CRASH_FILE": str(self.file),
            "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
        }


class Session:
    """An installation with both targets, each in a database of its own.

    models    what each target must hold, over all rounds so far
    entries   what the intake must have set aside so far
    once      whether a round had `exactly_once`
    variant   in which words the queries are written; they mean the same
    strangers integrations that follow nothing, beside those of the rounds
    second_connector  whether the integrations go by another connector to the same target
    key       what the integrations' key is, as in the file
    notes_clears  whether each clear is written down in a table, too, which may refuse that
    celery    what workers are started with
    source, listed  where resyncs read the platform, and by which query each target lists its rows
    allowed   what resyncs may have done
    doubts    what may stand in more than one way after a failover
    """

    def __init__(self, folder: Path, servers: Servers, chance: random.Random) -> None:
        self.servers = servers
        self.chance = chance
        self.namespace = f"test_chaos_{secrets.token_hex(4)}"
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier run has kept of the same round
        folder.mkdir(parents=True)
        self.installation = Installation(folder, servers.redis_url(), self.namespace)
        self.installation.environ["SEGSYNC_LEASE_MS"] = str(LEASE_MS)
        self.keys = self.installation.keys
        self.redis: Any = servers.client()
        self.installation.ledger.upgrade()
        self.targets = {key: self._target(key) for key in DIALECTS}
        self.models = {key: Model(dialect) for key, dialect in DIALECTS.items()}
        self.events = self.operations = self.entries = self.unwanted = 0
        self.last_id = (0, 0)
        self.once = False
        self.doubts = {key: Doubt() for key in DIALECTS}
        self.allowed = Allowed()
        self.journal = dict.fromkeys(DIALECTS, 0)
        self.workers: list[Process] = []
        self.beats: list[Process] = []
        self.wanted_workers, self.wanted_beats = chance.randint(1, 2), chance.choice((0, 1, 1, 2))
        self.log_offsets: dict[str, int] = {}
        self.variant = self.strangers = 0
        self.second_connector = False
        self.key = KEYS[0]
        self.notes_clears = False
        self.celery = CELERY
        self.source = ""
        self.listed: dict[str, str] = {}

    def _target(self, key: str) -> ChaosTarget:
        server = self.servers.targets[key]
        server.create_database(self.namespace)
        target = ChaosTarget(DIALECTS[key], self.servers.url(key, self.namespace), getattr(server, "password", None))
        target.create()
        return target

    def client(self) -> Any:
        """A new client of the primary."""
        return self.servers.client()

    def reconnect(self) -> None:
        """After the primary has changed."""
        self.redis.close()
        self.redis = self.client()

    def configure(self, settings: dict[str, dict[str, Any]], statement_timeout: float, parallelism: int) -> None:
        """Applies a configuration: for each target the settings of its integration (see `rounds.settings`)."""
        text = ""
        for key, target in self.targets.items():
            proxied = ChaosTarget(target.dialect, self.servers.proxied(key, self.namespace), target.password)
            for name in (key, f"{key}-second"):
                text += proxied.connector(
                    name,
                    statement_timeout=f'"{statement_timeout}s"',
                    connect_timeout='"2s"',
                    parallelism=parallelism,
                    allow='["call"]',
                )
            if key in settings:
                single = bool(settings[key].get("single"))
                queries = proxied.single_queries() if single else proxied.queries()
                queries = {name: f"{query} {{* {self.variant} *}}" for name, query in queries.items()}
                if settings[key].get("commits"):
                    queries["add"] += ";\nCALL commits()"
                batch = {} if single else {"batch": settings[key]["batch"]}
                leave_out = settings[key].get("leave_out", ()) + (("batch",) if single else ())
                once = {"exactly_once": "true"} if settings[key]["once"] else {}
                self.once = self.once or settings[key]["once"]
                connector = f"{key}-second" if self.second_connector else key
                if self.notes_clears:
                    queries["clear"] = proxied.noted_clear()
                listed = {"members": self.listed[key]} if key in self.listed else {}
                more = queries | batch | once | listed
                integration = proxied.integration(f"i-{key}", connector, leave_out=leave_out, **more)
                text += integration.replace(f"key = {KEYS[0]}", f"key = {self.key}")
        stranger = self.targets["pg"].integration("stranger", "pg").replace('database = "main"', 'database = "nowhere"')
        text += "".join(stranger.replace("stranger", f"stranger-{number}") for number in range(self.strangers))
        self.installation.configure(text + self.source)
        revision.publish(self.redis, self.keys, load(self.installation.file))

    def apply(self, made: Made, ms: int, n: int, wanted: list[str]) -> None:
        """One accepted event happens, to the model of each of these targets."""
        self.events += 1
        self.operations += made.operations
        self.unwanted += made.operations if made.elsewhere else 0
        self.entries += made.bad + (made.kind == "malformed")
        self.allowed.pushed.add((ms, n))
        for key in wanted:
            self.models[key].apply(made, ms, n)

    def staff(self, armed: Armed | None = None, *, patience: float = 40) -> None:
        """Starts workers and beats until there are as many as wanted, and waits until the new ones are ready."""
        self.workers = [worker for worker in self.workers if worker.running]
        self.beats = [beat for beat in self.beats if beat.running]
        new = []
        while len(self.workers) < self.wanted_workers:
            new.append(self._start_worker(armed))
        while len(self.beats) < self.wanted_beats:
            self.beats.append(self.installation.beat())
        self.installation.wait(lambda: all(_is_ready(worker) for worker in new), "all workers ready", patience)

    def _start_worker(self, armed: Armed | None) -> Process:
        installation, before = self.installation, self.installation.environ
        installation.environ = before | (armed.environ() if armed else {})
        halts = armed is not None and armed.halts
        # Somebody must be there to take the place of who is stopped.
        children = self.chance.randint(2 if halts else 1, 3)
        command = [sys.executable, "-m", *(("tests.chaos.halting",) if halts else self.celery)]
        command += ["worker", "-c", str(children), "-n", f"w{len(installation.processes)}@%h", "-l", "INFO"]
        try:
            worker = installation.start(command, "worker")
        finally:
            installation.environ = before
        self.workers.append(worker)
        return worker

    def children(self) -> list[int]:
        """Pids of all workers' pool processes."""
        found = []
        for worker in self.workers:
            with contextlib.suppress(FileNotFoundError):
                found += worker.children()
        return found

    def dismiss(self) -> None:
        """Kills all workers, whatever they do."""
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def backlog(self) -> int:
        """Operations that are owed."""
        return sum(int(self.redis.hget(self.keys.integration(f"i-{key}"), "backlog") or 0) for key in DIALECTS)

    def has_delivered(self) -> bool:
        """Whether nothing is owed but the marks of resyncs, each of which stays as long as its run is tried."""
        lanes = self.redis.scan_iter(match=f"{self.namespace}:lane:*", count=1000)
        owed = [said for lane in lanes if int((said := self.redis.hmget(lane, "count", "bar", "mark"))[0] or 0)]
        marks = all(int(count) == 1 and bar and bar == mark for count, bar, mark in owed)
        return not self.redis.xlen(self.keys.events) and marks

    def left_to_do(self) -> float:
        """What is owed or not yet written down; infinite while Redis does not say."""
        try:
            return int(self.redis.xlen(self.keys.events)) + self.backlog() + int(self.redis.xlen(self.keys.outcomes))
        except RedisError:
            return math.inf

    def is_held(self, key: str) -> bool:
        """Whether a target's integration waits for someone."""
        return bool(self.redis.hget(self.keys.integration(f"i-{key}"), "hold"))

    def drain(self, seconds: float) -> bool:
        """Waits until nothing is owed; False where that becomes no less for so long. Restarts what has died.

        To close in on what kills its process takes a dozen deaths, in which nothing becomes less: shorter heads are
        progress, too.
        """
        least, deadline = math.inf, time.monotonic() + seconds
        heads = set[tuple[bytes, bytes]]()
        while left := self.left_to_do():
            if left < least:
                least, deadline = left, time.monotonic() + seconds
            if time.monotonic() > deadline:
                if (found := self._heads()) <= heads:
                    return False
                heads, deadline = heads | found, time.monotonic() + seconds
            if not all(process.running for process in (*self.workers, *self.beats)):
                self.staff()
            time.sleep(0.03)
        return True

    def _heads(self) -> set[tuple[bytes, bytes]]:
        """How far the batches reach that were tried and are not done, by lane."""
        lanes = list(self.redis.scan_iter(match=f"{self.namespace}:lane:*", count=1000))
        return {(lane, to) for lane in lanes if (to := self.redis.hget(lane, "to"))}

    def state(self) -> str:
        """All that Redis holds of it, for a failing round."""
        lines = [f"redis ms {self.redis.time()}"]
        for name in sorted(self.redis.scan_iter(match=f"{self.namespace}:*", count=1000)):
            kind = self.redis.type(name)
            if kind == b"hash":
                lines.append(f"{name.decode()}: {self.redis.hgetall(name)}"[:1500])
            elif kind == b"zset":
                lines.append(f"{name.decode()}: {self.redis.zrange(name, 0, 20, withscores=True)}")
            elif kind == b"stream":
                lines.append(f"{name.decode()}: {self.redis.xlen(name)} entries")
            elif kind == b"list":
                lines.append(f"{name.decode()}: {self.redis.llen(name)} items")
        return "\n".join(lines)

    def close(self) -> None:
        """Ends its processes and drops its databases."""
        for process in self.installation.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
        self.installation.stop()
        for server in self.servers.targets.values():
            server.drop_database(self.namespace)
        with contextlib.suppress(RedisError):
            self.redis.flushall()
        self.redis.close()


def _is_ready(worker: Process) -> bool:
    return " ready." in worker.log.read_text(errors="replace") or not worker.running
