"""`segsync console` as a process: it listens, answers, and ends in good order."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request

from tests.integration.place import integration
from tests.waiting import PATIENCE, until
from workers.console import routes, serving
from workers.console.failures import TooSlow
from workers.console.serving import _Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

    from tests.integration.place import Place


@contextmanager
def listening(place: Place) -> Iterator[str]:
    """The console as a process; gives its address, and ends it in good order."""
    told = place.folder / "told"
    with told.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "console", "--listen", "127.0.0.1:0"],
            env={**os.environ, "SEGSYNC_CONFIG": str(place.file)},
            stdout=out,
            stderr=out,
        )
    try:
        at = until(
            lambda: re.search(r"the console is at (http://127\.0\.0\.1:\d+/);", told.read_text()), told.read_text
        )
        assert at
        yield at[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in told.read_text()
    finally:
        process.kill()
        process.wait()


def test_it_says_where_it_is_answers_and_ends_when_it_is_asked_to(place: Place) -> None:
    place.publish(integration("crm"))
    with listening(place) as at, urllib.request.urlopen(at, timeout=PATIENCE) as answer:  # noqa: S310 - the pattern says http
        assert (answer.headers.get("server"), b"crm" in answer.read()) == (None, True)


def test_what_is_still_asked_as_it_ends_is_ended_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setattr(serving, "LEAVE_SECONDS", 1)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    asked, servers, at = threading.Event(), list[_Quiet](), list[str]()

    def remembered(*given: Any) -> _Quiet:
        servers.append(_Quiet(*given))
        return servers[0]

    monkeypatch.setattr(serving, "_Quiet", remembered)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI wants it
        if scope["type"] == "http":
            asked.set()
            await asyncio.Event().wait()

    server = threading.Thread(target=serving.serve, args=(never, "127.0.0.1", 0, at.append, lambda: None))
    server.start()
    until(lambda: at)
    with socket.create_connection(("127.0.0.1", int(at[0].rpartition(":")[2].strip("/")))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(PATIENCE)
        servers[0].end()
        server.join(PATIENCE)
    assert "Traceback" not in capfd.readouterr().err


def test_a_forwarded_address_is_believed_of_the_files_proxies_alone(place: Place) -> None:
    """Uvicorn believes whoever comes from 127.0.0.1, and that before the application looks."""
    proxy = '[console.proxy]\naddresses = ["10.0.0.7"]\nheader = "x-user"\n[console.users.ann]\nrole = "editor"\n'
    place.publish(integration("crm") + proxy)
    with listening(place) as at:
        forged = urllib.request.Request(at, headers={"x-forwarded-for": "10.0.0.7", "x-user": "ann"})  # noqa: S310 - http
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged, timeout=PATIENCE)  # noqa: S310 - http
        with refused.value as answer:
            assert answer.code == 401


def test_what_is_not_sent_to_its_end_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "SLOWEST_SECONDS", 0.1)

    async def nothing() -> Message:
        await asyncio.Event().wait()
        return {}

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, nothing)
    with pytest.raises(TooSlow, match=r"longer than 0\.1 s"):
        asyncio.run(routes.posted(request, 100))


def test_an_address_that_others_reach_is_refused_where_nobody_logs_in(place: Place) -> None:
    place.write()
    done = place.run("console", "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "0.0.0.0 can be reached from other hosts; expected [console.users]" in done.stderr
