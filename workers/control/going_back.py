"""Applying an earlier revision once more, as a new one: for the command, the console and the API.

An earlier revision was published by somebody who might say all that is in it. Whoever goes back to it need not be:
through the console or the API they publish it themselves, and no more of it than they might publish at all. What only
the file may say (a variable, a secret's file, a source's command, the ledger, where a secret is sent) has to be applied
as it is there: otherwise an editor would bring back, by a number, what somebody has taken out on purpose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workers.control import apply as applying
from workers.control.entrusting import refuse_own_databases
from workers.control.losses import ApplyRefused, refuse_loss
from workers.errors import SettingsError
from workers.settings import from_published, revisions
from workers.settings.entrusted import refuse_not_entrusted
from workers.settings.revision import check_basis, published

if TYPE_CHECKING:
    from collections.abc import Collection

    from redis import Redis

    from workers.control.apply import ApplyPlan
    from workers.lanes.keys import Keys
    from workers.settings import LocalSettings


def plan_back(
    redis: Redis,
    keys: Keys,
    local: LocalSettings,
    number: int,
    *,
    drain: Collection[str] = (),
    drop: Collection[str] = (),
    by_file: bool = False,
) -> ApplyPlan:
    """What applying the revision of this number once more means. Changes nothing.

    drain, drop  as for `apply.plan`
    by_file      whoever asks may write the file, and so all of it

    Raises UnknownRevision, SettingsError for what only the file may say, Superseded where another revision was applied
    meanwhile, and what `apply.plan` raises.
    """
    text = revisions.find(redis, keys, number).text
    compared = None if by_file else _refuse_not_entrusted(redis, keys, text, number)
    settings = from_published(text, local)
    plan = applying.plan(redis, keys, settings, drain, drop, note=f"rollback to {number}")
    check_basis(plan.before, compared)
    if not by_file:
        refuse_own_databases(plan)
    return plan


def refusal(redis: Redis, keys: Keys, number: int) -> str:
    """Why nobody goes back to it through the console or the API now; "" where nothing is seen that is in the way.

    What is seen without reading all of it again: what only the file may say, and what would be lost. `plan_back` looks
    at the rest. UnknownRevision, redis.RedisError.
    """
    text = revisions.find(redis, keys, number).text
    before = published(redis, keys)
    try:
        _refuse_not_entrusted(redis, keys, text, number)
        if before is not None:
            refuse_loss(redis, keys, before.text, text)
    except ApplyRefused as error:
        return error.elsewhere
    except SettingsError as error:
        return str(error)
    return ""


def _refuse_not_entrusted(redis: Redis, keys: Keys, text: str, number: int) -> int:
    what = f"revision {number}, to which whoever may write the file goes back, by `segsync rollback {number}`"
    return refuse_not_entrusted(redis, keys, json.loads(text), what)
