"""Values that are no SQL: what an ad account's `fields` take of a profile (docs/fields.md).

The same language as in queries, and the same compiler: only that what is written is the text as it is, since it stands
in no statement, between no quotes.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from workers.templates.allowance import is_counted
from workers.templates.codegen import Statement, generate
from workers.templates.contexts import TEXT
from workers.templates.dates import zone
from workers.templates.dialect import Dialect
from workers.templates.expression_code import CodeTarget
from workers.templates.model import BAD_VALUE, QueryKind, RowProblem, SegmentView, TemplateErrors
from workers.templates.nodes import (
    Builtin,
    Call,
    Expression,
    Field,
    Meta,
    Node,
    Out,
    Text,
    expressions_in,
    inside,
    walk,
)
from workers.templates.parser import parse
from workers.templates.scanner import TAG, Source
from workers.templates.scope import parse_path, path_text
from workers.templates.transmitted import SentAs, Transmitted, transmitted
from workers.templates.values import digits_of, is_number, pick, text_of, type_name

if TYPE_CHECKING:
    from workers.templates.codegen import Render
    from workers.templates.model import Row
    from workers.templates.nodes import Steps

REVISION: Final = "1"
"""Raised when the same text gives another value than before, so that digests differ."""
_QUOTE: Final = "'"
_PLAIN: Final = Dialect(name="a plain text", line_comments="(?!)", regions=(), escapes={_QUOTE: {}})
"""In which nothing is special, so that nothing is escaped."""
_NOBODY: Final = SegmentView("", None, 0, 0)
"""A value depends on its profile alone, so that it is removed as it was added, whatever the segment."""
_HASHES: Final = ("md5", "sha256")
_YES: Final = frozenset({"true", "1", "yes", "granted"})


class PlainValue:
    """A compiled value: immutable, safe to share between threads.

    told    what of a profile it takes, each thing once
    digest  short hash of its text
    """

    __slots__ = ("_render", "_steps", "digest", "told")

    def __init__(self, steps: Steps | None, render: Render | None, told: tuple[Transmitted, ...], text: str) -> None:
        self._steps = steps
        self._render = render
        self.told = told
        self.digest = hashlib.sha256(f"{REVISION}\0{text}".encode()).hexdigest()[:12]

    def of(self, row: Row) -> str:
        """The value of a profile as text, "" where there is none: missing or null.

        RowProblem for what is no text: a list, an object, true or false.
        """
        if self._steps is not None:
            return _scalar(pick(row.profile, self._steps))
        return self._written(row)

    def says_yes(self, row: Row) -> bool:
        """Whether the value is true, 1, or a text that says so; nothing else is a yes."""
        if self._steps is not None:
            return text_of(pick(row.profile, self._steps)).strip().lower() in _YES
        return self._written(row).strip().lower() in _YES

    def _written(self, row: Row) -> str:
        written: list[str] = []
        if self._render is not None:
            self._render((row,), _NOBODY, written.append)
        return "".join(written)


def compile_value(text: str, where: str, *, hashes: bool = False) -> PlainValue:
    """Makes a value ready: a field's path as in `address.city`, or text with tags as in `{lower lead.email}`.

    where   key path for messages
    hashes  whether `md5` and `sha256` may stand in it: not where the value is hashed afterwards

    Raises TemplateErrors with all mistakes at once.
    """
    source = Source(text, where)
    if not TAG.search(text):
        return _path(source)
    parsed = parse(source, QueryKind.ADD, batch=False)
    _check(source, parsed.nodes, hashes=hashes)
    if source.mistakes:
        raise TemplateErrors(source.mistakes)
    told = transmitted(parsed.nodes)
    alone = _alone(parsed.nodes)
    if isinstance(alone, Field) and alone.steps:
        return PlainValue(alone.steps, None, told, text)
    return PlainValue(None, _rendering(parsed.nodes), told, text)


def _path(source: Source) -> PlainValue:
    name = source.text.strip()
    try:
        steps = parse_path(name)
    except ValueError as error:
        source.mistake(0, str(error))
        raise TemplateErrors(source.mistakes) from None
    if len(steps) > 1 and steps[0] == "lead":
        source.mistake(0, f"{name!r}: leave `lead.` out, since a path begins with a field of the profile")
        raise TemplateErrors(source.mistakes)
    return PlainValue(steps, None, (Transmitted(path_text(steps), "profile", SentAs.PLAIN),), name)


def _check(source: Source, nodes: list[Node], *, hashes: bool) -> None:
    place = next((node.place for node in walk(nodes) if not isinstance(node, Text)), 0)
    for part in (part for value in expressions_in(nodes) for part in inside(value)):
        if isinstance(part, (Builtin, Meta)):
            name = part.name.removeprefix("_")
            what = f"`{name}` cannot stand here: what is sent of a person is the same whatever the segment and the time"
            source.mistake(place, what)
        if isinstance(part, Call) and part.name in _HASHES and not hashes:
            what = f"`{part.name}` cannot stand here: segsync hashes the normal form itself; leave it out"
            source.mistake(place, what)
    if source.mistakes:
        return
    if not any(isinstance(part, Field) for value in expressions_in(nodes) for part in inside(value)):
        source.mistake(0, "it takes nothing of the profile, so it would be the same for everybody")


def _alone(nodes: list[Node]) -> Expression | None:
    """The expression, where a tag is all there is."""
    filled = [node for node in nodes if not isinstance(node, Text) or node.text.strip()]
    return filled[0].expression if len(filled) == 1 and isinstance(filled[0], Out) else None


def _rendering(nodes: list[Node]) -> Render:
    for node in walk(nodes):
        if isinstance(node, Out):
            node.context, node.quote = TEXT, _QUOTE
    clock = zone("UTC")
    assert clock is not None  # noqa: S101 - known everywhere
    target = CodeTarget(_PLAIN, clock, (), has_rows=True, one_row=True)
    return generate([Statement(nodes, optional=False, place=0)], target, counted=is_counted(nodes))


def _scalar(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if is_number(value):
        return digits_of(value)
    raise RowProblem("", BAD_VALUE, f"expected a text or a number, got {type_name(value)}")
