"""Who has signed in, as a sealed cookie; and the key of all seals, which the consoles of an installation share.

A session ends with its time, when its user signs out, and when the file has another password for that user, or none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.lanes.clock import redis_ms

if TYPE_CHECKING:
    from redis import Redis

    from workers.console.seals import Seals
    from workers.lanes.keys import Keys
    from workers.settings.console import ConsoleSettings, ConsoleUser

COOKIE: Final = "segsync_session"
_SEAL: Final = "session"
_HOUR_MS: Final = 3_600_000
_ID_BYTES: Final = 16
"""Random: what a session that was ended is known by."""

# The DEL lets a full Redis run what follows (rule 5).
_KEEP: Final = """
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
"""
_END: Final = """
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
"""


def seal_key(redis: Redis, keys: Keys) -> bytes:
    """The key that this installation's consoles seal with: made by the first of them. redis.RedisError."""
    kept: Any = redis.eval(_KEEP, 2, keys.console("key"), keys.nothing, secrets.token_hex(32))
    return bytes(kept)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Begins, knows and ends sessions; all times are Redis's."""

    redis: Redis
    keys: Keys
    seals: Seals
    settings: ConsoleSettings

    def begin(self, user: ConsoleUser) -> str:
        """A cookie for somebody whose password was right. redis.RedisError."""
        until = redis_ms(self.redis) + self.settings.hours * _HOUR_MS
        told = [secrets.token_hex(_ID_BYTES), user.name, until, _of_password(user)]
        return self.seals.wrap(json.dumps(told), _SEAL)

    def user(self, cookie: str) -> ConsoleUser | None:
        """Whose session it is; None where it is none of ours, or over. redis.RedisError."""
        found = self._read(cookie)
        if found is None:
            return None
        session, name, until, password = found
        user = self.settings.users.get(name)
        if user is None or password != _of_password(user) or until <= redis_ms(self.redis):
            return None
        return None if self.redis.exists(self.keys.console(f"ended:{session}")) else user

    def end(self, cookie: str) -> str | None:
        """Ends it, wherever else its cookie is; whose it was. redis.RedisError."""
        found = self._read(cookie)
        if found is None:
            return None
        session, name, *_ = found
        ended = self.keys.console(f"ended:{session}")
        self.redis.eval(_END, 2, ended, self.keys.nothing, self.settings.hours * _HOUR_MS)
        return name

    def _read(self, cookie: str) -> tuple[str, str, int, str] | None:
        text = self.seals.unwrap(cookie, _SEAL)
        if text is None:
            return None
        session, name, until, password = json.loads(text)  # it is ours, so it is what `begin` wrote
        return session, name, until, password


def _of_password(user: ConsoleUser) -> str:
    """Tells one password of a user from another, and nothing of it."""
    return hashlib.sha256((user.password_hash or "").encode()).hexdigest()[:16]
