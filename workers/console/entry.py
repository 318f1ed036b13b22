"""Signing in and out, and who somebody is: the gate of a console that has users."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from redis import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route

from workers.console.failures import NotMeant, TooLarge, sentence, status_of
from workers.console.guesses import Guesses, TooManyGuesses
from workers.console.proxied import NAMED
from workers.console.rendering import render
from workers.console.routes import is_form_of_this_site, posted
from workers.console.seals import is_cookie, new_cookie
from workers.console.sessions import COOKIE, Sessions
from workers.console.viewers import Role, Viewer
from workers.console.visit import BROWSER, set_cookie
from workers.control.acting import Actor, record
from workers.errors import SegsyncError
from workers.settings.console import is_user_name
from workers.settings.passwords import is_password

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from workers.console.site import Site
    from workers.settings.console import ConsoleSettings, ConsoleUser

MOST_BYTES: Final = 8 * 1024
"""Of the form to sign in: a name and a password."""
AT_ONCE: Final = 2
"""Passwords that are looked at at the same time: each takes 64 MiB."""
WAIT_SECONDS: Final = 10.0
THREADS: Final = 4
"""For all who sign in, apart from those that pages share: whoever guesses delays others who sign in, and nobody else.
"""
NOBODY: Final = ""
"""Whose the forms are of somebody who has not signed in."""
NO_NAME: Final = "a name that no user can have"
"""What the audit log has of such a guess: whatever somebody typed could be made to look like another's name."""
WRONG: Final = "name and password do not fit; expected those of a user of [console.users]"


@dataclass(frozen=True, slots=True)
class Entrance:
    """Lets in who has signed in, or whom the proxy names.

    edit = false makes a viewer of everybody.
    """

    site: Site
    settings: ConsoleSettings
    _threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THREADS))
    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))

    @property
    def _sessions(self) -> Sessions:
        return Sessions(self.site.redis, self.site.keys, self.site.seals, self.settings)

    def viewer(self, request: Request) -> Viewer | None:
        """Who sent it, by the proxy's word or by its session. redis.RedisError."""
        named = request.scope.get(NAMED)
        if named and self.settings.proxy is not None:
            user = self.settings.users.get(named)
            role = user.role if user else self.settings.proxy.role
            return None if role is None else Viewer(named[:100], self._at_most(role))
        user = self._sessions.user(request.cookies.get(COOKIE, ""))
        return None if user is None else Viewer(user.name, self._at_most(user.role), signed_in=True)

    def _at_most(self, role: Role) -> Role:
        return role if self.settings.edit else Role.VIEWER

    def ask_in(self, request: Request) -> Response:
        """The way to the form, for somebody who looks at pages; 401 for all else."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/login?to={quote(request.url.path)}", 303)
        return JSONResponse({"error": "nobody has signed in; expected a session, from /login"}, 401)

    def routes(self) -> list[Route]:
        """To sign in and out."""
        return [
            Route("/login", self._show, methods=["GET"]),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
        ]

    def _show(self, request: Request) -> Response:
        return self._form(request, request.query_params.get("to", "/"))

    def _form(self, request: Request, to: str, code: int = 200, wrong: str = "", name: str = "") -> Response:
        cookie = request.cookies.get(BROWSER, "")
        browser = cookie if is_cookie(cookie) else new_cookie()
        token = self.site.seals.token(browser, NOBODY)
        response = HTMLResponse(render("login.html", token=token, to=own_path(to), wrong=wrong, name=name), code)
        if browser != cookie:
            set_cookie(request, response, BROWSER, browser)
        return response

    async def _sign_in(self, request: Request) -> Response:
        body = await posted(request, MOST_BYTES)
        return await run_sync(self._signed_in, request, body, limiter=self._threads)

    def _signed_in(self, request: Request, body: bytes | None) -> Response:
        form = dict(parse_qsl((body or b"").decode(errors="replace"), keep_blank_values=True))
        name, to = form.get("name", "").strip()[:100], form.get("to", "/")
        try:
            if body is None:
                raise TooLarge(MOST_BYTES)
            self._check(request, form, NOBODY)
            user = self._known(request, name, form.get("password", ""))
        except (SegsyncError, RedisError) as error:
            code = 429 if isinstance(error, TooManyGuesses) else status_of(error) or 500
            response = self._form(request, to, code, sentence(error), name)
            if isinstance(error, TooManyGuesses):
                response.headers["retry-after"] = str(error.seconds)
            return response
        if user is None:
            return self._form(request, to, 403, WRONG, name)
        record(self.site.redis, self.site.keys, self._actor(request, user.name), "sign in")
        response = RedirectResponse(own_path(to), 303)
        set_cookie(request, response, COOKIE, self._sessions.begin(user), self.settings.hours * 3600)
        # Another one than before: forms that somebody else may have seen are worth nothing.
        set_cookie(request, response, BROWSER, new_cookie())
        return response

    def _known(self, request: Request, name: str, password: str) -> ConsoleUser | None:
        """The user, if the password is right; as slow where there is no such user. TooManyGuesses."""
        address = request.client.host if request.client else ""
        guesses = Guesses(self.site.redis, self.site.keys)
        try:
            guesses.count(address, name)
        except TooManyGuesses as error:
            if error.first:  # once, or whoever guesses on would fill the ledger
                who = name if is_user_name(name) else NO_NAME
                record(self.site.redis, self.site.keys, self._actor(request, who), "sign in", failed=str(error))
            raise
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise TooManyGuesses(1)
        try:
            user = self.settings.users.get(name)
            right = is_password(password, user.password_hash if user else None)
        finally:
            self._turns.release()
        if right:
            guesses.forget(address, name)
        return user if right else None

    async def _sign_out(self, request: Request) -> Response:
        body = await posted(request, MOST_BYTES)
        return await run_in_threadpool(self._signed_out, request, body)

    def _signed_out(self, request: Request, body: bytes | None) -> Response:
        sessions, cookie = self._sessions, request.cookies.get(COOKIE, "")
        try:
            user = sessions.user(cookie)
            if user is not None:
                form = dict(parse_qsl((body or b"").decode(errors="replace")))
                self._check(request, form, user.name)
                sessions.end(cookie)
        except (SegsyncError, RedisError) as error:
            return self._form(request, "/", status_of(error) or 500, sentence(error))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE)
        return response

    def _check(self, request: Request, form: dict[str, str], viewer: str) -> None:
        browser = request.cookies.get(BROWSER, "")
        if not is_form_of_this_site(request) or not self.site.seals.knows(form.get("token", ""), browser, viewer):
            raise NotMeant

    def _actor(self, request: Request, name: str) -> Actor:
        return Actor(name, "console", request.client.host if request.client else "")


def own_path(to: str) -> str:
    """A path of this site; "/" for whatever leads elsewhere."""
    if not (to.isascii() and to.isprintable()) or "\\" in to or not to.startswith("/") or to[1:2] == "/":
        return "/"
    parts = urlsplit(to)
    return "/" if parts.scheme or parts.netloc else to
