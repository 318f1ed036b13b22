"""What `apply` does beside publishing: nothing that is owed is lost because a file changed.

An integration that leaves the file while it still owes something is refused, unless somebody says what shall become
of it. `drain` publishes it once more with a scope that follows nothing, waits until its lanes are empty, and takes it
out then (`leaving_integrations.py`). `drop` publishes the file and removes its lanes, counted.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis import ResponseError

from workers.control.entering import flag_entering, schedule_verifications
from workers.control.leaving_integrations import Draining, publish_without, wait_until_empty, with_draining
from workers.control.losses import Undecided, backlogs_of, integrations_of, refuse_loss
from workers.control.pause import PATIENCE_SECONDS, known_integration, wait_until_unserved
from workers.lanes.answers import ranked, some_fields_of
from workers.lanes.bell import ring
from workers.ledger import failing, identity
from workers.ledger.database import Ledger
from workers.settings import revision
from workers.settings.differences import Difference, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from redis import Redis
    from redis.client import Pipeline

    from workers.lanes.keys import Keys
    from workers.settings import Settings
    from workers.settings.revision import Published

STEP: Final = 500
"""Lanes that are removed at once, so that Redis is never kept busy for long."""


class WrongChoice(Undecided):
    """`drain` or `drop` names an integration that cannot be drained or dropped; the message says why."""


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What `carry_out` would do, after every refusal.

    before       what is applied now; None where nothing is
    differences  what changes; [] where nothing does, or nothing was applied
    removed      integrations that the file names no longer, with what they owe
    dropped      of those to be dropped, what will be thrown away
    note         why, for those who look at the revisions
    """

    settings: Settings
    before: Published | None
    differences: list[Difference]
    removed: Mapping[str, int]
    drain: Sequence[str]
    drop: Sequence[str]
    dropped: Mapping[str, int]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was thrown away of one integration, by somebody's command."""

    key: str
    operations: int
    lanes: int


@dataclass(frozen=True, slots=True)
class Report:
    """What `carry_out` did.

    revision  of the applied configuration
    changed   whether it is a new one
    left      removed integrations to which something came at the last moment: orphaned, with what they owe
    """

    revision: int
    changed: bool
    dropped: list[Dropped]
    left: Mapping[str, int]


def plan(
    redis: Redis,
    keys: Keys,
    settings: Settings,
    drain: Collection[str] = (),
    drop: Collection[str] = (),
    *,
    note: str = "",
) -> ApplyPlan:
    """What applying these settings means. Changes nothing.

    drain, drop  integrations that the file names no longer
    note         why, for those who look at the revisions

    Raises ApplyRefused, WrongChoice, UnknownIntegration, redis.RedisError.
    """
    before = revision.published(redis, keys)
    applied = integrations_of(before.text) if before else set()
    for key in (*drain, *drop):
        _check_choice(redis, keys, settings, key, both=key in drain and key in drop)
    for key in drain:
        _check_drain(redis, keys, key, applied)
    removed = refuse_loss(redis, keys, before.text, settings.published(), (*drain, *drop)) if before else {}
    found = compared(before.text, settings.published()) if before else []
    dropped = backlogs_of(redis, keys, drop)
    return ApplyPlan(settings, before, found, removed, [*drain], [*drop], dropped, note)


def carry_out(
    redis: Redis,
    keys: Keys,
    plan: ApplyPlan,
    *,
    environ: Mapping[str, str] = os.environ,
    progress: Callable[[str, int], None] = lambda *_: None,
    patience: float = PATIENCE_SECONDS,
    accept: bool = False,
    by: str = "",
    basis: int | None = None,
) -> Report:
    """Publishes, after draining and before dropping; all workers follow within seconds.

    progress  told a draining integration and what it still owes, a few times a second
    patience  seconds to wait for a delivery in flight before its lanes are dropped
    accept    another ledger than the one that is known, or a Redis that was emptied, is meant to be so
    by        whom `revisions` names; "" for this process's user
    basis     the revision that this was made from, 0 for none, looked at as it is published; None: over any

    May be interrupted and called again with the same plan: what is drained or dropped stays so. SettingsError where
    an integration to drain cannot go on beside the new file, TakenBack, Superseded, NotSettled, redis.RedisError.
    """
    flag_entering(redis, keys, plan.before, plan.settings)
    if accept or _has_another_ledger(plan):
        identity.accept(redis, keys, Ledger(plan.settings.ledger_url))
    if plan.drain:
        number, settings = _drained(redis, keys, plan, environ, progress, by, basis)
    else:
        settings = plan.settings
        number = revision.publish(redis, keys, settings, basis=basis, note=plan.note, by=by)
        flag_entering(redis, keys, plan.before, settings)  # what was first seen since was judged by old scopes
    schedule_verifications(redis, keys, settings)
    _wake(redis, keys)
    dropped = [_drop_lanes(redis, keys, key, patience) for key in plan.drop]
    gone = sorted({*plan.removed, *plan.drain})
    left = {key: owed for key in gone if key not in plan.drop and (owed := _forget_if_empty(redis, keys, key))}
    return Report(number, plan.before is None or plan.before.revision != number, dropped, left)


