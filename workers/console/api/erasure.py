"""Erasing a person: looked for first, by a call that changes nothing (docs/erasing.md)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workers.console.api.bodies import Whom
from workers.console.api.routes import ApiCall, ApiRoute
from workers.control.erasing import PlaceFound, opened
from workers.control.wanted import wanted
from workers.settings.console import May

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.control.erasing import Erasure


@contextmanager
def _opened(call: ApiCall) -> Iterator[Erasure]:
    profiles, values = wanted(call.body.ids, call.body.values)
    with call.site.turns.one(), opened(call.site.runtime().local, profiles, values) as erasure:
        yield erasure


def _look(call: ApiCall) -> list[PlaceFound]:
    with _opened(call) as erasure:
        return erasure.find().places()


def _erase(call: ApiCall) -> list[PlaceFound]:
    with _opened(call) as erasure:
        return erasure.erase(erasure.find(), call.by)


ERASING: Final = (
    ApiRoute(
        "POST",
        "/api/erase/look",
        "erase --dry-run",
        "Where a person's data lies, and what erasing would do",
        _look,
        May.OPERATE,
        PlaceFound,
        many=True,
        body=Whom,
    ),
    ApiRoute(
        "POST",
        "/api/erase",
        "erase",
        "Erase a person's data, for good",
        _erase,
        May.OPERATE,
        PlaceFound,
        many=True,
        body=Whom,
        on="told",
        kept=True,
    ),
)
