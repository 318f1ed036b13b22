"""Reading files: a clear reason for every one that cannot be read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workers.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST_FILE = 16 * 1024 * 1024
"""Bytes of a configuration or a query file: what is larger is another file, and is not read."""
LARGEST_SECRET = 64 * 1024
"""Bytes of a file that holds one password."""
DEEPEST = 16
"""Tables within one another: dotted keys nest as deep as a line is long, which nobody means."""
Texts = Mapping[Path, str]
"""What stands in place of files, by their resolved paths: a configuration that is not written yet."""
NOTHING: Texts = {}
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class FileError(Exception):
    """A file cannot be read; the message says why, and not which."""


def read_text(path: Path, largest: int = LARGEST_FILE) -> str:
    """The text of a file of at most `largest` bytes, UTF-8 without a byte order mark; FileError otherwise."""
    data = _read(path, largest + 1)
    if len(data) > largest:
        raise FileError(f"is larger than {largest // 1024} KiB")
    return _decode(data)


def look_at(path: Path) -> None:
    """FileError where others would not be able to read the file for us."""
    _read(path, 1)


def _read(path: Path, most: int) -> bytes:
    try:
        if path.is_dir():
            raise FileError("is a folder; expected a file")
        if path.exists() and not path.is_file():
            raise FileError("is no regular file")
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise FileError("no such file") from None
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in the name
        raise FileError("cannot be read: its name is no path") from None


def _decode(data: bytes) -> str:
    if data.startswith(_BYTE_ORDER_MARKS):
        raise FileError("begins with a byte order mark; expected UTF-8 without one")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(f"is not UTF-8: line {line} has a byte that cannot be there; save the file as UTF-8") from None


def read_secret(path: Path) -> str:
    """What a password file holds, without the line end that editors add; FileError otherwise."""
    text = read_text(path, LARGEST_SECRET)
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise FileError("is empty; expected a password")
    return secret


def read_toml(path: Path, where: str, mistakes: list[Mistake], texts: Texts = NOTHING) -> dict[str, object]:
    """The file's tables; {} and a mistake, at its line and column, for what cannot be read.

    texts  what stands in place of files, by their resolved paths
    """
    text = ""
    try:
        text = texts[path.resolve()] if texts and path.resolve() in texts else read_text(path)
        tables = tomllib.loads(text)
        if text.strip() and not _too_deep(tables):
            return tables
        mistakes.append(Mistake(where, "is nested too deeply" if text.strip() else "is empty; expected TOML"))
    except FileError as error:
        mistakes.append(Mistake(where, str(error)))
    except RecursionError:
        mistakes.append(Mistake(where, "is nested too deeply"))
    except ValueError as error:  # TOMLDecodeError is one, and so are a date and an integer that Python refuses
        mistakes.append(_syntax_mistake(str(error), where, text))
    return {}


def _too_deep(tables: object) -> bool:
    """Dotted keys nest as deep as a line is long, without any recursion of the parser's."""
    level = [tables]
    for _ in range(DEEPEST):
        level = [child for each in level for child in _children(each)]
    return bool(level)


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _syntax_mistake(message: str, where: str, text: str) -> Mistake:
    """The place is in the message only (attributes came with Python 3.14)."""
    what, _, place = message.partition(" (at ")
    found = re.fullmatch(r"line (\d+), column (\d+)\)", place)
    if found:
        return Mistake(where, f"not valid TOML: {what}", int(found[1]), int(found[2]))
    if place == "end of document)":
        lines = text.split("\n")
        return Mistake(where, f"not valid TOML: {what}, and the file ends", len(lines), len(lines[-1]) + 1)
    return Mistake(where, f"not valid TOML: {what}")
