"""Members that the platform tells through Redis, since its producer has called `snapshot` (segsync.py).

The reader says in `wanted:SEGMENT` that it wants an answer, with a token of this very reading. A producer that waits
for it claims the token, puts its lines into the list `parts:TOKEN`, a page at a time, and lives for as long as its key
does. So an answer is of one reading of one producer, read after the mark has been reached, and whole with its last
line alone, as any other feed's (rule 46).
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Final

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.resync.feed import FeedSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from redis import Redis

    from workers.lanes.keys import Keys

ANSWERED: Final = FeedSettings("the platform", "", {}, (), None, 1_000, 0.0, 600.0)
"""What takes the place of the file's source. Seconds of silence: a platform's own query may take long."""
WANTED_SECONDS: Final = 60
"""How long a wish is believed that nobody renews."""
LOOK_SECONDS: Final = 0.05
"""Between two looks for the next page."""
KEEP_SECONDS: Final = 5.0
"""Between two words that the reader goes on, while it waits."""
PAGE, END, BROKEN = b"+", b".", b"!"
"""How a part of an answer begins: lines, its end, or that the platform's own reading has failed."""


def is_answered(redis: Redis, keys: Keys, segment: str) -> bool:
    """Whether somebody waits to answer for a segment. redis.RedisError."""
    return bool(redis.exists(keys.answering(segment)))


def answers_of(redis: Redis, keys: Keys, run: str, segment: str, keep: Callable[[], None]) -> FeedSource:
    """A segment's members as a producer tells them; `keep` as in Work."""
    return FeedSource(ANSWERED, lambda *_: _ask(redis, keys, run, segment, keep))


def _ask(redis: Redis, keys: Keys, run: str, segment: str, keep: Callable[[], None]) -> Generator[bytes]:
    """The bytes of one answer; TargetError where nobody gives it to its end."""
    token = secrets.token_hex(8)
    wish = json.dumps({"token": token, "run": run})
    redis.set(keys.wanted(segment), wish, ex=WANTED_SECONDS)
    try:
        seen, heard = False, time.monotonic()
        kept = heard
        while (part := _next(redis, keys, token)) != END:
            now = time.monotonic()
            if part:
                if part.startswith(BROKEN):
                    raise _error(ErrorClass.HOLD, "the platform's own reading failed; see what called snapshot()")
                redis.set(keys.wanted(segment), wish, ex=WANTED_SECONDS)
                heard = now
                yield part.removeprefix(PAGE)
                continue
            claimed = redis.exists(keys.claimed(token))
            if not claimed and (seen or not is_answered(redis, keys, segment)):
                if redis.exists(keys.parts(token)):
                    continue  # all of it was said, and whoever said it left, since it was looked for above
                raise _error(ErrorClass.RETRY, "nobody answers for the platform (any more)")
            # Who has claimed it and is gone is waited for no longer, though another one answers: it gets a new reading.
            seen = seen or bool(claimed)
            if now - heard > ANSWERED.timeout:
                raise _error(ErrorClass.RETRY, f"the platform said nothing for {ANSWERED.timeout:g} s")
            if now - kept > KEEP_SECONDS:
                keep()
                redis.set(keys.wanted(segment), wish, ex=WANTED_SECONDS)
                kept = now
            time.sleep(LOOK_SECONDS)
    finally:
        if redis.get(keys.wanted(segment)) == wish.encode():
            redis.delete(keys.wanted(segment))
        redis.delete(keys.parts(token), keys.claimed(token))


def _next(redis: Redis, keys: Keys, token: str) -> bytes | None:
    found = redis.lpop(keys.parts(token))
    return found if isinstance(found, bytes) else None


def _error(kind: ErrorClass, reason: str) -> TargetError:
    return TargetError(kind, "source snapshot", reason, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)
