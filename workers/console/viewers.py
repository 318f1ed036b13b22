"""Who looks at the console, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from workers.settings.console import Role

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Gate", "LocalGate", "Role", "Viewer"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who was let in.

    name  what revisions, pauses, runs and the log of acts say of who did it
    role  the most that they may do
    signed_in  whether by a password, so that they can sign out
    """

    name: str
    role: Role
    signed_in: bool = False


class Gate(Protocol):
    """Lets people in."""

    def viewer(self, request: Request) -> Viewer | None:
        """Who sent it; None where that is not known, or no longer. Runs in a thread: it may ask Redis or a file."""

    def ask_in(self, request: Request) -> Response:
        """What is answered to somebody who is not known: a way to a login, or a status of 401."""


@dataclass(frozen=True, slots=True)
class LocalGate:
    """Takes everybody for the user who started the console: only for an address that no other host reaches."""

    name: str
    role: Role = Role.EDITOR

    def viewer(self, request: Request) -> Viewer | None:  # noqa: ARG002 - it is the same for all
        """That user; with every right that the command line has, unless the console is told not to edit."""
        return Viewer(self.name, self.role)

    def ask_in(self, request: Request) -> Response:  # pragma: no cover - nobody is unknown
        """Never called."""
        raise NotImplementedError
