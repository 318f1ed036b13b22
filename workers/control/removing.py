"""An integration that is taken out of what is applied: the plan, how far that has come, and the way back.

The command does so with a file without it (`segsync apply --drain K`); the console and the API by its key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.control import apply as applying
from workers.control.leaving_integrations import is_draining
from workers.control.pause import UnknownIntegration, known_integration
from workers.errors import SegsyncError, SettingsError, WrongUsage
from workers.lanes.answers import number_of
from workers.settings import from_published, revision, revisions
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from redis import Redis

    from workers.control.apply import ApplyPlan
    from workers.lanes.keys import Keys
    from workers.settings import LocalSettings, Settings

HOW: Final = ("drain", "drop")
"""What may become of what it owes: it is delivered first, or thrown away."""
APPLIED, DRAINING, REMOVED = "applied", "draining", "removed"


class NotDraining(SegsyncError):
    """Nobody is removing it, so there is nothing to take back; the message says how it stands."""


@dataclass(frozen=True, slots=True)
class Removal:
    """How far an integration is on its way out.

    state     "applied": nobody removes it; "draining": it gets nothing new; "removed"
    owes      operations
    revision  that is applied
    """

    state: str
    owes: int
    revision: int


def plan_without(
    redis: Redis, keys: Keys, base: str, key: str, how: str, local: LocalSettings, *, note: str
) -> ApplyPlan:
    """What publishing the configuration without this integration means. Changes nothing.

    base  the configuration that it is taken out of, as it was published
    how   one of HOW; "" where it owes nothing
    note  why, for those who look at the revisions

    UnknownIntegration, WrongUsage, and what `apply.plan` raises.
    """
    document = json.loads(base)
    if document.get("integrations", {}).pop(key, None) is None:
        known_integration(redis, keys, key)
        raise UnknownIntegration(f"{key} is not in the applied configuration")
    if not document["integrations"]:
        del document["integrations"]  # as in a file without any: an empty table differs from none
    settings = _settings(document, local)
    owes = _owes(redis, keys, key)
    if owes and how not in HOW:
        told = f"{how[:40]!r} was chosen" if how else "nothing was chosen"
        what = "to deliver it first (drain) or to throw it away (drop): nothing was done"
        raise WrongUsage(f"{key} still owes {counted(owes, 'operation')}, and {told}; expected a choice, {what}")
    chosen = {name: [key] if owes and how == name else [] for name in HOW}
    return applying.plan(redis, keys, settings, **chosen, note=note)


def removal(redis: Redis, keys: Keys, key: str) -> Removal:
    """How far it is; UnknownIntegration for one that no kept revision knows. redis.RedisError."""
    found = revision.published(redis, keys)
    number = found.revision if found else 0
    table = _tables(found.text).get(key) if found else None
    if table is not None:
        return Removal(DRAINING if is_draining(table) else APPLIED, _owes(redis, keys, key), number)
    if not any(key in _tables(each.text) for each in revisions.history(redis, keys)):
        known_integration(redis, keys, key)
    return Removal(REMOVED, _owes(redis, keys, key), number)


def plan_staying(redis: Redis, keys: Keys, key: str, local: LocalSettings) -> ApplyPlan:
    """What giving a draining integration its scope back means: the one of the last revision that had any.

    All else of it stays as it is applied. UnknownIntegration, NotDraining, and what `apply.plan` raises.
    """
    found = revision.published(redis, keys)
    document: dict[str, Any] = json.loads(found.text) if found else {}
    table = document.get("integrations", {}).get(key)
    if table is None:
        known_integration(redis, keys, key)
        raise NotDraining(f"{key} is not applied any more; expected it in the file, and that applied")
    if not is_draining(table):
        raise NotDraining(f"nobody is removing {key}: there is nothing to take back")
    kept = (_tables(each.text).get(key) for each in revisions.history(redis, keys))
    before = next((each for each in kept if each is not None and not is_draining(each)), None)
    if before is None:
        raise NotDraining(f"no revision that is kept has a scope of {key}; expected it in the file, and that applied")
    table["scope"] = before["scope"]
    return applying.plan(redis, keys, _settings(document, local), note=f"{key} stays")


def _settings(document: dict[str, Any], local: LocalSettings) -> Settings:
    try:
        return from_published(json.dumps(document), local)
    except SettingsError as error:
        raise WrongUsage(str(error)) from None


def _tables(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text).get("integrations", {})
    return found


def _owes(redis: Redis, keys: Keys, key: str) -> int:
    return number_of(redis.hget(keys.integration(key), "backlog")) or 0
