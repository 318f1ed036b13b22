"""Trying a preview's statements on the integration's own connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, SettingsError, TargetError, WrongUsage
from workers.preflight import trial
from workers.settings import ConnectorSettings

if TYPE_CHECKING:
    from workers.preflight.preview import Preview
    from workers.settings.connectors import AnyConnector


def try_out(connector: AnyConnector, preview: Preview) -> trial.Outcome:
    """Runs a preview's statements and rolls back; WrongUsage for what no rollback would undo, and an ad account."""
    if not isinstance(connector, ConnectorSettings):
        raise WrongUsage(f"{connector.key!r} is an ad account, on which nothing can be tried and taken back")
    try:
        target = connector.resolve()
    except SettingsError as error:
        # As for a deliverer: what only the target needs is no mistake of the file's.
        reason = "; ".join(map(str, error.mistakes))
        missing = TargetError(ErrorClass.HOLD, "segsync settings", reason, level=HoldLevel.CONNECTOR)
        return trial.Outcome(unreachable=missing)
    if sum(map(bool, preview.queries)) > 1:
        preview.notes.append("each batch is tried by itself: what an earlier one did, a later one does not see")
    try:
        return trial.attempt(target, preview.queries)
    except trial.Untryable as error:
        raise WrongUsage(str(error)) from None
