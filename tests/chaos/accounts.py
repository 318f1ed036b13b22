"""Ad accounts in chaos: `python -m tests.chaos.accounts --rounds N --seed S [--only ROUND]`.

One segment goes to all four platforms' fakes at once. Processes that deliver are killed around each call, two at a
time, while the fakes lose answers, fail, run out of budget and end tokens; hours go by in between. Then nothing fails
any more, and each fake must have whom the events say: nobody who left, and everybody who stayed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tests.chaos.account_file import SECRETS, Profile, account_text, members_of, sent, start_fakes
from tests.fakes import oracle
from tests.fakes.google import FakeGoogle
from tests.fakes.server import HTML, FakePlatform, Reply
from tests.installation import Installation
from tests.servers.redis import RedisServer
from workers.connectors.audiences.logins import LoginTokens
from workers.connectors.audiences.store.tables import store_metadata
from workers.control.drain import drain
from workers.lanes.tending import tend_again
from workers.settings import load, revision

CROWD: Final = 2_100
"""So many that VK's lists begin; the first of them come and go."""
MOVING: Final = 60
POINTS: Final = (
    "before-call",
    "after-call",
    "before-call",
    "after-call",
    "after-execute",
    "after-commit",
    "after-claim",
)
CALLS: Final = {
    "ya": ("upload_csv_file", "confirm", "modify_data", "segments"),
    "fb": ("customaudiences", "/users"),
    "vk": ("users_lists.json", "segments.json", "GET /api/v3"),
    "g": ("userLists", "ingest", "remove", "requestStatus"),
}
TOO_MANY: Final = {
    "ya": Reply(429, {"errors": [{"error_type": "quota"}]}, {"Retry-After": "60"}),
    "fb": Reply(400, {"error": {"code": 80003, "error_subcode": 2446079}}),
    "vk": Reply(429, {"code": "throttled"}, {}),
    "g": Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
}
HEALED: Final = 60
"""Looks, an hour or more apart, until it must be right."""


