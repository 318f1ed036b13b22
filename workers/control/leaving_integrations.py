"""An integration that leaves once it owes nothing: published with a scope that follows nothing, waited for, taken out.

Others go on publishing while it is waited for, for as long as its target is away. So it is taken out of what is
applied then, and never out of what was applied when the wait began (rule 35).
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.errors import SettingsError
from workers.integrations import DRAINING
from workers.lanes.answers import number_of
from workers.settings import from_published, revision
from workers.settings.revision import Superseded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.settings import Settings
    from workers.settings.revision import Published

LOOK_EVERY_SECONDS: Final = 0.25
NOBODY: Final = {"segments": [DRAINING]}
"""A scope that no segment is in."""


class TakenBack(Superseded):
    """Somebody has given what was being drained another place in the configuration; it was left as it is."""


@dataclass(frozen=True, slots=True)
class Draining:
    """What is being drained.

    keys      of integrations
    dropped   integrations to be dropped with the same publication, which must not have come back
    wanted    the settings without any of them, as they were asked for
    revision  in which they follow nothing
    """

    keys: Sequence[str]
    dropped: Sequence[str]
    wanted: Settings
    revision: int


def is_draining(table: Mapping[str, Any]) -> bool:
    """Whether an integration, by its table in what is applied, follows nothing until it owes nothing."""
    return table.get("scope") == NOBODY


def with_draining(
    wanted: Settings, before: Published, drain: Sequence[str], environ: Mapping[str, str] = os.environ
) -> Settings:
    """The wanted settings, and beside them what is to be drained, as it was applied; SettingsError."""
    document, was = json.loads(wanted.published()), json.loads(before.text)
    for key in drain:
        integration = was["integrations"][key]
        document.setdefault("integrations", {})[key] = integration | {"scope": NOBODY}
        connector = integration["connector"]
        document.setdefault("connectors", {}).setdefault(connector, was["connectors"][connector])
    try:
        return from_published(json.dumps(document), wanted.local, environ)
    except SettingsError as error:
        where = f"{', '.join(drain)} cannot be drained beside this file"
        raise SettingsError(where, error.mistakes) from None


def wait_until_empty(redis: Redis, keys: Keys, draining: Draining, progress: Callable[[str, int], None]) -> None:
    """Until they owe nothing; TakenBack where they are not being drained any more, redis.RedisError."""
    seen = draining.revision
    for key in draining.keys:
        while owed := number_of(redis.hget(keys.integration(key), "backlog")) or 0:
            number = number_of(redis.hget(keys.config, "revision"))
            if number != seen:
                _check(revision.published(redis, keys), key, owed)
                seen = number or 0
            progress(key, owed)
            time.sleep(LOOK_EVERY_SECONDS)
        progress(key, 0)


def _check(found: Published | None, key: str, owed: int) -> None:
    table = _integrations(found).get(key)
    where = f"revision {found.revision}" if found else "no revision"
    if table is None and owed:
        raise TakenBack(f"{key} was taken out meanwhile, by {where}, and owes {owed:,}: nothing more was done")
    if table is not None and not is_draining(table):
        raise TakenBack(f"{key} was put back meanwhile, by {where}: it stays, and nothing was removed")


def _integrations(found: Published | None) -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(found.text).get("integrations", {}) if found else {}
    return tables


def publish_without(
    redis: Redis, keys: Keys, draining: Draining, *, note: str, by: str, environ: Mapping[str, str] = os.environ
) -> tuple[int, Settings]:
    """Takes out what was drained, and nothing else; the revision, and what is applied by it.

    Where nobody has published meanwhile, what was asked for is applied. TakenBack, SettingsError, redis.RedisError.
    """
    while True:
        found = revision.published(redis, keys)
        number = found.revision if found else 0
        settings = draining.wanted if number == draining.revision else _without(found, draining, environ)
        with suppress(Superseded):  # another has come between the look and the publication: once more
            return revision.publish(redis, keys, settings, basis=number, note=note, by=by), settings


def _without(found: Published | None, draining: Draining, environ: Mapping[str, str]) -> Settings:
    """What is applied now, without what was drained and the connectors that were kept for it alone."""
    for key in draining.keys:
        _check(found, key, 0)
    if found is None:
        raise TakenBack("nothing is applied any more: nothing was published")
    if back := sorted(set(draining.dropped) & _integrations(found).keys()):
        raise TakenBack(f"{', '.join(back)} was put back meanwhile, by revision {found.revision}: nothing was removed")
    document = json.loads(found.text)
    tables, connectors = document.get("integrations", {}), document.get("connectors", {})
    kept = {tables.pop(key)["connector"] for key in draining.keys if key in tables}
    used = {each["connector"] for each in tables.values()}
    for name in kept - used - draining.wanted.connectors.keys():
        connectors.pop(name, None)
    for name in ("integrations", "connectors"):
        if document.get(name) == {}:
            del document[name]  # as in a file without any: an empty table differs from none
    return from_published(json.dumps(document), draining.wanted.local, environ)
