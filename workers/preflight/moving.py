"""Which columns change with the key, so that they name the row although the key itself does not stand in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.preflight.shapes import Unreadable, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.preflight.samples import Samples
    from workers.preflight.shapes import Shape


def moving_with_key(samples: Samples, usual: Sequence[Shape], dialect: str) -> dict[str, frozenset[str]]:
    """Fields of the key, and the columns whose inserted value changes with them, as that of a hash does.

    usual  the shapes of the statements that the samples render now
    """
    inserted = [shape.inserted for shape in usual if shape.inserted]
    found = {}
    for name in samples.key:
        varied = [shape.inserted for each in samples.varied(name) for shape in _shapes(each, dialect) if shape.inserted]
        pairs = zip(inserted, varied, strict=False)
        found[name] = frozenset(column for one, other in pairs for column in one if one[column] != other.get(column))
    return found


def _shapes(statement: str, dialect: str) -> list[Shape]:
    try:
        return read(statement, dialect)
    except Unreadable:
        return []
