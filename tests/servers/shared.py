"""One server of a kind for a whole run, however many processes of pytest-xdist share the run's tests.

Whoever asks first starts it and writes down where it is; the others find it there. Whoever started it ends it, once
nobody uses it any more: each user holds a shared lock, which goes with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

END_WITHIN = 1_800.0
"""Seconds that the last user is waited for; a run of all tests takes less."""


class Shareable(Protocol):
    """A server that another process can use by its address."""

    @property
    def address(self) -> dict[str, Any]:
        """Where it is, as JSON."""

    @property
    def answers(self) -> bool:
        """Whether it can be used now."""

    def start(self) -> None:
        """Starts it."""

    def remove(self) -> None:
        """Ends it."""


Server = TypeVar("Server", bound=Shareable)


class SharedServers:
    """This process's share in a run's servers; `leave` is to be called when its tests are over."""

    def __init__(self) -> None:
        self._leaving: list[Callable[[], None]] = []

    def get(
        self, folder: Path, kind: str, make: Callable[[], Server], attach: Callable[[dict[str, Any]], Server]
    ) -> Server:
        """The run's server of that kind.

        folder  one for all processes of the run
        make    a new server, not started
        attach  the server at an address
        """
        with _locked(folder / f"{kind}.lock"):
            users = (folder / f"{kind}.users").open("w")
            address = folder / f"{kind}.json"
            if address.exists() and (found := attach(json.loads(address.read_text()))).answers:
                fcntl.flock(users, fcntl.LOCK_SH)
                self._leaving.append(users.close)
                return found
            server = make()
            server.start()
            address.write_text(json.dumps(server.address))
            self._leaving.append(lambda: _end(server, folder, kind, users))
            return server

    def leave(self) -> None:
        """Gives up what others started; ends what was started here, once the others have left it."""
        while self._leaving:
            self._leaving.pop()()


def _end(server: Shareable, folder: Path, kind: str, users: IO[str]) -> None:
    ends = time.monotonic() + END_WITHIN
    while True:
        with _locked(folder / f"{kind}.lock"):  # nobody can join meanwhile
            if _last(users) or time.monotonic() > ends:
                (folder / f"{kind}.json").unlink()
                users.close()
                server.remove()
                return
        time.sleep(0.1)


def _last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
