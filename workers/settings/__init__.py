"""`segsync.toml`: read, checked as a whole, published for all workers (docs/architecture.md).

    files, variables, table, urls       reading anything, knowing nothing of segsync
    source, includes, queries           from several files to one document
    stores, addresses, connectors,
    compiling, declared                 from the document to checked values
    loading                             the ways in: a file, or an applied revision

All mistakes are found in one pass: a reader notes what is wrong, goes on with a stand-in, and `Source.finish`
raises them together.
"""

from workers.settings.connectors import ConnectorSettings
from workers.settings.loading import Settings, from_given, from_published, load, load_local
from workers.settings.local import LocalSettings, RedisSettings

__all__ = [
    "ConnectorSettings",
    "LocalSettings",
    "RedisSettings",
    "Settings",
    "from_given",
    "from_published",
    "load",
    "load_local",
]
