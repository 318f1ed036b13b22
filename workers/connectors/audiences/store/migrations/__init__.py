"""The store's schema, version by version, through Alembic; as the ledger's, with a version table of its own.

A new version is a file `versions/0002_what_it_does.py` by hand, after the model of the first, and `database.SCHEMA`.
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
