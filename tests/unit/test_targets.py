"""What is said of an ad account that cannot be served."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from workers import targets
from workers.errors import ErrorClass, HoldLevel, TargetError
from workers.targets import Targets

if TYPE_CHECKING:
    import pytest


def test_an_account_that_needs_someone_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[Any, ...]] = []
    lanes: Any = SimpleNamespace(redis=None, keys=None, circuit=lambda *given, **_: held.append(given))
    settings: Any = {"ya": SimpleNamespace(dialect="yandex-audiences")}
    monkeypatch.setattr(targets, "tend_again", lambda *_: None)

    def away(_: object, key: str) -> None:
        raise TargetError(ErrorClass.HOLD, "ads token", f"nobody has consented to {key}", level=HoldLevel.CONNECTOR)

    monkeypatch.setattr(Targets, "get", away)
    Targets(settings, lanes).tend("ya", 1)
    assert held == [("ya", "hold")]
    assert caplog.messages == ["ya: what it is owed cannot be sent: ads token: nobody has consented to ya"]
