"""A Redis that speaks TLS itself: Debian's, unpacked below `.servers/`, since the wheels' servers are built without."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.debian import install, library_path
from tests.servers.process import free_port
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from tests.servers.certificates import Authority

FOLDER = Path(__file__).resolve().parents[2] / ".servers" / "redis"
PACKAGES = (
    *("redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1"),
    *("lua-bitop", "lua-cjson", "libatomic1", "libhiredis0.14"),
)


class TlsRedis:
    """Listens at `tls_port` for whoever has a certificate of the authority's, and at its own port in plain text."""

    def __init__(self, authority: Authority, name: str) -> None:
        authority.server(name)
        certificate = str(authority.file.parent / "server.pem")
        self.tls_port = free_port()
        tree = install(FOLDER, PACKAGES, "usr/bin/redis-server")
        config = {
            "tls-port": str(self.tls_port),
            "tls-cert-file": certificate,
            "tls-key-file": certificate,
            "tls-ca-cert-file": str(authority.file),
            "tls-auth-clients": "yes",
        }
        environment = {"LD_LIBRARY_PATH": library_path(tree)}
        self.server = RedisServer(config, str(tree / "usr/bin/redis-server"), environment)
