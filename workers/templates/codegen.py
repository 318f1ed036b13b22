"""Makes a Python function of a query's tree, so that rendering a batch costs little more than joining text.

For `… VALUES {for $i, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}`, CustomID being
the key, the function is, in short:

    def render(rows, segment, send):
        h4 = f"{c1}{w2(segment_id(segment.id), c3)}{c5}"
        out = [c6]
        for row in rows:
            p = row[0]
            v7 = p.get(c8)
            if (type(v7) is str and v7 and c9 not in v7 or type(v7) is int and 0 <= v7 < c10):
                out.append(f"{h4}{v7}{c12}")
            else:
                out.append(f"{h4}{w11(v7, c8)}{c12}")
        …
        send(finish("".join(out)))
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from workers.templates.commas import always_writes, comma_tail, may_be_blank
from workers.templates.expression_code import CodeTarget, Expressions, Names, Part, Placeholders, Variables
from workers.templates.lists import refuse_empty
from workers.templates.literals import number_list, text_list
from workers.templates.nodes import (
    AutoComma,
    BatchIn,
    Expression,
    Field,
    For,
    If,
    Node,
    Out,
    Text,
    expressions_in,
    fields_of,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workers.templates.model import Row, SegmentView

    Render = Callable[[Sequence[Row], SegmentView, Callable[[str], None]], None]

MAX_JOINED = 100
"""Parts of one f-string; more go in several."""
MAX_COUNTED = 8  # where what is written is counted after each


@dataclass
class Statement:
    """One statement's nodes and its place; `optional` if it can come out without anything in it."""

    nodes: list[Node]
    optional: bool
    place: int


def generate(statements: list[Statement], target: CodeTarget, *, counted: bool) -> Render:
    """The function that renders rows and hands each statement to its third argument, "" where its list came out empty.

    counted  whether it counts what it reads and writes, and refuses what is too much
    """
    return _Generator(target, counted=counted).function(statements)


