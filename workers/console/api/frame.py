"""What every route of the API goes through: the token, the body, the audit log, and failures as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from redis import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from workers.console.api.routes import ApiCall, ApiRefused, target_of
from workers.console.failures import TooLarge, sentence, status_of
from workers.console.routes import posted
from workers.control.acting import Actor, recorded
from workers.errors import SegsyncError, SettingsError, WrongUsage
from workers.settings.console import May
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from workers.console.api.routes import ApiRoute
    from workers.console.site import Site
    from workers.settings.console import ConsoleSettings, ConsoleToken

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of a posted object: a configuration, several times over."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Makes Starlette's routes of the API's."""

    site: Site
    settings: ConsoleSettings

    def routes(self, found: Iterable[ApiRoute]) -> list[Route]:
        """A route each."""
        return [Route(route.path, partial(self._answer, route), methods=[route.method]) for route in found]

    async def _answer(self, route: ApiRoute, request: Request) -> Response:
        try:
            token = self.token(request, route.may, acts=route.kept and route.method != "GET")
            body = await posted(request, MOST_BYTES)
            if body is None:
                raise TooLarge(MOST_BYTES)
            return await run_in_threadpool(self._done, route, request, token, body)
        except (SegsyncError, RedisError) as error:
            return failure(error)

    def token(self, request: Request, may: May, *, acts: bool = False) -> ConsoleToken:
        """The request's token, if it may do that; ApiRefused. Nothing `acts` where `edit = false`."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.settings.token(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            raise ApiRefused(
                HTTPStatus.UNAUTHORIZED,
                "no token that is known; expected the header Authorization: Bearer TOKEN, as `segsync console token` "
                "prints one",
                www_authenticate="Bearer",
            )
        if may not in token.may:
            raise ApiRefused(HTTPStatus.FORBIDDEN, f"the token {token.name} may not {may.value}")
        if acts and not self.settings.edit:
            raise ApiRefused(HTTPStatus.FORBIDDEN, "[console] edit = false: nothing is changed here")
        return token

    def _done(self, route: ApiRoute, request: Request, token: ConsoleToken, body: bytes) -> Response:
        query = dict(request.query_params)
        known = [each.name for each in route.query]
        for name in query.keys() - set(known):
            raise WrongUsage(f"{name[:60]!r} means nothing here{nearest(name, known)}")
        for each in route.query:
            if each.required and not query.get(each.name):
                raise WrongUsage(f"{each.name} is missing: {each.words}")
        sees, posted_body = May.OPERATE in token.may, _read(route, request, body)
        site, who = self.site, actor_of(request, token)
        call = ApiCall(site, token.name, sees, request.path_params, query, posted_body, who.address)
        if not route.kept:
            return as_json(route.do(call))
        reason = getattr(call.body, "reason", "")
        with recorded(site.redis, site.keys, who, route.name, target_of(route, call), reason=reason):
            return as_json(route.do(call))


def actor_of(request: Request, token: ConsoleToken) -> Actor:
    """Who it is, for the audit log."""
    return Actor(token.name, "api", request.client.host if request.client else "")


def _read(route: ApiRoute, request: Request, body: bytes) -> Any:  # noqa: ANN401 - of the route's type
    """What was posted, as the route's type; WrongUsage, ApiRefused."""
    if route.body is None:
        if body.strip():
            raise WrongUsage("a body means nothing here; expected none")
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body.strip() and kind != "application/json":
        raise ApiRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{kind[:60]!r}: expected application/json")
    try:
        return msgspec.json.decode(body.strip() or b"{}", type=route.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WrongUsage(f"the body cannot be understood: {error}") from None


def as_json(answer: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer: dataclasses as objects, times in ISO 8601."""
    return Response(msgspec.json.encode(answer), status, headers, "application/json")


def failure(error: Exception) -> Response:
    """A failure that can be expected, as JSON; anything else is raised on, and logged by the server."""
    if isinstance(error, ApiRefused):
        return as_json({"error": str(error)}, error.status, error.headers)
    status = status_of(error)
    if status is None:
        raise error
    told: dict[str, object] = {"error": sentence(error)}
    if isinstance(error, SettingsError):
        told["mistakes"] = error.mistakes
    return as_json(told, status)
