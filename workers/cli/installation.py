"""What commands work with: this file's settings, and the installation that they lead to."""

from __future__ import annotations

from importlib.util import find_spec

from workers.control.pause import known_integration
from workers.errors import WrongUsage
from workers.lanes.keys import Keys
from workers.ledger import identity
from workers.ledger.database import Ledger
from workers.runtime import Runtime
from workers.settings import load, load_local
from workers.settings.revision import NothingApplied


def open_runtime() -> Runtime:
    """The installation that this process's file leads to. SettingsError."""
    return Runtime(load_local())


def refuse_unknown(integration: str | None) -> None:
    """For a command that found nothing of an integration: UnknownIntegration where there is none of this name.

    Only then: the ledger remembers integrations that are long gone. SettingsError, redis.RedisError.
    """
    if integration is not None:
        local = load_local()
        known_integration(local.redis.client(), Keys(local.namespace), integration)


def open_ledger() -> Ledger:
    """The applied configuration's ledger; the file's own while nothing is applied.

    SettingsError, LedgerError, redis.RedisError.
    """
    runtime = open_runtime()
    try:
        return runtime.ledger
    except NothingApplied:
        ledger = Ledger(load().ledger_url)
        identity.ready(runtime.redis, runtime.keys, ledger)
        return ledger


def refuse_without_console() -> None:
    """WrongUsage where the console's extra is not installed."""
    missing = [name for name in ("starlette", "jinja2", "uvicorn") if find_spec(name) is None]
    if missing:
        raise WrongUsage(f"the console needs {', '.join(missing)}; expected: pip install 'segsync[console]'")
