"""From pieces to a tree: which text and tags stand in which loop and condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.templates.expressions import BadTag, Reader, Tokens, shown
from workers.templates.nodes import AutoComma, BatchIn, Expression, Field, For, If, Node, Out, Text, fields_of
from workers.templates.scanner import Source, Tag, scan
from workers.templates.scope import NamesInReach, parse_path, path_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.templates.model import QueryKind

MAX_NESTING = 12
"""Blocks in blocks. Python itself takes 20 loops in one another, and nobody reads more than three."""

MAX_LOOPS = 4
"""Loops within one another: each multiplies what is rendered."""
MAX_BRANCHES = 50
"""Branches of one {if}."""


@dataclass
class Parsed:
    """A query's tree, and the profile fields that it names, in order of appearance."""

    nodes: list[Node] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)


def parse(source: Source, kind: QueryKind, *, batch: bool) -> Parsed:
    """The tree of a query's text. Mistakes go to `source`; what could not be read is left out of the tree."""
    return _Parser(source, NamesInReach(kind, batch)).parse()


@dataclass
class _Block:
    """An open {for} or {if}: where its nodes go, and what has to happen when it ends."""

    word: str
    place: int
    body: list[Node]
    close: Callable[[], None]
    conditional: If | None = None
    is_loop: bool = False


