"""The one place that says what a failure means to whoever looks: a page with its sentence, and a status."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers.control.losses import Undecided
from workers.control.pause import UnknownIntegration
from workers.errors import SegsyncError, SettingsError, WrongUsage
from workers.ledger.errors import LedgerError
from workers.quarantine.entries import UnknownEntry
from workers.settings.revisions import UnknownRevision

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from workers.console.viewers import Role
    from workers.console.visit import Visit


class NotAllowed(SegsyncError):
    """The viewer's role does not reach so far, or the console is told not to edit."""

    def __init__(self, role: Role, *, edits: bool = False) -> None:
        why = ", and [console] edit = true" if edits else ""
        super().__init__(f"this needs the role {role.word} or more{why}")


class NotMeant(SegsyncError):
    """What was posted is from no form of this page in this browser."""

    def __init__(self) -> None:
        super().__init__("this form is from before a restart, or from another page; go back, load it anew, do it again")


class TooLarge(SegsyncError):
    """What was posted is longer than any form."""

    def __init__(self, most: int) -> None:
        super().__init__(f"this is too long; expected at most {most:,} bytes")


class TooSlow(SegsyncError):
    """What was posted did not come within its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it took longer than {seconds:g} s to be sent")


class NotFound(SegsyncError):
    """There is no such page or thing; the message names it."""


STATUSES: Final[tuple[tuple[type[Exception], HTTPStatus], ...]] = (
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (NotMeant, HTTPStatus.FORBIDDEN),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooSlow, HTTPStatus.REQUEST_TIMEOUT),
    (NotFound, HTTPStatus.NOT_FOUND),
    (UnknownIntegration, HTTPStatus.NOT_FOUND),
    (UnknownEntry, HTTPStatus.NOT_FOUND),
    (UnknownRevision, HTTPStatus.NOT_FOUND),
    (WrongUsage, HTTPStatus.BAD_REQUEST),
    (SettingsError, HTTPStatus.BAD_REQUEST),
    (LedgerError, HTTPStatus.SERVICE_UNAVAILABLE),
    (RedisError, HTTPStatus.SERVICE_UNAVAILABLE),
    (SegsyncError, HTTPStatus.CONFLICT),
)
"""The first that fits counts; whatever fits none is a mistake of ours."""


def status_of(error: Exception) -> HTTPStatus | None:
    """The status of a failure that can be expected; None for a mistake of ours."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), None)


def sentence(error: Exception) -> str:
    """What is said of it; nothing of a mistake of ours, which may hold anything."""
    if status_of(error) is None:
        return f"a mistake of segsync's ({type(error).__name__})"
    if isinstance(error, Undecided):
        return error.elsewhere
    return f"Redis is out of reach: {error}" if isinstance(error, RedisError) else str(error)


def told(visit: Visit, work: Callable[[], Response]) -> Response:
    """Its response, or the page of what went wrong; a mistake of ours is raised on."""
    try:
        return work()
    except Exception as error:
        status = status_of(error)
        if status is None:
            raise
        return visit.page("failure.html", status, title=status.phrase, sentence=sentence(error))
