"""`segsync.toml`: read, checked as a whole, published for all workers (docs/architecture.md).

    files, variables, table, urls       reading anything, knowing nothing of segsync
    source, includes, queries           from several files to one document
    stores, addresses, connectors,
    compiling, declared                 from the document to checked values
    loading                             the ways in: a file, or an applied revision

All mistakes are found in one pass: a reader notes what is wrong, goes on with a stand-in, and `Source.finish`
raises them together.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.settings.connectors import ConnectorSettings
    from workers.settings.loading import Settings, from_given, from_published, load
    from workers.settings.local import LocalSettings, RedisSettings, load_local

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

_HOMES: Final = {
    "connectors": ("ConnectorSettings",),
    "loading": ("Settings", "from_given", "from_published", "load"),
    "local": ("LocalSettings", "RedisSettings", "load_local"),
}


def __getattr__(name: str) -> object:
    # When it is first asked for: the compiler of queries takes 0.1 s to load, and `status` needs none.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
