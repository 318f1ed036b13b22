"""A large segment on each platform: some here, and a hundred thousand in `make proof`; and many segments at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.accounts import ACCOUNTS
from tests.integration.connectors.audiences.rig import hashes, yandex_rig
from tests.proof import draws
from workers.connectors.audiences.platforms import PLATFORMS, YANDEX
from workers.connectors.audiences.records import BudgetWindow

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.rig import Profile, Rig

BATCH = 10_000


def people(numbers: range, mark: str = "") -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}{mark}@example.com", "phone": f"7999{n:07}"} for n in numbers]


def tell(rig: Rig, kind: str, numbers: range, mark: str = "") -> None:
    for first in range(numbers.start, numbers.stop, BATCH):
        rig.deliver((kind, people(range(first, min(numbers.stop, first + BATCH)), mark)))


@pytest.mark.proof
@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_large_segment_changes_within_the_budget(
    fast_path: Path, redis_client: redis.Redis, namespace: str, name: str
) -> None:
    """All come, a tenth leaves, a hundredth changes its address; the platform refuses nothing for its quotas."""
    account = ACCOUNTS[name]
    fake = account.fake(1)
    rig = account.rig(fast_path, redis_client, namespace, fake)
    size = draws(2_500 if name == "vk" else 400, 100_000)
    tell(rig, "add", range(size))
    rig.run(hours=48, step_s=600)
    assert account.members(fake) == account.wanted(people(range(size)))
    tell(rig, "remove", range(size // 10))
    changed = range(size // 2, size // 2 + size // 100)
    tell(rig, "add", changed, " new")
    rig.run(hours=72, step_s=600)
    stayed = [each for each in people(range(size // 10, size)) if int(each["id"]) not in changed]
    assert account.members(fake) == account.wanted([*stayed, *people(changed, " new")])
    assert not [each for each in rig.connector.standings() if each.code or each.owed or each.pending]
    assert fake.refused_calls == 0
    rig.close()
    fake.close()


@pytest.mark.proof
def test_many_segments_share_the_budget_of_a_login_and_all_are_right(
    fast_path: Path, redis_client: redis.Redis, namespace: str, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In `make proof` 300 segments on 500 writes a day: nobody is served twice while another waits."""
    count = draws(12, 300)
    if count < 300:
        few = (BudgetWindow(60, 10), BudgetWindow(86_400, count * 5 // 3))
        monkeypatch.setitem(PLATFORMS, YANDEX.key, replace(YANDEX, first_rows=2, budget=few))
    first = PLATFORMS[YANDEX.key].first_rows
    rig = yandex_rig(fast_path, redis_client, namespace, yandex)
    segments = [str(number) for number in range(count)]
    for segment in segments:
        rig.deliver(("add", people(range(first))), segment=segment, name=f"S{segment}")
    rig.run(hours=72, step_s=600)
    assert {len(yandex.members(f"S{segment}")) for segment in segments} == {2 * first}
    yandex.calls.clear()
    for segment in segments:
        rig.deliver(
            ("add", people(range(first, first + 3))), ("remove", people(range(1))), segment=segment, name=f"S{segment}"
        )
    rig.run(hours=24 * 6, step_s=600)
    wanted = hashes(people(range(1, first + 3)))
    assert [segment for segment in segments if yandex.members(f"S{segment}") != wanted] == []
    written = Counter(path for _, path in yandex.writes() if path.endswith("modify_data"))
    assert set(written.values()) == {2}, "an addition and a removal each"
    order = [path for _, path in yandex.writes() if path.endswith("modify_data")]
    assert len(set(order[:count])) == count, "everybody had one turn before anybody had two"
    assert yandex.refused_calls == 0
    rig.close()
