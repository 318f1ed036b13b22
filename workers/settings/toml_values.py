"""Values as they are written into a file: queries as lines of their own, `$` so that it stays one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.items import String, StringType, Trivia

from workers.settings.source import is_raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings.source import KeyPath

_DOLLAR: Final = re.compile(r"\$(?=[${])")
_PLAIN_LINES: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*")
"""What a literal string may hold: tabs and line feeds, no other control character."""
INLINE: Final = ("scope", "batch")
"""Tables of an integration that are read best in one line."""


def written(value: object, path: KeyPath) -> Any:  # noqa: ANN401 - tomlkit's items, of any kind
    """What stands for a published value in the file, at `path`."""
    if isinstance(value, str):
        return _text(value if is_raw(path) else _DOLLAR.sub("$$", value))
    if isinstance(value, list):
        return tomlkit.item([_plain(each, path) for each in value])
    if isinstance(value, dict):
        return _table(value, path)
    return tomlkit.item(value)


def _plain(value: object, path: KeyPath) -> object:
    return _DOLLAR.sub("$$", value) if isinstance(value, str) and not is_raw(path) else value


def _text(value: str) -> Any:  # noqa: ANN401 - as above
    if "\n" not in value:
        literal = '"' in value and "'" not in value and value.isprintable()
        return tomlkit.string(value, literal=literal)
    if "'''" in value or value.endswith("'") or not _PLAIN_LINES.fullmatch(value):
        return tomlkit.string(value)
    # The first line end within the quotes is not part of the text.
    return String(StringType.MLL, value, "\n" + value, Trivia())


def _table(value: Mapping[str, object], path: KeyPath) -> Any:  # noqa: ANN401 - as above
    table = tomlkit.inline_table() if path[-1] in INLINE else tomlkit.table()
    # Tables last, or the keys behind them would be theirs.
    for key in sorted(value, key=lambda key: isinstance(value[key], dict) and key not in INLINE):
        table.append(key, written(value[key], (*path, key)))
    return table


def section_text(section: str, name: str, value: object) -> str:
    """A named table as it is put at the end of a file."""
    outer = tomlkit.table(is_super_table=True)
    outer.append(name, written(value, (section, name)))
    document = tomlkit.document()
    document.append(section, outer)
    return "\n" + tomlkit.dumps(document)
