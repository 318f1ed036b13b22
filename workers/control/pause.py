"""The toggle at run time: `pause` and `resume` (rule 34).

A pause is a field of the integration's hash. Scripts look at it whenever they claim a lane or hand out a next batch,
so nothing new begins once it stands, and `apply` never touches it: it survives deploys, and the backlog is kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.control.acting import LONGEST_REASON
from workers.errors import SegsyncError, WrongUsage
from workers.lanes.answers import field_of, members_of, scan_members, some_fields_of
from workers.lanes.bell import ring
from workers.lanes.clock import redis_ms
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.keys import Keys

PATIENCE_SECONDS: Final = 120.0
"""How long `pause` waits for what is being delivered: a statement's timeout is 30 s unless said."""
LOOK_EVERY_SECONDS: Final = 0.05
PAUSE_FIELDS: Final = ("paused", "paused_reason", "paused_by", "paused_at")

_JOINED: Final = "; then "
"""Between the reasons of those who paused one after the other."""

# The DEL lets a full Redis run what follows (rule 5): that may be just when somebody wants to pause.
_PAUSE: Final = """
redis.call('DEL', KEYS[2])
local paused, before = unpack(redis.call('HMGET', KEYS[1], 'paused', 'paused_reason'))
local reason, by, at, joined = unpack(ARGV)
if not paused then
  redis.call('HSET', KEYS[1], 'paused', '1', 'paused_reason', reason, 'paused_by', by, 'paused_at', at)
  return 0
end
before = before or ''
if reason ~= '' and not string.find(joined .. before .. joined, joined .. reason .. joined, 1, true) then
  redis.call('HSET', KEYS[1], 'paused_reason', before == '' and reason or before .. joined .. reason)
end
return 1
"""
_SET_FIELDS: Final = """
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], unpack(ARGV))
"""
_PUT_FIRST: Final = """
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
"""


class UnknownIntegration(SegsyncError):
    """No integration of this name was ever applied; the message names the nearest one that was."""


class NotPausable(SegsyncError):
    """The integration's state does not allow it; the message says why and what helps."""


class NotSettled(SegsyncError):
    """The pause stands, and something begun before it is still being delivered; the message names where."""


@dataclass(frozen=True, slots=True)
class Served:
    """A lane that a deliverer has at this moment.

    until  Redis milliseconds when others might take it over
    """

    segment: str
    owner: str
    until: int


def known_integration(redis: Redis, keys: Keys, integration: str) -> str:
    """The integration's name if it was ever applied; UnknownIntegration otherwise."""
    names = members_of(redis, keys.integrations)
    if integration not in names:
        hint = nearest(integration, names) or "; nothing has been applied yet"
        raise UnknownIntegration(f"no integration {integration!r}{hint}")
    return integration


def pause(
    redis: Redis, keys: Keys, integration: str, *, reason: str = "", by: str = "", patience: float = PATIENCE_SECONDS
) -> bool:
    """Stops deliveries of an integration and returns once no lane of it is being served; False if it was paused.

    patience  seconds to wait for that

    Its events are kept in its lanes until `resume`. Pausing what is paused leaves who and when as they were, and adds
    another reason to the first: whoever resumes must know all of them. Raises WrongUsage for a reason that is too long,
    UnknownIntegration, NotPausable for one that is orphaned, NotSettled when the patience ends (the pause stands),
    redis.RedisError.
    """
    if len(reason) > LONGEST_REASON:
        raise WrongUsage(f"a reason of {len(reason):,} characters; expected at most {LONGEST_REASON:,}")
    known_integration(redis, keys, integration)
    if redis.hexists(keys.integration(integration), "orphaned"):
        raise NotPausable(f"{integration} is not in the applied configuration any more: nothing of it is delivered")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    was_paused = redis.eval(_PAUSE, 2, keys.integration(integration), keys.nothing, reason, by, at, _JOINED)
    wait_until_unserved(redis, keys, integration, patience)
    return not was_paused


def resume(redis: Redis, keys: Keys, integration: str) -> bool:
    """Takes the pause back and wakes the workers; False if there was none.

    Raises UnknownIntegration, NotPausable where the file says `active = false` or names it no longer,
    redis.RedisError.
    """
    known_integration(redis, keys, integration)
    orphaned, active = some_fields_of(redis, keys.integration(integration), ("orphaned", "active"))
    if orphaned is not None:
        raise NotPausable(f"{integration} is not in the applied configuration any more; expected it there")
    if active != "1":
        raise NotPausable(
            f"{integration} is paused by `active = false` in the file; expected `active = true`, then `segsync apply`"
        )
    removed = redis.hdel(keys.integration(integration), *PAUSE_FIELDS)
    if removed:
        # What a pause has kept is late only from now on.
        fields = ("resumed", str(redis_ms(redis)))
        redis.eval(_SET_FIELDS, 2, keys.integration(integration), keys.nothing, *fields)
    _make_due(redis, keys, integration)
    ring(redis, keys)
    return bool(removed)


def _make_due(redis: Redis, keys: Keys, integration: str) -> None:
    """Whoever looks for work looks at it now, and need not wait until it is looked at again anyhow."""
    connector = field_of(redis, keys.integration(integration), "connector")
    if connector is not None:
        redis.eval(_PUT_FIRST, 2, keys.next(connector), keys.nothing, integration)


def wait_until_unserved(redis: Redis, keys: Keys, integration: str, patience: float) -> None:
    """Returns once no lane of an integration is being served; NotSettled after `patience` seconds.

    Nothing new may begin meanwhile: the integration is paused, or not in the applied revision any more. So the lanes
    are searched once, and only those found are looked at again.
    """
    ends = time.monotonic() + patience
    served = list(_served(redis, keys, integration))
    while served:
        if time.monotonic() >= ends:
            first, more = served[0], f" and {len(served) - 1} more" if len(served) > 1 else ""
            raise NotSettled(
                f"{integration}: nothing new is begun, but after {patience:g} s segment {first.segment!r}{more} is "
                f"still being delivered by {first.owner}; run the command again to go on waiting"
            )
        time.sleep(LOOK_EVERY_SECONDS)
        served = _look(redis, keys, integration, [lane.segment for lane in served])


def _served(redis: Redis, keys: Keys, integration: str) -> Iterator[Served]:
    """The lanes that are being served: all of them stand in a due set, at the time their lease ends.

    A scan misses none of them, though leases are renewed meanwhile.
    """
    now = redis_ms(redis)
    for name in (keys.full(integration), keys.timed(integration)):
        for members in scan_members(redis, name):
            yield from _look(redis, keys, integration, [segment for segment, score in members if score > now])


def _look(redis: Redis, keys: Keys, integration: str, segments: list[str]) -> list[Served]:
    """Those of these lanes that are being served."""
    if not segments:
        return []
    pipe = redis.pipeline(transaction=False)
    for segment in segments:
        pipe.hmget(keys.lane(integration, segment), "owner", "until")
    now, found = redis_ms(redis), []
    for segment, (owner, until) in zip(segments, pipe.execute(), strict=True):
        if owner is not None and int(float(until or 0)) > now:
            found.append(Served(segment, owner.decode(), int(float(until))))
    return found
