"""One round: configure, push while something goes wrong, let it recover, drain, and compare with the model."""

from __future__ import annotations

import contextlib
import random
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos import failover, faults, healing, refusals
from tests.chaos.check import check, failed_tries
from tests.chaos.events import Maker
from tests.chaos.pushing import Pusher
from tests.chaos.resyncing import APART, Resyncing
from tests.chaos.session import CELERY, KILLING, Armed
from workers import failpoints

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.events import Made
    from tests.chaos.pushing import Accepted
    from tests.chaos.session import Session

DRAIN_SECONDS = 60.0
HELD_SECONDS = 90.0
"""Longer than what is held is left alone (a minute)."""
PUSH_PATIENCE = 10.0
MORE = 30
"""Operations that come behind what is retried."""
RESYNCS = 0.3
"""Share of rounds with resyncs beside their fault."""
RARE = frozenset(
    {failpoints.BEFORE_APPEND, failpoints.AFTER_APPEND, failpoints.WITHIN_DRAINER}
    | {failpoints.BETWEEN_HALVES, failpoints.WITHIN_FLUSH}
)
"""Crash points that a round reaches only a few times."""


@dataclass(slots=True)
class Report:
    """What came of a round."""

    number: int
    fault: str
    events: int = 0
    operations: int = 0
    seconds: float = 0.0
    drained: float = 0.0
    problems: list[str] = field(default_factory=list)
    ends_session: bool = False

    def __str__(self) -> str:
        verdict = "ok" if not self.problems else f"FAILED ({len(self.problems)})"
        return (
            f"round {self.number:4d}  {self.fault:38s} {self.events:5d} events {self.operations:6d} operations"
            f"  {self.seconds:5.1f} s (drained in {self.drained:4.1f})  {verdict}"
        )


