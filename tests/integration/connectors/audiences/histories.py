"""Random histories of an ad account, and where they take place.

The model is the events alone, one after the other. Calls are refused, lost before and after they are done, stalled,
answered by a page; jobs end in any order, late, in part or not at all; processes end around each call, and what a lane
delivered unheard it delivers again.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from tests.fakes import facebook
from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.in_process import InProcess
from tests.fakes.server import HTML, Reply
from tests.integration.connectors.audiences.counts import Counts
from workers import failpoints
from workers.connectors.audiences import connector, rounds
from workers.connectors.audiences.http import Http
from workers.connectors.audiences.store.database import Store
from workers.errors import TargetError

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest

    from tests.integration.connectors.audiences.accounts import Account
    from tests.integration.connectors.audiences.rig import Profile, Rig

POINTS = (failpoints.BEFORE_CALL, failpoints.AFTER_CALL, failpoints.AFTER_EXECUTE, failpoints.AFTER_COMMIT)
LAST = [{"id": "8", "email": "eight", "phone": "8"}, {"id": "9", "email": "nine", "phone": "9"}]


class Killed(BaseException):
    """The process ends here: nobody catches it."""


class Theme(NamedTuple):
    """What happens how often.

    acts     of `History`, with their weights
    killed   in which part of them a process is killed; points: where
    faults   what a call meets; calls: which do, by what is in their names; () for any
    emails   each a letter; phones: each a number, or ""
    """

    acts: Mapping[str, int]
    killed: float = 0.0
    points: Sequence[str] = POINTS
    faults: Sequence[str] = ()
    calls: Sequence[str] = ()
    emails: str = "abc"
    phones: Sequence[str] = ("", "1", "2")


USUAL = Theme(
    {"deliver": 4, "tend": 6, "wait": 2, "work": 2, "fail": 2, "replace": 1},
    killed=0.15,
    faults=("too many", "500", "html", "cut", "done and cut", "stall", "token"),
)
_CALM = {"deliver": 4, "tend": 4, "wait": 4, "work": 3}
_MANY = "abcdefghijklmnop"
THEMES = {
    "usual": USUAL,
    "calm": Theme(_CALM),
    "late": Theme(_CALM | {"tend": 6}),
    "killed": Theme(_CALM, killed=0.5, points=[failpoints.AFTER_CALL]),
    "stalled": Theme({"deliver": 6, "fail": 6}, faults=["stall"], calls=["/users"], emails=_MANY, phones=[""]),
    "unheard": Theme(_CALM | {"fail": 2}, faults=["done and cut"], calls=["ingest"], emails=_MANY, phones=[""]),
}
"""What one mistake leads to another act often mends: all is told again after a call of which nobody heard, and where
members are replaced; and who shares a value is told with whom they share it. So each mistake is seen where little else
happens."""


class History:
    """One history of a theme, told by dice."""

    def __init__(self, account: Account, rig: Rig, dice: random.Random, theme: Theme) -> None:
        self.account = account
        self.rig = rig
        self.fake = rig.fake
        self.dice = dice
        self.members: dict[str, Profile] = {}
        self.theme = theme
        self.acts = [getattr(self, name) for name, weight in theme.acts.items() for _ in range(weight)]
        self.kill_at = ""
        self.said: list[str] = []

    def reach(self, point: str) -> None:
        if point == self.kill_at:
            self.kill_at = ""
            raise Killed

    def happen(self) -> None:
        what = self.dice.choice(self.acts)
        self.said.append(what.__name__)
        if self.dice.random() < self.theme.killed:
            self.kill_at = self.dice.choice(self.theme.points)
            self.said.append(f"(killed {self.kill_at})")
        self.through(what)

    def through(self, what: object) -> None:
        """Until it is not killed any more: a lane is not settled before."""
        while True:
            try:
                return what()  # type: ignore[operator,no-any-return]
            except Killed:
                self.rig.again()

    def deliver(self) -> None:
        batch, steps = dict(self.members), []
        if self.dice.random() < 0.07:
            self.through(lambda: self.rig.tell("clear"))
            self.members = {}
            return
        for _ in range(self.dice.choice([1, 2, 3])):
            key = self.dice.choice("123")
            mine = {"email": self.dice.choice(self.theme.emails), "phone": self.dice.choice(self.theme.phones)}
            profile = {"id": key} | mine
            adds = self.dice.random() < 0.65
            if adds:
                batch[key] = profile
            else:
                profile = batch.pop(key, profile)
            steps.append(("add" if adds else "remove", [profile]))
        self.through(lambda: self.rig.deliver(*steps))
        self.members = batch
        self.said.append(str(sorted(batch.items())))

    def replace(self) -> None:
        """Whoever is there is to be replaced by the members."""
        self.rig.connector.replace(None)

    def tend(self) -> None:
        try:
            self.rig.tend()
        except TargetError as error:
            self.said.append(str(error))

    def wait(self) -> None:
        self.fake.advance(self.dice.choice([10, 60, 400, 700, 4000]))

    def work(self) -> None:
        self.fake.fails = [self.dice.choice(["", "", "all", self.part])]
        self.fake.work(1)

    @property
    def part(self) -> str:
        """A job that does a part: what Google does not take, it would not take again."""
        return "left" if isinstance(self.fake, FakeGoogle) else "half"

    def fail(self) -> None:
        call = self.dice.choice(self.theme.calls or (*self.account.changes, *self.account.looks))
        kind = self.dice.choice(self.theme.faults)
        self.said.append(f"{kind} of {call}")
        if kind == "stall":
            # It lands before its time is over, and after the next look.
            self.fake.advance(10)
            self.fake.stall(call)
            self.tend()
            self.fake.heal()  # one that is made later would stall for longer than any call may take
            self.fake.advance(self.dice.choice([10, 200]))
            self.deliver()
            self.tend()
            self.fake.land()
        elif kind == "too many":
            self.fake.fail(call, self.account.too_many)
        elif kind == "token":
            self.fake.expire_token()
            if isinstance(self.fake, FakeFacebook):
                self.tend()
                self.fake.token = facebook.TOKEN  # its owner has it taken again
        else:
            reply = {"500": Reply(500, {}), "html": HTML}.get(kind, Reply(cut=True))
            self.fake.fail(call, reply, applied=kind in ("html", "done and cut"))

    def quiet(self) -> None:
        """Nothing fails any more but the last removal, and there is something to hold: nothing waits for data."""
        self.fake.heal()
        self.kill_at = ""
        self.rig.deliver(("add", LAST))
        if self.dice.random() < 0.5:
            # Later than the day after which all is told again that came after a call of which nobody heard.
            self.rig.run(hours=30, step_s=400)
            self.fake.advance(30 * 3600)
            self.rig.run(hours=24, step_s=400)
            self.fake.fails = [self.part] * self.dice.choice([1, 3])
            self.rig.deliver(("remove", [self.members.pop(key) for key in sorted(self.members)[:1]]))
        wanted = self.account.wanted([*self.members.values(), *LAST])
        for _ in range(6):
            self.rig.run(hours=24, step_s=400)
            owed = self.rig.rows("SELECT id FROM ads_identifier WHERE owed OR call IS NOT NULL")
            if not self.fake.busy and not owed and self.account.members(self.fake) == wanted:
                break
            self.fake.advance(12 * 3600)
        told = "\n".join(self.said)
        assert self.account.members(self.fake) == wanted, told
        assert not owed, told


class Stage:
    """Where histories of one platform and theme take place, one after the other."""

    def __init__(self, account: Account, folder: Path, patch: pytest.MonkeyPatch, theme: Theme = USUAL) -> None:
        self._account = account
        self._theme = theme
        self._folder = folder
        self._patch = patch
        self._empty = _empty_store(folder)
        account.shrink(patch)

    def play(self, dice: random.Random, seed: int) -> None:
        """One history; AssertionError where its end is wrong."""
        fake = self._account.fake(seed)
        # Neither a socket nor a Redis, nor a schema made anew for each: half of what a history costs.
        link = httpx.Client(transport=InProcess(fake))
        self._patch.setattr(Http, "_opened", lambda _, link=link: link)
        folder = self._folder / "history"
        folder.mkdir()
        shutil.copy(self._empty, folder / "store.db")
        counts: Any = Counts()
        rig = self._account.rig(folder, counts, "test", fake)
        history = History(self._account, rig, dice, self._theme)
        self._patch.setattr(rounds, "reach", history.reach)
        self._patch.setattr(connector, "reach", history.reach)
        fake.lag_ms = dice.choice([0, 0, 5_000, 300_000])
        history.said.append(f"seed {seed}, lag {fake.lag_ms}")
        try:
            for _ in range(25):
                history.happen()
            history.quiet()
        finally:
            rig.close()
            fake.close()
            shutil.rmtree(folder)


def _empty_store(folder: Path) -> Path:
    """A store that nothing was written to."""
    file = folder / "empty.db"
    store = Store(f"sqlite:///{file}")
    store.upgrade()
    store.rewrite()
    store.close()
    return file
