"""A clear that the target refused, and a resync beside it: retried late, it takes out nobody whom the run has told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear
from tests.integration.resync.platform import LISTED, Platform
from workers.quarantine import entries as quarantine
from workers.quarantine import requeue
from workers.quarantine.entries import Selection
from workers.resync import changing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
REFUSES = "CREATE TRIGGER no_clear BEFORE DELETE ON member BEGIN SELECT RAISE(ABORT, 'kept'); END"
TAKES = "DROP TRIGGER no_clear"
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(
    make_job: Callable[[TargetDatabase], Job],
    target: TargetDatabase,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Platform:
    """In which a segment was cleared, and got members again, of which only the clear has come, and was refused.

    The parameter says how a run makes it equal: by "diff", so with a mark for each member ("slices"), or by "replace".
    """
    made = Platform(make_job(target))
    made.configure(members_query=None if request.param == "replace" else LISTED)
    if request.param == "slices":
        monkeypatch.setattr(changing, "SMALL", 1)
        monkeypatch.setattr(changing, "SLICE_MS", -1)
    made.job.push(add(7, "a", "b", "gone"))
    made.delivered()
    target.run(REFUSES)
    made.job.push(clear(7))
    made.delivered()
    target.run(TAKES)
    made.has(7, "a", "c", "d")
    return made


def retry(platform: Platform) -> int:
    """A person retries what was refused; how many go on their way."""
    runtime = platform.job.runtime
    runtime.drain_outcomes(30)
    wanted = Selection(integration="members", segment="7")
    return requeue.retry(runtime.ledger, runtime.lanes, runtime.keys, wanted, "test").entries


def clears(platform: Platform) -> list[str]:
    """What became of each clear that was refused, as the ledger has it."""
    runtime = platform.job.runtime
    runtime.drain_outcomes(30)
    found = [entry for page in quarantine.pages(runtime.ledger, Selection(state=None)) for entry in page]
    assert {entry.event_type for entry in found} == {"clear"}
    return [entry.state for entry in found]


def is_as_the_platform_has_it(platform: Platform) -> bool:
    installation = platform.job.installation
    left = installation.redis.exists(installation.keys.open("members", "7"))
    return (platform.rows(7), left, platform.lane(7)) == ({"a", "c", "d"}, 0, {})


OFTEN = {("diff", "marked"), ("slices", "between"), ("replace", "adding"), ("diff", "ended")}
CASES = [
    pytest.param(kind, state, id=f"{kind}, {state}", marks=() if (kind, state) in OFTEN else pytest.mark.long)
    for kind in ("diff", "slices", "replace")
    for state in ("marked", "removing", "adding", "between", "ended")
    if (kind == "slices" or state != "between") and (kind != "replace" or state != "removing")
]


@on_one
@pytest.mark.parametrize(("platform", "state"), CASES, indirect=["platform"])
def test_a_clear_that_is_older_than_the_run_is_superseded_by_it(platform: Platform, state: str) -> None:
    """Retried while it stands at its mark, it comes behind that; once anything was told, it leads nowhere."""
    name = platform.ask(7, **ACCEPTED)
    platform.until_state(name, state)
    went = retry(platform)
    assert went == 1 if state == "marked" else went == 0 or state != "ended"
    assert platform.ends(name).outcome == "done"
    platform.delivered()
    assert (clears(platform), is_as_the_platform_has_it(platform)) == (["superseded"], True)


@on_one
@pytest.mark.parametrize("platform", ["slices", pytest.param("replace", marks=pytest.mark.long)], indirect=True)
def test_a_clear_that_is_retried_before_the_mark_runs_before_it(platform: Platform) -> None:
    """Its rows are gone when the target is listed, and members are told behind it."""
    name = platform.ask(7, **ACCEPTED)
    assert retry(platform) == 1
    assert platform.ends(name).outcome == "done"
    assert (clears(platform), is_as_the_platform_has_it(platform)) == (["delivered"], True)


@on_one
@pytest.mark.parametrize("platform", ["slices"], indirect=True)
def test_a_clear_that_is_refused_between_two_slices_is_not_forgotten(platform: Platform) -> None:
    """What was told before it is not the platform's any more: the run may not say that all is well."""
    name = platform.ask(7, **ACCEPTED)
    platform.until(name, lambda run: run.state == "adding" and run.added >= 2)
    platform.target.run(REFUSES)
    platform.loses(7, "a", "c", "d")
    platform.job.push(clear(7))
    platform.has(7, "n")
    platform.job.push(add(7, "n"))
    run = platform.ends(name)
    platform.delivered()
    flagged = platform.job.installation.redis.smembers(platform.job.installation.keys.resync("members"))
    assert (run.outcome, set(clears(platform)), flagged) == ("done", {"superseded"}, {b"7"})
    assert "a" in platform.rows(7), "what it would have taken away is there"
