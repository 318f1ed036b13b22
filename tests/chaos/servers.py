"""The servers of a chaos run, and the proxies in front of them."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from tests.chaos.proxy import Proxy
from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.process import ServerError
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

DIALECTS = {"pg": "postgresql", "maria": "mysql"}


class Servers:
    """Redis, at times a replica of it, and both targets, each behind a proxy; all of them end with `remove`."""

    def __init__(self) -> None:
        self.redis = RedisServer()
        self.replica: RedisServer | None = None
        self.targets: dict[str, Any] = {"pg": PostgresqlServer(durable=True), "maria": _mariadb()}
        self.proxies: dict[str, Proxy] = {}

    def start(self) -> None:
        """Starts what does not run, and opens the proxies."""
        self.redis.start()
        for target in self.targets.values():
            target.start()
        for key, server in {"redis": self.redis, **self.targets}.items():
            self.proxies[key] = Proxy(server.port)

    def redis_url(self) -> str:
        """Where workers find Redis, whichever server it is."""
        return f"redis://127.0.0.1:{self.proxies['redis'].port}/0"

    def client(self) -> Any:
        """A client of the Redis that is the primary now."""
        return self.redis.client()

    def url(self, key: str, database: str) -> str:
        """A target's address, for who checks."""
        url: str = self.targets[key].url(database)
        return url

    def proxied(self, key: str, database: str) -> str:
        """A target's address, for workers."""
        return self.url(key, database).replace(f":{self.targets[key].port}/", f":{self.proxies[key].port}/")

    def heal(self) -> None:
        """Whatever a fault has left behind is mended: everything runs and lets everyone through."""
        for server in (self.redis, *self.targets.values()):
            with contextlib.suppress(Exception):
                server.resume()
        self._restart(self.redis)
        for target in self.targets.values():
            self._restart(target)
        for proxy in self.proxies.values():
            proxy.thaw()
        client = self.client()
        client.config_set("maxmemory", 0)
        client.close()

    def _restart(self, server: Any) -> None:
        if not server._process.running:
            server.restart()

    def remove(self) -> None:
        """Ends all of it."""
        for proxy in self.proxies.values():
            proxy.close()
        for server in (self.redis, self.replica, *self.targets.values()):
            if server is not None:
                with contextlib.suppress(ProcessLookupError):
                    server.remove()


def _mariadb() -> MariadbServer:
    """Its initialisation fails where another one runs at that moment: both make the same files in /tmp."""
    for _ in range(3):
        with contextlib.suppress(ServerError):
            return MariadbServer(durable=True)
        time.sleep(2)
    return MariadbServer(durable=True)


def wait(done: Callable[[], object], seconds: float, pause: float = 0.02) -> bool:
    """Whether `done()` came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
