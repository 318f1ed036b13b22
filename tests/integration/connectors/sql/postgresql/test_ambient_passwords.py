"""A password that libpq would find by itself: no URL without one of its own leads it anywhere."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from workers.connectors import connect
from workers.connectors.contract import Target
from workers.connectors.sql.vendors import vendor_of
from workers.errors import TargetError
from workers.preflight import ledger_reached

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDSHAKES = (80877103, 80877104)
"""TLS and GSS are asked for by these, before anything else."""
ASKS = b"R" + struct.pack(">II", 8, 3)
"""A password in clear text, please."""


class Curious:
    """A server of somebody else's: it asks whoever comes for a password in clear text."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.came = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listening.accept()
                with link, suppress(OSError, struct.error):
                    link.settimeout(5)
                    self._ask(link)

    def _ask(self, link: socket.socket) -> None:
        while self._first(link) in HANDSHAKES:
            link.sendall(b"N")
        self.came += 1
        link.sendall(ASKS)
        if link.recv(1) == b"p":
            (length,) = struct.unpack(">I", link.recv(4))
            self.told.append(link.recv(length - 4))

    @staticmethod
    def _first(link: socket.socket) -> int:
        (length,) = struct.unpack(">I", link.recv(4))
        return int.from_bytes(link.recv(length - 4)[:4], "big")

    def close(self) -> None:
        """Nobody is let in any more."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def curious() -> Iterator[Curious]:
    server = Curious()
    yield server
    server.close()


@pytest.fixture(params=["PGPASSWORD", "PGPASSFILE"])
def target(request: pytest.FixtureRequest, curious: Curious, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Target:
    """Led there without a password, while the environment has one."""
    file = tmp_path / "passwords"
    file.write_text("*:*:*:*:planted\n")
    file.chmod(0o600)
    monkeypatch.setenv(request.param, "planted" if request.param == "PGPASSWORD" else str(file))
    return Target("mine", "postgresql", f"postgresql://u@127.0.0.1:{curious.port}/d", None)


def test_no_password_of_the_environment_is_sent(target: Target, curious: Curious) -> None:
    connector = connect(target)
    with pytest.raises(TargetError):
        connector.open()
    connector.dispose()
    assert (curious.told, curious.came > 0) == ([], True)


def test_none_is_sent_where_rows_are_read(target: Target, curious: Curious) -> None:
    with pytest.raises(TargetError):
        vendor_of("postgresql").lister(target)
    assert (curious.told, curious.came > 0) == ([], True)


def test_none_is_sent_to_ask_whether_the_ledger_is_there(target: Target, curious: Curious, postgresql_url: str) -> None:
    assert ledger_reached.reached(postgresql_url, "mine", target) == []
    assert (curious.told, curious.came > 0) == ([], True)
