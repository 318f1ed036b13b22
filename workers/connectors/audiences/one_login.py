"""What the rounds of one login work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.audiences.budgets import Budget
    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.database import Store
    from workers.connectors.audiences.store.sealing import Seal
    from workers.connectors.audiences.wire import PlatformWire


@dataclass(frozen=True, slots=True)
class Login:
    """One login, as its rounds see it.

    clock  Unix milliseconds, the same for all processes
    owner  this process's name
    """

    connector: str
    platform: Platform
    store: Store
    wire: PlatformWire
    budget: Budget
    seal: Seal
    clock: Callable[[], int]
    owner: str
