"""A file and what it includes as one document, as it is published: variables filled in, and nothing compiled."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from workers.settings.ad_connectors import tell_hashing
from workers.settings.database_url import tell_dialect
from workers.settings.includes import merge_includes
from workers.settings.query_sets import write_out
from workers.settings.source import LOCAL, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.source import SettingsSource

FORMAT = 1
"""Of what is published; raised when older workers could not read it."""


def read_document(source: SettingsSource) -> dict[str, object]:
    """Includes merged, query files inlined, query sets applied; what is wrong is noted in the source."""
    merged = merge_includes(source)
    document = {key: source.fill(value, (key,)) for key, value in merged.document.items() if key not in LOCAL}
    write_out(source, document, merged.folders)
    connectors = document.get("connectors")
    for key, connector in connectors.items() if isinstance(connectors, dict) else ():
        tell_dialect(connector, source.environ)
        tell_hashing(connector, f"connectors.{key}", source.environ, source.mistakes)
    return document


def canonical(document: dict[str, object]) -> str:
    """The document as it is published: JSON that is equal for equal configurations."""
    return json.dumps(document | {"format": FORMAT}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest_of(published: str) -> str:
    """SHA-256 of what is published, in hexadecimal."""
    return hashlib.sha256(published.encode()).hexdigest()


def digest_of_file(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The digest that `load` of this file would have, without compiling it; "" where its outer form is wrong already.

    A file whose digest is that of what is applied was checked when it was. SettingsError where it cannot be read.
    """
    source = open_source(path, environ)
    document = read_document(source)
    return "" if source.mistakes else digest_of(canonical(document))
