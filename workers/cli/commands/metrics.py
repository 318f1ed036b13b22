"""`segsync metrics`: what Prometheus scrapes."""

from __future__ import annotations

import signal
import threading

import typer
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import generate_latest

from workers.cli.celery_inspect import ask
from workers.cli.exit_status import FINE
from workers.cli.installation import open_runtime
from workers.errors import WrongUsage
from workers.monitoring.asking import SharedAsk
from workers.monitoring.metrics import Metrics
from workers.settings.console import parse_listen


def run(listen: str | None) -> int:
    """Serves until SIGTERM or Ctrl-C; without an address, prints them once."""
    where = None if listen is None else address(listen)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(open_runtime(), SharedAsk(ask)))
    if where is None:
        typer.echo(generate_latest(registry).decode(), nl=False)
        return FINE
    host, port = where
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise WrongUsage(f"--listen {listen}: {error.strerror}") from None
    typer.echo(f"metrics at http://{host}:{server.server_port}/metrics", err=True)
    _wait()
    server.shutdown()
    thread.join()
    server.server_close()
    return FINE


def address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, as in 127.0.0.1:9464; WrongUsage for anything else."""
    found = parse_listen(text)
    if found is None:
        raise WrongUsage(f"--listen {text[:60]!r}: expected HOST:PORT, as in 127.0.0.1:9464")
    return found


def _wait() -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        ended.wait()
    except KeyboardInterrupt:
        return
