"""Where a form lets a secret be: in one variable, or in one file, whose names follow from the key alone.

A free choice of variables, files or parts of addresses would let whoever may edit send any secret of the workers to a
server of theirs; the file may have them, since whoever writes it has them anyhow.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NOWHERE, VARIABLE, FILE, KEPT = "none", "variable", "file", "kept"
"""What a form says of a secret; KEPT: it is where segsync.toml has it."""
NO_VARIABLE: Final = "holds a variable; expected it as text here, or all of it in segsync.toml"
ELSEWHERE: Final = (
    "leads a password to another address than the one it was applied with; expected the same scheme, host, port and "
    "options, or the connector changed in segsync.toml, by `segsync apply`"
)
NO_FILE: Final = (
    "names a file ({}); expected the address without it, or the whole of it in segsync.toml, by `segsync apply`"
)


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Of one secret.

    name      of its key in the file: "password"; with _file behind it that of the file
    variable  its variable's name
    file      its file, relative to segsync.toml
    what      for people
    required  whether it must be somewhere
    """

    name: str
    variable: str
    file: str
    what: str = ""
    required: bool = False

    @property
    def is_set(self) -> bool:
        """Whether this process has the variable."""
        return self.variable in os.environ

    def of(self, table: Mapping[str, Any]) -> str:
        """Where a table has it: one of the four."""
        if table.get(self.name) == f"${{{self.variable}}}":
            return VARIABLE
        if table.get(f"{self.name}_file") == self.file:
            return FILE
        return KEPT if self.kept(table) else NOWHERE

    def kept(self, table: Mapping[str, Any]) -> str:
        """What a table has in its place, as it is written: a variable, or a file's name."""
        return str(table.get(self.name) or table.get(f"{self.name}_file") or "")

    def places(self, table: Mapping[str, Any]) -> list[str]:
        """The places to choose from, where this table is applied."""
        found = [VARIABLE, FILE] if self.required else [VARIABLE, FILE, NOWHERE]
        return [*found, KEPT] if self.of(table) == KEPT else found

    def into(self, said: str, before: Mapping[str, Any]) -> dict[str, Any]:
        """The keys of a table for what a form says, `before` it."""
        names = (self.name, f"{self.name}_file")
        match said:
            case "variable":
                return {self.name: f"${{{self.variable}}}"}
            case "file":
                return {names[1]: self.file}
            case "kept":
                return {name: before[name] for name in names if name in before}
        return {}


def connector_secret(key: str, name: str = "password", what: str = "", *, required: bool = False) -> SecretPlace:
    """A connector's: `password`, or one of an ad account's, whose file no database's password can be."""
    behind = "" if name == "password" else f".{name}"  # a key has no dot
    variable = f"SEGSYNC_CONNECTOR_{_folded(key)}_{name.upper()}"
    return SecretPlace(name, variable, f"secrets/connectors/{key}{behind}", what, required)


def source_secret(key: str, name: str = "password") -> SecretPlace:
    """A source's."""
    return SecretPlace(name, f"SEGSYNC_SOURCE_{_folded(key)}_{name.upper()}", f"secrets/sources/{key}")


def sharing(key: str, others: Mapping[str, Any]) -> str:
    """Another key whose variables are the same: a-b and a_b; "" where there is none."""
    return next((other for other in others if other != key and _folded(other) == _folded(key)), "")


def _folded(key: str) -> str:
    return key.upper().replace("-", "_")
