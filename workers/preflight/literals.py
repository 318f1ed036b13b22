"""Literals in a statement, and the functions around them, as sqlglot reads them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp


@dataclass(frozen=True, slots=True)
class Value:
    """A literal beside a column. `text` without quotes; `quoted`: it is a text, and no number."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Computed:
    """Functions around literals, or around the column that they are compared with; without those that keep apart."""

    functions: tuple[str, ...]
    values: tuple[Value, ...]


def value_of(node: exp.Expr) -> Value | None:
    """The literal that an expression is, whatever its brackets, its sign and its casts; None where it is none."""
    while isinstance(node, (exp.Paren, exp.Neg, exp.Cast)):
        node = node.this
    return Value(str(node.this), bool(node.is_string)) if isinstance(node, exp.Literal) else None


def values_of(side: exp.Expr | None) -> tuple[Value, ...]:
    """The literal that one side of a comparison is, or those of ANY (ARRAY […])."""
    while isinstance(side, (exp.Any, exp.Paren, exp.Cast)):
        side = side.this
    each = side.expressions if isinstance(side, exp.Array) else [side]
    return tuple(value for node in each if node is not None and (value := value_of(node)))


_KEEPING = frozenset(
    {"ARRAY", "CONCAT", "HEX", "UNHEX", "MD5", "MD5_DIGEST", "SHA", "SHA1", "SHA2", "SHA224", "SHA256"}
    | {"SHA384", "SHA512", "DIGEST", "ENCODE", "DECODE", "CONVERT", "CONVERT_TO", "AND", "OR"}
)
"""Functions that give different values for different ones, and what sqlglot takes for functions."""


CASTS = ("CAST",)
"""What `folding` says of a cast to a type that may have several spellings for a value, and of nothing else."""
_EXACT = frozenset(exp.DataType.TEXT_TYPES) | {exp.DType.BINARY, exp.DType.VARBINARY, exp.DType.BLOB}


def _folds(call: exp.Expr) -> bool:
    """Whether it is more than a cast to a text."""
    kind = call.args.get("to") if isinstance(call, (exp.Cast, exp.TryCast)) else None
    while isinstance(kind, exp.DataType) and kind.this is exp.DType.ARRAY and kind.expressions:
        kind = kind.expressions[0]
    return not (isinstance(kind, exp.DataType) and kind.this in _EXACT)


def folding(side: exp.Expr | None) -> tuple[str, ...]:
    """Functions in an expression that may give the same for different values."""
    found = [] if side is None else side.find_all(exp.Func)
    called = (str(each.this) if isinstance(each, exp.Anonymous) else each.sql_name() for each in found if _folds(each))
    return tuple(dict.fromkeys(name.upper() for name in called if name.upper() not in _KEEPING))


def literals(side: exp.Expr | None) -> tuple[Value, ...]:
    """All literals in an expression."""
    found = [] if side is None else side.find_all(exp.Literal)
    return tuple(value for each in found if (value := value_of(each)))