class Round:
    """Everything random in it comes from `seed` and `number`.

    resyncs  share of rounds with resyncs beside their fault
    """

    def __init__(
        self, session: Session, seed: int, number: int, only: str | None = None, resyncs: float = RESYNCS
    ) -> None:
        self.session = session
        self.chance = random.Random(f"{seed}:{number}")
        self.number = number
        names, weights = zip(*((name, weight) for name, (_, weight) in faults.FAULTS.items()), strict=True)
        self.fault = only or self.chance.choices(names, weights)[0]
        self.beside = random.Random(f"{seed}:{number}:resyncs")  # so that rounds without are the same with and without
        self.resyncing: Resyncing | None = None
        self._resyncs = self.fault == "resync" or (self.fault not in APART and self.beside.random() < resyncs)
        self.keys = self.chance.choice((["pg"], ["maria"], ["pg", "maria"]))
        # A position that Redis has lost the way to holds the lane, on purpose: not where Redis loses something.
        self.once = self.chance.random() < 0.3 and self.fault != "fail-over"
        if self.fault == "refuse-most":
            self.once = self.chance.random() < 0.8
        self.settings = {key: self._integration() for key in self.keys}
        self.statement_timeout = self.chance.choice((1.5, 3.0, 6.0))
        self.parallelism = self.chance.randint(1, 4)
        self.second = self.chance.choice(faults.CALM) if self.chance.random() < 0.15 and not only else None
        self.made = self._events()
        self.accepted: list[Accepted] = []
        self.missed = False
        self.truth: dict[str, healing.Rows] = {}
        self.scene = faults.Scene(session, self.chance, self.keys, self._reconfigure, self._let_commit, self._push_more)

    def run(self) -> Report:
        """The round, from its configuration to its check."""
        try:
            return self._report()
        finally:
            if self.resyncing is not None:
                self.resyncing.close()

    def _report(self) -> Report:
        report, started = Report(self.number, self._name()), time.monotonic()
        report.ends_session = self.fault == "fail-over"  # its accounts are beyond repair
        try:
            self._prepare()
            failed = failed_tries(self.session)
            self._push_through()
            report.events, report.operations = len(self.accepted), sum(m.operations for m, _, _ in self.accepted)
            self._settle()
            drain_started = time.monotonic()
            if not self._drain():
                report.problems.append(f"not drained: nothing became less for {DRAIN_SECONDS} s")
            if self.resyncing is not None:
                report.problems += self.resyncing.settle(each[0] for each in sorted(self.accepted, key=_id))
                self._drain()
            report.drained = time.monotonic() - drain_started
            self._disarm()
            report.fault += " (not reached)" * self.missed
            if self.resyncing is None or not any(self.resyncing.half_told().values()):
                report.problems += self._check(failed)
            report.problems += self._heal(failed)
            for key, rows in self.truth.items():
                report.problems += healing.heal(self.session, key, self.settings[key], rows)
        except Exception:  # noqa: BLE001 - whatever it was, the round has failed, and the next one may run
            report.problems.append(traceback.format_exc())
        report.seconds = time.monotonic() - started
        return report

    def _name(self) -> str:
        name = self.fault if self.second is None else f"{self.fault}+{self.second.__name__}"
        name += "+resyncs" if self._resyncs and self.fault != "resync" else ""
        return f"{name} (once)" if self.once else name

    def _integration(self) -> dict[str, Any]:
        chance = self.chance
        size = chance.choice((1, 2, 7, 50, 200, chance.randint(1, 200)))
        batch = f'{{ size = {size}, timeout = "{chance.randint(100, 500)}ms" }}'
        leave_out = chance.choice(((), (), (), ("clear",))) if self.fault != "refuse-clears" else ()
        leave_out = () if self._resyncs else leave_out  # the platform is one for all, and clears
        return {
            "size": size,
            "batch": batch,
            "single": chance.random() < 0.12,
            "leave_out": leave_out,
            "once": self.once,
        }

    def _events(self) -> list[Made]:
        """So many that the round takes seconds: each batch costs a commit that is on disk, here and there."""
        smallest = min(1 if each["single"] else each["size"] for each in self.settings.values())
        operations, widest = ((40, 120), 30) if smallest < 7 else ((60, 300, 600), 100)
        if smallest >= 50:
            operations, widest = (100, 800, 2500), 1500
        clears = 20 if self.fault == "refuse-clears" else 2
        self.maker = maker = Maker(self.chance, self.number, widest, hostile=self._hostility(), clears=clears)
        made = maker.events(self.chance.choice(operations))
        if self.fault == "refuse-clears":
            made += maker.last_clears()
        for index in range(self.chance.randint(1, 2) if self.fault == "killers" else 0):
            made.insert(self.chance.randrange(len(made)), maker.killer(index))
        for _ in range(self.beside.randint(1, 4) if self._resyncs else 0):
            wanted = self.beside.choice((None, *(f"i-{key}" for key in self.keys)))
            made.insert(self.beside.randrange(len(made)), maker.request(wanted, self.beside))
        return made

    def _hostility(self) -> float:
        """How many times as many bad profiles as usual: batches are halved only where there are some."""
        return 8.0 if self.fault.endswith("between-halves") else 1.0

    def _configure(self) -> None:
        if self.resyncing is not None:
            self.resyncing.configure()
        self.session.configure(self.settings, self.statement_timeout, self.parallelism)
        for key, settings in self.settings.items():
            self.session.models[key].has_clear = "clear" not in settings["leave_out"]

    def _reconfigure(self) -> None:
        for settings in self.settings.values():
            settings |= {**self._integration(), "leave_out": settings["leave_out"]}
        self._configure()

    def _let_commit(self, commits: bool) -> bool:
        settings = self.settings.get("maria")
        if settings is None or settings["once"]:
            return False
        settings["commits"] = commits
        self._configure()
        return True

    def _prepare(self) -> None:
        if self._resyncs:
            alone = self.fault == "resync"
            self.resyncing = Resyncing(
                self.session, self.beside, self.keys, self.scene.tell, self._welcome, alone=alone
            )
        self._configure()
        kind, _, point = self.fault.partition("-")
        if kind in {"crash", "halt"} or self.fault == "killers":
            self.session.dismiss()
        self.session.celery = KILLING if self.fault == "killers" else CELERY
        if kind in {"crash", "halt"}:
            file = self.session.installation.folder / f"reached-{self.number}"
            times = self.chance.choice((1, 1, 2) if point in RARE else (1, 1, 2, 3, 5))
            self.scene.armed = Armed(point, times, file, halts=kind == "halt")
            self.session.wanted_beats = max(self.session.wanted_beats, int(point == failpoints.WITHIN_FLUSH))
            self.scene.tell(str(self.scene.armed))
        self.session.staff(self.scene.armed)
        if self.fault == "fail-over":
            failover.prepare(self.scene)

    def _disarm(self) -> None:
        if self.scene.armed is not None:
            self.missed = self.missed or not self.scene.armed.file.exists()
            self.scene.armed.file.touch()

    def _push_through(self) -> None:
        """Pushes the events, and lets the fault strike meanwhile."""
        session, chance = self.session, self.chance
        pusher = self._pusher()
        spread = chance.uniform(0.1, 1.5) if self.fault != "fail-over" else 2.0
        self.scene.pusher = pusher
        if self.resyncing is not None:
            spread = max(spread, self.beside.uniform(1.0, 5.0))
            self.resyncing.start()
        pusher.start(self.made, len(self.made) / spread, chance.choice((1, 10, 100)))
        time.sleep(chance.uniform(0.0, spread if self.fault != "fail-over" else 1.0))
        try:
            for strike in (faults.FAULTS[self.fault][0], self.second):
                if strike is not None:
                    strike(self.scene)
            # The last first: a drain of a full Redis would try in vain what the second fault still blocks.
            for heal in reversed(self.scene.heal):
                heal()
            pusher.finish(PUSH_PATIENCE)
        finally:
            if self.resyncing is not None:
                self.resyncing.stop()
            self._recover()
        session.last_id = pusher.last
        self.accepted = pusher.accepted

    def _pusher(self) -> Pusher:
        commits = [self.resyncing.platform.commit] if self.resyncing is not None else []
        return Pusher(self.session.client, self.session.keys.events, self.session.last_id, *commits)

    def _push_more(self) -> None:
        pusher = self._pusher()
        pusher.start(self.maker.events(MORE), MORE, 10)
        pusher.finish(PUSH_PATIENCE)
        self.session.last_id = pusher.last
        self.accepted += pusher.accepted

    def _settle(self) -> None:
        """What can only be told, or done, when nothing is on its way any more."""
        if self.fault.startswith("refuse-"):
            self.session.drain(DRAIN_SECONDS)
        for each in self.scene.after:
            each()
        self._believe()
        for key in self.keys:
            refusals.settle(self.session, key)

    def _believe(self) -> None:
        """Lets what was accepted happen to the models."""
        order = sorted(self.accepted, key=_id)
        if self.fault != "fail-over":
            for made, ms, n in order:
                self.session.apply(made, ms, n, self.keys)
            return
        self.truth = {key: healing.truth(self.session.models[key], order) for key in self.keys}
        kept, tail, after = failover.split(self.scene, self.accepted)
        for made, ms, n in sorted(kept, key=_id):
            self.session.apply(made, ms, n, self.keys)
        for key in self.keys:
            self.session.doubts[key] = failover.doubt(self.session.models[key], sorted(tail, key=_id), after)
        for made, ms, n in sorted(after, key=_id):
            self.session.apply(made, ms, n, self.keys)
        self.scene.tell(f"{len(kept)} events kept, {len(tail)} in the tail, {len(after)} after it")

    def _drain(self) -> bool:
        return self.session.drain(DRAIN_SECONDS) or (self._welcome() and self.session.drain(HELD_SECONDS))

    def _welcome(self) -> bool:
        """Brings somebody whom a held target takes; whether one is held.

        Where nobody of a batch passes and there is nobody else to ask, all of it waits for such a one: that a batch
        has none but bad profiles, and comes last, is rare in a round, and never lasts where events go on coming.
        """
        held = [key for key in self.keys if self.session.is_held(key)]
        if not held or self.fault == "fail-over":
            return False
        pusher = self._pusher()
        pusher.start([self.maker.welcome()], 1, 1)
        pusher.finish(PUSH_PATIENCE)
        self.session.last_id = pusher.last
        self.accepted += pusher.accepted
        for made, ms, n in pusher.accepted:
            self.session.apply(made, ms, n, self.keys)
        self.scene.tell(f"{held} held: somebody whom they take")
        return True

    def _recover(self) -> None:
        self.session.servers.heal()
        self.session.staff()

    def _check(self, failed_before: int) -> list[str]:
        one_try = self.fault in faults.ONE_TRY_ONLY and self.second is None
        strict = self.once or (one_try and failed_tries(self.session) == failed_before)
        trouble = self.fault in faults.REDIS_TROUBLE or self.second is faults.cut_redis_links
        exact = self.fault != "fail-over"
        return check(self.session, exact=exact, once=self.once, redis_trouble=trouble, strict_order=strict)

    def _heal(self, failed_before: int) -> list[str]:
        """Half told segments, and damaged tables, are made equal by resyncs."""
        if self.resyncing is None:
            return []
        problems = self.resyncing.heal(self._configure)
        if not self._drain():
            problems.append(f"not drained after healing: nothing became less for {DRAIN_SECONDS} s")
        return problems + self._check(failed_before)

    def write_down(self, folder: Path, report: Report) -> None:
        """Keeps what is needed to understand a failing round."""
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(Exception):
            (folder / "redis.txt").write_text(self.session.state())
        lines = [f"{ms}-{n} {_shown(made)}" for made, ms, n in self.accepted]
        (folder / "events.txt").write_text("\n".join(lines))
        told = [str(report), *report.problems, "", f"settings {self.settings}", *self.scene.told]
        told += ["", str(self.statement_timeout), str(self.parallelism)]
        (folder / "round.txt").write_text("\n".join(told))


def _id(accepted: Accepted) -> tuple[int, int]:
    return accepted[1], accepted[2]


def _shown(made: Made) -> str:
    return made.data.decode(errors="replace")
