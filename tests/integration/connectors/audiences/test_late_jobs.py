"""Jobs that a platform has accepted, and that come to nothing long after, or never end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.accounts import on
from workers.connectors.audiences.endings import LOST_AFTER_MS
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.wire import SETTLED_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.server import FakePlatform
    from tests.fakes.vk import FakeVk
    from tests.integration.connectors.audiences.accounts import Account
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig


@pytest.fixture
def rig(make_rig: MakeRig, account: Account, fake: FakePlatform) -> Rig:
    """With four members."""
    made = make_rig(account.name, fake)
    made.deliver(("add", people(range(4))))
    made.run()
    return made


def people(numbers: Iterable[int]) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com", "phone": f"{1000 + n}"} for n in numbers]


MORE_FAILURES = [("yandex", "half"), ("vk", "all"), ("google", "all")]


def settled(rig: Rig) -> bool:
    return all((each.pending, each.owed, each.waits) == (0, 0, "") for each in rig.connector.standings())


@pytest.mark.parametrize(
    ("account", "how"),
    [
        *[("yandex", "all"), ("vk", "half"), ("google", "left")],
        *[pytest.param(name, how, marks=pytest.mark.long) for name, how in MORE_FAILURES],
    ],
    indirect=["account"],
)
def test_what_a_job_that_fails_late_was_about_is_told_again(
    account: Account, rig: Rig, fake: FakePlatform, how: str
) -> None:
    """Of additions and removals, time after time: they are told until they are done."""
    fake.fails = [how] * 8
    rig.deliver(("remove", people([0, 1])), ("add", people([4, 5, 6])))
    rig.run(hours=72, step_s=900)
    assert fake.fails == []
    assert account.members(fake) == account.wanted(people(range(2, 7)))
    assert settled(rig)


@on("yandex", "vk", "google", long=("vk", "google"))
def test_a_job_that_never_ends_is_told_again_after_two_days(account: Account, rig: Rig, fake: FakePlatform) -> None:
    rig.deliver(("add", people([4, 5, 6])))
    rig.run(hours=LOST_AFTER_MS / 3_600_000 - 4, step_s=10_800, work=False)
    assert {each.state for each in rig.connector.last_calls()} == {"pending"}
    rig.run(hours=8, step_s=3_600, work=False)
    assert "failed" in {each.state for each in rig.connector.last_calls()}
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(7)))
    assert settled(rig)


@pytest.mark.parametrize(("account", "status"), [("google", 400), ("google", 404), ("vk", 403)], indirect=["account"])
def test_a_job_of_which_the_platform_refuses_to_tell_is_lost_after_two_days(
    account: Account, rig: Rig, fake: FakePlatform, status: int
) -> None:
    """Its id may be too old to be asked for. Until then somebody is needed; then it is told again.

    What it does not know is not refused: that may be known later, and nobody can do anything about it.
    """
    rig.deliver(("add", people([4, 5, 6])))
    look = {"google": "requestStatus", "vk": "GET /api/v3/remarketing/users_lists/"}[account.name]
    fake.fail(look, Reply(status, {"error": {"code": status}}), times=1_000)
    rig.run(hours=3, step_s=1_800)
    assert {each.waits for each in rig.connector.standings()} == {"the platform" if status == 404 else "someone"}
    rig.run(hours=LOST_AFTER_MS / 3_600_000 + 1, step_s=10_800)
    assert "failed" in {each.state for each in rig.connector.last_calls()}
    fake.heal()
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(7)))
    assert settled(rig)


@pytest.mark.parametrize("account", ["vk"], indirect=True)
def test_a_change_that_vk_does_not_tell_of_is_done_when_its_list_is_ready_and_stays_so(
    account: Account, rig: Rig, fake: FakeVk
) -> None:
    """Right after it the list may tell how it was before."""
    fake.forgets_changes = True
    fake.advance(3_600)
    rig.deliver(("add", people([4, 5])))
    rig.tend()
    before = rig.connector.last_calls()
    assert {each.state for each in before} == {"pending"}
    fake.advance(120)
    rig.tend()
    assert rig.connector.last_calls() == before
    fake.work()
    fake.work()
    fake.advance(SETTLED_MS / 1000)
    rig.tend()
    assert not rig.connector.last_calls()
    rig.deliver(("remove", people([0, 1])))
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(2, 6)))
    assert settled(rig)


@pytest.mark.parametrize("account", ["facebook"], indirect=True)
def test_a_server_s_own_error_may_hide_a_change_that_was_done(account: Account, rig: Rig, fake: FakePlatform) -> None:
    """Whatever code it bears: who leaves before it is told again is taken out all the same."""
    rig.deliver(("add", people([4])))
    fake.fail("/users", Reply(500, {"error": {"code": 99_999, "message": "m"}}), applied=True)
    fake.advance(60)
    rig.tend()
    assert account.members(fake) == account.wanted(people(range(5)))
    rig.deliver(("remove", people([4])))
    rig.run(hours=72, step_s=900)
    assert account.members(fake) == account.wanted(people(range(4)))
    assert settled(rig)


@pytest.mark.parametrize("account", ["facebook"], indirect=True)
def test_what_is_counted_and_not_named_is_told_and_costs_no_second_call(
    rig: Rig, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Facebook says how many rows of an addition it cannot read, and of none which: they are no member's refusal."""
    answer = fake.answer

    def counting(request: object) -> object:
        reply = answer(request)  # type: ignore[arg-type]
        if isinstance(reply.body, dict) and "num_invalid_entries" in reply.body:
            reply.body["num_invalid_entries"] = 2
            reply.body["invalid_entry_samples"] = {"planted": "sample"}
        return reply

    monkeypatch.setattr(fake, "answer", counting)
    rig.deliver(("add", people([4, 5, 6])))
    before = len(fake.writes())
    rig.run(hours=72, step_s=900)
    assert len(fake.writes()) == before + 1
    assert (rig.standing().rejected, rig.connector.refused(9)) == (2, [])
    assert "planted" not in repr(rig.rows("SELECT * FROM ads_call"))
    assert settled(rig)


