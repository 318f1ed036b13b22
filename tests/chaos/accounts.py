"""Ad accounts in chaos: `python -m tests.chaos.accounts --rounds N --seed S [--only ROUND]`.

One segment goes to all four platforms' fakes at once: people come and go, its name changes, it is deleted and comes
back. Whoever delivers is killed around each call, two processes at a time, and in every third round the children of a
real worker and then all of it; meanwhile the fakes lose answers, fail, run out of budget, end tokens, and list what
was a while ago. Hours go by in between. Then nothing fails any more, and each fake must have whom the events say:
nobody who left, and everybody who stayed, nothing that was begun and never used, and no call beyond its limits.
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
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.chaos.account_file import SECRETS, Profile, account_text, members_of, sent, start_fakes
from tests.chaos.account_time import AccountTime
from tests.fakes import oracle
from tests.fakes.facebook import FakeFacebook
from tests.fakes.google import FakeGoogle
from tests.fakes.server import HTML, FakePlatform, Reply
from tests.fakes.vk import FakeVk
from tests.fakes.yandex import FakeYandex
from tests.installation import Installation
from tests.servers.redis import RedisServer
from tests.waiting import TimedOut, until
from workers import failpoints
from workers.connectors.audiences.logins import LoginTokens
from workers.control.acting import Actor
from workers.control.connecting import NotConnected, connect_account
from workers.control.drain import drain
from workers.control.retry import retry
from workers.errors import TargetError
from workers.settings import load, revision
from workers.targets import opened_account

CROWD: Final = 2_100
"""So many that VK's lists begin; the first of them come and go."""
MOVING: Final = 60
NAMES: Final = ("VIP", "VIP 2", "Золото")
OFTEN: Final = (
    *(failpoints.BEFORE_CALL, failpoints.AFTER_CALL) * 2,
    *(failpoints.AFTER_EXECUTE, failpoints.AFTER_COMMIT, failpoints.AFTER_CLAIM),
)
"""Points that are reached again and again."""
RENAME: Final = (failpoints.BEFORE_RENAME, failpoints.AFTER_RENAME)
DELETE: Final = (failpoints.BEFORE_DELETE, failpoints.AFTER_DELETE)
SEGMENT: Final = (failpoints.BEFORE_SEGMENT, failpoints.AFTER_SEGMENT)
RENEWAL: Final = (failpoints.BEFORE_RENEWAL, failpoints.AFTER_RENEWAL)
CALLS: Final = {
    "ya": ("upload_csv_file", "confirm", "modify_data", "segments", "PUT", "DELETE", "/token"),
    "fb": ("customaudiences", "/users", "POST /2", "DELETE /2"),
    "vk": ("users_lists.json", "segments.json", "GET /api/v3", "DELETE", "token.json"),
    "g": ("userLists", "ingest", "remove", "requestStatus", "/token"),
}
CODES: Final = {"ya": "1234567", "g": "4/code"}
"""Where a person must consent, what they paste."""
TOO_MANY: Final = {
    "ya": Reply(429, {"errors": [{"error_type": "quota"}]}, {"Retry-After": "60"}),
    "fb": Reply(400, {"error": {"code": 80003, "error_subcode": 2446079}}),
    "vk": Reply(429, {"code": "throttled"}, {}),
    "g": Reply(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
}
HEALED: Final = 60
"""Looks, an hour or more apart, until it must be right."""
WORKERS_EVERY: Final = 3
"""One round in so many kills a worker's processes."""


class AccountRound:
    """Everything random in it comes from `seed` and `number`."""

    def __init__(self, folder: Path, redis_url: str, seed: int, number: int) -> None:
        self.dice = random.Random(f"{seed}:{number}")
        FakePlatform.misfits.clear()
        self.fakes = start_fakes(number)
        self.with_workers = number % WORKERS_EVERY == WORKERS_EVERY - 1
        self.members: dict[str, Profile] = {}
        self.name = NAMES[0]
        self.told: list[str] = []
        self.stalled = dict.fromkeys(self.fakes, 0)
        self.ahead: tuple[str, ...] = ()
        self.kills = 0
        self.place = Installation(folder, redis_url, f"chaos_ads_{os.getpid()}_{number}")
        self.place.environ |= SECRETS | {"SEGSYNC_LEASE_MS": "2000"}
        self._before = dict(os.environ)
        os.environ.update(SECRETS)
        policy = f'phone_region = "RU"\non_delete = "{self.dice.choice(("empty", "delete"))}"'
        self.place.configure(account_text(self.fakes).replace('phone_region = "RU"', policy))
        revision.publish(self.place.redis, self.place.keys, load(self.place.file))
        self.runtime = self.place.runtime()
        self.time = AccountTime(self.place.redis, self.place.keys, self.fakes)
        for name in CODES:
            target: Any = self.runtime.targets.get(name)
            target.store.upgrade()
            target.way.tokens.keep(LoginTokens(self.fakes[name].access, self.fakes[name].refresh, 31_536_000))
        for fake in self.fakes.values():
            fake.lag_ms = self.dice.choice((0, 0, 5_000, 300_000))
            fake.goes_on()

    def run(self) -> list[str]:
        """What is wrong."""
        self._push("add", [_profile(number, self.dice) for number in range(CROWD)], upsert=True)
        if self.dice.random() < 0.5:
            self._heal(stops=10)
        for _ in range(self.dice.choice((3, 4, 5))):
            self._events()
            self._faults()
            self._killed()
            for name, fake in self.fakes.items():
                fake.land()
                part = "left" if isinstance(fake, FakeGoogle) else "half"
                fake.fails = [self.dice.choice(("", "", "all", part))]
                fake.work(self.dice.choice((1, 3, 100)))
                if self.dice.random() < 0.7:
                    self._mend(name)
            self._pass(self.dice.choice((30, 310, 310, 700, 4_000)))
            self.ahead += SEGMENT if SEGMENT[0] not in self.ahead else ()
        for fake in self.fakes.values():
            fake.heal()
        # After a clear there may be too few for VK to begin.
        self._push("add", [_profile(number, self.dice) for number in range(MOVING, CROWD)])
        wrong = self._heal(stops=HEALED)
        return [*wrong, *self._left(), *self._beyond(), *FakePlatform.misfits]

    def close(self) -> None:
        """Ends all of it."""
        self.runtime.targets.dispose()
        self.place.stop()
        for fake in self.fakes.values():
            fake.close()
        for key in self.place.redis.scan_iter(match=f"{self.place.namespace}:*", count=1000):
            self.place.redis.delete(key)
        os.environ.clear()
        os.environ.update(self._before)

    def _events(self) -> None:
        for _ in range(self.dice.randint(1, 5)):
            rare = self.dice.random()
            if rare < 0.03:
                self._push("clear", [])
            elif rare < 0.1:
                self._push("delete", [])
                self.ahead += DELETE
            elif rare < 0.25:
                self.name = self.dice.choice(NAMES)
                self._push("rename", [])
                self.ahead += RENAME
            else:
                some = self.dice.sample(range(MOVING), self.dice.choice((1, 3, 30)))
                kind = "add" if self.dice.random() < 0.6 else "remove"
                self._push(kind, [_profile(number, self.dice) for number in some])

    def _push(self, kind: str, profiles: list[Profile], *, upsert: bool = False) -> None:
        keys = [each["id"] for each in profiles]
        with self.place.producer as producer:
            if kind == "delete":
                producer.segment_delete(7)
            if upsert or kind in ("delete", "rename"):
                producer.segment_upsert(7, name=self.name)
            if kind == "clear":
                producer.clear(7)
            if kind in ("clear", "delete"):
                self.members = {}
            elif kind == "add":
                producer.add(7, profiles)
                self.members |= dict(zip(keys, profiles, strict=True))
            elif kind == "remove":
                producer.remove(7, profiles)
                self.members = {key: each for key, each in self.members.items() if key not in keys}
        self.told.append(f"{kind} {keys[:40] or self.name}")

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
                    self.ahead += RENEWAL
                elif kind == "stall":
                    fake.stall(call)
                    self.stalled[name] += 1
                elif kind == "too many":
                    fake.fail(call, TOO_MANY[name])
                else:
                    reply = {"html": HTML, "500": Reply(503, {})}.get(kind, Reply(cut=True))
                    fake.fail(call, reply, applied=kind in ("html", "done and cut"))

    def _point(self) -> str:
        """Where somebody ends: a point that is always reached, or one that what happens leads to."""
        point = self.dice.choice((*OFTEN, *self.ahead, *self.ahead))
        at = f"{point}:{self.dice.choice((1, 1, 1, 2, 3) if point in OFTEN else (1, 1, 2))}"
        self.told.append(f"killed at {at}")
        return at

    def _killed(self) -> None:
        time.sleep(0.2)  # a batch's timeout
        if self.with_workers:
            self._killed_workers()
        else:
            self._killed_drains()

    def _killed_drains(self) -> None:
        """Two processes at once, each of which ends at some point, if it comes so far."""
        started = []
        for number in range(2):
            self.place.environ["SEGSYNC_CRASH_AT"] = self._point()
            started.append(self.place.start([sys.executable, "-m", "workers.cli", "drain"], f"drain-{number}"))
        for process in started:
            try:
                self.kills += process.wait(120) == -9
            except subprocess.TimeoutExpired:
                process.kill()

    def _killed_workers(self) -> None:
        """A child of a worker ends at some point, if it comes so far, and a while later all of it, wherever it is."""
        ended = self.place.folder / f"ended-{len(self.place.processes)}"
        self.place.environ |= {"SEGSYNC_CRASH_AT": self._point(), "SEGSYNC_CRASH_FILE": str(ended)}
        worker, works_for = self.place.worker(concurrency=2), self.dice.choice((0.5, 2.0, 30.0))
        until(lambda: " ready." in worker.log.read_text(errors="replace"), "a worker", every=0.1)
        with suppress(TimedOut):
            until(lambda: ended.exists() or self._is_quiet(), "its end", works_for, every=0.1, seldom=0.3)
        time.sleep(self.dice.choice((0.0, 0.3, 1.0)))  # whoever is left goes on
        self.kills += ended.exists() + (not self._is_quiet())
        worker.kill()

    def _is_quiet(self) -> bool:
        """Nobody has anything to do now."""
        if self.place.redis.xlen(self.place.keys.events) or self.place.backlog():
            return False
        named = [name for name in self.fakes if not self._is_held(name)]
        target: Any = self.runtime.targets.get("ya")
        seconds, micros = self.place.redis.time()
        due = f"due_ms <= {seconds * 1000 + micros // 1000} AND owned_until_ms = 0"
        asked = f"SELECT count(*) FROM ads_audience WHERE {due} AND connector IN ({str(named)[1:-1]})"
        with target.store.reading() as connection:
            return not connection.exec_driver_sql(asked).scalar_one()

    def _is_held(self, name: str) -> bool:
        return bool(self.place.redis.hget(self.place.keys.connector(name), "hold"))

    def _mend(self, name: str) -> None:
        """Where a login needs someone, somebody comes, and fails perhaps."""
        if not self._is_held(name):
            return
        fake = self.fakes[name]
        if isinstance(fake, FakeFacebook):
            os.environ["FB_TOKEN"] = self.place.environ["FB_TOKEN"] = fake.token
            self.runtime.targets.dispose()
        with opened_account(load(self.place.file), name) as account:
            try:
                connect_account(account, CODES.get(name, ""), Actor("somebody"))
                self.told.append(f"{name}: connected again")
            except (NotConnected, TargetError) as error:
                self.told.append(f"{name}: not connected: {error}")

    def _pass(self, seconds: float) -> None:
        target: Any = self.runtime.targets.get("ya")
        self.time.passes(target.store, seconds)

    def _heal(self, stops: int) -> list[str]:
        """Until all is right, or time is up."""
        wrong = ["nobody looked"]
        for _ in range(stops):
            for name, fake in self.fakes.items():
                self._mend(name)
                retry(self.place.redis, self.place.keys, name)
                fake.land()
            drain(self.runtime)
            for fake in self.fakes.values():
                fake.work()
            wrong = [*self._wrong(), *self._owed()]
            if not wrong:
                return []
            self._pass(7_200)
            time.sleep(0.3)
        return wrong

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
            here = members_of(fake, self.name)
            wanted = {one for each in self.members.values() for one in sent(name, each)}
            if here != wanted:
                told = f"{len(wanted - here)} are missing, {len(here - wanted)} are too many"
                found.append(f"{name}: {told} in {self.name!r}; it has {_begun(fake)}")
            unused = _unused(fake)
            found += [f"{name}: {unused} were begun and are of no use"] if unused else []
        return found

    def _left(self) -> list[str]:
        """Nothing stands in lanes."""
        keys = self.place.keys
        backlogs = {
            name: int(self.place.redis.hget(keys.integration(f"to-{name}"), "backlog") or 0) for name in self.fakes
        }
        return [f"{name}: a backlog of {backlog}" for name, backlog in backlogs.items() if backlog]

    def _beyond(self) -> list[str]:
        """What a fake has refused for its limits. A call that stalled counts there when it arrives, later than here."""
        beyond = {name: fake.refused_calls for name, fake in self.fakes.items()}
        return [f"{name}: {n} calls beyond its limits" for name, n in beyond.items() if n > self.stalled[name]]


def _profile(number: int, dice: random.Random) -> Profile:
    """Some share an address with others, and some change theirs."""
    mail = f"p{number}@example.com"
    if number < MOVING:
        mail = dice.choice((mail, mail, f"new{number}@example.com", f"house{number % 5}@example.com"))
    return {"_id": str(number), "id": str(number), "email": mail, "phone": f"7999{number:07}"}


def _unused(fake: FakePlatform) -> list[object]:
    """What was begun there, perhaps with people in it, and nothing leads to."""
    if isinstance(fake, FakeYandex):
        return [*fake.unconfirmed]
    return fake.twins if isinstance(fake, FakeVk) else []


def _begun(fake: FakePlatform) -> list[str]:
    """What a fake has, by name, for a failing round; where lists are used by segments, with those."""
    if not isinstance(fake, FakeVk):
        return []
    lists = [f"list {each.id} {each.name} {each.status}" for each in fake.lists.values() if not each.base]
    return [*lists, *(f"segment {each}" for each in fake.segments.values())]


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
    beyond = sum(fake.refused_calls for fake in this.fakes.values())
    verdict = f"FAILED: {wrong}" if wrong else "ok"
    came = f"{this.kills} killed, {calls} calls ({beyond} beyond limits), {time.monotonic() - started:5.1f} s"
    print(f"round {number:4d}  {came}  {verdict}", flush=True)  # noqa: T201
    for line in this.told if wrong else ():
        print(f"    {line}", flush=True)  # noqa: T201
    return wrong


if __name__ == "__main__":
    sys.exit(main())
