"""What would bite in production: Redis, rights, workers, Flower, files and targets, looked at one after the other."""

from __future__ import annotations

import http.client
import os
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers import presence
from workers.connectors.inspection import Step
from workers.control import rights
from workers.errors import SegsyncError, SettingsError
from workers.lanes.clock import redis_ms
from workers.lanes.keys import Keys
from workers.ledger import health, identity
from workers.ledger.database import Ledger
from workers.ledger.engine import file_of, parse
from workers.ledger.errors import LedgerError
from workers.monitoring import checkup
from workers.monitoring.ages import moment_of
from workers.monitoring.consumers import used_queues
from workers.monitoring.needs import spelled
from workers.preflight import certificates
from workers.preflight.targets import examine_all
from workers.settings import main_secrets, revision
from workers.settings.ledger_place import published_ledger
from workers.settings.sources import SourceSettings
from workers.settings.spelling import counted
from workers.settings.urls import UrlError, part, plain, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from redis import Redis

    from workers.monitoring.consumers import Consumers
    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector
    from workers.settings.urls import Url

FLOWER_PORT: Final = 5555
"""Flower's own default."""
FLOWER_SECONDS: Final = 2.0
"""How long one that does not answer is waited for."""


def steps(settings: Settings, ask: Callable[[], Consumers]) -> Iterator[Step]:
    """Everything, step by step, fine ones too. redis.RedisError.

    settings  of this process's file
    ask       asks Celery's workers; may raise anything when the broker is out of reach
    """
    redis, keys = settings.local.redis.client(), Keys(settings.local.namespace)
    yield from checkup.of_redis(redis, keys)
    yield from checkup.of_clocks(presence.present(redis, keys, redis_ms(redis)))
    missing = rights.sentence(redis, keys)
    yield Step("rights", "mistake" if missing else "fine", missing or "all that are needed")
    yield _applied(redis, keys, settings)
    yield from _ledger(redis, keys, settings)
    yield from _of_workers(redis, keys, settings, ask)
    yield _flower()
    urls = list(_urls(settings))
    secret = dict.fromkeys([*_secret_files(settings), *certificates.key_files(urls)])
    yield from checkup.of_files(secret, settings.files)
    yield from certificates.of_urls(urls)
    yield from _of_targets(settings)


def _applied(redis: Redis, keys: Keys, settings: Settings) -> Step:
    found = revision.published(redis, keys)
    if found is None:
        return Step("applied", "mistake", "nothing is applied yet; `segsync apply`, or start a worker")
    if found.digest != settings.digest:
        what = f"this file is not what is applied (revision {found.revision}, by {found.by}); `segsync apply` shows how"
        return Step("applied", "warning", what)
    return Step("applied", "fine", f"this file, as revision {found.revision}")


def _ledger(redis: Redis, keys: Keys, settings: Settings) -> Iterator[Step]:
    """The applied ledger: what those meet who write to it, as `status` has it, and what is seen of it from here.

    A full disk is read from as ever, and what another host writes to says nothing of what this one would.
    """
    trouble, seen = health.trouble(redis, keys), _seen_ledger(redis, keys, settings)
    if trouble is not None:
        tries = counted(trouble.tries, "try", "tries")
        since = spelled(moment_of(trouble.since))
        yield Step("ledger", "mistake", f"cannot be written to since {since}, {tries}: {trouble.why}")
    if trouble is None or (seen.mark == "mistake" and seen.what not in trouble.why):
        yield seen


def _seen_ledger(redis: Redis, keys: Keys, settings: Settings) -> Step:
    """Whether it can be read, and is the one that is known; nothing is made or brought up to date."""
    found = revision.published(redis, keys)
    try:
        url = settings.ledger_url if found is None else published_ledger(found.text, settings.local)
        ledger = Ledger(url)
        if ledger.schema() is None and not identity.is_claimed(redis, keys):
            return Step("ledger", "fine", f"{ledger.place}: none is made yet; a worker or a command makes it")
        identity.recognise(redis, keys, ledger)
    except (SettingsError, LedgerError) as error:
        return Step("ledger", "mistake", str(error))
    return Step("ledger", "fine", ledger.place)


