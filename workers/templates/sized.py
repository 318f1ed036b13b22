"""Which code renders a query: the quick one, or, for what is large, the one that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.allowance import LARGE, bytes_of, is_counted, most_written
from workers.templates.codegen import generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.templates.codegen import Render, Statement
    from workers.templates.expression_code import CodeTarget
    from workers.templates.model import Row


class Renderer:
    """The functions that render one query; the one that counts is made when it is first needed."""

    __slots__ = ("_careful", "_quick", "_statements", "_target", "_times")

    def __init__(self, statements: list[Statement], target: CodeTarget) -> None:
        nodes = [node for statement in statements for node in statement.nodes]
        self._statements = statements
        self._target = target
        self._times = most_written(nodes)
        self._quick = None if is_counted(nodes) else generate(statements, target, counted=False)
        self._careful = None if self._quick else generate(statements, target, counted=True)

    def suited(self, rows: Sequence[Row], size: int | None) -> Render:
        """The one for these rows; `size` is about how many bytes they had as JSON, if that is known."""
        if self._quick and self._times * (bytes_of(rows) if size is None else size) <= LARGE:
            return self._quick
        if self._careful is None:
            self._careful = generate(self._statements, self._target, counted=True)
        return self._careful
