"""Who is at the other end where a proxy of [console] stands between: its word is taken, and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from workers.settings.console import ConsoleProxy

NAMED: Final = "segsync.named"
"""Key of the scope: who a trusted proxy says it is; "" where it says nobody, absent where there is no proxy between."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """Wraps an application: address, scheme and name as the proxy tells them."""

    app: ASGIApp
    proxy: ConsoleProxy | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and self.proxy is not None and self.proxy.is_one((scope["client"] or ("",))[0]):
            headers = Headers(scope=scope)
            told = headers.getlist(self.proxy.header)
            scope = dict(scope) | {
                # Two of them were not both written by the proxy.
                NAMED: told[0].strip() if len(told) == 1 else "",
                "scheme": "https" if headers.get("x-forwarded-proto", "").strip() == "https" else scope["scheme"],
                "client": (_sender(headers, self.proxy) or scope["client"][0], 0),
            }
        await self.app(scope, receive, send)


def _sender(headers: Headers, proxy: ConsoleProxy) -> str:
    """The last address that is no proxy of ours: what stands before it, anybody may have written."""
    addresses = [each.strip() for each in ",".join(headers.getlist("x-forwarded-for")).split(",")]
    return next((each for each in reversed(addresses) if each and not proxy.is_one(each)), "")[:100]
