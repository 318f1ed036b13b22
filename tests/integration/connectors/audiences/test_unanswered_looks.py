"""Looks that a platform does not answer, while its calls are fine: nobody knows what became of what is on its way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import HTML, Reply
from tests.integration.connectors.audiences.accounts import Account, changes, on
from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences.platforms import PLATFORMS, YANDEX
from workers.connectors.audiences.rounds import OWNED_MS

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig

LATE = ["yandex", "vk", "google"]
"""Those whose calls are looked at."""
LOOK = {"yandex": "GET /v1/management/segments", "vk": "GET /api/v3/remarketing/users_lists/", "google": "GET /v1/req"}
MOST_BY_PROOF = ["vk", *(pytest.param(name, marks=pytest.mark.long) for name in ("google", "yandex"))]
DOWN = {"its own error": Reply(500, {}), "a page": HTML, "no answer": Reply(cut=True)}


@pytest.fixture
def rig(make_rig: MakeRig, account: Account, fake: FakePlatform) -> Rig:
    """With four members, and a call on its way that adds two."""
    made = make_rig(account.name, fake)
    made.deliver(("add", people(range(4))))
    made.run()
    fake.advance(3_600)
    made.deliver(("add", people([4, 5])))
    made.tend()
    assert pending(made) == 1
    return made


def pending(rig: Rig) -> int:
    return rig.number("SELECT count(*) FROM ads_call WHERE state = 'pending'")


def lost(rig: Rig) -> int:
    return rig.number("SELECT count(*) FROM ads_call WHERE state = 'failed'")


def said(rig: Rig) -> tuple[str, str, str]:
    standing = rig.standing()
    return standing.waits, standing.code, standing.reason


@pytest.mark.parametrize(("account", "how"), list(zip(LATE, DOWN, strict=True)), indirect=["account"], ids=LATE)
def test_looks_that_fail_for_a_day_need_someone(account: Account, rig: Rig, fake: FakePlatform, how: str) -> None:
    """It is tried on; that nothing is known any more must not look like waiting."""
    fake.advance(120)
    since = f"{fake.date[17:22]} UTC"
    fake.fail(LOOK[account.name], DOWN[how], times=10_000)
    rig.run(hours=20, step_s=1_800)
    assert said(rig)[0] == "the platform"
    assert said(rig)[1].startswith(PLATFORMS[account.platform].key), "why it waits is told at once"
    rig.run(hours=6, step_s=1_800)
    waits, code, reason = said(rig)
    assert (waits, code.split()[0]) == ("someone", PLATFORMS[account.platform].key)
    assert reason.startswith("no look at a call has been answered since 20")
    assert since in reason
    assert reason.endswith("; it counts as on its way until one is")
    fake.heal()
    rig.run(hours=4)
    assert said(rig) == ("", "", "")
    assert account.members(fake) == account.wanted(people(range(6)))


@pytest.mark.parametrize("account", MOST_BY_PROOF, indirect=True)
def test_a_call_whose_looks_are_refused_for_a_limit_is_not_lost(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """Nobody knows what became of it: it may be done, and telling it again costs what is short already."""
    fake.fail(LOOK[account.name], account.too_many, times=10_000)
    calls = changes(fake)
    rig.run(hours=22, step_s=1_800)
    assert said(rig)[:2] == ("the platform", "")
    rig.run(hours=50, step_s=3_600)
    assert (pending(rig), lost(rig), changes(fake)) == (1, 0, calls)
    assert said(rig)[0] == "someone"
    assert "no look at a call has been answered since 20" in said(rig)[2]
    assert "the platform's limit of calls is used up" in said(rig)[2]
    fake.heal()
    rig.run(hours=4)
    assert (pending(rig), lost(rig), changes(fake)) == (0, 0, calls)
    assert said(rig) == ("", "", "")
    assert account.members(fake) == account.wanted(people(range(6)))


@on("vk", "google")
def test_who_leaves_waits_for_no_look(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """One request of which a platform never tells keeps nobody else in an audience."""
    fake.fail(LOOK[account.name], Reply(500, {}), times=10_000)
    fake.advance(120)
    rig.tend()
    rig.deliver(("remove", people([0, 1])))
    rig.run(hours=3, step_s=600)
    assert account.members(fake) == account.wanted(people(range(2, 6)))


@pytest.mark.parametrize("account", MOST_BY_PROOF[:2], indirect=True)
def test_one_look_that_is_answered_does_not_hide_another_that_is_not(rig: Rig, fake: FakePlatform) -> None:
    """By the call, and not by the audience: others of it may be well."""
    (number,) = rig.rows("SELECT handle FROM ads_call WHERE state = 'pending'")[0]
    known = fake.answer

    def without_it(request: object) -> Reply:
        asked = f"{request.path}{request.query.get('requestId')}"  # type: ignore[attr-defined]
        return Reply(500, {}) if request.method == "GET" and str(number) in asked else known(request)  # type: ignore[arg-type, attr-defined]

    fake.answer = without_it  # type: ignore[method-assign]
    for day in range(15):
        rig.deliver(("add", people([10 + 2 * day, 11 + 2 * day])))
        rig.run(hours=2, step_s=1_800)
        fake.advance(600)
    assert rig.number("SELECT count(*) FROM ads_call WHERE state = 'done'") > 3
    assert said(rig)[0] == "someone"
    assert "no look at a call has been answered" in said(rig)[2]


@on("facebook")
def test_an_audience_that_is_looked_for_in_vain_for_a_day_needs_someone(
    account: Account, make_rig: MakeRig, fake: FakePlatform
) -> None:
    rig = make_rig("facebook", fake)
    fake.fail("customaudiences", Reply(cut=True), applied=True)
    rig.deliver(("add", people(range(3))))
    rig.tend()
    fake.advance(OWNED_MS / 1000 + 1)
    fake.fail("GET /act_", Reply(500, {}), times=10_000)
    rig.run(hours=20, step_s=1_800)
    assert said(rig)[0] == "the platform"
    rig.run(hours=6, step_s=1_800)
    assert said(rig)[:2] == ("someone", "facebook-ads 500")
    assert "(search)" in said(rig)[2]
    fake.heal()
    rig.run()
    assert said(rig) == ("", "", "")
    assert account.members(fake) == account.wanted(people(range(3)))


@on("yandex")
def test_a_segment_that_nobody_can_make_real_for_a_day_needs_someone(
    account: Account, make_rig: MakeRig, fake: FakeYandex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLATFORMS, YANDEX.key, replace(YANDEX, first_rows=2))
    rig = make_rig("yandex", fake)
    fake.fail("/confirm", Reply(500, {}), times=10_000)
    rig.deliver(("add", people(range(3))))
    rig.run(hours=20, step_s=1_800)
    assert said(rig)[0] == "the platform"
    rig.run(hours=6, step_s=1_800)
    assert said(rig)[:2] == ("someone", "yandex-audiences 500")
    assert "(confirm)" in said(rig)[2]
    fake.heal()
    rig.run()
    assert said(rig) == ("", "", "")
    assert account.members(fake) == account.wanted(people(range(3)))
