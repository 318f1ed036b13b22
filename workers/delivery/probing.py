"""Tries to connect, in the name of all lanes of a connector that is held or whose circuit is open (rule 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.delivery.decide import Hold, decide
from workers.delivery.turn import Failed
from workers.errors import TargetError
from workers.log import TARGET_BACK, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.lanes import Lanes, Probe


def try_to_connect(connector: str, connect: Callable[[], None], lanes: Lanes, probe: Probe) -> Failed | None:
    """Lifts the hold or closes the circuit where `connect` succeeds; else why not, and when it is tried again."""
    try:
        connect()
    except TargetError as error:
        outcome = decide(error)
        held = isinstance(outcome, Hold)
        how, delay = ("hold", outcome.delay_ms) if isinstance(outcome, Hold) else ("open", 0)
        wait = lanes.circuit(connector, how, delay_ms=delay, code=error.code, reason=error.reason)
        return Failed(connector, "*", error.code, error.reason, wait / 1000, needs_help=held)
    if was := lanes.connected(connector, probe.hold):
        tell(TARGET_BACK, connector=connector, tries=was.tries, seconds=was.ms / 1000, reason=was.reason)
    return None
