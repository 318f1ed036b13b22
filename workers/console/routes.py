"""How pages and acts are declared, and what comes before each: who it is, may they, do they mean it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from redis import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from workers.console import failures
from workers.console.failures import NotAllowed, NotMeant, TooLarge, TooSlow
from workers.console.viewers import Role
from workers.console.visit import BROWSER, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from workers.console.site import Site
    from workers.console.viewers import Gate, Viewer

MOST_FORM_BYTES = 2 * 1024 * 1024
"""Of a posted form: the longest queries that are of any use, several times over."""
SLOWEST_SECONDS = 20.0
"""For a form to be sent: MOST_CONNECTIONS that send nothing would keep everybody out for ever."""
MOST_FIELDS = 10_000
"""Of a posted form: as many entries as can be marked on a page, several times over."""
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class PageRoute:
    """Something to look at: GET.

    path  with places in braces, as in "/integrations/{key}"
    live  whether parts of it change while somebody looks
    """

    path: str
    show: Callable[[Visit], Response]
    role: Role = Role.VIEWER
    live: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something that changes anything: POST, with a form's token.

    name    of the command that does the same; it is written down for each act
    on      the place of the path, or the field of the form, that names what it is done to; "" for none
    edits   whether it publishes a revision, which a console may have been told not to do
    kept    whether it is written down; what only looks is not
    told    says what it is done to, where `on` would write down whom, or no one field does
    """

    path: str
    name: str
    do: Callable[[Visit], Response]
    role: Role = Role.OPERATOR
    on: str = "key"
    edits: bool = False
    kept: bool = True
    told: Callable[[Visit], str] | None = None


class ActLog(Protocol):
    """Keeps who did what."""

    def begin(self, visit: Visit, act: Act) -> None:
        """Keeps that it is about to be done; raises where that cannot be, and then it is not done."""

    def write(self, visit: Visit, act: Act, outcome: str) -> None:
        """Keeps what came of it: "done", or why it was refused. Runs in a thread, after the act."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Makes routes of pages and acts."""

    site: Site
    gate: Gate
    acts: ActLog

    def to_page(self, page: PageRoute) -> Route:
        """The route of a page."""

        def show(request: Request) -> Response:
            return self.look(page, request)

        return Route(page.path, show, methods=["GET"])

    def look(self, page: PageRoute, request: Request) -> Response:
        """The page, for whoever asks."""
        return self._let_in(request, lambda visit: self._shown(page, visit))

    def to_act(self, act: Act) -> Route:
        """The route of an act."""

        async def do(request: Request) -> Response:
            return await run_in_threadpool(self._done, act, request, await posted(request, MOST_FORM_BYTES))

        return Route(act.path, do, methods=["POST"])

    def _visit(self, request: Request, viewer: Viewer) -> Visit:
        return Visit(self.site, viewer, request, request.path_params, dict(request.query_params))

    def _shown(self, page: PageRoute, visit: Visit) -> Response:
        if visit.viewer.role < page.role:
            raise NotAllowed(page.role)
        return page.show(visit)

    def _done(self, act: Act, request: Request, body: bytes | None) -> Response:
        return self._let_in(request, lambda visit: self._try(act, visit, body))

    def _let_in(self, request: Request, work: Callable[[Visit], Response]) -> Response:
        """What every page and every act goes through: nothing is done for whom the gate does not know."""
        try:
            viewer = self.gate.viewer(request)
        except RedisError as error:
            return PlainTextResponse(f"{failures.sentence(error)}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        if viewer is None:
            return self.gate.ask_in(request)
        visit = self._visit(request, viewer)
        return failures.told(visit, lambda: work(visit))

    def _try(self, act: Act, visit: Visit, body: bytes | None) -> Response:
        if body is None:
            raise TooLarge(MOST_FORM_BYTES)
        form = self._read_form(visit, body)
        meant = Visit(visit.site, visit.viewer, visit.request, visit.path, visit.query, form)
        if not act.kept:
            return self._allowed(act, meant)
        self.acts.begin(meant, act)
        try:
            response = self._allowed(act, meant)
        except Exception as error:
            self.acts.write(meant, act, failures.sentence(error))
            raise
        self.acts.write(meant, act, "done")
        return response

    def _allowed(self, act: Act, visit: Visit) -> Response:
        if visit.viewer.role < act.role or (act.edits and not self.site.edit):
            raise NotAllowed(act.role, edits=act.edits)
        return act.do(visit)

    def _read_form(self, visit: Visit, body: bytes) -> dict[str, list[str]]:
        """What was posted, if it came from a form of ours; NotMeant."""
        request = visit.request
        if not is_form_of_this_site(request):
            raise NotMeant
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        except ValueError:
            raise NotMeant from None
        form: dict[str, list[str]] = {}
        for name, value in pairs:
            form.setdefault(name, []).append(value)
        token = form.pop("token", [""])[-1]
        if not self.site.seals.knows(token, request.cookies.get(BROWSER, ""), visit.viewer.name):
            raise NotMeant
        return form


def is_of_this_site(request: Request) -> bool:
    """Whether the browser does not say that another site had it sent."""
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def is_form_of_this_site(request: Request) -> bool:
    """The same, and whether it is a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == FORM and is_of_this_site(request)


async def posted(request: Request, most: int, seconds: float | None = None) -> bytes | None:
    """What was posted; None where it is longer than `most` bytes, and then it is not read to its end.

    TooSlow after so many seconds (SLOWEST_SECONDS): whoever sends nothing keeps a place that others wait for.
    """
    seconds = SLOWEST_SECONDS if seconds is None else seconds
    found = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                found += part
                if len(found) > most:
                    return None
    except TimeoutError:
        raise TooSlow(seconds) from None
    return bytes(found)
