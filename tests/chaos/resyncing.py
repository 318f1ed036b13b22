"""Resyncs in the middle of everything else: asked for, cancelled, their readers killed, their source good or bad.

A resync must not change what the events have made. It may write a member's row again, with a mark's sequence in it;
it may leave a segment half told only where it has cleared it first and was cancelled. When all is well again it heals
that, and whatever else was done to the table.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redis import RedisError
from sqlalchemy import text

from tests.chaos.healing import LISTED, MANY
from tests.chaos.platform import Platform
from tests.chaos.revisions import KEYS
from tests.chaos.servers import wait
from tests.chaos.tables import literal
from workers.errors import SegsyncError
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun
from workers.runtime import Runtime
from workers.settings import load

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from tests.chaos.events import Made
    from tests.chaos.session import Session

SECONDS = 90.0
"""Until all runs have ended, once nothing is wrong any more."""
APART = ("fail-over", "killers", "refuse-most", "refuse-clears")
"""Faults after which the platform has what no target may have, or which have resyncs of their own."""
NOBODY = "of nobody"
DAMAGED = 8
"""Segments of a target that are damaged."""
Rows = dict[tuple[str, str], int]


@dataclass(slots=True)
class Allowed:
    """What resyncs may have done in a session so far.

    segments  for each target those that were resynced, or may have been
    pushed    (ms, n) of all events
    """

    segments: dict[str, set[str]] = field(default_factory=dict)
    pushed: set[tuple[int, int]] = field(default_factory=set)

    def row(self, key: str, segment: str, found: int | None, expected: int | None) -> bool:
        """Whether a row may hold another sequence than the model's: a mark's, from behind its last add."""
        if segment not in self.segments.get(key, ()) or found is None or expected is None:
            return False
        return found > expected and not self.is_event(found)

    def is_event(self, sequence: int) -> bool:
        """Whether what stands in a row was an event's, and no mark's."""
        return (sequence >> 20, sequence & 0xFFFFF) in self.pushed

    def is_told(self, key: str, segment: str, sequence: str) -> bool:
        """Whether an entry of the quarantine is of what a resync has told."""
        place = (int(sequence[:13]), int(sequence[13:20]))
        return segment in self.segments.get(key, ()) and place not in self.pushed


def runs_of(session: Session) -> list[ResyncRun]:
    """All runs that Redis remembers."""
    found = []
    for name in session.redis.scan_iter(match=f"{session.keys.run('')}*", count=1000):
        fields = {k.decode(): v.decode() for k, v in session.redis.hgetall(name).items()}
        if (run := ResyncRun.read(fields)) is not None:
            found.append(run)
    return found


class Resyncing:
    """The resyncs of one round, which has a platform of its own.

    keys     the round's targets
    welcome  brings somebody whom a held target takes; whether one is held
    """

    def __init__(
        self,
        session: Session,
        chance: random.Random,
        keys: list[str],
        tell: Callable[[str], None],
        welcome: Callable[[], bool],
        *,
        alone: bool,
    ) -> None:
        self._session, self._chance, self._keys, self._tell = session, chance, keys, tell
        self._welcome = welcome
        self._alone = alone
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resyncing", daemon=True)
        self.platform = Platform(chance)
        self.platform.way = chance.choice(("well", "well", "well", "late", "cut", "empty"))
        self.listed = chance.random() < 0.75
        self._damages = alone or chance.random() < 0.5
        self._source = self.platform.source(paged=chance.random() < 0.6)

    def configure(self) -> None:
        """The session's next configuration has the platform as its source."""
        self._session.source = self._source
        self._session.listed = dict.fromkeys(self._keys, LISTED) if self.listed else {}

    def start(self) -> None:
        """Begins to ask."""
        way, how = self.platform.way, "diff" if self.listed else "replace"
        self._tell(f"resyncs ({how}) of a platform that answers {way}")
        self._thread.start()

    def stop(self) -> None:
        """Asks no more; the platform is well from now on."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.platform.way = "well"

    def close(self) -> None:
        """Ends the platform; the next rounds have none."""
        self.stop()
        self.platform.close()
        self._session.source, self._session.listed = "", {}

    def _run(self) -> None:
        while not self._over.wait(self._chance.uniform(0.02, 0.25)):
            with contextlib.suppress(RedisError, SegsyncError, OSError, AssertionError):
                self._act()

    def _act(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [(6, self._ask), (2, self._cancel), (1, self._kill_reader)]
        self._chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def _runs(self) -> ResyncRuns:
        return ResyncRuns(Runtime(load(self._session.installation.file).local).lanes)

    def _ask(self) -> None:
        segments, chance = self.platform.segments(), self._chance
        if not segments:
            return
        # Of an empty source nobody may accept anything: that would be to say that all rows may go.
        sure = self.platform.way != "empty" and (not self.listed or chance.random() < 0.7)
        accept = {"accept_removals": MANY, "accept_adds": MANY} if sure else {}
        kind = "resync" if chance.random() < 0.75 else "verify"
        segment, key = chance.choice(segments), chance.choice(self._keys)
        run, new = self._runs().ask(f"i-{key}", segment, "chaos", kind, **accept)
        self._tell(f"{kind} {run} of {segment} in {key}, {'new' if new else 'open'}")

    def _cancel(self) -> None:
        runs = self._runs()
        if opened := runs.open():
            run = self._chance.choice(opened)
            self._tell(f"cancelled {run}: {runs.cancel(run, 'chaos')}")

    def _kill_reader(self) -> None:
        """Whoever reads may be any of them."""
        if not self._alone:
            return
        if children := self._session.children():
            os.kill(pid := self._chance.choice(children), signal.SIGKILL)
            self._tell(f"SIGKILL to {pid}")

    def settle(self, made: Iterable[Made]) -> list[str]:
        """Waits for the runs' ends; what is wrong."""
        self.stop()
        self.platform.become(made)
        problems = self._wait()
        for key in self._keys:
            self._session.allowed.segments.setdefault(key, set()).update(self.platform.segments())
        return problems

    def _wait(self) -> list[str]:
        started, redis, keys = time.monotonic(), self._session.redis, self._session.keys

        def ended() -> bool:
            return not redis.exists(keys.runs, keys.runs_waiting)

        if wait(ended, SECONDS, 0.05) or (self._welcome() and wait(ended, SECONDS, 0.05)):
            self._tell(f"runs ended after {time.monotonic() - started:.1f} s")
            return []
        return [f"resyncs have not ended: {[_shown(run) for run in self._open()][:8]}"]

    def _open(self) -> list[ResyncRun]:
        return [run for run in runs_of(self._session) if run.state != "ended"]

    def half_told(self) -> dict[str, set[str]]:
        """Segments of this round that were cleared by a run which has not come to its end."""
        found: dict[str, set[str]] = {}
        for key in self._keys:
            half = {
                segment for segment, outcome, _, cleared in passes(self._session, key) if cleared and outcome != "done"
            }
            found[key] = half.intersection(self.platform.segments())
        for run in runs_of(self._session):
            if run.mode == "replace" and run.told and run.outcome != "done" and run.segment in self.platform.segments():
                found.setdefault(run.integration.removeprefix("i-"), set()).add(run.segment)
        return found

    def heal(self, configure: Callable[[], None]) -> list[str]:
        """Damages tables, and has resyncs make them equal again; what is wrong afterwards."""
        half = self.half_told()
        if not self._damages and not any(half.values()):
            return []
        self._session.key = KEYS[0]
        configure()
        runs, asked = self._runs(), list[str]()
        for key in self._keys:
            damaged = self._damage(key) if self._damages else set()
            for segment in sorted((damaged | half[key]).intersection(self._tellable())):
                accept: dict[str, Any] = {"accept_removals": MANY}
                if self.platform.members(segment):  # who accepts members to be told has seen some
                    accept["accept_adds"] = MANY
                run, _ = runs.ask(f"i-{key}", segment, "chaos", **accept)
                asked.append(run)
        problems = self._wait()
        found = [each for name in asked if (each := ResyncRun.read(runs.read(name))) is not None]
        return problems + [f"healing: {_shown(run)}" for run in found if run.outcome != "done"]

    def _tellable(self) -> list[str]:
        """Segments whose members a run believes: where none of them has a key it refuses the source."""
        return [each for each in self.platform.segments() if {*self.platform.members(each)} != {None}]

    def _damage(self, key: str) -> set[str]:
        """Takes rows out of some segments' tables, and puts some of nobody in; these segments."""
        target, segments = self._session.targets[key], self._tellable()
        chosen = set(self._chance.sample(segments, min(len(segments), DAMAGED)))
        rows = sorted(row for row in target.rows() if row[0] in chosen)
        for segment, name in rows[::4]:
            named = literal(name, target.dialect)
            target.run(f"DELETE FROM member WHERE segment_id = {segment} AND client_id = {named}")
        for segment in sorted(chosen)[:3]:
            target.run(f"INSERT INTO member (segment_id, client_id, seq) VALUES ({segment}, '{NOBODY}', 1)")
        self._tell(f"{len(rows[::4])} rows of {key} deleted, some put in")
        return chosen


