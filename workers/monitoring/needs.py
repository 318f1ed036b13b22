"""What someone must do something about: a sentence each, with since when, why, what to do and what comes by itself.

The judge looks at what moves and at what is late, not at who is there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from workers.monitoring.ages import CLOCK_SLACK_MS, moment_of
from workers.monitoring.need import STALE_SECONDS, WARN_AT, Need
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.monitoring.server import ServerStatus
    from workers.monitoring.states import IntegrationStatus
    from workers.monitoring.streams import StreamStatus
    from workers.monitoring.whole import Background, Status

TROUBLE_SECONDS: Final = 8.0
"""How long something may fail and be tried again without a word: five tries, or a target that starts anew."""
LATE_SECONDS: Final = 60.0
"""What may be late by so much without a word: a deploy, a restart and a failed try or two take that long."""
MANY: Final = 10_000
"""Open entries of one integration that `status` warns of. Nothing stops more: they cost no delivery, but space in the
ledger, and some 200 bytes each in Redis."""
NAMED: Final = 3
"""Segments that are named in a sentence."""


def needs(status: Status, background: Background, many: int, now: int) -> Iterator[Need]:
    """What needs someone; `many` open entries of the quarantine do, `now` in Redis milliseconds."""
    yield from of_redis(background.server)
    if background.emptied is not None:
        yield Need(
            "redis emptied",
            f"this Redis was emptied or replaced, which was found at {spelled(moment_of(background.emptied * 1000))}: "
            "what was known of segments is gone, and scopes by groups or tags want nothing until each segment has had "
            "a segment_upsert; push those, and then `segsync apply --accept`",
        )
    if status.revision is None:
        yield Need("nothing applied", "no configuration is applied; run `segsync apply`, or start a worker")
    else:
        yield from _unserved(status, background)
    for each in status.integrations:
        yield from of_integration(each, now)
    yield from _of_streams(status, background, now)
    yield from _of_quarantine(status, many)


def notes(status: Status, many: int) -> Iterator[str]:
    """What is worth a word and no alarm."""
    if status.quarantine and not any(True for _ in _of_quarantine(status, many)):
        entries = counted(status.quarantine, "open entry", "open entries")
        yield f"{entries} in the quarantine; `segsync errors` groups them by cause"
    for each in status.integrations:
        if each.needs_resync:
            named = ", ".join(each.resync_segments[:NAMED])
            more = f" and {each.needs_resync - NAMED:,} more" if each.needs_resync > NAMED else ""
            remedy = f"`segsync resync {each.key} --needed`, or push them again"
            yield f"{each.key} was never told of all members of segment {named}{more}: {remedy}"


def spelled(time: datetime | None) -> str:
    """A time for people, in UTC."""
    return "some time" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def facts_of(each: IntegrationStatus) -> str:
    """Since when, how often it was tried, and when it is next, as far as it is known: " since …, 3 tries"."""
    since = f" since {spelled(each.since)}" if each.since else ""
    return since + (f", {counted(each.tries, 'failed try', 'failed tries')}" if each.tries else "")


def _next(each: IntegrationStatus) -> str:
    if each.next_try_s is None:
        return f"`segsync retry {each.key}` tries at once"
    return f"it is tried again in {each.next_try_s:.0f} s, or at once with `segsync retry {each.key}`"


def _alone(each: IntegrationStatus) -> str:
    """Whose it is stands in no sentence of status, which mails and webhooks carry on."""
    return f"; `segsync why {each.key} --segment {each.alone}` says whose operation it is" if each.alone else ""


def of_integration(each: IntegrationStatus, now: int) -> Iterator[Need]:
    """What of one integration needs someone at `now`, in Redis milliseconds."""
    if each.state == "held":
        yield Need(
            f"{each.key} held", f"{each.key} is held{facts_of(each)}: {each.reason}; {_next(each)}{_alone(each)}"
        )
    elif each.state == "orphaned" and each.backlog:
        yield Need(
            f"{each.key} orphaned",
            f"{each.key} is orphaned and owes {counted(each.backlog, 'operation')}; "
            f"put it back into the file, or drop it with `segsync apply --drop {each.key}`",
        )
    elif each.state == "retrying" and (is_late(each) or _lasts(each, now)):
        yield Need(
            f"{each.key} retrying",
            f"{each.key} is retrying{facts_of(each)}: {each.reason}; {_next(each)}{_alone(each)}{_late(each)}",
        )
    elif each.state in ("active", "draining") and is_late(each):
        yield Need(
            f"{each.key} late",
            f"{each.key} is late: its oldest operation {_how_late(each)}. It goes on by itself: the target is slow, or "
            f"there are too few workers on its queue, or its `parallelism` is too low{_paced(each)}",
        )
    if each.max_backlog and WARN_AT * each.max_backlog <= each.backlog < each.max_backlog:
        part = each.backlog / each.max_backlog
        yield Need(
            f"{each.key} backlog",
            f"{each.key} owes {each.backlog:,} operations, {part:.0%} of its max_backlog, and then producers wait",
        )


def is_late(each: IntegrationStatus) -> bool:
    """Whether its oldest operation has waited for longer than its max_lag; without one, a minute over its time."""
    if each.max_lag_s is None:
        return each.late_s > LATE_SECONDS
    return each.lag_s > each.max_lag_s


def _paced(each: IntegrationStatus) -> str:
    return f", or its connector's `rate` of {each.rate_per_s:g}/s lets no more through" if each.rate_per_s else ""


def _how_late(each: IntegrationStatus) -> str:
    if each.max_lag_s is None:
        return f"should have gone {_duration(each.late_s)} ago"
    return f"has waited for {_duration(each.lag_s)}, and max_lag is {_duration(each.max_lag_s)}"


def _lasts(each: IntegrationStatus, now: int) -> bool:
    if each.since is None:
        return False
    seconds = now / 1000 - each.since.timestamp()
    # A time to come: the clock was set back, and how long it has lasted is not known. It is told, rather.
    return seconds > TROUBLE_SECONDS or seconds < -CLOCK_SLACK_MS / 1000


def _late(each: IntegrationStatus) -> str:
    return f". Its oldest operation should have gone {_duration(each.late_s)} ago" if each.late_s >= 1 else ""


def of_intake(intake: StreamStatus) -> Iterator[Need]:
    """What waits to be routed for too long."""
    if intake.oldest_age_s is not None and (intake.is_stuck or intake.oldest_age_s > LATE_SECONDS):
        why = f": {intake.why}" if intake.why else "; a worker must serve the queue `route`"
        yield Need("intake", f"events have waited for {_duration(intake.oldest_age_s)} to be routed{why}")


def _of_streams(status: Status, background: Background, now: int) -> Iterator[Need]:
    outcomes, trouble = status.outcomes, background.trouble
    yield from of_intake(status.intake)
    if trouble is not None:
        tries, ago = counted(trouble.tries, "try", "tries"), _duration(max(0, now - trouble.last) / 1000)
        yield Need(
            "ledger",
            f"the ledger cannot be written to since {spelled(moment_of(trouble.since))}, {tries}, the last {ago} ago: "
            f"{trouble.why}; {counted(outcomes.events, 'outcome')} wait in Redis and are tried again every 10 s, and "
            "`stats` and the quarantine are as old as that",
        )
    elif status.ledger_is_dead:
        yield Need(
            "ledger",
            f"the ledger cannot be read: {background.silence}; deliveries go on, and what becomes of them waits in "
            "Redis until it can be written",
        )
    elif outcomes.oldest_age_s is not None and (outcomes.is_stuck or outcomes.oldest_age_s > LATE_SECONDS):
        yield Need(
            "ledger",
            f"outcomes have waited for {_duration(outcomes.oldest_age_s)} to be written to the ledger"
            + (f": {outcomes.why}" if outcomes.why else "; a worker must serve the queue `upkeep`"),
        )


def of_entries(each: IntegrationStatus, many: int) -> Iterator[Need]:
    """An integration with `many` open entries, or more."""
    if (each.quarantine or 0) >= many:
        entries = counted(each.quarantine or 0, "entry", "entries")
        yield Need(
            f"{each.key} quarantine",
            f"{each.key} has {entries} in the quarantine; `segsync errors` groups them by cause",
        )


def _of_quarantine(status: Status, many: int) -> Iterator[Need]:
    for each in status.integrations:
        yield from of_entries(each, many)
    of_intake = (status.quarantine or 0) - sum(each.quarantine or 0 for each in status.integrations)
    if of_intake >= many:
        yield Need("intake quarantine", f"{of_intake:,} events could not be read; `segsync quarantine list` has them")


def of_redis(server: ServerStatus) -> Iterator[Need]:
    """What of Redis needs someone: whatever integration is looked at, nothing of it moves without."""
    if server.is_replica:
        yield Need(
            "redis",
            "this Redis is a replica and may only be read: nothing moves; expected the master in [redis] of the file",
        )
    elif server.refuses and server.disk:
        yield Need(
            "redis",
            f"Redis cannot write to its disk ({server.disk}) and refuses what comes: {server.refuses}; make room "
            "there, and look at its log. It goes on by itself",
        )
    elif server.refuses:
        yield Need(
            "redis",
            f"Redis refuses writes: {server.refuses}; docs/redis.md has the rights and settings that are needed",
        )
    elif server.disk.startswith("aof"):
        yield Need(
            "redis",
            f"Redis cannot write to its disk ({server.disk}); look at its log and disk before it refuses what comes",
        )
    yield from _of_memory(server)


def _of_memory(server: ServerStatus) -> Iterator[Need]:
    if server.policy != "noeviction":
        yield Need(
            "redis eviction",
            f"Redis has maxmemory-policy {server.policy}, which drops events when memory is short; "
            "expected noeviction (CONFIG SET maxmemory-policy noeviction, and in its configuration file)",
        )
    if server.full:
        yield Need(
            "producers refused",
            f"producers are refused: {server.full}. They are let in again once a tenth of it is free: see why it is "
            "not delivered, or raise max_backlog",
        )
    if server.limit and server.used >= WARN_AT * server.limit:
        part = server.used / server.limit
        yield Need(
            "redis memory",
            f"Redis uses {part:.0%} of its maxmemory: when it is full, producers are refused until it drains, which it "
            "does by itself as lanes are delivered; see why they are not, or raise maxmemory",
        )


def _unserved(status: Status, background: Background) -> Iterator[Need]:
    """Whether anybody is there to do what comes."""
    idle = [queue.name for queue in status.queues if queue.consumers == 0]
    if status.workers == 0:
        yield Need("workers", "no worker is running; start them with `segsync up` or `celery -A workers worker`")
    elif idle:
        yield Need("queues", f"no worker serves {', '.join(idle)}; start one with -Q")
    for where, what in sorted(background.lacking.items()):
        yield Need(
            f"secret {where}",
            f"connector {where} cannot be served: {what}; set it there and start that worker again (a password_file is "
            "looked for every few seconds). Workers that have it serve the connector",
        )
    if not background.server.writes:
        return  # nobody can look, and it was said why
    if background.broker:
        yield Need(
            "broker",
            f"{background.broker}: no wake-up reaches a worker until it answers; look at [broker], or at Redis",
        )
    if status.pulse_age_s is None or status.pulse_age_s > STALE_SECONDS:
        yield Need(
            "pulse",
            f"no worker's pulse has looked for work {_ago(status.pulse_age_s)}: no worker runs, or they hang, or "
            "cannot reach their broker; their logs say which",
        )
    if status.beat_age_s is None or status.beat_age_s > STALE_SECONDS:
        yield Need(
            "beat",
            f"beat has not looked {_ago(status.beat_age_s)}: start one with `celery -A workers beat`; until then "
            "nobody notices when all pulses hang",
        )


def _ago(seconds: float | None) -> str:
    return "yet" if seconds is None else f"for {_duration(seconds)}"


def _duration(seconds: float) -> str:
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
