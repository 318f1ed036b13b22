"""What commands work with: this file's settings, and the installation that they lead to."""

from __future__ import annotations

from workers.ledger.database import Ledger
from workers.runtime import Runtime
from workers.settings import load, load_local
from workers.settings.revision import NothingApplied


def open_runtime() -> Runtime:
    """The installation that this process's file leads to. SettingsError."""
    return Runtime(load_local())


def open_ledger() -> Ledger:
    """The applied configuration's ledger; the file's own while nothing is applied.

    SettingsError, LedgerError, redis.RedisError.
    """
    try:
        return open_runtime().ledger
    except NothingApplied:
        ledger = Ledger(load().ledger_url)
        ledger.upgrade()
        return ledger
