"""A resync heals what a lost tail of Redis has left, and a target that has lost rows, and has some too many.

Afterwards the tables are equal to the platform, and to the model.

The platform is a table in the target's own database, which has all that was accepted, the lost tail with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos.events import Model
from tests.chaos.revisions import KEYS
from tests.chaos.servers import wait
from tests.chaos.tables import literal
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun
from workers.runtime import Runtime
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.pushing import Accepted
    from tests.chaos.session import Session
    from tests.chaos.tables import ChaosTarget

Rows = set[tuple[str, str]]
SECONDS = 120.0
"""For all segments of a target."""
LISTED = "SELECT client_id FROM member WHERE segment_id = {segment_id}"
MANY = 10**9


def truth(before: Model, accepted: Iterable[Accepted]) -> Rows:
    """What the platform has: all that was accepted has happened."""
    lived = Model(before.dialect, before.has_clear, dict(before.members), dict(before.names))
    for made, ms, n in accepted:
        lived.apply(made, ms, n)
    return set(lived.members)


def source(session: Session, key: str) -> str:
    """[sources.main], which reads the table `platform` of one target."""
    quoted = "`CustomID`" if key == "maria" else '"CustomID"'
    target = session.targets[key]
    address = target.connector().split("\n", 1)[1]
    return (
        f'[sources.main]\n{address}first = 0\nrows = 500\ndelay = "0s"\nmembers = """SELECT id AS _id, client_id AS '
        f"{quoted} FROM platform WHERE segment_id = {{segment_id}} AND id > {{after}} ORDER BY id LIMIT {{limit}}"
        '"""\n'
    )


def _damage(target: ChaosTarget, rows: Rows) -> None:
    """What the target has lost besides, and has too much: mostly the tail was delivered before it was lost."""
    for segment, name in sorted(rows)[::3]:
        target.run(f"DELETE FROM member WHERE segment_id = {segment} AND client_id = {literal(name, target.dialect)}")
    for segment in sorted({segment for segment, _ in rows})[:3]:
        target.run(f"INSERT INTO member (segment_id, client_id, seq) VALUES ({segment}, 'of nobody', 1)")


def heal(session: Session, key: str, settings: dict[str, Any], rows: Rows) -> list[str]:
    """Resyncs all segments of one target; what is wrong afterwards."""
    target = session.targets[key]
    target.run("CREATE TABLE platform AS SELECT segment_id, seq AS id, client_id FROM member WHERE 1 = 0")
    target.fill("platform", [(segment, at, name) for at, (segment, name) in enumerate(sorted(rows), 1)])
    session.key, session.source, session.listed = KEYS[0], source(session, key), {key: LISTED}
    session.configure({key: settings}, 10.0, 4)
    _damage(target, rows)
    segments = {segment for segment, _ in rows} | {segment for segment, _ in target.rows()}
    runs = ResyncRuns(Runtime(load(session.installation.file).local).lanes)
    accept = {"accept_removals": MANY, "accept_adds": MANY}
    names = [runs.ask(f"i-{key}", segment, "chaos", **accept)[0] for segment in sorted(segments)]  # type: ignore[arg-type]

    def found() -> list[ResyncRun]:
        return [run for name in names if (run := ResyncRun.read(runs.read(name))) is not None]

    if not wait(lambda: all(run.state == "ended" for run in found()), SECONDS):
        return [f"{key}: resyncs have not ended: {[(r.segment, r.state, r.why) for r in found()][:8]}"]
    session.drain(SECONDS)
    problems = [f"{key}: {run.segment}: {run.outcome}: {run.why}" for run in found() if run.outcome != "done"]
    left, kept = set(target.rows()), sum(run.spelled for run in found())
    if missing := rows - left:
        problems.append(f"{key}: a resync has left {len(missing)} members out, as {sorted(missing)[:8]}")
    if len(more := left - rows) > kept:  # what a member may be, spelled otherwise, stays
        problems.append(f"{key}: a resync has left {len(more)} rows of no member, as {sorted(more)[:8]}")
    return problems
