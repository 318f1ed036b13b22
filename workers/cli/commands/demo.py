"""`segsync demo`: everything embedded and real, in a folder of its own.

The same Redis, Celery workers, beat and code as in production; only the databases are SQLite. What is printed at the
end is read back from target and ledger, and compared with what must be there: a mismatch needs someone.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from segsync import Producer
from workers.cli import streams
from workers.cli.demo import events as demo_events
from workers.cli.demo.config import SCHEMA, write_config
from workers.cli.demo.flower import describe
from workers.cli.demo.story import read_back, tell, tell_pushed
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.local import embedded_redis
from workers.cli.local.supervisor import Supervisor
from workers.control import apply as applying
from workers.lanes.keys import Keys
from workers.ledger.database import Ledger
from workers.settings import load
from workers.settings.spelling import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from workers.cli.demo.story import Found
    from workers.settings import Settings

PATIENCE_SECONDS: Final = 900.0
"""What starting, and then the story, may take each: seconds on an idle machine, minutes on a busy one."""
TELL_EVERY: Final = 10.0
"""Seconds between two words on what is still being waited for."""
DEATHS_AT_MOST: Final = 5
"""A process that has died so often in a row will not come up by waiting."""
LOOK_EVERY: Final = 0.1
"""Seconds between two looks at what is waited for."""
GRACE_SECONDS: Final = 2.0
"""Nothing is under way when the demo ends, so that whoever takes longer is killed: what it is made for."""


def run(*, keep: bool) -> int:
    """Tells the story; with `keep`, stays up afterwards until Ctrl-C."""
    return perform(Demo, keep=keep)


def perform(make: Callable[[Path], Demo], *, keep: bool) -> int:
    """One run of the demo that `make` gives, in a folder that goes with it; its exit status."""
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="segsync-demo-"))
    try:
        demo = make(folder)
        try:
            status = demo.run(keep=keep)
        finally:
            demo.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    typer.echo(f"Ended and removed, {time.monotonic() - started:.1f} s after the start.")
    return status


class Demo:
    """One run, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = time.monotonic()
        self.port = embedded_redis.free_port()
        self.url = embedded_redis.url(self.port)
        self.config = self._write_config()
        self.installation = Supervisor(folder, self.config, _whisper)
        self.installation.signals.listen()
        # Killed workers leave files in the temporary folder: in this one they go with the rest.
        os.environ["TMPDIR"] = str(folder)

    def run(self, *, keep: bool) -> int:
        """Starts everything, pushes, waits, tells."""
        typer.echo(f"Starting Redis, three Celery workers and beat in {self.folder}")
        settings, redis, ledger = self._prepare()
        keys = Keys(settings.local.namespace)
        self.installation.start_workers(settings.connectors)
        self._wait_for_workers(redis, keys)
        pushed = time.monotonic()
        with Producer(self.url, namespace=settings.local.namespace) as producer:
            tell_pushed(demo_events.push(producer))
        redis.xadd(keys.events, {"event": demo_events.MALFORMED})
        if keep:
            self._start_views()
        found = self._wait(ledger)
        tell(found, time.monotonic() - pushed)
        if differences := found.differences():
            return self._complain(differences)
        typer.echo(f"\nAll of it is as it must be: {len(found.members):,} rows, both hostile names as they are.")
        if keep:
            self._stay(redis, keys)
        return FINE

    def close(self) -> None:
        """Ends all that was started."""
        self.installation.children.stop(self.installation.signals.hurry, GRACE_SECONDS)

    def _write_config(self) -> Path:
        return write_config(self.folder, self.url)

    def _make_target(self) -> None:
        """The customer's tables."""
        with closing(sqlite3.connect(self.folder / "target.db")) as target:
            target.executescript(SCHEMA)

    def _prepare(self) -> tuple[Settings, Redis, Ledger]:
        """Redis, the target, the ledger and the applied configuration."""
        self.installation.start_redis(self.port)
        self._make_target()
        settings = load(self.config)
        redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
        ledger = Ledger(settings.ledger_url)
        ledger.upgrade()
        applying.carry_out(redis, keys, applying.plan(redis, keys, settings))
        return settings, redis, ledger

    def _start_views(self) -> None:
        self.installation.start_flower()
        if find_spec("starlette"):  # an extra
            self.installation.start_console()

    def _wait_for_workers(self, redis: Redis, keys: Keys) -> None:
        """So that the times shown are segsync's, and not what starting takes. Without a worker the story goes on."""
        self._until(lambda: "" if redis.hexists(keys.seen, "pulse") else "the workers are starting")

    def _wait(self, ledger: Ledger) -> Found:
        """What is there once all is as it must be, or after so long, or when somebody interrupts it."""
        found = read_back(self.folder, ledger)

        def differs() -> str:
            nonlocal found
            found = read_back(self.folder, ledger)
            return next(iter(found.differences()), "")

        self._until(differs)
        return found

    def _until(self, missing: Callable[[], str]) -> None:
        """Waits until nothing is missing, and says now and then what is; no longer than may be, or than helps."""
        began = told = time.monotonic()
        while (what := missing()) and time.monotonic() - began < PATIENCE_SECONDS:
            if self.installation.signals.count or self.installation.children.deaths() >= DEATHS_AT_MOST:
                return
            if time.monotonic() - told > TELL_EVERY:
                told = time.monotonic()
                typer.echo(f"    after {told - began:.0f} s: {plain(what)}; it goes on (Ctrl-C ends it)")
            self.installation.tend()
            time.sleep(LOOK_EVERY)

    def _complain(self, differences: list[str]) -> int:
        waited = time.monotonic() - self.started
        why = "interrupted" if self.installation.signals.count else f"not as it must be after {waited:.0f} s"
        typer.echo(f"\n{why}:", err=True)
        for difference in differences:
            typer.echo(f"    {plain(difference)}", err=True)
        for log in sorted((self.folder / "logs").glob("*.log")):
            typer.echo(f"\nthe end of {log.name}:\n{plain(log.read_text(errors='replace')[-1500:])}", err=True)
        return NEEDS_SOMEONE

    def _stay(self, redis: Redis, keys: Keys) -> None:
        cli = Path(embedded_redis.executable()).with_name("redis-cli")
        typer.echo(f"""
It stays up. {self._views()}

    push   {cli if cli.exists() else "redis-cli"} -p {self.port} XADD {keys.events} '*' event \\
             '{{"type":"clear","segment":{{"id":{demo_events.VIP}}}}}'
           {sys.executable} -c 'from segsync import Producer; \\
             Producer("{self.url}").add(7, [{{"_id": 1, "CustomID": "D-1", "name": "Dan"}}])'
    look   sqlite3 {self.folder / "target.db"} 'SELECT * FROM mysegment WHERE segment_id = 7'
           segsync --config {self.config} status
    logs   {self.folder / "logs"}

Ctrl-C ends it and removes all of it.""")
        self.installation.watch(redis, keys)

    def _views(self) -> str:
        console = f"The console is at {self.installation.console_url}. " if self.installation.console_url else ""
        return f"{console}{describe(self.installation)}"


def _whisper(line: str) -> None:
    """Only what is wrong is worth a line in a story."""
    if line.split(maxsplit=1)[0] not in ("started", "restarted", "killed", "Flower", "console"):
        streams.say(f"! {plain(line)}", err=True)
