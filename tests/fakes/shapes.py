"""What a request may have, as the platforms' documents say: what it has beside that, or lacks of it, is a misfit.

A body's shape is a dict of its fields (a name that ends with "?" may be missing), a list with the shape of each item, a
type, a set of allowed values, or a regular expression of the whole text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = re.compile(r"\d+")


def parts_of(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart body by name."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    assert boundary, "no multipart body"
    found = {}
    for part in body.split(b"--" + boundary[1].encode())[1:-1]:
        head, _, data = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        assert name
        found[name[1].decode()] = data
    return found


@dataclass(frozen=True, slots=True)
class Shape:
    """One documented call.

    path   a regular expression of all of it
    query  its parameters
    sends  "json", "form" or "parts": how the body goes; "" for none
    body   its shape
    """

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    sends: str = ""
    body: Any = None

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and bool(re.fullmatch(self.path, path))

    def misfits(self, query: dict[str, str], content_type: str, body: bytes) -> list[str]:
        """What is wrong with a request; never a value."""
        wrong = list(_misfits(self.query, query, "query"))
        if not self.sends:
            return wrong + (["a body"] if body else [])
        try:
            return wrong + list(_misfits(self.body, self._read(content_type, body), "body"))
        except (AssertionError, ValueError):
            return [*wrong, f"no {self.sends}"]

    def _read(self, content_type: str, body: bytes) -> Any:
        if self.sends == "parts":
            return {name: data[:64].decode() for name, data in parts_of(content_type, body).items()}
        if self.sends == "form":
            assert content_type == "application/x-www-form-urlencoded"
            return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        assert content_type == "application/json"
        return json.loads(body)


def _misfits(shape: Any, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where}: no object"
            return
        yield from (f"{where}.{name}: unknown" for name in value if name not in shape and f"{name}?" not in shape)
        for name, inner in shape.items():
            key = name.removesuffix("?")
            if key in value:
                yield from _misfits(inner, value[key], f"{where}.{key}")
            elif key == name:
                yield f"{where}.{key}: missing"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for each in value:
            yield from _misfits(shape[0], each, f"{where}[]")
    elif not _is(shape, value):
        yield f"{where}: not as documented"


def _is(shape: Any, value: Any) -> bool:
    if isinstance(shape, frozenset | set):
        return value in shape
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and bool(shape.fullmatch(value))
    return isinstance(value, shape) and not (shape is int and isinstance(value, bool))
