"""The API's OpenAPI document, made from its routes: it cannot lag behind them.

Bodies are described by what decodes them; answers by the fields of their dataclasses, as their annotations are written.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers.settings.console import May

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.console.api.routes import ApiRoute

OPENAPI: Final = "3.1.0"
REF: Final = "#/components/schemas/{name}"
KINDS: Final = {"text": "string", "number": "integer", "flag": "boolean"}
PLAIN: Final[dict[str, dict[str, Any]]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "datetime": {"type": "string", "format": "date-time"},
}
_GENERIC: Final = re.compile(r"(?P<outer>\w+)\[(?P<inner>.+)\]")
LISTS: Final = frozenset({"list", "tuple", "Sequence", "set", "frozenset"})
MAPPINGS: Final = frozenset({"dict", "Mapping"})
PUSHED: Final = ("application/x-ndjson", "application/json")
FAILURES: Final = {
    "400": "what was asked for cannot be understood; `error` says why, `mistakes` each place",
    "401": "no token that is known",
    "403": "the token may not do that",
    "404": "there is no such thing",
    "409": "it cannot be done in this state",
    "413": "too long",
    "415": "of another type than expected",
    "503": "Redis or the ledger is out of reach",
}


def described(routes: Iterable[ApiRoute], version: str) -> dict[str, Any]:
    """The document, with the route for events, which is no JSON object."""
    found, schemas = [*routes], dict[str, Any]()
    paths: dict[str, Any] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    paths["/api/events"] = {"post": _events()}
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "segsync",
            "version": version,
            "description": "Made from the routes",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas | {"Failure": _FAILURE},
        },
    }


_FAILURE: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "mistakes": {"type": "array", "items": {"type": "object"}}},
}


def _operation(route: ApiRoute, schemas: dict[str, Any]) -> dict[str, Any]:
    answer = {} if route.answer is None else _of_class(route.answer, schemas)
    whole = {"type": "array", "items": answer} if route.many else answer
    told: dict[str, Any] = {
        "operationId": f"{route.method.lower()} {route.path}",
        "summary": route.words,
        "description": f"As `segsync {route.name}`. The token must be allowed to {route.may.value}.",
        "parameters": [*_places(route.path), *map(_parameter, route.query)],
        "responses": {"200": {"description": "done", "content": {"application/json": {"schema": whole}}}} | _failures(),
    }
    if route.body is not None:
        (schema,), more = msgspec.json.schema_components([route.body], ref_template=REF)
        schemas |= more
        told["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return told


def _places(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _parameter(parameter: Any) -> dict[str, Any]:  # noqa: ANN401 - a Parameter
    schema = {"type": KINDS[parameter.kind]}
    told = {"name": parameter.name, "in": "query", "required": parameter.required, "schema": schema}
    return told | {"description": parameter.words}


def _failures() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REF.format(name="Failure")}}}
    return {code: {"description": words, "content": content} for code, words in FAILURES.items()}


def _events() -> dict[str, Any]:
    wait = {"Retry-After": {"schema": {"type": "integer"}}}
    full = {"description": "full, or busy: wait as long as Retry-After says", "headers": wait}
    return {
        "operationId": "post /api/events",
        "summary": "Push events",
        "description": f"JSON lines or an array, gzip taken. The token must be allowed to {May.PUSH.value}.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 255},
                "description": "the same again with the same key pushes nothing twice",
            }
        ],
        "requestBody": {"required": True, "content": {kind: {"schema": {}} for kind in PUSHED}},
        "responses": {"200": {"description": "all of them are accepted"}, "429": full} | _failures(),
    }


def _of_class(kind: type, schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a dataclass, which is put among the others."""
    name = kind.__name__
    if name not in schemas:
        schemas[name] = {}  # before its fields, which may name it
        fields = _fields_of(kind)
        schemas[name] = {
            "type": "object",
            "properties": {field: _of_annotation(text, kind, schemas) for field, text in fields.items()},
        }
    return {"$ref": REF.format(name=name)}


def _fields_of(kind: type) -> dict[str, str]:
    if dataclasses.is_dataclass(kind):
        return {field.name: str(field.type) for field in dataclasses.fields(kind)}
    return {}


def _of_annotation(text: str, holder: type, schemas: dict[str, Any]) -> dict[str, Any]:
    """What an annotation says, as far as it can be told without importing what only type checkers see."""
    parts = _split(text, "|")
    if len(parts) > 1:
        return {"anyOf": [_of_annotation(part, holder, schemas) for part in parts]}
    if text in PLAIN:
        return PLAIN[text]
    if found := _GENERIC.fullmatch(text):
        inner = _split(found["inner"], ",")
        if found["outer"] in LISTS:
            return {"type": "array", "items": _of_annotation(inner[0], holder, schemas)}
        if found["outer"] in MAPPINGS:
            return {"type": "object", "additionalProperties": _of_annotation(inner[-1], holder, schemas)}
        return {}
    named = vars(__import__(holder.__module__, fromlist=["_"])).get(text)
    return _of_class(named, schemas) if isinstance(named, type) and dataclasses.is_dataclass(named) else {}


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that stand in no bracket."""
    found, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == mark and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [part.strip() for part in found]