class AccountRound:
    """Everything random in it comes from `seed` and `number`."""

    def __init__(self, folder: Path, redis_url: str, seed: int, number: int) -> None:
        self.dice = random.Random(f"{seed}:{number}")
        FakePlatform.misfits.clear()
        self.fakes = start_fakes(number)
        self.members: dict[str, Profile] = {}
        self.told: list[str] = []
        self.kills = 0
        self.place = Installation(folder, redis_url, f"chaos_ads_{os.getpid()}_{number}")
        self.place.environ |= SECRETS | {"SEGSYNC_LEASE_MS": "2000"}
        os.environ.update(SECRETS)
        self.place.configure(account_text(self.fakes))
        settings = load(self.place.file)
        revision.publish(self.place.redis, self.place.keys, settings)
        self.runtime = self.place.runtime()
        for name in ("ya", "g"):
            target: Any = self.runtime.targets.get(name)
            target.store.upgrade()
            target.way.tokens.keep(LoginTokens(self.fakes[name].access, self.fakes[name].refresh, 31_536_000))

    def run(self) -> list[str]:
        """What is wrong."""
        self._push("add", [_profile(number, self.dice) for number in range(CROWD)], upsert=True)
        if self.dice.random() < 0.5:
            self._heal(stops=10)
        for _ in range(self.dice.choice((3, 4, 5))):
            self._events()
            self._faults()
            self._killed()
            for fake in self.fakes.values():
                fake.land()
                part = "left" if isinstance(fake, FakeGoogle) else "half"
                fake.fails = [self.dice.choice(("", "", "all", part))]
                fake.work(self.dice.choice((1, 3, 100)))
            self._pass(self.dice.choice((30, 310, 310, 700, 4_000)))
        for fake in self.fakes.values():
            fake.heal()
        # After a clear there may be too few for VK to begin.
        self._push("add", [_profile(number, self.dice) for number in range(MOVING, CROWD)])
        wrong = self._heal(stops=HEALED)
        return [*wrong, *self._left(), *FakePlatform.misfits]

    def close(self) -> None:
        """Ends all of it."""
        self.runtime.targets.dispose()
        self.place.stop()
        for fake in self.fakes.values():
            fake.close()
        for key in self.place.redis.scan_iter(match=f"{self.place.namespace}:*", count=1000):
            self.place.redis.delete(key)

    def _events(self) -> None:
        for _ in range(self.dice.randint(1, 5)):
            if self.dice.random() < 0.03:
                self._push("clear", [])
                continue
            some = self.dice.sample(range(MOVING), self.dice.choice((1, 3, 30)))
            kind = "add" if self.dice.random() < 0.6 else "remove"
            self._push(kind, [_profile(number, self.dice) for number in some])

    def _push(self, kind: str, profiles: list[Profile], *, upsert: bool = False) -> None:
        with self.place.producer as producer:
            if upsert:
                producer.segment_upsert(7, name="VIP")
            if kind == "clear":
                producer.clear(7)
                self.members = {}
            elif kind == "add":
                producer.add(7, profiles)
                self.members |= {each["id"]: each for each in profiles}
            else:
                producer.remove(7, profiles)
                self.members = {
                    key: each for key, each in self.members.items() if key not in {p["id"] for p in profiles}
                }
        self.told.append(f"{kind} {[each['id'] for each in profiles][:40]}")

    def _faults(self) -> None:
        for name, fake in self.fakes.items():
            for _ in range(self.dice.choice((0, 1, 2))):
                call = self.dice.choice(CALLS[name])
                kind = self.dice.choice(
                    ("cut", "done and cut", "done and cut", "html", "500", "stall", "too many", "token")
                )
                self.told.append(f"{name}: {kind} of {call}")
                if kind == "token":
                    fake.expire_token()
                elif kind == "stall":
                    fake.stall(call)
                elif kind == "too many":
                    fake.fail(call, TOO_MANY[name])
                else:
                    reply = {"html": HTML, "500": Reply(503, {})}.get(kind, Reply(cut=True))
                    fake.fail(call, reply, applied=kind in ("html", "done and cut"))

    def _killed(self) -> None:
        """Two processes at once, each of which ends at some point, if it comes so far."""
        time.sleep(0.2)  # a batch's timeout
        started = []
        for number in range(2):
            at = f"{self.dice.choice(POINTS)}:{self.dice.choice((1, 1, 2, 3, 5))}"
            self.told.append(f"killed at {at}")
            self.place.environ["SEGSYNC_CRASH_AT"] = at
            started.append(self.place.start([sys.executable, "-m", "workers.cli", "drain"], f"drain-{number}"))
        for process in started:
            try:
                self.kills += process.wait(120) == -9
            except subprocess.TimeoutExpired:
                process.kill()

    def _pass(self, seconds: float) -> None:
        """Time goes by: for the fakes by their clock, for the store and budgets by moving back what stands in them."""
        target: Any = self.runtime.targets.get("ya")
        with target.store.changing() as connection:
            for table in store_metadata.sorted_tables:
                times = {c.name: c - round(seconds * 1000) for c in table.c if c.name.endswith("_ms")}
                for name, value in times.items():
                    connection.execute(sa.update(table).where(table.c[name] > 0).values({name: value}))
        for name, fake in self.fakes.items():
            fake.advance(seconds)
            self.place.redis.delete(self.place.keys.budget(name), self.place.keys.looks(name))
            tend_again(self.place.redis, self.place.keys, name, 0)

    def _heal(self, stops: int) -> list[str]:
        """Until all is right, or time is up."""
        wrong = ["nobody looked"]
        for _ in range(stops):
            drain(self.runtime)
            for fake in self.fakes.values():
                fake.land()
                fake.work()
            wrong = self._wrong()
            if not wrong and not self._owed():
                return []
            self._pass(7_200)
            time.sleep(0.3)
        return [*wrong, *self._owed()]

    def _owed(self) -> list[str]:
        target: Any = self.runtime.targets.get("ya")
        asked = "SELECT count(*) FROM ads_identifier WHERE owed OR call IS NOT NULL"
        with target.store.reading() as connection:
            owed = connection.exec_driver_sql(asked).scalar_one()
            why = connection.exec_driver_sql("SELECT connector, list, state, waits, code FROM ads_audience").all()
        return [f"{owed} are owed: {list(map(tuple, why))}"] if owed else []

    def _wrong(self) -> list[str]:
        found = []
        for name, fake in self.fakes.items():
            here, wanted = members_of(fake), {one for each in self.members.values() for one in sent(name, each)}
            if here != wanted:
                found.append(f"{name}: {len(wanted - here)} are missing, {len(here - wanted)} are too many")
        return found

    def _left(self) -> list[str]:
        """Nothing stands in lanes."""
        keys = self.place.keys
        backlogs = {
            name: int(self.place.redis.hget(keys.integration(f"to-{name}"), "backlog") or 0) for name in self.fakes
        }
        return [f"{name}: a backlog of {backlog}" for name, backlog in backlogs.items() if backlog]


def _profile(number: int, dice: random.Random) -> Profile:
    """Some share an address with others, and some change theirs."""
    mail = f"p{number}@example.com"
    if number < MOVING:
        mail = dice.choice((mail, mail, f"new{number}@example.com", f"house{number % 5}@example.com"))
    return {"_id": str(number), "id": str(number), "email": mail, "phone": f"7999{number:07}"}


def main(arguments: list[str] | None = None) -> int:
    """Runs what the command line asks for; 1 if a round failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.accounts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this round alone")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all that was started ends
    FakeGoogle.oracle = oracle.misfit
    numbers = range(options.rounds) if options.only is None else [options.only]
    server, failed = RedisServer(), 0
    server.start()
    try:
        for number in numbers:
            failed += bool(_round(server, options.seed, number))
    finally:
        server.remove()
    print(f"seed {options.seed}: {failed} of {len(numbers)} failed")  # noqa: T201 - the result of a command
    return 1 if failed else 0


def _round(server: RedisServer, seed: int, number: int) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="segsync-accounts-") as folder:
        started = time.monotonic()
        this = AccountRound(Path(folder), server.url, seed, number)
        try:
            wrong = this.run()
        finally:
            this.close()
    calls = sum(len(fake.writes()) for fake in this.fakes.values())
    verdict = f"FAILED: {wrong}" if wrong else "ok"
    took = time.monotonic() - started
    print(f"round {number:4d}  {this.kills} killed, {calls} calls, {took:5.1f} s  {verdict}", flush=True)  # noqa: T201
    for line in this.told if wrong else ():
        print(f"    {line}", flush=True)  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(main())
