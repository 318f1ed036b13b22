"""One history of a platform and a target, drawn from dice: what people do, what processes do, and how they die.

The platform commits first and pushes then. Its last word for each key is what the table must say in the end, whatever
was lost, refused, retried or half done in between; or the segment is flagged, where events were dropped.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.integration.jobs import add, clear, remove
from tests.integration.resync.platform import LISTED
from workers.connectors.sql.positions import CREATE
from workers.quarantine import requeue
from workers.quarantine.entries import Selection
from workers.resync.patience import alone
from workers.resync.reader import ResyncReader

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    import pytest

    from tests.integration.resync.dying import Dying
    from tests.integration.resync.platform import Platform
    from workers.resync.patience import Keep
    from workers.resync.source import Id, Membership
    from workers.resync.work import Work

KEYS = ("k1", "k2", "k3", "k4", "k5")
ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 100}
SOON = {"reader.LATER_MS": 20, "work.SHORT_MS": 20, "changing.SHORT_MS": 20, "changing.LONG_MS": 20}
"""Histories are about what comes after what, and wait for nothing."""
TINY = {"changing.SMALL": 1, "changing.SLICE_MS": -1, "room.AT_ONCE": 1, **SOON}
"""Every segment is a large one, and each of its members comes at a mark of its own."""
FEW = {"room.AT_ONCE": 1, **SOON}
"""All are told at the first mark, as they were read to be compared."""
NOT_DONE = frozenset({"needs confirmation", "failed", "cancelled", "equal", "differs"})
ELSEWHERE = 1
"""A segment of nobody's history."""
TRIES = 3
"""Runs that a person asks for, one after the other, until one is done."""
PLACES = {
    "route": ("before-append", "after-append"),
    "deliver": ("before-claim", "after-claim", "after-execute", "after-commit", "after-settle"),
    "resync": ("before-step", "after-step"),
}
TAKEN_ALONG = "DELETE FROM member WHERE segment_id = old.segment_id AND client_id = 'k' || substr(old.client_id, 2)"
IS_REFUSED = "EXISTS (SELECT 1 FROM refused WHERE client_id = new.client_id)"
FUNCTION = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF"
RAISE = "RAISE EXCEPTION 'no' USING ERRCODE = '22003'"
SIGNAL = "SIGNAL SQLSTATE '22003' SET MYSQL_ERRNO = 1264, MESSAGE_TEXT = 'no'"
MADE = {
    "sqlite": (
        "PRAGMA journal_mode = WAL",  # so that the platform goes on while the reader reads
        f"CREATE TRIGGER alike AFTER DELETE ON member WHEN old.client_id LIKE 'q%' BEGIN {TAKEN_ALONG}; END",
        f"CREATE TRIGGER refuses BEFORE INSERT ON member WHEN {IS_REFUSED} BEGIN SELECT RAISE(ABORT, 'no'); END",
    ),
    "postgresql": (
        f"CREATE FUNCTION alike() {FUNCTION} old.client_id LIKE 'q%' THEN {TAKEN_ALONG}; END IF; RETURN old; END $$",
        "CREATE TRIGGER alike AFTER DELETE ON member FOR EACH ROW EXECUTE FUNCTION alike()",
        f"CREATE FUNCTION refuse() {FUNCTION} {IS_REFUSED} THEN {RAISE}; END IF; RETURN new; END $$",
        "CREATE TRIGGER refuses BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "mysql": (
        f"CREATE TRIGGER refuses BEFORE INSERT ON member FOR EACH ROW BEGIN IF {IS_REFUSED} THEN {SIGNAL}; END IF; END",
    ),
}
"""A target that refuses some; and one that takes q1 and k1 for one row, when that is removed, which nobody but the
target could know. (MySQL and MariaDB let no trigger change the table that it watches.)"""


@dataclass(frozen=True)
class Theme:
    """What the histories of one kind have in common.

    paged    whether the source comes in pages
    sizes    of `workers.resync`: module and name
    changes  of the integration
    steps    until it goes quietly to its end
    commits  how often the platform does something, where it pushes 8 times
    full     whether a run begins at once, and has all of them to tell
    clears   whether a run clears the segment first, since no query lists its rows
    kinds    how often it adds, removes and clears
    restless whether people ask once more, cancel and only look, whatever goes on
    """

    paged: bool = True
    sizes: dict[str, int] = field(default_factory=lambda: TINY)
    changes: dict[str, str] = field(default_factory=dict)
    steps: int = 40
    commits: int = 8
    full: bool = False
    clears: bool = False
    kinds: tuple[int, int, int] = (6, 6, 1)
    restless: bool = False

    @property
    def drops(self) -> bool:
        return "when_full" in self.changes


