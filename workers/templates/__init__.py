"""The template language of queries: text with tags in, SQL statements out (docs/templates.md).

A template is compiled once. Every placeholder is escaped for the quoting context it stands in, which is
known before any data is: so data can be a value in a statement, and never a part of its code.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workers.templates.model import (
        BadRows,
        Oversized,
        QueryKind,
        Row,
        RowError,
        RowProblem,
        SegmentView,
        TemplateErrors,
        rows_of,
    )
    from workers.templates.query import Query, compile_query, key_of, keys_of

__all__ = [
    "BadRows",
    "Oversized",
    "Query",
    "QueryKind",
    "Row",
    "RowError",
    "RowProblem",
    "SegmentView",
    "TemplateErrors",
    "compile_query",
    "key_of",
    "keys_of",
    "rows_of",
]

_COMPILER: Final = ("Query", "compile_query", "key_of", "keys_of")


def __getattr__(name: str) -> object:
    # When it is first asked for: the compiler takes 0.1 s to load, and who only names kinds of queries needs none.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'query' if name in _COMPILER else 'model'}"), name)