def _of_workers(redis: Redis, keys: Keys, settings: Settings, ask: Callable[[], Consumers]) -> Iterator[Step]:
    try:
        consumers = ask()
    except Exception as error:  # noqa: BLE001 - whatever the broker's client raises; its text may show a URL
        yield Step("queues", "mistake", f"the broker cannot be asked ({type(error).__name__}); look at [broker]")
        return
    yield from checkup.of_workers(consumers, used_queues(redis, keys), file_of(parse(settings.ledger_url)))


def _flower() -> Step:
    """Whether a Flower on this host lets in whoever reaches the host; one on another host is not looked for."""
    address = _address()
    if address.startswith("127."):
        return Step("flower", "skipped", "this host has no address that others could reach")
    url = f"http://{address}:{os.environ.get('FLOWER_PORT', FLOWER_PORT)}/"
    try:
        with _opener.open(url, timeout=FLOWER_SECONDS) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        error.close()
        status = error.code
    except (ValueError, http.client.HTTPException):  # another program, or a FLOWER_PORT that is none
        return Step("flower", "skipped", f"{url} speaks no HTTP")
    except OSError:
        return Step("flower", "fine", f"nothing listens at {url}")
    if status == HTTPStatus.OK:
        return Step("flower", "mistake", f"{url} lets anybody in, who may stop workers; set FLOWER_BASIC_AUTH")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Step("flower", "fine", f"{url} asks for a login")
    return Step("flower", "skipped", f"{url} answers {status}: look yourself whether it asks for a login")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A login elsewhere answers 200 as well, and is no Flower that lets anybody in."""

    def redirect_request(self, *_: object) -> None:
        """None, so that the redirect is the answer."""


_opener: Final = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
"""A proxy of the environment would answer in the place of what is on this host."""


def _address() -> str:
    """Under which others reach this host; one of its own where they cannot."""
    with suppress(OSError):
        named = socket.gethostbyname(socket.gethostname())
        if not named.startswith("127."):
            return named
    # Where its file of hosts has a loopback address for it, as Debian's has. Nothing is sent: 192.0.2.1 is nobody's.
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outwards:
        outwards.connect(("192.0.2.1", 9))
        return str(outwards.getsockname()[0])
    return "127.0.0.1"


def _secret_files(settings: Settings) -> Iterator[Path]:
    for each in (settings.local.redis, settings.local.broker):
        yield from (path for path in (each.password_file, each.sentinel_password_file) if path)
    for connector in settings.connectors.values():
        yield from connector.secret_files()
    for address in (each.address for each in settings.sources.values() if isinstance(each, SourceSettings)):
        if address.password_file and "$" not in address.password_file:
            yield address.folder / address.password_file
    yield from main_secrets.secret_files(settings.local.path)
    if ledger := file_of(parse(settings.ledger_url)):
        yield ledger


def _urls(settings: Settings) -> Iterator[tuple[str, Url]]:
    """Where this file leads to, as far as it can be told; what is wrong with the others is said elsewhere."""
    local = settings.local
    texts = [("redis", local.redis.url), ("ledger", settings.ledger_url)]
    texts += [("broker", local.broker.url)] if local.broker != local.redis else []
    places: dict[str, AnyConnector | SourceSettings] = {}
    places |= {f"connector {key}": each for key, each in settings.connectors.items()}
    places |= {f"source {key}": each for key, each in settings.sources.items() if isinstance(each, SourceSettings)}
    for where, place in places.items():
        with suppress(SettingsError):
            texts.append((where, getattr(place.resolve(os.environ), "url", "")))
    for where, text in texts:
        with suppress(UrlError):
            yield where, split(part(plain(text))[0])


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
