"""`segsync push`: events from JSON lines."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer
from redis.backoff import NoBackoff
from redis.retry import Retry

from segsync import Producer
from workers.cli.exit_status import FINE
from workers.cli.json_lines import push_lines, read_lines
from workers.cli.output import print_json
from workers.errors import WrongUsage
from workers.settings import load_local
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def run(file: str, *, as_json: bool = False) -> int:
    """Pushes them all; "-" is standard input."""
    local = load_local()
    # No retries: what was sent and not answered may have been accepted, and is not to be doubled.
    once = Retry(NoBackoff(), 0)
    with _opened(file) as stream, local.redis.client(retry=once) as client:
        producer = Producer(client=client, namespace=local.namespace)
        report = push_lines(producer, read_lines(stream), _progress())
    if as_json:
        print_json(report)
    else:
        typer.echo(f"{counted(report.accepted, 'event')} accepted, from {counted(report.lines, 'line')}")
    return FINE


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        if sys.stdin is None:
            raise WrongUsage("-: standard input is closed; expected events on it, one JSON object per line")
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise WrongUsage(f"{file}: {error.strerror or error}") from None


def _progress() -> Callable[[int], None] | None:
    """Counts up on a terminal, over and over on one line."""
    if not sys.stderr.isatty():
        return None
    return lambda accepted: typer.echo(f"\r{counted(accepted, 'event')}\r", nl=False, err=True)
