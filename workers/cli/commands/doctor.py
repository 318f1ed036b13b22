"""`segsync doctor`: what would bite in production."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import typer
from redis import RedisError

from workers.cli.commands.check_targets import MARKS, examine_all
from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import plain, print_json
from workers.cli.versions import segsync_version
from workers.connectors.inspection import Step
from workers.control import rights
from workers.errors import SegsyncError
from workers.lanes.keys import Keys
from workers.ledger.engine import file_of, parse
from workers.monitoring import checkup
from workers.monitoring.consumers import used_queues
from workers.settings import load, revision
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from workers.monitoring.consumers import Consumers
    from workers.settings import Settings

FLOWER_PORT: Final = 5555
"""Flower's own default."""
FLOWER_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `doctor --json` prints: every step, fine ones too.

    ok  whether none is a mistake; warnings are no mistakes
    """

    ok: bool
    version: str
    steps: list[Step]


def run(*, as_json: bool) -> int:
    """Looks at all of it; someone is needed where a step is a mistake. SettingsError, redis.RedisError."""
    settings = load()
    steps = list(_steps(settings))
    found = Diagnosis(not any(step.mark == "mistake" for step in steps), segsync_version(), steps)
    if as_json:
        print_json(found)
    else:
        _print(found)
    return FINE if found.ok else NEEDS_SOMEONE


def _steps(settings: Settings) -> Iterator[Step]:
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    yield from checkup.of_redis(redis, keys)
    missing = rights.sentence(redis, keys)
    yield Step("rights", "mistake" if missing else "fine", missing or "all that are needed")
    yield _applied(redis, keys, settings)
    yield from _of_workers(redis, keys, settings)
    yield _flower()
    yield from checkup.of_files(_secret_files(settings), [settings.local.path])
    yield from _of_targets(settings)


def _applied(redis: Redis, keys: Keys, settings: Settings) -> Step:
    found = revision.published(redis, keys)
    if found is None:
        return Step("applied", "mistake", "nothing is applied yet; `segsync apply`, or start a worker")
    if found.digest != settings.digest:
        what = f"this file is not what is applied (revision {found.revision}, by {found.by}); `segsync apply` shows how"
        return Step("applied", "warning", what)
    return Step("applied", "fine", f"this file, as revision {found.revision}")


def _of_workers(redis: Redis, keys: Keys, settings: Settings) -> Iterator[Step]:
    try:
        consumers = _ask()
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
        yield Step("queues", "mistake", f"the broker cannot be asked ({type(error).__name__}); look at [broker]")
        return
    yield from checkup.of_workers(consumers, used_queues(redis, keys), file_of(parse(settings.ledger_url)))


def _ask() -> Consumers:
    from workers.cli.celery_inspect import ask  # noqa: PLC0415 - Celery takes half a second to load

    return ask()


def _flower() -> Step:
    """Whether a Flower on this host lets in whoever reaches the host; one on another host is not looked for."""
    address = _address()
    if address.startswith("127."):
        return Step("flower", "skipped", "this host has no address that others could reach")
    url = f"http://{address}:{os.environ.get('FLOWER_PORT', FLOWER_PORT)}/"
    try:
        with urllib.request.urlopen(url, timeout=FLOWER_SECONDS) as answer:
            is_open = answer.status == HTTPStatus.OK
    except urllib.error.HTTPError:
        return Step("flower", "fine", f"{url} asks for a login")
    except OSError:
        return Step("flower", "fine", f"nothing listens at {url}")
    if is_open:
        return Step("flower", "mistake", f"{url} lets anybody in, who may stop workers; set FLOWER_BASIC_AUTH")
    return Step("flower", "fine", f"{url} shows nothing")


def _address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def _secret_files(settings: Settings) -> Iterator[Path]:
    for each in (settings.local.redis, settings.local.broker):
        yield from (path for path in (each.password_file, each.sentinel_password_file) if path)
    for connector in settings.connectors.values():
        yield from connector.secret_files()
    if ledger := file_of(parse(settings.ledger_url)):
        yield ledger


def _of_targets(settings: Settings) -> Iterator[Step]:
    """What `check --connect` finds: versions, rights, columns, unique keys."""
    try:
        examined = examine_all(settings)
    except (SegsyncError, RedisError) as error:
        yield Step("targets", "mistake", str(error))
        return
    for each in examined:
        where = f"connector {each.connector}"
        bad = [Step(where, step.mark, f"{step.name}: {step.what}") for step in each.steps if step.mark != "fine"]
        bad += [Step(where, finding.level, f"{finding.where}: {finding.what}") for finding in each.findings]
        bad += [Step(where, "warning", f"not looked at: {what}") for what in each.unread]
        version = next((step.what for step in each.steps if step.name == "version"), each.dialect)
        yield from bad or [Step(where, "fine", version)]


def _print(found: Diagnosis) -> None:
    width = max(len(step.name) for step in found.steps)
    for step in found.steps:
        typer.echo(plain(f"{MARKS[step.mark]} {step.name:<{width}}  {step.what}"))
    marks = [step.mark for step in found.steps]
    mistakes, warnings = counted(marks.count("mistake"), "mistake"), counted(marks.count("warning"), "warning")
    typer.echo(f"\nsegsync {found.version}: {mistakes}, {warnings}")
