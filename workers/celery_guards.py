"""What must not be run is refused with one sentence before it starts.

That is: another project's modules in the place of ours, pools that segsync is not made for, a Flower that anybody may
use.
"""

from __future__ import annotations

import importlib.util
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

ROOT: Final = Path(__file__).resolve().parent.parent
OURS: Final = ("workers", "tasks", "celeryconfig")
POOLS: Final = ("prefork", "solo")
FLOWER_DEFAULTS: Final = {
    # Flower itself listens everywhere and asks nobody for a password.
    "FLOWER_ADDRESS": "127.0.0.1",
    # Which integration and why: the exception of a RETRY or FAILURE says both.
    "FLOWER_TASKS_COLUMNS": "name,state,args,exception,received,runtime,worker",
}


class NotStarted(SegsyncError):
    """This must not be run; the message says why, and what is expected."""


def check_modules(names: Iterable[str] = OURS) -> None:
    """NotStarted where another project's module would be taken for ours: Celery's folder comes first."""
    for name in names:
        found = importlib.util.find_spec(name)
        place = Path(found.origin).resolve() if found and found.origin else None
        if place is None or ROOT not in (place.parent, place.parent.parent):
            raise NotStarted(
                f"{place or f'a folder {name}/'} stands in the way of segsync's own {name!r} in {ROOT}; "
                "expected Celery to be started in a folder without tasks.py, workers.py and celeryconfig.py"
            )


def load_own(name: str) -> ModuleType:
    """Our module of this name, once it is certain that it is ours."""
    check_modules([name])
    return importlib.import_module(name)


def check_pool(options: Mapping[str, Any], configured: str | None = None) -> None:
    """NotStarted for threads and green threads: a forked child has its connections for itself, a thread has not."""
    pool = options.get("pool") or options.get("pool_cls") or configured or "prefork"
    # As a class in celery.concurrency.prefork, its path, or an alias.
    kind = (pool if isinstance(pool, str) else str(pool.__module__)).partition(":")[0].rpartition(".")[2]
    kind = "threads" if kind == "thread" else kind  # whose module has another name than its alias
    if kind not in (*POOLS, "processes"):
        raise NotStarted(f"--pool {kind} is not supported; expected {' or '.join(POOLS)}")


def check_flower(address: str, unix_socket: str, logins: Iterable[object]) -> None:
    """NotStarted where Flower would let anybody in: it shows what runs, and can revoke it and stop workers."""
    if unix_socket or _is_loopback(address) or any(logins):
        return
    raise NotStarted(
        f"Flower would listen on {address or 'every address'} and ask nobody for a password; "
        "expected --address=127.0.0.1, or a login: FLOWER_BASIC_AUTH=user:password (as --basic_auth `ps` shows it), "
        "or --auth with a provider"
    )


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_running_flower() -> None:
    """`check_flower` for the Flower of this process, if it is one: its options are read when it loads our tasks."""
    command = click.get_current_context(silent=True)
    if command is None or command.info_name != "flower":
        return
    from tornado.options import options  # noqa: PLC0415 - only Flower needs it

    check_flower(options.address, options.unix_socket, (options.basic_auth, options.auth))
