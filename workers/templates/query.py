"""Compiles a query's text once and renders it for any number of batches."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.choices import choices
from workers.templates.contexts import place_all
from workers.templates.cutting import statements_of
from workers.templates.dates import zone
from workers.templates.dialects import DIALECTS
from workers.templates.expression_code import CodeTarget
from workers.templates.literals import key_texts
from workers.templates.model import (
    BadRows,
    QueryKind,
    Row,
    RowError,
    RowProblem,
    SegmentView,
    TemplateErrors,
)
from workers.templates.nodes import Field, Node, Steps, Text, walk
from workers.templates.parser import parse
from workers.templates.row_naming import RowNaming, row_naming
from workers.templates.scanner import Source
from workers.templates.scope import parse_path, suggestion
from workers.templates.sized import Renderer
from workers.templates.statements import terminated
from workers.templates.transmitted import Transmitted, transmitted
from workers.templates.values import key_text, pick
from workers.templates.warnings import warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workers.errors import Mistake
    from workers.templates.codegen import Render, Statement
    from workers.templates.model import QueryKind, Row, SegmentView

_UNION = re.compile(r"\bunion\b", re.IGNORECASE)
"""What makes rows of several SELECTs, whose columns must be of one type: no text may become a CLOB among others."""

_INSERT = re.compile(r"\s*insert\s", re.IGNORECASE)

MAX_STATEMENTS = 100
"""Statements of one query: they run in one transaction, and hold its locks."""

REVISION = "6"
"""Raised when the same text renders otherwise than before, so that digests differ."""


class Rendered(NamedTuple):
    """What a query says of some profiles.

    statements  to send, in order
    unsent      how many are not to be sent, since the list that is all of them came out empty
    """

    statements: list[str]
    unsent: int


class Query:
    """A compiled query: immutable, safe to share between threads.

    fields       the profiles' top-level fields that it uses; "*" where it uses a whole profile
    identifying  the fields it uses, as paths, in order of appearance: what `key` is derived from
    digest       short hash of text, dialect and settings
    wording      of text and dialect alone: the same text does the same to a table, whatever the key
    naming       how it names rows: by the key alone, or by what cannot be judged from its text
    warnings     what is allowed and probably not meant
    only_inserts surely none of its statements is anything but an INSERT
    told         what it tells the target, each thing once: fields and how, the segment's and the event's own
    choices      by field the constants that its conditions compare it with
    """

    __slots__ = (
        "_code",
        "_target",
        "choices",
        "digest",
        "fields",
        "identifying",
        "naming",
        "only_inserts",
        "told",
        "warnings",
        "wording",
    )

    def __init__(
        self,
        code: Renderer,
        target: CodeTarget,
        used: list[Field],
        naming: RowNaming,
        digests: tuple[str, str],
        warnings: list[Mistake],
        *,
        only_inserts: bool,
        told: tuple[Transmitted, ...],
        choices: Mapping[str, tuple[object, ...]],
    ) -> None:
        self.told = told
        self.choices = choices
        self.naming = naming
        self.only_inserts = only_inserts
        self._code = code
        self._target = target
        self.fields = frozenset(str(one.steps[0]) if one.steps else "*" for one in used)
        self.identifying = tuple(dict.fromkeys(one.name for one in used))
        self.digest, self.wording = digests
        self.warnings = warnings

    def render(self, rows: Sequence[Row], segment: SegmentView, size: int | None = None) -> list[str]:
        """The statements to send, in order; [] when nothing is left to send. As `render_all`."""
        return self.render_all(rows, segment, size).statements

    def render_all(self, rows: Sequence[Row], segment: SegmentView, size: int | None = None) -> Rendered:
        """The statements to send, in order, and how many are not to be sent.

        rows     the batch; profiles that go one at a time have their statements one after the other; segment
                 events have none
        segment  its name as the lane had passed it (rule 17)
        size     bytes that the profiles had as JSON, about, if that is known

        Raises BadRows, which names every row that cannot be rendered, and Oversized where there are too many.
        """
        render = self._code.suited(rows, size)
        try:
            parts = [self._statements(render, part, segment) for part in self._parts(rows)]
        except RowProblem as problem:
            raise BadRows(self._bad_rows(render, rows, segment, problem)) from None
        return Rendered([text for part in parts for text in part.statements], sum(part.unsent for part in parts))

    def _statements(self, render: Render, rows: Sequence[Row], segment: SegmentView) -> Rendered:
        found: list[str] = []
        render(rows, segment, found.append)
        statements = [text for text in found if text]
        unsent = len(found) - len(statements)
        if self._target.dialect.one_batch and statements:
            return Rendered(["\n".join(map(terminated, statements))], unsent)
        return Rendered(statements, unsent)

    def _parts(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        """What one call renders: as much of a batch as the database takes, a single profile, or a segment event."""
        if not self._target.has_rows:
            yield ()
            return
        most = 1 if self._target.one_row else self._target.dialect.profiles
        yield from (rows[at : at + most] for at in range(0, len(rows), most))

    def _bad_rows(
        self, render: Render, rows: Sequence[Row], segment: SegmentView, problem: RowProblem
    ) -> list[RowError]:
        """Renders row by row to find all that fail; only after a batch has failed."""
        parts: list[tuple[int, Sequence[Row]]] = [(-1, ())]
        if self._target.has_rows:
            parts = [(index, (row,)) for index, row in enumerate(rows)]
        errors = [error for index, part in parts if (error := self._error(render, index, part, segment))]
        # Should a batch ever fail whose rows do not: better all of them set aside than tried for ever.
        return errors or [RowError(index, problem.field, problem.code, problem.reason) for index, _ in parts]

    def _error(self, render: Render, index: int, rows: Sequence[Row], segment: SegmentView) -> RowError | None:
        try:
            render(rows, segment, _nowhere)
        except RowProblem as error:
            return RowError(index, error.field or self._culprit(rows, segment), error.code, error.reason)
        return None

    def _culprit(self, rows: Sequence[Row], segment: SegmentView) -> str:
        """The field with a text that cannot be stored, where only the whole statement showed it."""
        found = [(name, pick(row.profile, parse_path(name))) for row in rows for name in self.identifying if name]
        found += [("segment_id", segment.id), ("segment_name", segment.name)]
        return next((name for name, value in found if _unstorable(value)), "")


def compile_query(
    source: str,
    *,
    dialect: str,
    kind: QueryKind,
    batch: bool,
    key: tuple[str, ...] = (),
    timezone: str = "UTC",
    allow: frozenset[str] = frozenset(),
    where: str = "query",
) -> Query:
    """Checks a query's text and makes it ready to render.

    dialect   "mysql", "postgresql", "sqlite", "mssql", "oracle" or "clickhouse"
    batch     whether profiles come in batches; without meaning for segment events
    key       the fields that identify the row in the target, as paths; always written as text literals
    timezone  the zone in which event times are written
    allow     {"call"} lets a statement call a procedure
    where     key path for messages

    Raises TemplateErrors with all mistakes at once.
    """
    text = Source(source, where)
    target = _target(text, dialect, kind, key, timezone, batch=batch)
    parsed = parse(text, kind, batch=batch)
    if target is None:
        raise TemplateErrors(text.mistakes)
    target = _without_pieces(target, parsed.nodes)
    told, naming = transmitted(parsed.nodes), row_naming(parsed.nodes, key)  # before literals' quotes are taken off
    layout = place_all(parsed.nodes, target.dialect, text, allow)
    statements = statements_of(parsed.nodes, layout)
    _check_number(text, statements)
    if text.mistakes:
        raise TemplateErrors(sorted(text.mistakes, key=lambda mistake: (mistake.line or 0, mistake.column or 0)))
    warn(text, parsed, statements, kind, key, batch=batch)
    digests = _digest(source, dialect, kind, str(batch), *key, timezone, *sorted(allow)), _digest(source, dialect)
    code, only, chosen = Renderer(statements, target), all(map(_is_insert, statements)), choices(parsed.nodes)
    return Query(
        code, target, parsed.fields, naming, digests, text.warnings, only_inserts=only, told=told, choices=chosen
    )


def _is_insert(statement: Statement) -> bool:
    first = statement.nodes[0]
    return isinstance(first, Text) and _INSERT.match(first.text) is not None


def _target(
    text: Source, dialect: str, kind: QueryKind, key: tuple[str, ...], timezone: str, *, batch: bool
) -> CodeTarget | None:
    rules, clock = DIALECTS.get(dialect), zone(timezone)
    if rules is None:
        text.mistake(0, f"unknown dialect {dialect!r}; {suggestion(dialect, list(DIALECTS))}")
    if clock is None:
        text.mistake(0, f"unknown time zone {timezone!r}; expected a name like 'UTC' or 'Europe/Berlin'")
    for path in key:
        try:
            parse_path(path)
        except ValueError as error:
            text.mistake(0, f"key: {error}")
    if rules is None or clock is None:
        return None
    return CodeTarget(rules, clock, key, kind.has_profiles, kind.has_profiles and not batch)


def _without_pieces(target: CodeTarget, nodes: list[Node]) -> CodeTarget:
    """The target, with no literals put together of pieces where rows of several SELECTs must be alike."""
    united = any(isinstance(node, Text) and _UNION.search(node.text) for node in walk(nodes))
    return replace(target, dialect=replace(target.dialect, piece="")) if target.dialect.piece and united else target


def _check_number(text: Source, statements: list[Statement]) -> None:
    if len(statements) > MAX_STATEMENTS:
        text.mistake(statements[MAX_STATEMENTS].place, f"a query has at most {MAX_STATEMENTS} statements")
    elif not statements and not text.mistakes:
        text.mistake(0, "there is no statement in it; leave a query out that is to do nothing")


def key_of(profile: dict[str, object], key: tuple[str, ...]) -> tuple[str, ...]:
    """Canonical text of the key fields: 61 and "61" are equal.

    key  paths to fields, as in `Query.identifying`: "CustomID", "ids.crm", '["a.b"]'

    Raises RowProblem with code "missing key" where one is missing, null or empty, and "bad key" where it is
    neither text nor number: such a profile goes to quarantine, for add and remove alike (rule 16).
    """
    return tuple([key_text(pick(profile, steps), name) for name, steps in zip(key, _paths(key), strict=True)])


def keys_of(profiles: Sequence[dict[str, object]], key: tuple[str, ...]) -> list[tuple[str, ...]]:
    """`key_of` of each profile; RowProblem where one of them has none, whichever that is."""
    columns = []
    for name, steps in zip(key, _paths(key), strict=True):
        top = steps[0] if len(steps) == 1 else None
        found = [each.get(top) for each in profiles] if isinstance(top, str) else [pick(e, steps) for e in profiles]
        columns.append(key_texts(found, name))
    return list(zip(*columns, strict=True))


@lru_cache(1024)
def _paths(key: tuple[str, ...]) -> tuple[Steps, ...]:
    return tuple([parse_path(name) for name in key])


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join([REVISION, *parts]).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _unstorable(value: object) -> bool:
    if isinstance(value, (dict, list)):
        # Lists and objects are written as JSON, which spells U+0000 and surrogates out.
        return False
    return isinstance(value, str) and ("\0" in value or any("\ud800" <= character <= "\udfff" for character in value))


def _nowhere(_statement: str) -> None:
    """Takes a statement that is rendered only to see whether it can be."""
