"""One message for each change of state: what needs someone has begun, or is over. Never one for each look.

What each channel was told stands in Redis, so that a restart repeats nothing and loses nothing; a channel that fails
is tried again at the next look, and the others are not told twice.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec
from redis import RedisError

from workers.lanes.answers import packed_fields_of
from workers.monitoring.need import STALE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys

CALM_LOOKS: Final = 2
"""Looks without it, one after the other, after which something is over: what comes and goes is one message."""
SILENT_LOOKS: Final = 2
"""Looks for which Redis may be silent: a failover."""
UNREACHABLE: Final = "redis unreachable"
STATES: Final = ("late", "retrying", "held", "orphaned")
"""What an integration's topic may end with: one that follows another is a change, and the other is not over."""
LOOKERS: Final = ("pulse", "beat")
"""Topics of those who write into Redis that they have looked: while it is away, none of them can."""
TURN_MS: Final = 120_000
"""How long whoever looks has the right to tell, without looking again."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told.

    topic     what it is about, as in "crm held"; the same for the beginning and the end
    state     "begun" or "over"
    sentence  as `status` has it; of what is over, as it was last
    """

    namespace: str
    topic: str
    state: Literal["begun", "over", "test"]
    sentence: str
    since: datetime
    at: datetime


class Channel(Protocol):
    """A way to tell; `name` is what its memory is kept by."""

    name: str

    def send(self, message: Message) -> None:
        """Raises NotSent, whatever went wrong."""


class NotSent(Exception):
    """A message could not be sent; the text says why and shows no secret."""


class Alarm(msgspec.Struct):
    """Something that was begun, and who was told of it."""

    since: datetime
    sentence: str
    calm: int = 0
    told: list[str] = []


@dataclass(slots=True)
class Watch:
    """What has begun, by topic, and the channels that are told."""

    namespace: str
    channels: list[Channel]
    alarms: dict[str, Alarm] = field(default_factory=dict)

    def look(self, found: Mapping[str, str], now: datetime) -> list[str]:
        """Takes note of what needs someone now, and tells each channel what it does not know; returns what failed.

        found  sentences by topic
        """
        for topic, sentence in found.items():
            alarm = self.alarms.setdefault(topic, Alarm(now, sentence))
            alarm.sentence, alarm.calm = sentence, 0
        for topic in [topic for topic in self.alarms if topic not in found]:
            self.alarms[topic].calm += 1
            if _is_followed(topic, found):
                del self.alarms[topic]
        failed = [text for channel in self.channels if (text := self._tell(channel, now))]
        over = [topic for topic, alarm in self.alarms.items() if alarm.calm >= CALM_LOOKS and not self._knows(alarm)]
        for topic in over:
            del self.alarms[topic]
        return failed

    def _tell(self, channel: Channel, now: datetime) -> str:
        """All that it does not know, up to the first that fails; "" where none does."""
        for topic, alarm in list(self.alarms.items()):
            is_over, knows = alarm.calm >= CALM_LOOKS, channel.name in alarm.told
            if is_over is not knows:
                continue
            state: Literal["begun", "over"] = "over" if is_over else "begun"
            try:
                channel.send(Message(self.namespace, topic, state, alarm.sentence, alarm.since, now))
            except NotSent as error:
                return f"{channel.name}: {error}"
            alarm.told = [name for name in alarm.told if name != channel.name] + ([] if is_over else [channel.name])
        return ""

    def _knows(self, alarm: Alarm) -> bool:
        """Whether any channel that there still is was told of its beginning, and not of its end."""
        return any(channel.name in alarm.told for channel in self.channels)


def _is_followed(topic: str, found: Mapping[str, str]) -> bool:
    """Whether an integration is in another state by now, of which is told as well."""
    subject, _, state = topic.rpartition(" ")
    return state in STATES and any(f"{subject} {other}" in found for other in STATES)


# The DEL lets a full Redis run what follows (rule 5): that it is full is what somebody is to be told.
_TAKE_TURN: Final = """
redis.call('DEL', KEYS[1])
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
"""
_SAVE: Final = """
redis.call('DEL', KEYS[1], KEYS[2])
for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
"""


class Memory:
    """What was told, in Redis; and whose turn it is, where several look."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._owner = secrets.token_hex(8)

    def is_ours(self) -> bool:
        """Whether it is for this process to tell. redis.RedisError."""
        names = self._keys.nothing, self._keys.alarms_turn
        return bool(self._redis.eval(_TAKE_TURN, len(names), *names, self._owner, TURN_MS))

    def load(self) -> dict[str, Alarm]:
        """What has begun. redis.RedisError."""
        fields = packed_fields_of(self._redis, self._keys.alarms)
        return {topic: msgspec.json.decode(data, type=Alarm) for topic, data in fields.items()}

    def save(self, alarms: Mapping[str, Alarm]) -> None:
        """All of it in one step. redis.RedisError."""
        names = self._keys.nothing, self._keys.alarms
        pairs = [part for topic, each in alarms.items() for part in (topic, msgspec.json.encode(each))]
        self._redis.eval(_SAVE, len(names), *names, *pairs)


class Watcher:
    """Looks, tells and remembers.

    found  sentences by topic, as `status` has them; may raise redis.RedisError
    """

    def __init__(
        self,
        watch: Watch,
        memory: Memory,
        found: Callable[[], Mapping[str, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watch, self._memory, self._found, self._clock = watch, memory, found, clock
        self._silent = 0
        self._back_at = float("-inf")
        self._is_saved = True

    def turn(self) -> Iterator[str]:
        """One look; what could not be told, and why."""
        try:
            if not self._memory.is_ours():
                return
            if self._is_saved:
                self._watch.alarms = self._memory.load()
            found = dict(self._found())
            self._answered(found)
        except RedisError as error:
            self._silent += 1
            if self._silent < SILENT_LOOKS:
                return
            # What was going on is not over because nobody can see it.
            going_on = {topic: alarm.sentence for topic, alarm in self._watch.alarms.items()}
            found = going_on | {UNREACHABLE: f"Redis is out of reach: {error}"}
        yield from self._watch.look(found, datetime.now(UTC))
        try:
            self._memory.save(self._watch.alarms)
        except RedisError:
            self._is_saved = False  # what this process knows counts until it can be written down
        else:
            self._is_saved = True

    def _answered(self, found: dict[str, str]) -> None:
        """Takes out of `found` that nobody has looked, as long as those who do had no time yet since an outage."""
        if self._silent:
            self._silent, self._back_at = 0, self._clock()
        if self._clock() - self._back_at < STALE_SECONDS:
            for topic in LOOKERS:
                if topic not in self._watch.alarms:
                    found.pop(topic, None)
