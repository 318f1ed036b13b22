"""A console of a test's own, over a real Redis and ledger, and browsers without a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse

from tests.integration.console.browser import Browser, Recorded
from workers.console.app import build
from workers.console.shield import LOCAL_HOSTS
from workers.console.site import Site
from workers.console.viewers import LocalGate, Role, Viewer
from workers.monitoring.consumers import Consumers
from workers.runtime import Runtime
from workers.settings import load_local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp


class Everybody(LocalGate):
    """Takes people for whom a header says they are: tests are about what comes after."""

    def viewer(self, request: Request) -> Viewer | None:
        role = request.headers.get("x-role", "editor")
        return None if role == "nobody" else Viewer(self.name, Role[role.upper()])

    def ask_in(self, request: Request) -> Response:  # noqa: ARG002 - it is the same for all
        return PlainTextResponse("who are you?", 401)


@pytest.fixture
def acts() -> Recorded:
    """What was done through `browser`."""
    return Recorded()


@pytest.fixture
def make_console(request: pytest.FixtureRequest, acts: Recorded) -> Callable[..., ASGIApp]:
    """Makes a console of a file, else of that of `place`; it must be written by then."""

    def make(*, edit: bool = True, file: Path | None = None, **more: Any) -> ASGIApp:
        runtime = Runtime(load_local(file or request.getfixturevalue("place").file))
        site = Site(lambda: Consumers(1, {"route": 1}, ("a@one",)), edit=edit, _runtime=runtime, **more)
        return build(site, Everybody("ann@test"), acts, hosts=LOCAL_HOSTS)

    return make


@pytest.fixture
def browser(make_console: Callable[..., ASGIApp]) -> Browser:
    """An editor's browser; the test has written the file."""
    return Browser(make_console())
