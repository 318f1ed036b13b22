"""Random histories: whatever fails and whoever is killed, the platform ends with whom the segment has.

The model is the events alone, one after the other. Calls are refused, lost before and after they are done, stalled,
answered by a page; jobs end in any order, late, in part or not at all; processes end around each call, and what a lane
delivered unheard it delivers again.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fakes import facebook
from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.in_process import InProcess
from tests.fakes.server import HTML, Reply
from tests.integration.connectors.audiences.accounts import ACCOUNTS, Account
from tests.integration.connectors.audiences.counts import Counts
from tests.proof import draws, seeded
from workers import failpoints
from workers.connectors.audiences import connector, rounds
from workers.connectors.audiences.http import Http
from workers.connectors.audiences.store.database import Store
from workers.errors import TargetError

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.integration.connectors.audiences.rig import Profile, Rig

POINTS = (failpoints.BEFORE_CALL, failpoints.AFTER_CALL, failpoints.AFTER_EXECUTE, failpoints.AFTER_COMMIT)
LAST = [{"id": "8", "email": "eight", "phone": "8"}, {"id": "9", "email": "nine", "phone": "9"}]


class Killed(BaseException):
    """The process ends here: nobody catches it."""


class History:
    """One history, told by dice."""

    def __init__(self, account: Account, rig: Rig, dice: random.Random) -> None:
        self.account = account
        self.rig = rig
        self.fake = rig.fake
        self.dice = dice
        self.members: dict[str, Profile] = {}
        self.kill_at = ""
        self.said: list[str] = []

    def reach(self, point: str) -> None:
        if point == self.kill_at:
            self.kill_at = ""
            raise Killed

    def happen(self) -> None:
        what = self.dice.choice(
            [*[self.deliver] * 4, *[self.tend] * 6, *[self.wait, self.work, self.fail] * 2, self.replace]
        )
        self.said.append(what.__name__)
        if self.dice.random() < 0.15:
            self.kill_at = self.dice.choice(POINTS)
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
            profile = {"id": key, "email": self.dice.choice("abc"), "phone": self.dice.choice(["", "1", "2"])}
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
        call = self.dice.choice((*self.account.changes, *self.account.looks))
        kind = self.dice.choice(["too many", "500", "html", "cut", "done and cut", "stall", "token"])
        self.said.append(f"{kind} of {call}")
        if kind == "stall":
            # It lands before its time is over, and after the next look.
            self.fake.stall(call)
            self.tend()
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


@pytest.mark.proof
@pytest.mark.parametrize("name", ACCOUNTS)
def test_whatever_happens_the_platform_ends_with_the_members(
    fast_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    account = ACCOUNTS[name]
    account.shrink(monkeypatch)
    empty = _empty_store(fast_path)
    for number in range(draws(3, 300)):
        dice, seed = seeded(number)
        fake = account.fake(seed)
        # Neither a socket nor a Redis, nor a schema made anew for each: half of what a history costs.
        link = httpx.Client(transport=InProcess(fake))
        monkeypatch.setattr(Http, "_opened", lambda _, link=link: link)
        folder = fast_path / str(number)
        folder.mkdir()
        shutil.copy(empty, folder / "store.db")
        counts: Any = Counts()
        rig = account.rig(folder, counts, "test", fake)
        history = History(account, rig, dice)
        monkeypatch.setattr(rounds, "reach", history.reach)
        monkeypatch.setattr(connector, "reach", history.reach)
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
