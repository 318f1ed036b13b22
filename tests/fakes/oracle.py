"""Google's own types of the Data Manager API: whether they take what is sent, and what the fake answers.

They come with a package that only tests have (`google-ads-datamanager`), and take two seconds to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def misfit(kind: str, body: dict[str, Any]) -> str:
    """What Google's type of that name does not take of a body; "" for nothing.

    Of a list one of each shape is enough: the types know names and kinds of values, and no more.
    """
    datamanager = import_module("google.ads.datamanager_v1")
    json_format = import_module("google.protobuf.json_format")
    try:
        json_format.ParseDict(_thinned(body), getattr(datamanager, kind).pb()())
    except json_format.ParseError as error:
        return f"{kind}: {error}"
    return ""


def _thinned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _thinned(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_thinned(each) for each in {_shape(each): each for each in value}.values()]
    return value


def _shape(value: Any) -> object:
    if isinstance(value, dict):
        return tuple((name, _shape(each)) for name, each in value.items())
    return tuple(map(_shape, value)) if isinstance(value, list) else type(value)