THEMES = {
    "pages": Theme(changes={"exactly_once": "true"}),
    "one statement": Theme(paged=False),
    "few": Theme(sizes=FEW, changes={"exactly_once": "true"}),
    "leaving": Theme(steps=60, commits=4, full=True, kinds=(1, 9, 0)),
    "replace": Theme(clears=True),
    "asked again": Theme(steps=60, restless=True),
    "drops": Theme(changes={"when_full": '"drop"', "max_backlog": "4"}),
}


@dataclass(frozen=True)
class Changed:
    """A source whose members come otherwise.

    pages  gives those behind an `_id`, or all, as pages
    """

    inner: Membership
    pages: Callable[[Id | None], Iterator[Any]]

    @property
    def paged(self) -> bool:
        return self.inner.paged

    @property
    def may_skip(self) -> bool:
        return self.inner.may_skip

    def age(self) -> float:
        return self.inner.age()

    def everything(self, keep: Keep = alone) -> Iterator[Any]:  # noqa: ARG002 - histories are short
        return self.pages(None)

    def members(self, after: Id | None = None, keep: Keep = alone) -> Iterator[Any]:  # noqa: ARG002 - the same
        return self.pages(after)


def source_is(patch: pytest.MonkeyPatch, change: Callable[[Work], Changed]) -> None:
    """What a run reads is what `change` says."""
    of = ResyncReader._work

    def work(self: ResyncReader, run: Any) -> Work | None:
        found = of(self, run)
        return found if found is None else replace(found, source=change(found))

    patch.setattr(ResyncReader, "_work", work)


class Stage:
    """Where histories of one theme take place, one after the other, each in a segment of its own."""

    def __init__(self, platform: Platform, theme: Theme, dying: Dying, monkeypatch: pytest.MonkeyPatch) -> None:
        self.platform, self.theme, self.dying = platform, theme, dying
        self.history: History | None = None
        for name, value in theme.sizes.items():
            monkeypatch.setattr(f"workers.resync.{name}", value)
        source_is(monkeypatch, self._among_others)
        dialect = platform.target.dialect
        platform.target.run("CREATE TABLE refused (client_id varchar(255))", *MADE[dialect], CREATE[dialect])
        members = platform.paged if theme.paged else platform.whole
        listed = None if theme.clears else LISTED
        batch = '{ size = 2, timeout = "100ms" }'
        platform.configure(members=members, members_query=listed, batch=batch, **theme.changes)

    def _among_others(self, work: Work) -> Changed:
        """The source as it is, with the platform going on between its pages."""

        def pages(after: Id | None) -> Iterator[Any]:
            for page in work.source.everything() if after is None else work.source.members(after):
                yield page
                if self.history is not None:
                    self.history.meanwhile()

        return Changed(work.source, pages)

    def plays(self, chance: random.Random, segment: int) -> str:
        """Plays one history to its end; what is wrong then, or ""."""
        self.platform.target.run("DELETE FROM refused")
        self.history = History(self, chance, segment)
        try:
            for _ in range(self.theme.steps):
                self.history.step()
        finally:
            history, self.history = self.history, None
        return history.end()


