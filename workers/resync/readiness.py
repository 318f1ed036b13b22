"""Whether a run may begin, or stands still (rule 45)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.contract import POSITION
from workers.lanes.answers import field_of, fields_of, members_of, some_fields_of, text_of
from workers.lanes.clock import redis_ms
from workers.lanes.runs import OPEN_AT_MOST
from workers.lanes.store import PERMIT_MS
from workers.resync.freshness import SENDING_MS
from workers.resync.work import is_free
from workers.routing.position import Position
from workers.routing.routes import Routes, restore

if TYPE_CHECKING:
    from redis import Redis

    from workers.integrations import Integration
    from workers.lanes.keys import Keys
    from workers.resync.run import ResyncRun
    from workers.resync.work import Work
    from workers.settings import Settings


def followers(redis: Redis, keys: Keys, settings: Settings, segment: str) -> list[Integration]:
    """The integrations that follow the segment."""
    known = text_of(redis.hget(keys.segments, segment))
    routes = Routes(settings.integrations, settings.default_database)
    return [settings.integrations[key] for key in routes.known(restore(segment, (known or "{}").encode())).targets]


def cannot_be_compared(integration: Integration) -> str:
    """Why nobody can verify an integration's target, where all members would seem to be missing; "" where one can."""
    if integration.is_listed:
        return ""
    return (
        f"{integration.key} has no query `members`, so that nothing lists its rows and they cannot be compared; "
        "expected one, as in `SELECT client_id FROM segment_member WHERE segment_id = {segment_id}`"
    )


def has_changed(work: Work) -> bool:
    """Whether what the run has planned, or seen at a first look, is worthless by now."""
    run = work.run
    noted = run.state in {"removing", "adding"} or run.phase != "plan" or run.looks > 0
    return noted and run.digest != work.digest()


def in_the_way(work: Work) -> str:
    """Why a mark is not sent now; "" where it may be."""
    run = work.run
    state = fields_of(work.redis, work.keys.integration(run.integration))
    if why := _still(work.redis, work.keys, run.integration, state):
        return why
    # Outside of the window a source may be read, and what needs a word be told of; and not one after the other.
    goes_on = run.state == "between" and run.phase == "adds"
    if _is_closed(work) and (goes_on or _others_at_windows(work) >= OPEN_AT_MOST):
        return _at_window(run)
    hold = work.lane().get("hold", "")
    if hold and (run.verifies or not hold.startswith(f"{POSITION}:")):  # which a run that changes things settles
        return "its lane is held"
    limit = work.integration.max_backlog
    if limit and int(state.get("backlog", 0)) > limit / 2:
        return f"{run.integration} owes more than half of its max_backlog"
    return ""


def _others_at_windows(work: Work) -> int:
    """Runs beside this one that stand still until a window opens; who is paused or out of reach stands in its own."""
    pipe = work.redis.pipeline(transaction=False)
    for name in members_of(work.redis, work.keys.runs_stalled) - {work.run.id}:
        pipe.hget(work.keys.run(name), "windowed")
    return sum(value == b"1" for value in pipe.execute())


def _at_window(run: ResyncRun) -> str:
    return f"{run.integration} waits for its window"


def may_be_on_its_way(work: Work) -> bool:
    """Whether a mark that is not in its lane may wait to be routed: something does, and nothing behind the mark was.

    By times, as the mark's own id is not known; one of the future says nothing of them.
    """
    if not work.redis.xlen(work.keys.events):
        return False
    position = Position.from_text(field_of(work.redis, work.keys.intake, "position") or "")
    routed = int(position.last_id.partition("-")[0])
    return not work.run.marked + SENDING_MS < routed <= work.now


def note_stalled(work: Work) -> None:
    """A run that has begun and stands still leaves its room to others."""
    run = work.run
    if run.state == "waiting":
        return
    why = in_the_way(work) if run.state == "between" else _stands_at_mark(work)
    stalled, windowed = "1" if why else "", "1" if why == _at_window(run) else ""
    if (stalled, windowed) != (run.stalled, run.windowed):
        work.runs.look(run.id, None, {"stalled": stalled, "windowed": windowed})


def _stands_at_mark(work: Work) -> str:
    """Why nobody delivers what stands before the mark until somebody does something, or a window opens; "" else."""
    if why := still(work.redis, work.keys, work.run.integration):
        return why
    lane = work.lane()
    if is_free(lane):
        return ""
    if "hold" in lane:
        return "its lane is held"
    return _at_window(work.run) if _is_closed(work) else ""


def _is_closed(work: Work) -> bool:
    window = work.integration.window
    return window is not None and window.opens_ms(now := work.now) > now


def still(redis: Redis, keys: Keys, integration: str) -> str:
    """Why an integration is told nothing, whatever it owes; "" where it is."""
    return _still(redis, keys, integration, fields_of(redis, keys.integration(integration)))


def _still(redis: Redis, keys: Keys, integration: str, state: dict[str, str]) -> str:
    if "paused" in state or state.get("active") != "1":
        return f"{integration} is paused"
    connector = state.get("connector", "")
    held, is_open = some_fields_of(redis, keys.connector(connector), ("hold_until", "open_until"))
    # With its probe overdue by more than a wake-up's time nobody probes, as nothing is owed there: what is told would.
    over = redis_ms(redis) - PERMIT_MS
    if float(state.get("hold_until", 0)) > over:
        return f"{integration} is held"
    if float(held or 0) > over or float(is_open or 0) > over:
        return f"connector {connector} is {'held' if held else 'out of reach'}"
    return ""