def passes(session: Session, key: str) -> list[tuple[str, str, int, bool]]:
    """Each pass of a target's runs: its segment, its outcome, how many operations it told, whether it may have cleared.

    A run that was asked for once more while it went on begins again under its number: Redis keeps its last pass, the
    ledger each that has ended. Complete once the ledger has been told everything.
    """
    sql = "SELECT run, segment, outcome, added + removed, mode FROM resyncs WHERE integration = :integration"
    with session.installation.ledger.reading() as connection:
        rows = connection.execute(text(sql), {"integration": f"i-{key}"}).all()
    known = {str(run) for run, *_ in rows}
    found = [(segment, outcome, int(told), mode == "replace") for _, segment, outcome, told, mode in rows]
    return found + [
        (run.segment, run.outcome, run.added + run.removed, run.mode == "replace" and bool(run.told))
        for run in runs_of(session)
        if run.integration == f"i-{key}" and (run.id not in known or run.state != "ended")
    ]


def brought(session: Session, key: str) -> tuple[int, int]:
    """Operations that runs have put into lanes of a target, and how many clears there may be besides, at the most."""
    found = passes(session, key)
    return sum(told for _, _, told, _ in found), sum(4 for *_, cleared in found if cleared)


def _shown(run: ResyncRun) -> dict[str, Any]:
    names = ("id", "integration", "segment", "kind", "mode", "state", "phase", "outcome", "why", "tries", "cancelled")
    return {name: getattr(run, name) for name in names}
