"""Nobody else works on an audience before its call is surely over, however long it took to write it down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.connectors.audiences.accounts import Account, on
from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences import http
from workers.connectors.audiences.calling import write_down
from workers.connectors.audiences.http import CALL_SECONDS, LONGEST_TIMEOUT, TOKEN_SECONDS
from workers.connectors.audiences.rounds import OWNED_MS
from workers.connectors.audiences.store.rows import rows_of

if TYPE_CHECKING:
    import pytest

    from tests.fakes.server import FakePlatform
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.rig import Rig

CHANGE = {"yandex": "modify_data", "facebook": "/users", "vk": "POST /api/v3", "google": "ingest"}


def test_no_call_takes_as_long_as_its_audience_is_owned() -> None:
    assert TOKEN_SECONDS + CALL_SECONDS + LONGEST_TIMEOUT < OWNED_MS / 1000


@on()
def test_rows_that_take_long_cost_their_call_no_time(
    account: Account, rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(3_600)
    left = list[float]()

    def slowly(*said: Any, **more: Any) -> Any:
        fake.advance(200)
        return rows_of(*said, **more)

    def look() -> None:
        until = rig.number("SELECT max(owned_until_ms) FROM ads_audience")
        left.append((until - fake.now) / 1000)

    monkeypatch.setattr(f"{write_down.__module__}.rows_of", slowly)
    fake.before(CHANGE[account.name], look)
    rig.deliver(("add", people([4, 5])))
    rig.tend()
    assert left
    assert left[0] >= OWNED_MS / 1000


@on("yandex")
def test_a_call_that_its_token_held_up_is_made_later(
    account: Account, rig: Rig, fake: FakeYandex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once more at once, it could arrive when somebody else has the audience."""
    rig.deliver(("add", people(range(4))))
    rig.run()
    fake.advance(3_600)
    passed = [0.0]
    monkeypatch.setattr(http, "_now", lambda: passed[0])

    def hold_up() -> None:
        passed[0] += 120

    fake.expire_token()
    fake.before("modify_data", hold_up)
    rig.deliver(("add", people([4])))
    rig.tend()
    calls = [path for _, path in fake.calls if path.endswith("modify_data")]
    assert (len(calls), rig.standing().waits) == (1, "the platform")
    rig.run()
    assert account.members(fake) == account.wanted(people(range(5)))