class _Parser:
    def __init__(self, source: Source, scope: NamesInReach) -> None:
        self._source = source
        self._scope = scope
        self._result = Parsed()
        self._blocks: list[_Block] = []
        self._words = {
            "if": self._if,
            "elseif": self._elseif,
            "else": self._else,
            "end": self._end,
            "for": self._for,
            "autocomma": self._autocomma,
            "batch_in": self._batch_in,
        }

    def parse(self) -> Parsed:
        for piece in scan(self._source):
            if isinstance(piece, Text):
                self._body.append(piece)
            elif piece.tokens:
                self._tag(piece)
        for block in self._blocks:
            self._source.mistake(block.place, f"this {{{block.word}}} is not closed; end it with {{end}}")
        return self._result

    @property
    def _body(self) -> list[Node]:
        return self._blocks[-1].body if self._blocks else self._result.nodes

    def _tag(self, tag: Tag) -> None:
        if tag.doubled:
            self._source.mistake(
                tag.place, "tags have single braces: {…}; braces of SQL go between {literal} and {end}"
            )
            return
        tokens = Tokens(tag.tokens)
        word = tag.tokens[0].text if tag.tokens[0].kind == "name" else ""
        if tag.broken:
            self._recover(word, tag.place)
            return
        try:
            self._words.get(word, self._out)(tokens, tag.place)
        except BadTag as error:
            self._source.mistake(error.place, error.what)
            self._recover(word, tag.place)

    def _recover(self, word: str, place: int) -> None:
        """Opens what a broken {for} or {if} would have opened, so that its {end} finds it."""
        if word in ("for", "if") and len(self._blocks) < MAX_NESTING:
            self._blocks.append(_Block(word, place, [], lambda: None, is_loop=word == "for"))

    def _expression(self, tokens: Tokens) -> Expression:
        value = Reader(tokens, self._scope).expression()
        self._result.fields.extend(fields_of(value))
        return value

    def _out(self, tokens: Tokens, place: int) -> None:
        value = self._expression(tokens)
        tokens.finish("placeholder")
        self._body.append(Out(value, place))

    def _open(self, block: _Block) -> None:
        if len(self._blocks) >= MAX_NESTING:
            raise BadTag(block.place, f"{{for}} and {{if}} go at most {MAX_NESTING} deep")
        if block.is_loop and sum(outer.is_loop for outer in self._blocks) >= MAX_LOOPS:
            raise BadTag(block.place, f"loops go at most {MAX_LOOPS} deep")
        self._blocks.append(block)

    def _if(self, tokens: Tokens, place: int) -> None:
        tokens.take()
        condition = self._expression(tokens)
        tokens.finish("if")
        body: list[Node] = []
        node = If([(condition, body)], None, place)
        parent = self._body
        self._open(_Block("if", place, body, lambda: parent.append(node), conditional=node))

    def _innermost_if(self, tokens: Tokens, place: int) -> tuple[_Block, If | None]:
        word = tokens.take().text
        block = self._blocks[-1] if self._blocks else None
        if block is None or block.is_loop:
            raise BadTag(place, f"{{{word}}} without an {{if}} that it belongs to")
        if block.conditional and block.conditional.otherwise is not None:
            raise BadTag(place, f"{{{word}}} after {{else}}: {{else}} comes last and once")
        return block, block.conditional

    def _elseif(self, tokens: Tokens, place: int) -> None:
        block, node = self._innermost_if(tokens, place)
        block.body = []
        condition = self._expression(tokens)
        tokens.finish("elseif")
        if node is None:
            return
        if len(node.branches) >= MAX_BRANCHES:
            raise BadTag(place, f"an {{if}} has at most {MAX_BRANCHES} branches")
        node.branches.append((condition, block.body))

    def _else(self, tokens: Tokens, place: int) -> None:
        block, node = self._innermost_if(tokens, place)
        if tokens.next.text == "if":
            raise BadTag(tokens.next.place, "write {elseif …} in one word")
        tokens.finish("else")
        block.body = []
        if node is not None:
            node.otherwise = block.body

    def _end(self, tokens: Tokens, place: int) -> None:
        tokens.take()
        tokens.finish("end")
        if not self._blocks:
            raise BadTag(place, "{end} without a {for}, {if} or {literal} that it ends")
        self._blocks.pop().close()

    def _for(self, tokens: Tokens, place: int) -> None:
        tokens.take()
        names = [self._variable(tokens)]
        if tokens.accept(","):
            names.append(self._variable(tokens))
        tokens.expect("=", ":=", "in")
        items = self._items(tokens, place)
        tokens.finish("for")
        index = names[0] if len(names) > 1 else None
        node = For(index, names[-1], items, [], place)
        self._enter(node, place)

    def _enter(self, node: For, place: int) -> None:
        known = len(self._scope.variables)
        parent = self._body

        def close() -> None:
            del self._scope.variables[known:]
            parent.append(node)

        self._open(_Block("for", place, node.body, close, is_loop=True))
        if node.index is not None:
            self._scope.variables.append((node.index, False))
        self._scope.variables.append((node.variable, node.items is None))

    def _variable(self, tokens: Tokens) -> str:
        token = tokens.take()
        if token.kind != "name" or not token.text.startswith("$") or token.text == "$batch":
            raise BadTag(token.place, f"expected a variable as in {{for $index, $lead = $batch}}, got {shown(token)}")
        return token.text[1:]

    def _items(self, tokens: Tokens, place: int) -> Expression | None:
        if tokens.next.text != "$batch" or not self._scope.in_batch:
            return self._expression(tokens)
        tokens.take()
        if any(is_row for _, is_row in self._scope.variables):
            raise BadTag(place, "a loop over $batch inside a loop over $batch; one is enough")
        return None

    def _autocomma(self, tokens: Tokens, place: int) -> None:
        tokens.take()
        tokens.finish("autocomma")
        if not any(block.is_loop for block in self._blocks):
            raise BadTag(place, "{autocomma} stands inside a {for}: it parts the loop's items")
        self._body.append(AutoComma(place))

    def _batch_in(self, tokens: Tokens, place: int) -> None:
        tokens.take()
        self._check_batch_in(place)
        opening = tokens.accept("(")
        number = tokens.accept("number") is not None
        name = tokens.take()
        if name.kind != "string":
            what = 'expected a field\'s name in quotes, without `$lead.`, as in {batch_in "CustomID"}, got '
            raise BadTag(name.place, what + shown(name))
        if opening:
            tokens.expect(")")
        tokens.finish("batch_in")
        self._add_list(name.text, name.place, number=number, place=place)

    def _check_batch_in(self, place: int) -> None:
        if not self._scope.kind.has_profiles:
            raise BadTag(place, f"a {self._scope.kind} query has no profiles, so no {{batch_in}}")
        if not self._scope.batch:
            raise BadTag(place, "{batch_in} needs a batch; for one profile at a time write = {lead.Field}")
        if any(is_row for _, is_row in self._scope.variables):
            raise BadTag(place, "{batch_in} goes over the whole batch by itself; take it out of the loop over $batch")

    def _add_list(self, path: str, name_place: int, *, number: bool, place: int) -> None:
        try:
            steps = parse_path(path)
        except ValueError as error:
            raise BadTag(name_place, str(error)) from None
        node = BatchIn(Field("", steps, path_text(steps)), number, place)
        self._result.fields.append(node.field)
        self._body.append(node)
