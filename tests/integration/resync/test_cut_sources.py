"""A source's database whose link breaks off in the middle of its list: nothing is removed, and the lane goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.engine import make_url

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from tests.servers.cutting import Cutting
from workers.resync import failing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 1_000, "accept_adds": 1_000}
MEMBERS = 300
CUT = 5_000
"""Behind the greetings of all sessions, and before the last members."""
on_servers = pytest.mark.parametrize("target", ["postgresql", "mysql"], indirect=True)
pytestmark = pytest.mark.filterwarnings("ignore:.*ServerCursor.*deleted while still open:ResourceWarning")
"""What psycopg says of a cursor whose CLOSE met a broken link."""


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.fixture
def cutting(target: TargetDatabase) -> Iterator[Cutting]:
    between = Cutting(make_url(target.url).port or 0)
    yield between
    between.close()


def read_through(platform: Platform, cutting: Cutting) -> None:
    """The source is reached by a link that can be cut; the target is not."""
    url = make_url(platform.target.url).set(host="127.0.0.1", port=cutting.port)
    lines = [
        f'url = "{url.render_as_string(hide_password=False)}"',
        'delay = "0s"',
        f'members = """{platform.whole}"""',
    ]
    if platform.target.password:
        lines.append(f'password = "{platform.target.password}"')
    platform.configure_feed("\n".join(lines))


@on_servers
def test_a_source_that_is_cut_off_removes_nothing_and_the_lane_goes_on(
    platform: Platform, cutting: Cutting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "LONGEST_LOOK_MS", 10)
    members = [f"member {number}" for number in range(MEMBERS)]
    platform.has(7, *members)
    platform.target_has(7, *members, "x")
    read_through(platform, cutting)
    cutting.limit = CUT
    name = platform.ask(7, **ACCEPTED)
    platform.job.push(add(7, "live"))
    run = platform.ends(name)
    assert (run.outcome, run.removed) == ("failed", 0)
    assert run.why.startswith("the source could not be read: ")
    assert run.why.endswith(
        ": the link to the server was lost; tried 5 times; nothing was changed: ask again once that is mended"
    )
    platform.delivered()
    assert (platform.rows(7), platform.lane(7)) == ({*members, "x", "live"}, {})

    cutting.limit = None
    platform.has(7, "live")
    assert platform.resync(7, **ACCEPTED).outcome == "done"
    assert platform.rows(7) == {*members, "live"}
