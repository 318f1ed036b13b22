"""The ledger's schema, version by version, through Alembic.

Nobody needs an alembic.ini: `Ledger.upgrade` runs this within a transaction and a lock of its own.
A new version is a file of `versions/`, written by hand after the model of the last, a line in `ledger/tables.py` and
the number in `ledger/schema.py`. Alembic takes 0.15 s to load: import this only where a schema must be changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Brings the schema to the newest version, within the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def versions() -> list[str]:
    """Every version that this code knows, the newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))  # % is special to configparser
    return config
