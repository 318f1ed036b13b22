"""The way to a fake platform without a socket: for tests that make thousands of calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx

from tests.fakes.server import Request

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform


class InProcess(httpx.BaseTransport):
    """What httpx has for a link: each call is answered by the fake itself, as its server would."""

    def __init__(self, fake: FakePlatform) -> None:
        self._fake = fake

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Request(request.method, path, dict(parse_qsl(query)), headers, request.read())
        reply = self._fake._answered(came)
        if reply.cut:
            raise httpx.RemoteProtocolError("the link is broken", request=request)
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        data = b"" if reply.body is None else data
        usual = {"Content-Type": "application/json", "Date": self._fake.date}
        return httpx.Response(reply.status, headers=usual | reply.headers, content=data)