class History:
    """One history.

    members   whom the platform has, by what it has committed
    unpushed  what it has committed and not pushed yet
    run       the one that was asked for last
    """

    def __init__(self, stage: Stage, chance: random.Random, segment: int) -> None:
        self.platform, self.stage, self.random, self.segment = stage.platform, stage, chance, segment
        self.members: set[str] = set()
        self.unpushed: list[dict[str, object]] = []
        self.run = ""
        for key in KEYS:
            if stage.theme.full or chance.random() < 0.5:
                self._becomes(key)
            if not stage.theme.full and chance.random() < 0.5:
                self.platform.target_has(segment, chance.choice((key, key, "q" + key[1:])))
        if stage.theme.full:
            self.run = self.platform.ask(segment, **ACCEPTED)
            return
        if chance.random() < 0.4:
            self._was_refused(chance.choice(KEYS))

    def _becomes(self, key: str) -> None:
        if key not in self.members:
            self.platform.has(self.segment, key)
            self.members.add(key)

    def _leaves(self, key: str) -> None:
        self.platform.loses(self.segment, key)
        self.members.discard(key)

    def _was_refused(self, key: str) -> None:
        """A member that the target would not have; who may have left since, of which no event has told.

        Another segment's has come just before: where two were refused one after the other, of two histories then, and
        none came between, the query is taken to be at fault, and the lane is held (rule 24).
        """
        self.platform.job.installation.producer.push([add(ELSEWHERE, f"k{self.segment}")])
        self.platform.delivered()
        self.platform.target.run(f"DELETE FROM member WHERE segment_id = {self.segment} AND client_id = '{key}'")
        self.platform.target.run(f"INSERT INTO refused VALUES ('{key}')")
        self._becomes(key)
        self.platform.job.installation.producer.push([add(self.segment, key)])
        self.platform.delivered()
        if self.random.random() < 0.7:
            self._leaves(key)
        if self.random.random() < 0.7:
            self.accept()

    def commit(self) -> None:
        key, kind = self.random.choice(KEYS), self.random.choices(["add", "remove", "clear"], self.stage.theme.kinds)[0]
        if kind == "clear":
            self.platform.loses(self.segment, *self.members)
            self.members.clear()
            self.unpushed.append(clear(self.segment))
        elif kind == "add":
            self._becomes(key)
            self.unpushed.append(add(self.segment, key))
        else:
            self._leaves(key)
            self.unpushed.append(remove(self.segment, key))

    def push(self) -> None:
        if self.unpushed:
            self.platform.job.installation.producer.push([self.unpushed.pop(0)])

    def lose(self) -> None:
        """Redis has lost its last second: whoever knows of it asks for a resync afterwards."""
        if not self.run:
            self.unpushed.clear()

    def ask(self) -> None:
        """For a run; says yes to one that needs it; again, where the source had lost so many that it was no list."""
        if not self.run:
            sure = self.random.random() < 0.6
            self.run = self.platform.ask(self.segment, **(ACCEPTED if sure else {}))
        elif self.platform.run(self.run).outcome in NOT_DONE:
            self.run = self.platform.ask(self.segment, **ACCEPTED)

    def ask_again(self) -> None:
        """Beside a run that is open or not."""
        self.run = self.platform.ask(self.segment, **ACCEPTED)

    def cancel(self) -> None:
        if self.run:
            self.platform.cancel(self.run)

    def look(self) -> None:
        self.run = self.platform.ask(self.segment, "verify")

    def meanwhile(self) -> None:
        """What goes on while the reader reads."""
        if self.random.random() < 0.3:
            self.random.choice((self.commit, self.push))()

    def accept(self) -> None:
        self.platform.target.run("DELETE FROM refused")

    def retry(self) -> None:
        """A person retries what was refused."""
        keys, runtime = self.platform.job.installation.keys, self.platform.job.runtime
        if self.platform.job.installation.redis.exists(keys.open("members", str(self.segment))):
            runtime.drain_outcomes(30)
            wanted = Selection(integration="members", segment=str(self.segment))
            requeue.retry(runtime.ledger, runtime.lanes, keys, wanted, "test")

    def kill(self) -> None:
        """A process dies at some place, and its lease runs out at once."""
        redis, keys, segment = self.platform.job.installation.redis, self.platform.job.installation.keys, self.segment
        work, lane = self.random.choice(sorted(PLACES)), keys.lane("members", str(segment))
        place, times = self.random.choice(PLACES[work]), self.random.randint(1, 3)
        deaths = (redis.hget(keys.lease("route"), "deaths"), redis.hget(lane, "starts"))
        if max(int(each or 0) for each in deaths) > 1:
            return  # one more, and what it is about would be set aside for it (rule 13)
        assert self.stage.dying.at(place, times, work) in {0, -signal.SIGKILL}
        for lease in (lane, keys.lease("route"), keys.lease("resync")):
            if redis.hexists(lease, "owner"):
                redis.hset(lease, "until", 1)
        for due in (keys.full("members"), keys.timed("members")):
            redis.zadd(due, {str(segment): 1}, xx=True)
        redis.zadd(keys.next("crm"), {"members": 1}, xx=True)
        redis.delete(keys.permits("deliver.crm"), keys.permits("route"), keys.permits("resync"))

    def step(self) -> None:
        runtime = self.platform.job.runtime
        acts: list[tuple[int, Callable[[], object]]] = [
            (self.stage.theme.commits, self.commit),
            (8, self.push),
            (1, self.lose),
            (4, self.ask),
            (8, lambda: runtime.route("token", 0)),
            (8, lambda: runtime.deliver("crm", "token", 0)),
            (12, self.platform.turn),
            (1, self.platform.other_host),
            (2, self.kill),
            (1, self.accept),
            (1, self.retry),
            *((2, each) for each in (self.ask_again, self.cancel, self.look) if self.stage.theme.restless),
        ]
        self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def end(self) -> str:
        """Lets all of it come to its end, quietly; what is wrong, or ""."""
        self.accept()
        while self.unpushed:
            self.push()
        for _ in range(TRIES):
            self.ask()
            self.platform.ends(self.run)
        self.platform.delivered()
        self.retry()
        self.platform.delivered()
        return self._problem()

    def _problem(self) -> str:
        run, rows = self.platform.run(self.run), self.platform.rows(self.segment)
        redis, keys = self.platform.job.installation.redis, self.platform.job.installation.keys
        if run.outcome != "done":
            return f"it ended as {run.outcome}: {run.why}"
        if rows == self.members:
            return ""
        if self.stage.theme.drops and redis.hexists(keys.flagged("members"), str(self.segment)):
            return ""
        return f"the target has {sorted(rows)}, the platform {sorted(self.members)}"
