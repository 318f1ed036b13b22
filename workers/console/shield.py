"""What every answer carries, and which requests are not even looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
KEPT: Final = "/static/"
"""What a browser may keep for a while; of all else nothing is stored anywhere."""
LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Shield:
    """Wraps an application.

    hosts  names that a request may ask for; None for any. A page of another site can have its own name lead to this
           address and would then be this site to the browser: where nobody logs in, the name is what keeps it out
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None = None) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                kept = scope["path"].startswith(KEPT)
                headers.setdefault("cache-control", "max-age=300" if kept else "no-store")
            await send(message)

        if self.hosts is not None and _host(scope) not in self.hosts:
            refusal = PlainTextResponse(f"expected one of these hosts: {', '.join(sorted(self.hosts))}\n", 421)
            await refusal(scope, receive, send_more)
            return
        await self.app(scope, receive, send_more)


def _host(scope: Scope) -> str:
    """The name that is asked for, without its port."""
    name = Headers(scope=scope).get("host", "").lower()
    return name[: name.find("]") + 1] if name.startswith("[") else name.partition(":")[0]
