"""`Retry-After`, in seconds or as a date, wherever a platform may say it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.connectors.audiences.test_odd_answers import AUDIENCE, Answering, wires
from workers.connectors.audiences import consents
from workers.connectors.audiences.http import HttpAnswer, date_s, retry_after_ms
from workers.connectors.audiences.store.rows import SentRow
from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = "Sat, 28 Nov 2026 12:00:00 GMT"
USUAL = -1
SAYS: list[tuple[str | None, int]] = [
    ("120", 120),
    (" 120 ", 120),
    ("Sat, 28 Nov 2026 12:02:00 GMT", 120),
    ("Saturday, 28-Nov-26 12:02:00 GMT", 120),
    ("Sat Nov 28 12:02:00 2026", 120),
    ("0", 1),
    ("Sat, 28 Nov 2026 11:59:00 GMT", 1),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
    ("99999999999999999999", 86_400),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    (None, USUAL),
    ("", USUAL),
    ("soon", USUAL),
    ("-5", USUAL),
    ("1.5", USUAL),
    ("\xb2", USUAL),
    ("Sat, 99 Nov 2026 12:02:00 GMT", USUAL),
    ("Sat, 28 Nov 99999 12:02:00 GMT", USUAL),
    ("Sat, 28 Nov 2026 12:02:00 +99999999", USUAL),
]


@pytest.mark.parametrize(("said", "seconds"), SAYS)
def test_it_is_read_in_seconds_and_as_a_date(said: str | None, seconds: int) -> None:
    """A date in the past means now, and what cannot be read means nothing."""
    headers = {"date": NOW} | ({} if said is None else {"retry-after": said})
    assert retry_after_ms(HttpAnswer(429, headers, None), USUAL * 1000) == seconds * 1000


def test_a_date_is_compared_with_the_platform_s_own_clock() -> None:
    """Where it tells none, with ours."""
    said = {"retry-after": "Sat, 28 Nov 2026 12:02:00 GMT"}
    for date, seconds in ((NOW, 120), ("Sat, 28 Nov 2026 11:00:00 GMT", 3_720)):
        assert retry_after_ms(HttpAnswer(429, said | {"date": date}, None), 0) == seconds * 1000
    for lost in ({}, {"date": "soon"}):
        assert 1_000 <= retry_after_ms(HttpAnswer(429, said | lost, None), 0) <= 86_400_000
    assert date_s("soon") is None


class Refusing(Answering):
    """It answers all calls with one status and these headers."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__({})
        self._answer = HttpAnswer(status, {"date": NOW} | headers, {})

    def send(self, *_: Any, **__: Any) -> HttpAnswer:
        return self._answer


LOOK: tuple[Callable[[Any], object], ...] = (lambda wire: list(wire.find(AUDIENCE)),)
CALL: tuple[Callable[[Any], object], ...] = (
    lambda wire: wire.change(AUDIENCE, "add", [SentRow((1,), {"emails": "x"})]),
    lambda wire: wire.rename(AUDIENCE),
    lambda wire: wire.delete(AUDIENCE),
)


@pytest.mark.parametrize("number", range(4), ids=["yandex", "google", "vk", "facebook"])
@pytest.mark.parametrize("said", ["4000", "Sat, 28 Nov 2026 13:06:40 GMT"], ids=["seconds", "a date"])
@pytest.mark.parametrize("more", [{}, {"x-ratelimit-hourly-remaining": "0"}], ids=["alone", "VK's own beside it"])
def test_every_platform_s_is_heeded(number: int, said: str, more: dict[str, str]) -> None:
    """Where a limit is used up, and where a platform is down."""
    for status, faults in ((429, {Fault.BUDGET}), (503, {Fault.UNHEARD, Fault.UNDONE})):
        wire = wires(Refusing(status, {"retry-after": said} | more))[number]
        for call in (*CALL, *LOOK):
            with pytest.raises(CallFailed) as caught:
                call(wire)
            assert caught.value.fault in faults
            assert caught.value.wait_ms == 4_000_000


def test_of_two_words_of_facebook_s_the_longer_holds() -> None:
    usage = {"x-business-use-case-usage": '{"7": [{"estimated_time_to_regain_access": 90}]}'}
    for said, minutes in (("60", 90), ("7200", 120), ("Sat, 28 Nov 2026 11:00:00 GMT", 90)):
        wire = wires(Refusing(429, usage | {"retry-after": said}))[3]
        with pytest.raises(CallFailed) as caught:
            wire.rename(AUDIENCE)
        assert caught.value.wait_ms == minutes * 60_000


def test_whoever_gives_tokens_is_heeded_too() -> None:
    http = Refusing(429, {"retry-after": "Sat, 28 Nov 2026 12:02:00 GMT"})
    for consent in (
        consents.YandexConsent(http, "a", "b"),
        consents.GoogleConsent(http, "a", "b"),
        consents.VkConsent(http, "a", "b"),
    ):
        with pytest.raises(CallFailed) as caught:
            consent.renew("r")
        assert (caught.value.fault, caught.value.wait_ms) == (Fault.BUDGET, 120_000)
