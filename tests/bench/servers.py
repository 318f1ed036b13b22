"""The servers of one run of `make bench`, and empty databases on them."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.servers.mariadb import MariadbServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator


class Servers:
    """One of each kind, durable: whoever compares with a COMMIT should pay for it."""

    def __init__(self) -> None:
        self.redis = RedisServer({"appendfsync": "everysec"})
        self.postgresql = PostgresqlServer(durable=True)
        self.mariadb = MariadbServer(durable=True)
        self.ledger = PostgresqlServer()
        """One that may be killed."""

    def __enter__(self) -> Self:
        for server in (self.redis, self.postgresql, self.mariadb, self.ledger):
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.redis, self.postgresql, self.mariadb, self.ledger):
            server.remove()

    @contextmanager
    def target(self, dialect: str) -> Iterator[TargetDatabase]:
        """An empty database with the customer's tables."""
        name = f"test_{secrets.token_hex(5)}"
        if dialect == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                target = TargetDatabase(dialect, f"sqlite:///{Path(folder) / 'target.db'}")
                (Path(folder) / "target.db").touch()
                target.run("PRAGMA journal_mode = WAL")
                target.create()
                yield target
            return
        server = self.postgresql if dialect == "postgresql" else self.mariadb
        password = self.mariadb.password if dialect == "mysql" else None
        server.create_database(name)
        try:
            target = TargetDatabase(dialect, server.url(name), password)
            target.create()
            yield target
        finally:
            server.drop_database(name)
