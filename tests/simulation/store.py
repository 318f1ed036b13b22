"""A real Redis, as the simulation lets it be reached: each call is a step that something may befall.

Scripts are registered with a few lines before them, by which TIME, the ids that `XADD *` makes and what expires follow
the simulation's clock; the clock's reading comes as the last argument of each call.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import redis
from redis.client import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

FAR_MS = 10**13
"""What expires in the simulation stands in Redis with its time beyond this, so that it never does so by itself."""

SHIM = """
local redis = (function()
  local server, micros = redis, tonumber(table.remove(ARGV))
  local shim = setmetatable({}, { __index = server })
  local now_ms = math.floor(micros / 1000)
  local function next_id(key)
    local ms, n = now_ms, 0
    local info = server.pcall('XINFO', 'STREAM', key)
    for i = 1, info.err and 0 or #info, 2 do
      if info[i] == 'last-generated-id' then
        local last_ms, last_n = string.match(info[i + 1], '(%d+)-(%d+)')
        if tonumber(last_ms) >= ms then ms, n = tonumber(last_ms), tonumber(last_n) + 1 end
      end
    end
    return string.format('%.0f-%.0f', ms, n)
  end
  local function expire(key, ms)
    local at = math.floor((now_ms + ms) / 1000) * 1000 + 500
    return server.call('PEXPIREAT', key, string.format('%.0f', FAR + at))
  end
  function shim.call(name, ...)
    local given = { ... }
    if name == 'TIME' then
      return { string.format('%.0f', math.floor(micros / 1000000)), string.format('%.0f', micros % 1000000) }
    elseif name == 'XADD' then
      local at = given[2] == 'MAXLEN' and 4 or 2
      if given[at] == '*' then given[at] = next_id(given[1]) end
      return server.call(name, unpack(given))
    elseif name == 'PTTL' then
      local left, time = server.call('PTTL', given[1]), server.call('TIME')
      return left < 0 and left or left + math.floor(time[1] * 1000 + time[2] / 1000) - FAR - now_ms
    elseif name == 'PEXPIRE' then
      return expire(given[1], tonumber(given[2]))
    elseif name == 'SET' and given[3] == 'PX' then
      local done = server.call('SET', given[1], given[2])
      expire(given[1], tonumber(given[4]))
      return done
    end
    return server.call(name, ...)
  end
  return shim
end)()
""".replace("FAR", str(FAR_MS))

EXPIRE = """
local time = redis.call('TIME')
local real, now = time[1] * 1000 + time[2] / 1000, tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left > 0 and left + real - FAR <= now then redis.call('DEL', key) end
end
""".replace("FAR", str(FAR_MS))

SNAPSHOT = """
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', 1) end
"""


class RealRedis:
    """The server behind the simulation, used by one history at a time."""

    def __init__(self, socket: str) -> None:
        self.pool = redis.ConnectionPool(redis.UnixDomainSocketConnection, path=socket)
        self._client = redis.Redis(connection_pool=self.pool)
        self._replica = redis.Redis(unix_socket_path=socket, db=1)
        self._loaded: set[str] = set()
        self._link: Any = self.pool.get_connection()  # half of its methods have no types

    def call(self, *command: Any) -> Any:
        """One command and its answer, without what a client does beside it: most of a history's time goes here."""
        self._link.send_command(*command)
        return self._link.read_response()

    def reset(self) -> None:
        """Empty, and with room."""
        self.has_room(yes=True)
        self._client.flushall()

    def load(self, script: str) -> str:
        """The script's hash; it is there from now on."""
        digest = hashlib.sha1(script.encode()).hexdigest()  # noqa: S324 - Redis names scripts so
        if digest not in self._loaded:
            self._client.script_load(script)
            self._loaded.add(digest)
        return digest

    def has_room(self, *, yes: bool) -> None:
        """Whether writes that ask for memory are accepted."""
        self._client.config_set("maxmemory", 0 if yes else 1)

    def expire(self, now_ms: int) -> None:
        """Removes what has expired by the simulation's clock."""
        self._client.eval(EXPIRE, 0, now_ms)

    def replicate(self) -> None:
        """The replica has received everything up to now."""
        self._replica.flushdb()
        self._client.eval(SNAPSHOT, 0)

    def fail_over(self) -> None:
        """The replica takes the server's place, as it was at the last `replicate`."""
        self._client.swapdb(0, 1)

    def peek(self) -> redis.Redis:
        """A client for looking, whose calls are no steps."""
        return self._client


class SimulatedRedis(redis.Redis):
    """A client of one simulated process.

    befall    runs a call, or does to it what befalls it: (what is called, the call, whether it may be repeated)
    clock_us  Redis's clock now, Unix microseconds
    """

    def __init__(
        self, real: RealRedis, befall: Callable[[str, Callable[[], Any], bool], Any], clock_us: Callable[[], int]
    ) -> None:
        super().__init__(connection_pool=real.pool)
        self.real = real
        self.befall = befall
        self.clock_us = clock_us

    def register_script(self, script: Any) -> Any:
        """A script that runs by the simulation's clock."""
        text = script if isinstance(script, str) else script.decode()
        return _Script(self, self.real.load(SHIM + text), name_of(text))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One step."""
        command = str(args[0]).upper()
        if command == "TIME":
            micros = self.befall("TIME", self.clock_us, True)
            return micros // 1_000_000, micros % 1_000_000
        if command == "EVAL":
            script = str(args[1])
            return self.run_script(self.real.load(SHIM + script), name_of(script), args[2:])
        call: Any = super().execute_command
        return self.befall(command, lambda: call(*args, **options), True)

    def run_script(self, digest: str, name: str, args: tuple[Any, ...]) -> Any:
        """One step: `args` are the number of keys, keys and arguments."""

        def call() -> Any:
            return self.real.call("EVALSHA", digest, *args, self.clock_us())

        return self.befall(name, call, True)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        """Commands that are sent at once are one step."""
        pipe = _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.befall = self.befall
        return pipe


class _Script:
    def __init__(self, client: SimulatedRedis, digest: str, name: str) -> None:
        self._client = client
        self._digest = digest
        self._name = name

    def __call__(self, keys: Any = (), args: Any = (), client: Any = None) -> Any:
        given = (len(keys), *keys, *args)
        if isinstance(client, _Pipeline):
            client.scripts_called.append(lambda: self._client.run_script(self._digest, self._name, given))
            return client
        return self._client.run_script(self._digest, self._name, given)


class _Pipeline(Pipeline):
    befall: Callable[[str, Callable[[], Any], bool], Any]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.scripts_called: list[Callable[[], Any]] = []

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Each script by itself: others come between them, and what befalls one may leave the rest unsent."""
        if self.scripts_called:
            return [call() for call in self.scripts_called]
        if not self.command_stack and not self.watching:
            return []
        execute = super().execute
        done: list[Any] = self.befall("PIPELINE", lambda: execute(raise_on_error), False)
        return done

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        execute: Any = super().immediate_execute_command
        return self.befall(str(args[0]), lambda: execute(*args, **options), False)


NAMES: dict[str, str] = {"events are waiting": "push"}
"""What histories call a script, by a part of its text."""


@lru_cache(1_000)
def name_of(script: str) -> str:
    """What a history calls a script."""
    return next((name for text, name in NAMES.items() if text in script), "script")
