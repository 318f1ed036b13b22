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
from workers.settings import from_published, revisions
from workers.settings.entrusted import refuse_not_entrusted
from workers.settings.revision import check_basis

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
    compared = None
    if not by_file:
        what = f"revision {number}, to which whoever may write the file goes back, by `segsync rollback {number}`"
        compared = refuse_not_entrusted(redis, keys, json.loads(text), what)
    settings = from_published(text, local)
    plan = applying.plan(redis, keys, settings, drain, drop, note=f"rollback to {number}")
    check_basis(plan.before, compared)
    if not by_file:
        refuse_own_databases(plan)
    return plan
