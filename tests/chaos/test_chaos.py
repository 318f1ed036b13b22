"""Some chaos: the same rounds as `make chaos`, one for each kind of fault that no other test has; here two of them.

And in `make proof` one with ad accounts, whose workers are killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.accounts import WORKERS_EVERY, AccountRound
from tests.chaos.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers.redis import RedisServer

FAULTS = ("kill-redis", "halt-after-execute")
MORE = ("halt-after-claim", "freeze-links", "cut-redis-links", "block-rows", "fail-over")
SEED = 1


@pytest.mark.timeout(240)
@pytest.mark.parametrize("faults", [FAULTS, pytest.param(MORE, marks=pytest.mark.long)], ids=["two", "more"])
def test_some_rounds_of_chaos(faults: Sequence[str], tmp_path: Path) -> None:
    """Whatever dies in a round, the tables end as the events describe and the ledger has counted each of them once."""
    failed = []
    with Run(SEED, tmp_path, resyncs=0) as run:
        for number, fault in enumerate(faults):
            report = run.round(number, fault)
            print(report)  # noqa: T201 - shown when it fails
            if report.problems:
                failed.append(f"{report}\n" + "\n".join(report.problems))
    assert not failed, "\n".join(failed)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_round_with_ad_accounts(redis_server: RedisServer, tmp_path: Path) -> None:
    """Whatever dies or fails in it, each platform ends with whom the events say."""
    redis_server.start()
    this = AccountRound(tmp_path, redis_server.url, SEED, WORKERS_EVERY - 1)
    try:
        wrong = this.run()
    finally:
        this.close()
    assert wrong == [], "\n".join(this.told)