class _Generator:
    def __init__(self, target: CodeTarget, *, counted: bool) -> None:
        self._target = target
        self._counted = counted
        self._names = Names(target)
        self._variables = Variables()
        self._expressions = Expressions(target, self._names, self._variables, counted=counted)
        self._placeholders = Placeholders(target, self._names, self._expressions)
        self._head: list[str] = []
        self._lines: list[str] = []
        self._indent = 1
        self._parts: list[Part] = []
        self._commas: list[str] = []
        self._items: list[str] = []

    def function(self, statements: list[Statement]) -> Render:
        if self._counted:
            self._head = ["    spent = Allowance()"]
        if self._target.one_row:
            nodes = [node for statement in statements for node in statement.nodes]
            self._head += ["    row = rows[0]", *(f"    {line}" for line in self._row("", nodes))]
        for statement in statements:
            self._statement(statement)
        source = "\n".join(["def render(rows, segment, send):", *self._head, *self._lines])
        names = self._names.known
        exec(compile(source, "<segsync query>", "exec"), names)  # noqa: S102 - only names that are made up here
        return cast("Render", names["render"])

    def _line(self, code: str) -> None:
        self._lines.append("    " * self._indent + code)

    def _statement(self, statement: Statement) -> None:
        self._line("out = []")
        self._line("skip = False")
        if self._counted:
            self._line("spent.wrote(out)")
        self._nodes(statement.nodes)
        self._flush()
        self._line('out, text = None, "" if skip else "".join(out)')
        self._line("text = finish(text).strip()")
        self._line("if begins(text): send(text)" if statement.optional else "if text: send(text)")
        self._line('elif skip: send("")')

    def _nodes(self, nodes: list[Node]) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._text(node.sql())
            elif isinstance(node, Out):
                self._parts += self._placeholders.parts(node)
            elif isinstance(node, BatchIn):
                self._list(node)
            elif isinstance(node, AutoComma):
                self._autocomma()
            elif isinstance(node, If):
                self._if(node)
            else:
                self._for(node)

    def _text(self, text: str) -> None:
        if text:
            self._parts.append(Part(self._names.constant(text), fixed=True))

    def _flush(self) -> None:
        """Writes the parts collected so far: in a loop, the quick way if every value of the row allows it."""
        parts, self._parts = self._parts, []
        tests = [part.test for part in parts if part.test]
        if not (tests and self._commas):
            self._append(parts)
            return
        self._line(f"if {' and '.join(tests)}:")
        self._indent += 1
        self._append([quick for part in parts for quick in (part.quick if part.test else (part,))])
        self._indent -= 1
        self._line("else:")
        self._indent += 1
        self._append(parts)
        self._indent -= 1

    def _append(self, parts: list[Part]) -> None:
        codes = list(self._merged(parts))
        most = MAX_COUNTED if self._counted else MAX_JOINED
        for at in range(0, len(codes), most):
            self._line(f"out.append({_joined(codes[at : at + most])})")
            if self._counted:
                self._line("spent.wrote(out)")

    def _merged(self, parts: list[Part]) -> Iterator[str]:
        """Neighbours that are the same for every row are joined once, before all loops."""
        run: list[str] = []
        for part in parts:
            if part.fixed:
                run.append(part.code)
                continue
            if run:
                yield self._fixed(run)
                run = []
            yield part.code
        if run:
            yield self._fixed(run)

    def _fixed(self, run: list[str]) -> str:
        if len(run) == 1 and run[0] in self._names.known:
            return run[0]
        name = self._names.new("h")
        for at in range(0, len(run), MAX_JOINED):
            more = [name, *run[at : at + MAX_JOINED]] if at else run[:MAX_JOINED]
            self._head.append(f"    {name} = {_joined(more)}")
        return name

    def _list(self, node: BatchIn) -> None:
        self._flush()
        one, name = self._found("r[0]", node.field), self._names.constant(node.field.name)
        write = self._names.bind("w", (number_list if node.number else text_list)(self._target.dialect))
        self._line(f"out.append({write}([{one} for r in rows], {name}))")

    def _autocomma(self) -> None:
        last = self._commas[-1]
        if not last:
            self._text(",")
            return
        self._flush()
        item = self._items[-1]
        if item:
            self._line(f"if ''.join(out[{item}:]).strip():")
            self._indent += 1
        self._line(f"if {last} >= 0: out[{last}] = ','")
        self._line(f"{last} = len(out)")
        self._line("out.append('')")
        if item:
            self._indent -= 1
            self._line(f"{item} = len(out)")

    def _if(self, node: If) -> None:
        self._flush()
        for number, (condition, body) in enumerate(node.branches):
            self._line(f"{'elif' if number else 'if'} {self._expressions.condition(condition)}:")
            self._block(body)
        if node.otherwise is not None:
            self._line("else:")
            self._block(node.otherwise)

    def _block(self, body: list[Node], *first: str) -> None:
        self._indent += 1
        for line in first or ["pass"]:
            self._line(line)
        self._nodes(body)
        self._flush()
        self._indent -= 1

    def _for(self, node: For) -> None:
        self._flush()
        start, tail = self._names.new("n"), None if may_be_blank(node) else comma_tail(node.body)
        self._line(f"{start} = len(out)")
        self._commas.append("" if tail is not None else self._names.new("a"))
        self._items.append(self._names.new("i") if may_be_blank(node) else "")
        if self._commas[-1]:
            self._line(f"{self._commas[-1]} = -1")
        if self._items[-1]:
            self._line(f"{self._items[-1]} = {start}")
        self._loop(node)
        self._commas.pop()
        self._items.pop()
        if tail:
            self._line(f"if len(out) > {start}: out[-1] = out[-1][:-{len(tail)}] + {self._names.constant(tail[1:])}")
        if not self._commas and node.is_needed:
            filled = f"len(out) > {start}" if always_writes(node.body) else f"''.join(out[{start}:]).strip()"
            self._line(f"if not {filled}: skip = True")
        elif node.is_value and (node.is_rows or not self._target.dialect.empty_lists):
            refuse = f"{self._names.bind('f', refuse_empty)}({self._names.constant(_listed(node))})"
            self._line(f"if not ''.join(out[{start}:]).strip(): {refuse}")

    def _loop(self, node: For) -> None:
        outside = dict(self._variables.local)
        items = "" if node.items is None else self._items_of(node, node.items)
        index = self._local(node.index) if node.index is not None else "_"
        if node.items is not None:
            self._line(f"for {index}, {self._local(node.variable)} in {items}:")
            self._block(node.body)
        else:
            self._line("for row in rows:" if node.index is None else f"for {index}, row in enumerate(rows):")
            self._block(node.body, *self._row(node.variable, node.body), *self._allowance())
        self._variables.local = outside

    def _items_of(self, node: For, items: Expression) -> str:
        nodes = 1 + sum(1 for _ in walk(node.body, into_loops=False))
        return f"spent.rounds({self._expressions.value(items)}, {self._expressions.field_name(items)}, {nodes})"

    def _allowance(self) -> list[str]:
        return ["spent.next(out)"] if self._counted else []

    def _local(self, variable: str) -> str:
        name = self._variables.local[variable] = self._names.new("x")
        return name

    def _row(self, variable: str, nodes: list[Node]) -> list[str]:
        """Reads a row's fields once, however often they are used, and checks the keys that are not just written."""
        used = Counter(one for value in expressions_in(nodes) for one in fields_of(value) if one.row == variable)
        written = Counter(value for value in _written_in(nodes) if isinstance(value, Field))
        lines = ["p = row[0]"]
        for one in used:
            name = self._variables.fields[one.row, one.steps] = self._names.new("v")
            lines.append(f"{name} = {self._found('p', one)}")
            if one.name in self._target.key and used[one] > written[one]:
                checked = f"key_text({name}, {self._names.constant(one.name)})"
                lines.append(f"if not (type({name}) is str and {name} or {self._names.short(name)}): {checked}")
        return lines

    def _found(self, profile: str, one: Field) -> str:
        if not one.steps:
            return profile
        if len(one.steps) > 1:
            return f"pick({profile}, {self._names.constant(one.steps)})"
        return f"{profile}.get({self._names.constant(one.steps[0])})"


def _listed(node: For) -> str:
    """The field whose items the loop writes; "" where it is none by itself."""
    return node.items.name if isinstance(node.items, Field) else ""


def _joined(codes: list[str]) -> str:
    # A single one, too: it may be an integer.
    return 'f"' + "".join(f"{{{code}}}" for code in codes) + '"'


def _written_in(nodes: list[Node]) -> Iterator[Expression]:
    return (node.expression for node in walk(nodes) if isinstance(node, Out))
