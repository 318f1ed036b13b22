"""Who did what, as lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.log import CONSOLE_ACT, tell

if TYPE_CHECKING:
    from workers.console.routes import Act
    from workers.console.visit import Visit


class LoggedActs:
    """Tells each act in the console's log."""

    def write(self, visit: Visit, act: Act, outcome: str) -> None:
        """One line."""
        tell(CONSOLE_ACT, by=visit.viewer.name, act=act.name, on=subject(visit, act), outcome=outcome)


def subject(visit: Visit, act: Act) -> str:
    """What it is done to, as the path or the form names it."""
    return visit.path.get(act.on) or visit.field(act.on)
