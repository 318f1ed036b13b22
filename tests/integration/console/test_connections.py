"""Connections that say nothing, and many of one address: neither keeps anybody else out."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.waiting import PATIENCE, until
from workers.console import serving
from workers.console.connections import Bounds, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def slow(_: object) -> PlainTextResponse:
    await asyncio.sleep(0.5)
    return PlainTextResponse("fine")


async def long(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * int(request.path_params["many"]))


@contextmanager
def served(kept: Any = 1, **bounds: Any) -> Iterator[int]:
    """A server with these bounds, which lets go whom it has answered after `kept` seconds; gives its port."""
    app = Starlette(routes=[Route("/", slow), Route("/long/{many}", long)])
    with socket.create_server(("127.0.0.1", 0)) as server_side:
        server_side.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
        )  # the kernel takes little for who reads nothing
        protocol = bounded(Bounds(**{"is_proxy": lambda _: False} | bounds))
        server = uvicorn.Server(
            uvicorn.Config(app, http=protocol, log_level="warning", lifespan="off", timeout_keep_alive=kept)
        )
        thread = threading.Thread(target=server.run, args=([server_side],))
        thread.start()
        try:
            yield server_side.getsockname()[1]
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


@pytest.mark.parametrize("many", [40_000, 5_000_000], ids=["whole", "in part"])
def test_who_reads_nothing_of_an_answer_is_let_go(many: int) -> None:
    """However little of it the server still holds."""
    counted: Counter[str] = Counter()
    with served(0.1, seconds=0.2, unread=0.2, counted=counted) as port, socket.socket() as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", port))
        made.sendall(REQUEST.replace(b"/ ", f"/long/{many} ".encode(), 1))
        assert until(lambda: counted["127.0.0.1"])
        until(lambda: not counted["127.0.0.1"], "the connection is let go")


def test_who_reads_slowly_gets_all_of_it() -> None:
    with served(seconds=5, unread=5) as port, connect(port, REQUEST.replace(b"/ ", b"/long/1000000 ", 1)) as made:
        found = b""
        while not found.endswith(b"x" * 100) or len(found) < 1_000_000:
            found += made.recv(65536)


def test_no_connection_becomes_a_web_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end would be told to nobody who counts: a hundred of them, and its address is kept out for ever."""
    given: dict[str, Any] = {}

    def config(_: object, **more: Any) -> None:
        given.update(more)
        raise LookupError

    monkeypatch.setattr("workers.console.serving.uvicorn.Config", config)
    with pytest.raises(LookupError):
        serving.serve(lambda *_: None, "127.0.0.1", 0, lambda _: None, lambda: None)  # type: ignore[arg-type]
    assert given["ws"] == "none"


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
