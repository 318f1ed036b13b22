"""`segsync demo --ads`: the same, with ad accounts in place of a database.

Workers, store and connectors are those of production; the four platforms are stand-ins on this machine. Whom they have
in the end is compared with what was pushed: a mismatch needs someone.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import typer

from segsync import Producer
from workers.cli.commands import demo
from workers.cli.demo import ads_events, stand_ins
from workers.cli.demo.ads_config import write_ads_config
from workers.cli.exit_status import FINE
from workers.cli.people import caller
from workers.lanes.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from workers.cli.demo.ads_story import FoundAtPlatforms
    from workers.cli.demo.hours import Hours
    from workers.cli.demo.stand_ins import Members
    from workers.ledger.database import Ledger
    from workers.settings import Settings
    from workers.targets import OpenAccount


def run(*, keep: bool) -> int:
    """Tells the story; with `keep`, stays up afterwards until Ctrl-C. WrongUsage where what it needs is missing."""
    stand_ins.check_there()
    return demo.perform(AdsDemo, keep=keep)


class AdsDemo(demo.Demo):
    """One run, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.platforms = stand_ins.start()
        self.accounts: dict[str, OpenAccount] = {}
        # What somebody has set for an installation of theirs: the demo hashes, and its calls stay on this machine.
        os.environ.pop("YAAUDIENCES_SYNC_DO_HASHING", None)
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
        super().__init__(folder)

    def run(self, *, keep: bool) -> int:
        """Starts everything, connects, pushes twice, waits, tells."""
        typer.echo(f"""\
Starting Redis, three Celery workers and beat in {self.folder},
and stand-ins of four ad platforms. They are small servers on this machine: no
data leaves it. Where a platform takes hours, their clocks are moved on.""")
        settings, redis, ledger = self._prepare()
        keys = Keys(settings.local.namespace)
        hours = self._connect(settings)
        self.installation.start_workers(settings.connectors)
        self._wait_for_workers(redis, keys)
        if keep:
            self._start_views()
        pushed = time.monotonic()
        found = self._push_and_wait(ledger, hours)
        from workers.cli.demo.ads_story import tell_platforms  # noqa: PLC0415 - loads what the extra `ads` brings

        tell_platforms(found, settings, self.platforms)
        if differences := found.differences():
            return self._complain(differences)
        total, seconds = sum(map(len, found.members.values())), time.monotonic() - pushed
        typer.echo(f"""
All of it is as it must be: the four platforms have {total:,} hashes, and they
are those of whoever is in the segment now. It took {seconds:.1f} s, and {hours.passed} hours
by the platforms' clocks.""")
        if keep:
            self._stay_with(redis, keys, hours)
        return FINE

    def close(self) -> None:
        """Ends all that was started."""
        super().close()
        for account in self.accounts.values():
            account.connector.close()
            account.redis.close()
        for each in self.platforms.values():
            each.close()

    def _write_config(self) -> Path:
        return write_ads_config(self.folder, self.url, {key: each.url for key, each in self.platforms.items()})

    def _make_target(self) -> None:
        """The platforms run already."""

    def _connect(self, settings: Settings) -> Hours:
        """What `segsync connect` does, for each account; the code is what a person would paste."""
        from workers.cli.demo.hours import Hours  # noqa: PLC0415 - as above
        from workers.control.connecting import connect_account  # noqa: PLC0415
        from workers.targets import open_account  # noqa: PLC0415

        typer.echo()
        for key, platform in self.platforms.items():
            account = self.accounts[key] = open_account(settings, key)
            connect_account(account, stand_ins.CODES.get(key, ""), caller())
            typer.echo(f"Connected {key:<3} {account.connector.platform.name + ',':<22} stand-in at {platform.url}")
        return Hours(self.accounts, self.platforms)

    def _push_and_wait(self, ledger: Ledger, hours: Hours) -> FoundAtPlatforms:
        """Everybody comes; once all platforms have them, some leave and some change."""
        from workers.cli.demo import ads_story  # noqa: PLC0415 - as above

        with Producer(self.url) as producer:
            ads_events.push_first(producer)
            ads_story.tell_first()
            found = self._wait_for(ads_story.expected_first(), ledger, hours)
            if not found.differences():
                ads_story.tell_second(hours.passed)
                ads_events.push_second(producer)
                found = self._wait_for(ads_story.expected_last(), ledger, hours)
        return found

    def _wait_for(self, expected: dict[str, Members], ledger: Ledger, hours: Hours) -> FoundAtPlatforms:
        """What is there once all is as it must be, or after so long, or when somebody interrupts it."""
        from workers.cli.demo.ads_story import read_platforms  # noqa: PLC0415 - as above

        found: FoundAtPlatforms | None = None

        def differs() -> str:
            nonlocal found
            if hours.pass_on():
                return "not all has arrived yet"
            found = read_platforms(expected, self.platforms, self.accounts, ledger)
            return next(iter(found.differences()), "")

        self._until(differs)
        # Where it was given up, the last look may be long ago.
        if found is None or found.differences():
            found = read_platforms(expected, self.platforms, self.accounts, ledger)
        return found

    def _stay_with(self, redis: Redis, keys: Keys, hours: Hours) -> None:
        typer.echo(f"""
It stays up. {self._views()}

    push   {sys.executable} -c 'from segsync import Producer; \\
             Producer("{self.url}").add({ads_events.SEGMENT}, [
             {{"_id": "E-22", "CustomID": "E-22", "email": "eve@example.com"}}])'
    look   segsync --config {self.config} audiences ya      (fb, vk, g)
           segsync --config {self.config} fields
    logs   {self.folder / "logs"}

Ctrl-C ends it and removes all of it.""")
        self.installation.watch(redis, keys, hours.pass_on)