@pytest.mark.parametrize("account", ["vk", "google"], indirect=True)
def test_what_is_on_its_way_is_asked_for_while_the_next_call_waits_for_the_budget(rig: Rig, fake: FakePlatform) -> None:
    """It would be known to be done when a call is free again, and that may be in a day."""
    fake.advance(3_600)
    rig.deliver(("add", people(range(4, 8))))
    rig.tend()
    rig.connector.budget.block(40 * 3_600_000)
    fake.advance(3_600)
    rig.deliver(("add", people(range(8, 12))))
    rig.tend()
    assert {each.waits for each in rig.connector.standings()} == {"budget"}
    assert rig.rows("SELECT id FROM ads_call WHERE state = 'pending'")
    rig.run(hours=3)
    assert not rig.rows("SELECT id FROM ads_call WHERE state = 'pending'")


@pytest.mark.parametrize("account", ["vk"], indirect=True)
def test_a_list_is_brought_to_use_while_a_few_more_wait_for_others(
    make_rig: MakeRig, account: Account, fake: FakeVk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that is too small waits for a day, and what was made before it is ready in minutes."""
    rig = make_rig("vk", fake)
    monkeypatch.setattr(rig.connector, "platform", replace(PLATFORMS[account.platform], later_rows=25))
    rig.deliver(("add", people(range(4))))
    rig.tend()
    fake.advance(3_600)
    rig.deliver(("add", people([4])))
    rig.tend()
    assert {each.waits for each in rig.connector.standings()} == {"data (1 of 25)"}
    rig.run(hours=2)
    assert len(fake.segments) == len(rig.connector.standings())
    assert {each.waits for each in rig.connector.standings()} == {"data (1 of 25)"}
