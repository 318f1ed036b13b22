"""What a query tells its target: which fields of a profile, and whether as they are or only their hash.

Read from the template's tree, so that it holds for every statement that is ever rendered from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.nodes import (
    BatchIn,
    Builtin,
    Call,
    Expression,
    Field,
    For,
    If,
    Local,
    Meta,
    Node,
    Out,
    parts_of,
)
from workers.templates.scope import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator


class SentAs(StrEnum):
    """How something reaches the target."""

    PLAIN = "plain"
    """Its value, perhaps in other letters or another format, or what a comparison says of it."""
    SHA256 = "sha256"
    MD5 = "md5"
    DECIDES = "decides"
    """It is only asked what it is: what is sent depends on it."""


class Transmitted(NamedTuple):
    """One thing that a query tells.

    name    a profile's field as a path, "" for the whole profile; of lists, "phones[*].number"
    of      what it belongs to: "profile", "segment" (segment_id, segment_name) or "event" (event_time, sequence)
    manner  as what it is told
    """

    name: str
    of: str
    manner: SentAs


_HASHES = {"md5": SentAs.MD5, "sha256": SentAs.SHA256}


def transmitted(nodes: list[Node]) -> tuple[Transmitted, ...]:
    """What the tags of a query tell, each once, in order of appearance."""
    return tuple(dict.fromkeys(_Walk().nodes(nodes)))


class _Walk:
    """Knows what the variables of the loops around stand for."""

    def __init__(self) -> None:
        self._loops: dict[str, list[Transmitted]] = {}

    def nodes(self, nodes: list[Node]) -> Iterator[Transmitted]:
        for node in nodes:
            if isinstance(node, Out):
                yield from self._value(node.expression, SentAs.PLAIN)
            elif isinstance(node, BatchIn):
                yield Transmitted(node.field.name, "profile", SentAs.PLAIN)
            elif isinstance(node, If):
                yield from self._if(node)
            elif isinstance(node, For):
                yield from self._for(node)

    def _if(self, node: If) -> Iterator[Transmitted]:
        for condition, body in node.branches:
            yield from self._value(condition, SentAs.DECIDES)
            yield from self.nodes(body)
        yield from self.nodes(node.otherwise or [])

    def _for(self, node: For) -> Iterator[Transmitted]:
        if node.items is None:
            yield from self.nodes(node.body)
            return
        outside = dict(self._loops)
        over = list(self._value(node.items, SentAs.PLAIN))
        self._loops[node.variable] = [one._replace(name=f"{one.name}[*]") for one in over]
        if node.index is not None:
            self._loops[node.index] = [one._replace(name=f"{one.name}[*]") for one in over]
        yield from (one._replace(manner=SentAs.DECIDES) for one in over)  # how many there are
        yield from self.nodes(node.body)
        self._loops = outside

    def _value(self, value: Expression, manner: SentAs) -> Iterator[Transmitted]:
        if isinstance(value, Field):
            yield Transmitted(value.name, "profile", manner)
        elif isinstance(value, Builtin):
            yield Transmitted(value.name, "segment", manner)
        elif isinstance(value, Meta):
            yield Transmitted(value.name.removeprefix("_"), "event", manner)
        elif isinstance(value, Local):
            yield from self._local(value, manner)
        else:
            if isinstance(value, Call) and manner is SentAs.PLAIN:
                manner = _HASHES.get(value.name, manner)
            for part in parts_of(value):
                yield from self._value(part, manner)

    def _local(self, value: Local, manner: SentAs) -> Iterator[Transmitted]:
        path = path_text(value.steps)
        tail = path if not path or path.startswith("[") else f".{path}"
        for one in self._loops.get(value.name, ()):
            yield one._replace(name=one.name + tail, manner=manner)
