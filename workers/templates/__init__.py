"""The template language of queries: text with tags in, SQL statements out (docs/templates.md).

A template is compiled once. Every placeholder is escaped for the quoting context it stands in, which is
known before any data is: so data can be a value in a statement, and never a part of its code.
"""

from workers.templates.model import (
    BadRows,
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
