"""A large segment: some thousands here, and a hundred thousand in `make proof`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.rig import Rig, hashes
from tests.proof import draws

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.rig import Profile

BATCH = 10_000


def people(numbers: range, mark: str = "") -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}{mark}@example.com", "phone": f"7999{n:07}"} for n in numbers]


@pytest.mark.proof
def test_a_large_segment_changes_within_the_budget(rig: Rig, yandex: FakeYandex) -> None:
    """All come, a tenth leaves, a hundredth changes its address; the platform refuses nothing for its quotas."""
    size = draws(2_000, 100_000)
    for first in range(0, size, BATCH):
        rig.deliver(("add", people(range(first, min(size, first + BATCH)))))
    rig.run(hours=48, step_s=600)
    for first in range(0, size // 10, BATCH):
        rig.deliver(("remove", people(range(first, min(size // 10, first + BATCH)))))
    changed = range(size // 2, size // 2 + size // 100)
    rig.deliver(("add", people(changed, " new")))
    rig.run(hours=48, step_s=600)
    stayed = [each for each in people(range(size // 10, size)) if int(each["id"]) not in changed]
    assert yandex.members("VIP") == hashes([*stayed, *people(changed, " new")])
    assert not [each for each in rig.connector.standings() if each.code or each.owed or each.pending]
