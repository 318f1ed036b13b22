"""A Sentinel that watches one primary: it promotes a replica about two seconds after the primary has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import redis

from tests.servers.process import ServerProcess, free_port, new_folder
from tests.servers.redis import executable

if TYPE_CHECKING:
    from tests.servers.redis import RedisServer

MASTER = "main"
CONFIG = f"""
bind 127.0.0.1
port {{port}}
dir {{folder}}
sentinel monitor {MASTER} 127.0.0.1 {{primary}} 1
sentinel down-after-milliseconds {MASTER} 1000
sentinel failover-timeout {MASTER} 5000
"""


class SentinelServer:
    """One Sentinel, whose word is enough."""

    def __init__(self, primary: RedisServer) -> None:
        folder = new_folder("sentinel")
        self.port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(CONFIG.format(port=self.port, folder=folder, primary=primary.port))
        self._process = ServerProcess(folder, [executable(), str(config), "--sentinel"])

    @property
    def address(self) -> str:
        """As in segsync.toml."""
        return f"127.0.0.1:{self.port}"

    def master(self) -> int:
        """The port of the primary, as it knows it."""
        with redis.Redis(host="127.0.0.1", port=self.port) as client:
            answer: Any = client.sentinel_get_master_addr_by_name(MASTER)
        return int(answer[1])

    def knows_a_replica(self) -> bool:
        """Whether there is one that it could promote."""
        with redis.Redis(host="127.0.0.1", port=self.port) as client:
            found: Any = client.sentinel_slaves(MASTER)
        return any(each["master-link-status"] == "ok" for each in found)

    def start(self) -> None:
        """Starts it."""
        self._process.start(self._answers)

    def remove(self) -> None:
        """Ends it."""
        self._process.remove()

    def _answers(self) -> bool:
        try:
            with redis.Redis(host="127.0.0.1", port=self.port) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
