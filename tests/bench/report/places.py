"""Where one run happens: an empty database, an empty Redis database, and a folder."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.report.contest import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers


@contextmanager
def place(servers: Servers, dialect: str = "postgresql") -> Iterator[Place]:
    """One of its own; what stood in Redis is gone."""
    client = servers.redis.client()
    client.flushall()
    client.close()
    with tempfile.TemporaryDirectory() as folder, servers.target(dialect) as target:
        yield Place(target, servers.redis.url, Path(folder))
