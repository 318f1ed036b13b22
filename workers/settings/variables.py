"""`${NAME}`, `${NAME:-default}`, `${NAME:?why}` and `$$` in string values (docs: as Compose and the shell have them).

Applied after TOML is parsed, so that no variable can break the file's syntax; never inside queries, whose
`$` belongs to the templates. A `$` before anything else is itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\$(?:\$|\{([^}]*)\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)


class VariableError(Exception):
    """A variable is missing or its reference cannot be read; the message names it and never shows a value."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}`: default is what stands after `:-`, reason what stands after `:?`; None where they do not."""

    name: str
    default: str | None = None
    reason: str | None = None

    def value(self, environ: Mapping[str, str]) -> str:
        """Its value; VariableError where there is none. With `:-` and `:?` an empty variable counts as unset."""
        value = environ.get(self.name)
        if value is not None and (value or (self.default is None and self.reason is None)):
            return value
        if self.default is not None:
            return self.default
        why = f": {self.reason}" if self.reason else ""
        raise VariableError(f"the environment variable {self.name} is not set{why}")


def _reference(match: re.Match[str]) -> Reference:
    inside = _INSIDE.fullmatch(match[1])
    if not inside or not match[0].endswith("}") or "${" in match[1]:
        raise VariableError(
            "a variable reference cannot be read; expected ${NAME}, ${NAME:-default} or ${NAME:?why}, "
            "none within another, and $$ for a dollar sign"
        )
    text = inside[3]
    return Reference(inside[1], text if inside[2] == "-" else None, text if inside[2] == "?" else None)


def _replace(text: str, value: Callable[[Reference], str]) -> str:
    return _TOKEN.sub(lambda match: "$" if match[0] == "$$" else value(_reference(match)), text)


def references(text: str) -> list[Reference]:
    """The variables that `text` names; VariableError for a reference that cannot be read."""
    return [_reference(match) for match in _TOKEN.finditer(text) if match[0] != "$$"]


def fill(text: str, environ: Mapping[str, str]) -> str:
    """`text` with its variables filled in; VariableError for the first that is missing."""
    return _replace(text, lambda reference: reference.value(environ))


def sketch(text: str, stand_in: str) -> str:
    """`text` with defaults in place of variables, and `stand_in` where there is none: its shape, in any environment."""
    return _replace(text, lambda reference: reference.default or stand_in)


def literal(text: str) -> str:
    """What of `text` stands in the file itself, defaults included."""
    return sketch(text, "")