def _drained(
    redis: Redis,
    keys: Keys,
    plan: ApplyPlan,
    environ: Mapping[str, str],
    progress: Callable[[str, int], None],
    by: str,
    basis: int | None,
) -> tuple[int, Settings]:
    """Publishes what is to be drained so that it follows nothing, waits, and takes it out; what is applied then."""
    assert plan.before is not None  # noqa: S101 - `plan` has found them in it
    following_nothing = with_draining(plan.settings, plan.before, plan.drain, environ)
    first = revision.publish(redis, keys, following_nothing, basis=basis, by=by)
    flag_entering(redis, keys, plan.before, plan.settings)  # as in `carry_out`
    _wake(redis, keys)
    draining = Draining(plan.drain, plan.drop, plan.settings, first)
    wait_until_empty(redis, keys, draining, progress)
    return publish_without(redis, keys, draining, note=plan.note, by=by, environ=environ)


def _wake(redis: Redis, keys: Keys) -> None:
    """Published it is, whoever may be woken: the pulses look by themselves within seconds."""
    with suppress(ResponseError):
        ring(redis, keys)


def _has_another_ledger(plan: ApplyPlan) -> bool:
    """Whether the file names another ledger than the applied one did: then it is meant."""
    if plan.before is None:
        return False
    return bool(json.loads(plan.before.text).get("ledger") != json.loads(plan.settings.published()).get("ledger"))


def _check_choice(redis: Redis, keys: Keys, settings: Settings, key: str, *, both: bool) -> None:
    known_integration(redis, keys, key)
    if key in settings.integrations:
        raise WrongChoice(f"{key} is still in the file; expected one that was taken out of it")
    if both:
        elsewhere = f"{key}: expected either drain or drop, not both"
        raise WrongChoice(f"{key}: expected either --drain or --drop, not both", elsewhere)


def _check_drain(redis: Redis, keys: Keys, key: str, applied: set[str]) -> None:
    if key not in applied:
        gone = f"{key} is not in the applied configuration any more, and its queries with it;"
        raise WrongChoice(
            f"{gone} put it back into the file and apply that first, or use --drop {key}",
            f"{gone} have it applied once more first, or drop what it owes",
        )
    paused, active = some_fields_of(redis, keys.integration(key), ("paused", "active"))
    if paused is not None or active != "1":
        how = f"`segsync resume {key}`" if paused is not None else "`active = true` in the file, applied,"
        also = "resume it first" if paused is not None else "have `active = true` of it applied first"
        stays = f"{key} is paused, so it would never be drained;"
        raise WrongChoice(f"{stays} {how} comes first, or use --drop {key}", f"{stays} {also}, or drop what it owes")


def _drop_lanes(redis: Redis, keys: Keys, key: str, patience: float) -> Dropped:
    """Removes an orphaned integration's lanes, in steps, and then all that is known of it; none that is being served.

    Every lane that owes anything stands in a due set (rule 8): no key is ever searched by pattern, so none of
    another integration can be met. Whatever interrupts it, the rest is still there for the next call.
    """
    wait_until_unserved(redis, keys, key, patience)
    operations = lanes = 0
    for name in (keys.full(key), keys.timed(key)):
        while segments := _first(redis, name):
            counts = redis.pipeline(transaction=False)
            for segment in segments:
                counts.hget(keys.lane(key, segment), "count")
            owed = [int(count or 0) for count in counts.execute()]
            _unlink(redis, keys, key, name, segments)
            operations += sum(owed)
            lanes += sum(1 for count in owed if count)
    redis.hincrby(keys.routed, "dropped", operations)
    redis.hdel(keys.integration(key), "backlog")
    _forget_if_empty(redis, keys, key)
    return Dropped(key, operations, lanes)


def _first(redis: Redis, name: str) -> list[str]:
    return [segment for segment, _ in ranked(redis, name, 0, STEP - 1)]


def _unlink(redis: Redis, keys: Keys, key: str, name: str, segments: list[str]) -> None:
    pipe = redis.pipeline(transaction=True)
    pipe.unlink(*(of(key, segment) for segment in segments for of in (keys.lane, keys.chunks)))
    pipe.zrem(name, *segments)
    pipe.execute()


def _forget_if_empty(redis: Redis, keys: Keys, key: str) -> int:
    """Removes what is known of an orphaned integration that owes nothing; returns what it still owes."""
    integration = keys.integration(key)

    def transaction(pipe: Pipeline) -> int:
        fields: Any = pipe.hmget(integration, "orphaned", "backlog")  # a watching pipeline answers at once
        orphaned, owed = fields[0], int(fields[1] or 0)
        pipe.multi()
        if orphaned is not None and not owed:
            noted = keys.resync(key), keys.flagged(key), keys.passed_over(key), failing.key_of(keys.namespace, key)
            pipe.unlink(integration, keys.full(key), keys.timed(key), *noted)
            pipe.hdel(keys.rescore, key)
            pipe.hdel(keys.orderings, key)
            pipe.srem(keys.integrations, key)
        return owed

    watching: Any = redis.transaction  # typed for functions that return nothing
    return int(watching(transaction, integration, value_from_callable=True))
