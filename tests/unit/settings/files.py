"""Configurations for the tests of settings: one that is right, to be made wrong in one place at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.errors import SettingsError
from workers.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ADD = "INSERT INTO member VALUES ({segment_id}, '{lead.CustomID}')"
REMOVE = "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = '{lead.CustomID}'"
BATCH_ADD = "INSERT INTO member VALUES {for $i, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}"
BATCH_REMOVE = """DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})"""

CONNECTOR = """
[connectors.crm]
url = "sqlite:///crm.db"
"""
SCOPE = 'scope = { database = "main", segments = "all" }'


def integration(
    *lines: str, key: str = "vip", connector: str = "crm", scope: str = SCOPE, queries: Mapping[str, str] | None = None
) -> str:
    """[integrations.KEY] with `lines` in it; `queries` over the usual add and remove, "" leaves one out."""
    texts = {"add": ADD, "remove": REMOVE} | dict(queries or {})
    written = [f"{kind} = '''{text}'''" for kind, text in texts.items() if text]
    head = [f"[integrations.{key}]", f'connector = "{connector}"', scope, *lines]
    return "\n".join([*head, f"[integrations.{key}.queries]", *written, ""])


def write(folder: Path, text: str | bytes, name: str = "segsync.toml") -> Path:
    """Writes a file below `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def loaded(folder: Path, *parts: str, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that `parts`, joined, make."""
    return load(write(folder, "\n".join(parts)), environ or {})


def mistakes(folder: Path, *parts: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """All mistakes in `parts`, joined, as a user reads them."""
    with pytest.raises(SettingsError) as caught:
        loaded(folder, *parts, environ=environ)
    return [str(mistake) for mistake in caught.value.mistakes]


def warnings(folder: Path, *parts: str) -> list[str]:
    """All warnings of `parts`, joined, except that profiles go one at a time."""
    found = [str(warning) for warning in loaded(folder, *parts).warnings]
    return [warning for warning in found if "one at a time" not in warning]
