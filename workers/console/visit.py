"""One request, as pages see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse

from workers.console.rendering import render
from workers.console.seals import is_cookie, new_cookie
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from workers.console.site import Site
    from workers.console.viewers import Viewer

BROWSER: str = "segsync_browser"
"""The cookie that forms' tokens are made of."""
SAID: str = "segsync_said"
"""The cookie that carries one sentence from an act to the page after it."""
SAID_SECONDS = 60
"""How long a browser may take from an act to the page after it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who may do what it asks for.

    path   the values of the path's places, as in `{key}`
    query  what stands behind the question mark; the last of each name
    form   what was posted, all values of each name; empty where nothing was
    """

    site: Site
    viewer: Viewer
    request: Request
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def field(self, name: str, default: str = "") -> str:
        """A field of the form, without blanks around it; the last one of this name."""
        values = self.form.get(name) or [default]
        return values[-1].strip()

    def required(self, name: str) -> str:
        """The same; WrongUsage where it is empty."""
        if not (text := self.field(name)):
            raise WrongUsage(f"{name} is empty; expected something in it")
        return text

    def page(self, template: str, status_code: int = 200, **context: object) -> Response:
        """A page of html/, for this viewer, with the sentence of the act before it."""
        cookie = self.request.cookies.get(BROWSER, "")
        fresh = "" if is_cookie(cookie) else new_cookie()
        said = self.site.seals.unwrap(self.request.cookies.get(SAID, ""))
        html = render(
            template,
            viewer=self.viewer,
            edit=self.site.edit,
            token=self.site.seals.token(fresh or cookie, self.viewer.name),
            said=said,
            here=self.request.url.path,
            **context,
        )
        response = HTMLResponse(html, status_code)
        if fresh:
            set_cookie(self.request, response, BROWSER, fresh)
        if SAID in self.request.cookies:
            response.delete_cookie(SAID)
        return response

    def go(self, path: str, said: str = "") -> Response:
        """The way to a page of ours after an act, with one sentence for it."""
        response = RedirectResponse(path, 303)
        if said:
            set_cookie(self.request, response, SAID, self.site.seals.wrap(said), SAID_SECONDS)
        return response


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """A cookie for this site alone, that no script reads."""
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=secure)


def place(*parts: object) -> str:
    """A path of ours made of names that may hold anything: "/integrations/a%2Fb"."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)
