"""Some chaos: the same rounds as `make chaos`, one for each kind of fault that no other test has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.run import Run

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = (
    "halt-after-claim",
    "freeze-links",
    "kill-redis",
    "cut-redis-links",
    "block-rows",
    "halt-after-execute",
    "fail-over",
)
SEED = 1


@pytest.mark.timeout(240)
def test_some_rounds_of_chaos(tmp_path: Path) -> None:
    """Whatever dies in a round, the tables end as the events describe and the ledger has counted each of them once."""
    failed = []
    with Run(SEED, tmp_path, resyncs=0) as run:
        for number, fault in enumerate(FAULTS):
            report = run.round(number, fault)
            print(report)  # noqa: T201 - shown when it fails
            if report.problems:
                failed.append(f"{report}\n" + "\n".join(report.problems))
    assert not failed, "\n".join(failed)
