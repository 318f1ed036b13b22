"""Connections that say nothing, and many of one address: neither keeps anybody else out."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.waiting import PATIENCE, until
from workers.console.connections import Bounds, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def slow(_: object) -> PlainTextResponse:
    await asyncio.sleep(0.5)
    return PlainTextResponse("fine")


@contextmanager
def served(**bounds: Any) -> Iterator[int]:
    """A server with these bounds; gives its port."""
    app = Starlette(routes=[Route("/", slow)])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        protocol = bounded(Bounds(**{"is_proxy": lambda _: False} | bounds))
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def connect(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    made.sendall(sent)
    return made


@pytest.mark.parametrize("sent", [b"", REQUEST[:-2]], ids=["nothing", "half"])
def test_who_says_nothing_or_half_of_it_is_let_go(sent: bytes) -> None:
    with served(seconds=0.2) as port, connect(port, sent) as made:
        assert made.recv(1) == b""


def test_who_says_half_of_a_second_request_is_let_go_and_a_slow_answer_is_waited_for() -> None:
    with served(seconds=0.2) as port, connect(port, REQUEST) as made:
        answer = b""
        while not answer.endswith(b"fine"):
            answer += made.recv(1000)
        made.sendall(REQUEST[:-2])
        assert made.recv(1) == b""


def test_one_address_has_so_many_and_a_proxys_any_number() -> None:
    with served(most=2) as port:
        held = [connect(port) for _ in range(2)]
        with connect(port) as third:
            assert third.recv(100).startswith(b"HTTP/1.1 429 ")
        held.pop().close()

        def answered() -> bool:
            with connect(port, REQUEST) as made:
                return made.recv(100).startswith(b"HTTP/1.1 200 ")

        assert until(answered)
        held.pop().close()
    with served(most=2, is_proxy=lambda _: True) as port:
        held = [connect(port, REQUEST) for _ in range(3)]
        assert {each.recv(12) for each in held} == {b"HTTP/1.1 200"}
        for each in held:
            each.close()
