"""Calls the lanes' scripts and gives their answers names."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workers.errors import Stale
from workers.lanes.answers import claimed, given_back, integer_of, moved, settled
from workers.lanes.arguments import giving_back, settlement
from workers.lanes.chunks import StillOpen
from workers.lanes.intake import FIRST, read_on
from workers.lanes.keys import Keys
from workers.lanes.messages import Ended, Idle, Probe, Tick, Waiting, Wake
from workers.lanes.moves import Reading
from workers.lanes.server_info import read_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from workers.lanes.answers import Alike, Moved
    from workers.lanes.chunks import Retry
    from workers.lanes.messages import (
        Claimed,
        Compaction,
        Lost,
        More,
        Release,
        Requeue,
        Rest,
        Settlement,
        Stop,
        Systemic,
    )
    from workers.lanes.moves import Move

LEASE_MS = max(2_000, int(os.environ.get("SEGSYNC_LEASE_MS", "30000")))
"""How long a deliverer or router may be silent before another takes over (rule 12).

SEGSYNC_LEASE_MS is for tests only, which have no 30 s to wait for what was killed; all processes need the same.
"""
PERMIT_MS = LEASE_MS // 3
"""How long a wake-up stays outstanding if nothing comes of it (rule 26a)."""
BUDGET_BYTES = 4 * 1024 * 1024
"""How much one script hands out or moves at the most (rule 5)."""
RESCORE_LANES = 200
"""Lanes whose due times one script puts right, about."""
LONGEST_SLEEP_MS = 5_000
"""How long the pulse sleeps at the most (rule 26b)."""
NOTE = "redis.call('DEL', KEYS[1]) redis.call('SADD', KEYS[2], ARGV[1])"
"""A full Redis refuses a bare SADD."""
SCRIPTS = (
    *("append", "claim", "join", "settle", "release", "renew", "compact"),
    *("lease", "read", "circuit", "tick", "entries", "still_open", "rescore", "run"),
)
COMMON = ("common", "sparing", "due", "open_entries")
"""What every script begins with."""
BESIDES = {"claim": ("claiming",), "join": ("claiming",)}
"""What comes behind that in some."""


class Lanes:
    """The scripts of one installation, as seen by one process working by one revision.

    Raises redis.RedisError where Redis is out of reach, and Stale where `revision` is not the applied one.
    """

    def __init__(self, redis: Redis, namespace: str, revision: int, owner: str, installation: str = "") -> None:
        self.redis = redis
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.revision = revision
        self.owner = owner
        self.installation = installation
        self._works_by = f"{revision} {installation}" if installation else revision
        folder = Path(__file__).parent / "scripts"
        text = {path.stem: path.read_text() for path in folder.glob("*.lua")}
        parts = {name: (*COMMON, *BESIDES.get(name, ()), name) for name in SCRIPTS}
        self._scripts = {
            name: redis.register_script("".join(text[part] for part in found)) for name, found in parts.items()
        }

    def _call(self, script: str, *arguments: object) -> list[Any]:
        given: list[Any] = [self.namespace, self._works_by, *arguments]
        reply = self._scripts[script](args=given)
        if isinstance(reply, list) and reply and reply[0] == b"stale":
            raise Stale(f"revision {self.revision} is not the applied one")
        return reply  # type: ignore[no-any-return]

    def _call_all(self, script: str, calls: Sequence[Sequence[object]]) -> list[Any]:
        """Several calls of one script in one round trip; each is a step of its own, and others may come between."""
        if len(calls) == 1:
            return [self._call(script, *calls[0])]
        pipe = self.redis.pipeline(transaction=False)
        for arguments in calls:
            given: list[Any] = [self.namespace, self._works_by, *arguments]
            self._scripts[script](args=given, client=pipe)
        return pipe.execute()

    def take_lease(self, name: str, owner: str, token: str) -> int | None:
        """Takes what one process at a time does: how many have died over it; None while another has it.

        lanes/lease.py alone calls this.
        """
        reply = self._call("lease", name, owner, LEASE_MS, "take", token)
        return int(reply[1]) if reply[0] == b"ok" else None

    def keep_lease(self, name: str, owner: str) -> bool:
        """Keeps it; False if another has taken it."""
        return bool(self._call("lease", name, owner, LEASE_MS, "keep")[0] == b"ok")

    def leave_lease(self, name: str, owner: str, rest_ms: int = 0, why: str = "") -> None:
        """Gives it back, to be left alone for so long; says that we live if another took us for dead."""
        self._call("lease", name, owner, LEASE_MS, "leave", rest_ms, why)

    def rests(self, name: str) -> bool:
        """Whether nobody is woken for it, although nobody is at it: see `leave_lease`."""
        return bool(self.redis.hexists(self.keys.lease(name), "rest"))

    def read(self, most: int, budget: int | None = None) -> Reading:
        """The first entries of the intake, at most so many, and about so many bytes of them."""
        budget = BUDGET_BYTES if budget is None else budget
        reply = self._call("read", budget, min(most, FIRST))
        entries = list(zip(reply[3::2], reply[4::2], strict=True))
        if len(entries) == FIRST:
            read_on(self.redis, self.keys.events, entries, most, budget)
        return Reading(reply[0].decode(), int(reply[1]), int(reply[2]), entries)

    def segments(self, ids: Sequence[str]) -> list[bytes | None]:
        """What is kept of these segments; None for one never seen, or forgotten."""
        return cast("list[bytes | None]", self.redis.hmget(self.keys.segments, list(ids)))

    def memory(self) -> tuple[int, int]:
        """Bytes that Redis uses of its maxmemory, and that; 0 where it has none."""
        found = read_info(self.redis, "memory")
        return found.used - found.not_counted, found.limit

    def append(self, move: Move) -> Moved | None:
        """Moves a part of the intake into the lanes; None if another router has taken over."""
        arguments: list[object] = [
            *(move.owner, LEASE_MS, move.read_from, move.position, move.last_id),
            len(move.runs),
        ]
        for run in move.runs:
            arguments += (run.segment, run.operations, run.head_ms, run.bar, run.clear, run.chunk, int(run.kept))
            arguments += (run.mark, len(run.integrations))
            arguments += run.integrations
        for pairs in (move.segments, move.unwanted, move.resync, move.left):
            arguments.append(len(pairs))
            arguments += (part for pair in pairs for part in pair)
        arguments += (move.events, move.operations, move.ignored, move.quarantined, *move.records)
        reply = self._call("append", *arguments)
        return moved(reply[1:]) if reply[0] == b"ok" else None

    def new_claim(self) -> str:
        """A claim's id, which is sent with every later call of its turn."""
        return f"{self.owner}/{secrets.token_hex(8)}"

    def claim(self, connector: str, token: str, parallelism: int, claim: str | None = None) -> Claimed | Idle | Probe:
        """The connector's next due lane, with operations to deliver; `claim` is a new id unless given."""
        claim = claim or self.new_claim()
        reply = self._call("claim", connector, claim, LEASE_MS, token, PERMIT_MS, parallelism, BUDGET_BYTES)
        if reply[0] == b"idle":
            return Idle()
        if reply[0] == b"probe":
            return Probe(reply[1].decode())
        return claimed(claim, reply)

    def join(self, first: Claimed, connector: str, token: str, claims: Sequence[str], most: int) -> list[Claimed]:
        """More lanes of a lane's integration that are due and owe `most` operations or fewer, for these claims."""
        known = (connector, first.integration, token, PERMIT_MS, LEASE_MS, BUDGET_BYTES, most)
        found = self._call("join", *known, *claims)
        return [claimed(claim, answer) for claim, answer in zip(claims, found, strict=False)]

    def rescore(self) -> bool:
        """Puts some due times right, after the clock or the settings have changed; False where none is left."""
        return bool(self._call("rescore", RESCORE_LANES, LEASE_MS)[0] == b"more")

    def circuit(self, connector: str, how: str, *, delay_ms: int = 0, code: str = "", reason: str = "") -> int:
        """Connecting failed: `how` is "open" or "hold"; ms until the next probe. See circuit.lua."""
        return integer_of(self._call("circuit", connector, how, code, reason, delay_ms, ""))

    def connected(self, connector: str, hold: str = "") -> Ended | None:
        """A connection came to be: what was wrong until now, if anything; `hold` is the one that was probed."""
        was = self._call("circuit", connector, "close", "", "", 0, hold)
        return Ended(was[0], was[1], f"{was[2].decode()}: {was[3].decode()}") if was else None

    def settle(self, done: Settlement) -> More | Rest | Stop | Lost:
        """Trims what is done with, records it, and says how the turn goes on."""
        return settled(self._call("settle", *settlement(done, LEASE_MS, BUDGET_BYTES)))

    def settle_all(self, done: Sequence[Settlement]) -> list[More | Rest | Stop | Lost]:
        """As `settle`, for each of several lanes."""
        calls = [settlement(each, LEASE_MS, BUDGET_BYTES) for each in done]
        return [settled(reply) for reply in self._call_all("settle", calls)]

    def release_all(self, releases: Sequence[Release]) -> None:
        """As `release`, for each of several lanes."""
        self._call_all("release", [giving_back(each, LEASE_MS) for each in releases])

    def still_open(self, integration: str, segment: str, retries: Sequence[Retry]) -> StillOpen:
        """What became of these entries of the quarantine since they were retried."""
        if not retries:
            return StillOpen({}, frozenset())
        reply = self._call("still_open", integration, segment, *(retry.slot for retry in retries))
        found = dict(zip(reply[::3], zip(reply[1::3], reply[2::3], strict=True), strict=True))
        known = {retry.entry: found[entry] for retry in retries if (entry := retry.entry.encode()) in found}
        return StillOpen(
            {entry: since.decode() for entry, (since, overtaken) in known.items() if not overtaken},
            frozenset(entry for entry, (_, overtaken) in known.items() if overtaken),
        )

    def retry(self, by: str, entries: Sequence[Requeue]) -> list[str]:
        """Puts entries of the quarantine back into the intake; for each "ok", or why not: see entries.lua."""
        arguments = (part for each in entries for part in (*each.where, each.event, each.retry))
        return [verdict.decode() for verdict in self._call("entries", "retry", by, *arguments)]

    def drop(self, by: str, entries: Sequence[Requeue]) -> None:
        """Marks entries of the quarantine dropped, so that a retry on its way leads nowhere."""
        self._call("entries", "drop", by, *(part for each in entries for part in each.where))

    def release(self, release: Release) -> bool | Systemic | Alike:
        """Gives a lane back unsettled, or keeps it for a shorter batch; False if it was another claim's already."""
        return given_back(self._call("release", *giving_back(release, LEASE_MS)))

    def next_waiting(self) -> Waiting | None:
        """A lane that `append` has noted as long and old, once; None where there is none (any more)."""
        while (noted := cast("bytes | None", self.redis.spop(self.keys.long))) is not None:
            integration, _, segment = noted.decode().partition(":")
            if waiting := self._waiting(integration, segment):
                return waiting
        return None

    def note_waiting(self, waiting: Waiting) -> None:
        """Notes a lane as `append` does."""
        nothing, noted = self.keys.nothing, self.keys.long
        self.redis.eval(NOTE, 2, nothing, noted, f"{waiting.integration}:{waiting.segment}")

    def take_waiting(self, waiting: Waiting) -> bool:
        """Takes a lane that is noted; False if it is not, or not any more."""
        return bool(self.redis.srem(self.keys.long, f"{waiting.integration}:{waiting.segment}"))

    def _waiting(self, integration: str, segment: str) -> Waiting | None:
        # No MULTI: a full Redis refuses all within it. The number of chunks first: what changes after it is noticed.
        pipe = self.redis.pipeline(transaction=False)
        pipe.llen(self.keys.chunks(integration, segment))
        pipe.hmget(self.keys.lane(integration, segment), "done", "to")
        chunks, lane = pipe.execute()
        untouchable = max(part.decode() if part else "" for part in lane)
        return Waiting(integration, segment, chunks, untouchable) if chunks else None

    def chunks(self, waiting: Waiting, first: int, end: int) -> list[bytes]:
        """Its chunks from index `first` up to, not including, `end`."""
        key = self.keys.chunks(waiting.integration, waiting.segment)
        return cast("list[bytes]", self.redis.lrange(key, first, end - 1))

    def compact(self, done: Compaction) -> bool:
        """Puts fewer chunks in the place of some; False if they are not what was read any more."""
        lists = (len(done.headers), *done.headers, len(done.chunks), *done.chunks)
        reply = self._call("compact", done.integration, done.segment, done.first, *lists, done.less, *done.records)
        return bool(reply[0] == b"ok")

    def renew(self, integration: str, segment: str, claim: str, queue: str, token: str) -> bool:
        """Keeps a lane and a permit; False if the lane is another claim's by now."""
        return bool(self._call("renew", integration, segment, claim, LEASE_MS, queue, token, PERMIT_MS))

    def renew_all(self, lanes: Sequence[tuple[str, str, str]], queue: str, token: str) -> list[bool]:
        """As `renew`, for each of several (integration, segment, claim)."""
        calls = [(*lane, LEASE_MS, queue, token, PERMIT_MS) for lane in lanes]
        return [bool(kept) for kept in self._call_all("renew", calls)]

    def give_back(self, queue: str, token: str) -> None:
        """Gives a permit back; a tick must follow, or a wake-up can be lost until the permit would have expired."""
        self.redis.zrem(self.keys.permits(queue), token)

    def tick(self, prefix: str, who: str) -> Tick:
        """What must be woken now, for "pulse", "beat" or "task"; `prefix` makes tokens unique, and names this tick."""
        reply = self._call("tick", prefix, PERMIT_MS, LONGEST_SLEEP_MS, who, LEASE_MS)
        triples = zip(reply[3::3], reply[4::3], reply[5::3], strict=True)
        wakes = [Wake(queue.decode(), token.decode(), int(limit)) for queue, token, limit in triples]
        return Tick(int(reply[0]), reply[1], reply[2], wakes)
