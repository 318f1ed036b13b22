"""Files of secrets that the main file's own tables name; those of connectors and Redis their settings know."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from workers.settings.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def secret_files(path: Path) -> Iterator[Path]:
    """Those of [alerts] and [ledger], as far as no variable names them; SettingsError where it cannot be read."""
    source = open_source(path, os.environ)
    for table in (source.main.get("alerts"), source.main.get("ledger")):
        for key, text in table.items() if isinstance(table, dict) else ():
            if key.endswith("_file") and isinstance(text, str) and "$" not in text:
                yield source.folder / text
