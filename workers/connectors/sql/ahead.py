"""The statements of what comes next, rendered while the database executes what comes before it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from workers.connectors.sql.rendering import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.connectors.contract import Group, Shipment
    from workers.connectors.sql.rendering import RenderedQuery


class Ahead:
    """One shipment ahead, for one session."""

    def __init__(self) -> None:
        self._upcoming: Callable[[], Shipment | None] | None = None
        self._ready: tuple[Sequence[Group], list[RenderedQuery]] | None = None

    def begin(self, shipment: Shipment) -> list[RenderedQuery] | None:
        """A shipment is delivered: its statements, where it is the one that was made ready."""
        ready, self._ready = self._ready, None
        self._upcoming = shipment.upcoming
        return ready[1] if ready is not None and ready[0] is shipment.groups else None

    def work(self) -> Callable[[], None] | None:
        """What to do once a statement is sent; None from the second one on, or where nothing is known."""
        upcoming, self._upcoming = self._upcoming, None
        return None if upcoming is None else lambda: self._get_ready(upcoming)

    def _get_ready(self, upcoming: Callable[[], Shipment | None]) -> None:
        with suppress(Exception):  # what is wrong with it is told when its turn has come
            shipment = upcoming()
            if shipment is not None:
                self._ready = shipment.groups, render(shipment)
