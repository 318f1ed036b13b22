"""Runs of resyncs, as Redis keeps them: asked for by anybody, moved on by one reader at a time (run.lua)."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from workers import failpoints
from workers.errors import SegsyncError
from workers.events.mark import Mark, encode
from workers.failpoints import reach
from workers.lanes.answers import fields_of, first_of, members_from, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.lanes.store import Lanes

BY_ENTERING = "an event on entering"
"""Who asks for the run of a segment that an event has brought into scope."""
REMEMBERED_SECONDS = 7 * 86_400
"""How long a run that has ended can be looked at; the ledger keeps its numbers."""
MOST = 100_000
"""Runs that are told of."""
LONGEST_LOOK_MS = 60_000
"""No look at a run is put off for longer."""
OPEN_AT_MOST = 8
"""Runs that have begun at the same time, so that few lanes wait at their marks.

Those of integrations that are paused or held do not count: their lanes wait anyhow.
"""

Fields = dict[str, str]


class ReadingLost(SegsyncError):
    """Another process reads for resyncs by now, or the run is over: nothing was changed."""


class ResyncRuns:
    """The runs of one installation.

    owner  of the reader's lease; "" for who only asks
    """

    def __init__(self, lanes: Lanes, owner: str = "") -> None:
        self._lanes = lanes
        self._owner = owner
        self._call = partial(lanes._call, "run")  # noqa: SLF001 - one door to the scripts, and no room for each behind it

    def ask(self, integration: str, segment: str, by: str, kind: str = "resync", **more: object) -> tuple[str, bool]:
        """Asks for a run; its id, and whether it is a new one: a second request of the same is the same request.

        A resync that has begun is done once more for it, since its source may have been read before.
        """
        fields = [part for pair in more.items() for part in pair]
        run, fresh = self._call("ask", integration, segment, by, kind, *fields)
        return run.decode(), fresh == b"1"

    def cancel(self, run: str, by: str) -> bool:
        """Asks its reader to end a run; False if it is over."""
        return bool(self._call("cancel", run, by))

    def overrule(self, integration: str, segment: str) -> bool:
        """Whether a resync has begun in the lane, so that an alarm of its position need hold it no longer."""
        return bool(self._call("overrule", integration, segment))

    def read(self, run: str) -> Fields:
        """What is known of a run; {} where nothing is (any more)."""
        return fields_of(self._lanes.redis, self._lanes.keys.run(run))

    def due(self, now_ms: int) -> list[str]:
        """Runs that have begun and are to be looked at."""
        return first_of(self._lanes.redis, self._lanes.keys.runs, 2 * OPEN_AT_MOST, up_to=now_ms)

    def may_begin(self, now_ms: int) -> list[str]:
        """Runs that wait, as many as there is room for."""
        keys, redis = self._lanes.keys, self._lanes.redis
        room = OPEN_AT_MOST - redis.zcard(keys.runs) + redis.scard(keys.runs_stalled)
        return first_of(redis, keys.runs_waiting, room, up_to=now_ms) if room > 0 else []

    def put_right(self, now_ms: int) -> None:
        """Looks now at what lies further ahead than any look is put off: the clock was set back meanwhile."""
        keys, redis = self._lanes.keys, self._lanes.redis
        for key in (keys.runs, keys.runs_waiting):
            late = members_from(redis, key, now_ms + LONGEST_LOOK_MS + 1)
            if late:
                redis.zadd(key, dict.fromkeys(late, now_ms), xx=True)

    def open(self) -> list[str]:
        """Runs that are not over, those that have begun first."""
        keys, redis = self._lanes.keys, self._lanes.redis
        return list(dict.fromkeys([*first_of(redis, keys.runs, MOST), *first_of(redis, keys.runs_waiting, MOST)]))

    def lane(self, integration: str, segment: str) -> Fields:
        """The lane's hash."""
        return fields_of(self._lanes.redis, self._lanes.keys.lane(integration, segment))

    def look(self, run: str, next_ms: int | None, fields: Mapping[str, object] | None = None) -> None:
        """Notes something of a run, and when it is looked at next."""
        self._reader("look", run, next_ms, fields)

    def mark(self, run: str, integration: str, segment: str, fields: Mapping[str, object]) -> None:
        """Sends a mark of the run through the intake."""
        nonce = secrets.token_hex(6)
        data = encode(Mark(integration, segment, run, nonce))
        self._reader("mark", run, 30_000, {**fields, "nonce": nonce}, data)

    def part(self, run: str, next_ms: int | None, fields: Mapping[str, object], chunks: Sequence[bytes]) -> bool:
        """Puts operations before the run's mark; False where the lane has no mark of it any more."""
        return self._reader("part", run, next_ms, fields, *chunks) == "ok"

    def leave(self, run: str, next_ms: int | None, fields: Mapping[str, object], superseded: str = "") -> str:
        """Lets the lane go on behind the mark: "ok", or "busy" or "gone".

        superseded  sequence before which entries of the quarantine are; "" for none
        """
        return self._reader("leave", run, next_ms, fields, superseded)

    def end(
        self, run: str, fields: Mapping[str, object], *, unflag_to: str = "", flag: bool = False, record: bytes = b""
    ) -> None:
        """Ends a run.

        unflag_to  the segment needs no resync any more, unless something after this sequence says so
        flag       it needs one from now on
        """
        self._reader("end", run, None, fields, REMEMBERED_SECONDS, unflag_to, int(flag), record)

    def _reader(
        self, what: str, run: str, next_ms: int | None, fields: Mapping[str, object] | None, *more: object
    ) -> str:
        given: list[Any] = [part for pair in (fields or {}).items() for part in pair]
        when = "" if next_ms is None else next_ms
        reach(failpoints.BEFORE_STEP)
        reply = self._call(what, run, self._owner, when, len(given) // 2, *given, *more)
        reach(failpoints.AFTER_STEP)
        answer = text_of(reply[0]) or ""
        if answer in {"lost", "over"}:
            raise ReadingLost(f"run {run}: {answer}")
        return answer
