"""`segsync up`: the processes of production on your own segsync.toml, until Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workers.cli import streams
from workers.cli.exit_status import FINE
from workers.cli.installation import refuse_without_console
from workers.cli.local import embedded_redis
from workers.cli.local.supervisor import Supervisor
from workers.control import apply as applying
from workers.control.startup import check_redis
from workers.errors import SegsyncError
from workers.lanes.keys import Keys
from workers.settings import load
from workers.settings.alerts import tells_somebody
from workers.settings.spelling import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from workers.settings import Settings

FOLDER: Final = ".segsync"
"""Beside the file: embedded data, logs, and the lock."""
DEFAULT_PORT: Final = 6379


class AlreadyUp(SegsyncError):
    """Another `segsync up` works in this folder."""


class NoFolder(SegsyncError):
    """There is nowhere to keep data and logs."""


def say(line: str) -> None:
    """One line for each event."""
    streams.say(f"{time.strftime('%H:%M:%S')}  {plain(line)}")


def run(*, console: bool = False) -> int:
    """Applies the file and starts everything; the first SIGINT or SIGTERM ends it."""
    if console:
        refuse_without_console()
    settings = load()
    folder = settings.local.path.parent / FOLDER
    with _only_one(folder):
        up = Supervisor(folder, settings.local.path, say)
        up.signals.listen()
        try:
            _start(up, settings, console=console)
        finally:
            if up.children:
                say("ending; Ctrl-C once more ends it at once")
            up.stop()
    return FINE


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keeps a second one out: two Redis servers on one set of files would ruin them."""
    try:
        folder.mkdir(exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise NoFolder(
            f"{folder} cannot be written: {error.strerror}; `segsync up` keeps data and logs there"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyUp(f"another `segsync up` works in {folder}; expected one at a time") from None
        yield


def _start(up: Supervisor, settings: Settings, *, console: bool) -> None:
    if not settings.local.redis.named:
        _start_redis(up)
        settings = load(settings.local.path)
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    check_redis(redis, keys)
    _apply(redis, keys, settings)
    up.start_workers(settings.connectors)
    up.start_flower()
    if console:
        up.start_console()
    if tells_somebody(settings.local.path):
        up.start_alerts()
        say("whoever [alerts] of the file names is told what needs someone")
    say(f"logs are in {up.folder / 'logs'}; Ctrl-C ends it all")
    up.watch(redis, keys)


def _start_redis(up: Supervisor) -> None:
    port = embedded_redis.free_port(DEFAULT_PORT)
    url = up.start_redis(port)
    say(f"the file names no Redis: this one is ours, at {url}, its data in {up.folder / 'redis'}")
    if port != DEFAULT_PORT:
        say(f"another program has port {DEFAULT_PORT}; for other commands: export SEGSYNC_REDIS_URL={url}")


def _apply(redis: Redis, keys: Keys, settings: Settings) -> None:
    for warning in (*settings.warnings, *settings.check_secrets(os.environ)):
        say(f"! {warning}")
    report = applying.carry_out(redis, keys, applying.plan(redis, keys, settings))
    say(f"revision {report.revision} is applied" + ("" if report.changed else ", as before"))
