"""The house is in order: nothing is too long, named twice, or a number that says nothing.

Each list of what still exceeds a bound is to shrink to nothing: a test fails, too, when something listed is mended.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.repository import of_the_product, only_listed, parsed, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_FUNCTION = 40
"""Lines from `def` to the end, its docstring included."""
LONGEST_FILE = 300
"""Lines of a file of the product, in Python or Lua."""

LUA_FUNCTION = re.compile(r"^(?:local )?function ([\w.:]+)(?!.* end$).*\n(?:.*\n)*?end$", re.MULTILINE)
"""One that stands at the line's beginning, as its `end` does."""

LONG_FILES: set[str] = set()

LONG_FUNCTIONS: set[str] = set()

NAMED_TWICE: set[str] = set()

UNEXPLAINED: set[str] = set()

UNITS = ("_MS", "_US", "_S", "_SECONDS", "_DAYS", "_BYTES", "_CHARACTERS", "_PORT", "_OPERATIONS", "_TRIES")
"""Endings of a constant's name that say what it counts."""


def functions() -> Iterator[tuple[str, int]]:
    """Each function's name with its file, and its lines."""
    for path, module in parsed().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}::{node.name}", (node.end_lineno or 0) - node.lineno + 1
    for path, text in texts().items():
        if path.endswith(".lua"):
            for found in LUA_FUNCTION.finditer(text):
                yield f"{path}::{found[1]}", found[0].count("\n") + 1


def test_no_function_is_longer_than_it_can_be_read_at_once() -> None:
    lengths: dict[str, int] = defaultdict(int)
    for name, lines in functions():
        lengths[name] = max(lengths[name], lines)
    long = {name for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
    only_listed(long, LONG_FUNCTIONS, f"more than {LONGEST_FUNCTION} lines, so make several of it")


def test_no_file_of_the_product_is_longer_than_a_few_screens() -> None:
    """segsync.py aside, which is one file on purpose, to be copied."""
    lengths = {path: text.count("\n") for path, text in texts().items() if of_the_product(path)}
    long = {path for path, lines in lengths.items() if lines > LONGEST_FILE}
    only_listed(long, LONG_FILES, f"more than {LONGEST_FILE} lines, so make several of it")


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path, module in parsed().items():
        for node in module.body:
            if isinstance(node, ast.ClassDef) and of_the_product(path):
                places[node.name].append(path)
    twice = {name: where for name, where in places.items() if len(where) > 1 and not name.startswith("_")}
    new = {name: where for name, where in twice.items() if name not in NAMED_TWICE}
    only_listed(twice, NAMED_TWICE, f"two classes, so find a second name ({new})")


def is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
    return False


def unexplained(path: str, module: ast.Module) -> Iterator[str]:
    """Constants of a module that are numbers, with no unit in the name, no docstring below and no comment at hand."""
    lines = texts()[path].splitlines()
    for node, below in zip(module.body, [*module.body[1:], None], strict=True):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_number(value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if is_number(value):
                pass
            case _:
                continue
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if not (documented or commented(lines, node.lineno - 1) or name.endswith(UNITS) or name.startswith("_")):
            yield f"{path}::{name}"


def commented(lines: list[str], at: int) -> bool:
    """Whether a comment stands in the line, or above it and its neighbours."""
    above = at
    while above > 0 and lines[above - 1] and lines[above - 1][0].isalpha():
        above -= 1
    return "#" in lines[at] or lines[above - 1].startswith("#")


def test_every_number_says_what_it_counts_and_why() -> None:
    found = {each for path, module in parsed().items() if of_the_product(path) for each in unexplained(path, module)}
    only_listed(found, UNEXPLAINED, "say in a docstring below it what it counts, and why so many")


KNOW_CELERY = re.compile(r"tasks/|celeryconfig\.py|workers/celery\w*\.py|workers/cli/celery_inspect\.py")


def test_nobody_else_knows_that_celery_exists() -> None:
    """Import-linter is told of the rooms one by one; this also sees the face, and rooms that are new."""
    knowing = {
        path
        for path, module in parsed().items()
        if of_the_product(path) and not KNOW_CELERY.match(path)
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
        if name.partition(".")[0] in {"celery", "kombu"} or name.startswith("workers.celery")
    }
    only_listed(knowing, set(), "Celery is known beside tasks/ and workers/celery*.py")
