"""`segsync console`: the installation in a browser."""

from __future__ import annotations

import typer

from workers.cli.celery_inspect import ask
from workers.cli.commands.metrics import address
from workers.cli.exit_status import FINE
from workers.cli.people import somebody
from workers.errors import WrongUsage
from workers.settings.console import is_loopback, load_console


def run(listen: str | None) -> int:
    """Serves until SIGTERM or Ctrl-C; where the file says, unless `listen` does."""
    settings = load_console()
    host, port = (settings.host, settings.port) if listen is None else address(listen)
    if settings.is_open and not is_loopback(host):
        raise WrongUsage(
            f"{host} can be reached from other hosts; expected [console.users] in the file, or an address as 127.0.0.1"
        )
    try:
        # Starlette and Jinja2 are an extra.
        from workers.console.opening import opened  # noqa: PLC0415 - as above
        from workers.console.serving import serve  # noqa: PLC0415 - as above
        from workers.console.streams import Streams  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise WrongUsage(f"the console needs {error.name}; expected: pip install 'segsync[console]'") from None
    streams = Streams()
    app = opened(settings, somebody(), ask, streams=streams)
    told = "the console is at {}; Ctrl-C ends it"
    is_proxy = settings.proxy.is_one if settings.proxy else lambda _: False
    serve(app, host, port, lambda url: typer.echo(told.format(url), err=True), streams.end, is_proxy)
    return FINE
