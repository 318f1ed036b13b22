"""The console stopped or killed, with streams open and the ledger locked: deliveries neither wait nor notice."""

from __future__ import annotations

import re
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.installation import Installation, Process

pytestmark = [
    pytest.mark.proof,
    pytest.mark.fetched,
]  # nearly a minute: the lease of the stopped console ends by itself
STOPPING = """
import os, signal, sys
from workers.ledger import database
from workers.cli import main

written = database.write_acts

def stop(connection, records):
    written(connection, records)
    os.kill(os.getpid(), signal.SIGSTOP)

database.write_acts = stop
sys.argv[1:] = ["console", "--listen", "127.0.0.1:0"]
main()
"""
"""A console that stops, once, within its transaction: as a machine that is laid to sleep, or a debugger, has it."""
STREAMS = 8


def console(installation: Installation) -> tuple[Process, int]:
    """The process, and its port."""
    process = installation.start([sys.executable, "-c", STOPPING], "console")
    said = re.compile(r"the console is at http://127\.0\.0\.1:(\d+)/")
    installation.wait(lambda: said.search(process.log.read_text()), "the console's address")
    found = said.search(process.log.read_text())
    assert found
    return process, int(found[1])


def ask(port: int, path: str) -> socket.socket:
    """Asks, and does not wait for an answer."""
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return made


def is_stopped(process: Process) -> bool:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_while_the_console_is_stopped_or_gone_deliveries_go_on(installation: Installation, sqlite_url: str) -> None:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installation.configure(target.connector() + target.integration())
    installation.worker("-Q", "route,deliver.crm", name="deliver")  # outcomes are left to the console, at first
    installation.ready()

    def delivered(*names: str) -> None:
        installation.producer.add(7, profiles(*names))
        wanted = {("7", name) for name in names}
        installation.wait(lambda: wanted <= set(target.members()), f"the rows of {names}")

    delivered("A")
    process, port = console(installation)
    with ExitStack() as streams:
        for _ in range(STREAMS):
            stream = streams.enter_context(ask(port, "/live?at=/&part=overview"))
            assert stream.recv(12) == b"HTTP/1.1 200"
        process.send(signal.SIGSTOP)
        delivered("B")
        process.send(signal.SIGCONT)
        streams.enter_context(ask(port, "/audit"))  # writes down what has happened before it is shown
        installation.wait(lambda: is_stopped(process), "a console that is stopped within its transaction")
        installation.worker("-Q", "upkeep", name="upkeep", concurrency=1)
        delivered("C", "D")
        assert not installation.settled(), "the ledger is locked"
        process.kill()
    delivered("E")
    installation.settle()
    assert "Traceback" not in installation.logs()
