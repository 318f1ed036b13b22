"""`segsync alerts`: tells who is to be told when something needs someone, and when that is over."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from workers.cli.celery_inspect import ask
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.installation import open_runtime
from workers.errors import SegsyncError
from workers.monitoring import status
from workers.monitoring.alarms import Memory, Message, NotSent, Watch, Watcher
from workers.monitoring.channels import channels_of
from workers.settings.alerts import load_alerts
from workers.settings.spelling import in_line

if TYPE_CHECKING:
    from workers.runtime import Runtime
    from workers.settings.alerts import AlertSettings


def run(*, once: bool, test: bool) -> int:
    """Looks and tells until SIGTERM or Ctrl-C. SettingsError."""
    settings = load_alerts()
    runtime = open_runtime()
    if test:
        return _test(settings, runtime.keys.namespace)
    watch = Watch(runtime.keys.namespace, channels_of(settings))
    watcher = Watcher(watch, Memory(runtime.redis, runtime.keys), lambda: _found(runtime, settings.quarantine))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        while True:
            failed = list(watcher.turn())
            for text in failed:
                typer.echo(in_line(f"! not told, and tried again: {text}"), err=True)
            if once:
                return NEEDS_SOMEONE if failed else FINE
            if ended.wait(settings.every):
                return FINE
    except KeyboardInterrupt:
        return FINE


def _found(runtime: Runtime, many: int) -> dict[str, str]:
    # It may name another ledger, whose quarantine is told of; what nobody may read any more would be said to be silent.
    if runtime.is_behind():
        with suppress(SegsyncError):  # of a newer version, say: whoever tells goes on by what was read before
            runtime.follow()
    found = status.read(runtime, ask, many=many)
    return dict(zip(found.topics, found.needs, strict=True))


def _test(settings: AlertSettings, namespace: str) -> int:
    """Tells each channel once that this is a test."""
    now, came = datetime.now(UTC), FINE
    for channel in channels_of(settings):
        try:
            channel.send(Message(namespace, "test", "test", "`segsync alerts --test` was run", now, now))
        except NotSent as error:
            came = NEEDS_SOMEONE
            typer.echo(in_line(f"! {channel.name}: {error}"), err=True)
        else:
            typer.echo(f"{channel.name}: sent")
    return came
