"""Random histories: the platform, its pushes, readers that die, runs that are asked for; the target ends equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.jobs import add, clear, remove
from tests.integration.resync.platform import Platform
from tests.proof import draws, seeded
from workers.resync import changing

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

KEYS = ("k1", "k2", "k3", "k4", "k5")
STEPS = 40


class History:
    """One history; it goes on until `over`, and then quietly to its end."""

    def __init__(self, platform: Platform, chance: random.Random) -> None:
        self.platform = platform
        self.random = chance
        platform.empty(7)
        self.members: set[str] = set()
        self.unpushed: list[dict[str, object]] = []
        self.run = ""
        for key in KEYS:
            if self.random.random() < 0.5:
                self.members.add(key)
                platform.has(7, key)
            if self.random.random() < 0.5:
                platform.target_has(7, key)

    def commit(self) -> None:
        """The platform commits first, and pushes then, in order."""
        key, kind = self.random.choice(KEYS), self.random.choices(["add", "remove", "clear"], [6, 6, 1])[0]
        if kind == "clear":
            self.platform.loses(7, *self.members)
            self.members.clear()
            self.unpushed.append(clear(7))
        elif kind == "add":
            if key not in self.members:
                self.platform.has(7, key)
            self.members.add(key)
            self.unpushed.append(add(7, key))
        else:
            self.platform.loses(7, key)
            self.members.discard(key)
            self.unpushed.append(remove(7, key))

    def push(self) -> None:
        if self.unpushed:
            self.platform.job.installation.producer.push([self.unpushed.pop(0)])

    def ask(self) -> None:
        self.run = self.run or self.platform.ask(7, accept_removals=100, accept_adds=100)

    def step(self) -> None:
        runtime = self.platform.job.runtime
        acts: list[tuple[int, Callable[[], object]]] = [
            (4, self.commit),
            (4, self.push),
            (2, self.ask),
            (4, lambda: runtime.route("token", 0)),
            (4, lambda: runtime.deliver("crm", "token", 0)),
            (6, self.platform.turn),
            (1, self.platform.other_host),
        ]
        self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def end(self) -> None:
        self.ask()
        while self.unpushed:
            self.push()
        self.platform.ends(self.run)
        self.platform.job.drain()


@pytest.mark.proof
@pytest.mark.parametrize("target", ["sqlite"], indirect=True)
@pytest.mark.parametrize("paged", [True, False])
def test_whatever_happens_the_target_ends_equal(
    make_job: Callable[[TargetDatabase], Job],
    target: TargetDatabase,
    monkeypatch: pytest.MonkeyPatch,
    *,
    paged: bool,
) -> None:
    monkeypatch.setattr(changing, "SMALL", 1)
    monkeypatch.setattr(changing, "SLICE_MS", -1)
    monkeypatch.setattr(changing, "AT_ONCE", 1)
    platform = Platform(make_job(target))
    platform.configure(members=platform.paged if paged else platform.whole)
    for number in range(draws(3, 200)):
        chance, seed = seeded(number)
        history = History(platform, chance)
        for _ in range(STEPS):
            history.step()
        history.end()
        assert platform.run(history.run).outcome == "done", seed
        assert platform.rows(7) == history.members, seed
