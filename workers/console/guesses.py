"""How often a password may be guessed: bounds by address and name, counted in Redis before the guess is looked at."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

WINDOW_SECONDS: Final = 900
"""What is counted together, from the first guess on."""
HOST_BITS: Final = 64
"""Of an IPv6 address: one customer has at least such a network (RFC 6177)."""
OF_BOTH, OF_ADDRESS, OF_NAME = 5, 30, 100
"""Guesses within that time: of a name from an address; from an address; of a name from anywhere. The last is as high as
a crowd of addresses needs to keep a user out on purpose, and low enough for ten characters."""

# The DEL lets a full Redis run what follows (rule 5). Nothing is counted beyond a bound: whoever waits gets in again.
_COUNT: Final = """
redis.call('DEL', KEYS[1])
local wait = 0
for i = 2, 4 do
  if tonumber(redis.call('GET', KEYS[i]) or 0) >= tonumber(ARGV[i]) then
    wait = math.max(wait, math.ceil(redis.call('PTTL', KEYS[i]) / 1000), 1)
  end
end
if wait > 0 then
  return { wait, redis.call('SET', KEYS[5], '1', 'NX', 'PX', ARGV[1] * 1000) and 1 or 0 }
end
for i = 2, 4 do
  if redis.call('INCR', KEYS[i]) == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1] * 1000) end
end
return { 0, 0 }
"""


class TooManyGuesses(SegsyncError):
    """Nobody may guess now.

    seconds  until it may be tried again
    first    whether it is the first time within the window that this is said to the address
    """

    def __init__(self, seconds: int, *, first: bool = False) -> None:
        self.seconds = seconds
        self.first = first
        super().__init__(f"too many tries; expected the next one in {max(1, round(seconds / 60))} min")


@dataclass(frozen=True, slots=True)
class Guesses:
    """Counts them."""

    redis: Redis
    keys: Keys

    def count(self, address: str, name: str) -> None:
        """Counts one more; TooManyGuesses where a bound is reached. redis.RedisError."""
        address = counted_as(address)
        names = [self._key("both", address, name), self._key("address", address), self._key("name", name)]
        names.append(self._key("told", address))
        bounds = (OF_BOTH, OF_ADDRESS, OF_NAME)
        told: Any = self.redis.eval(_COUNT, 5, self.keys.nothing, *names, WINDOW_SECONDS, *bounds)
        if told[0]:
            raise TooManyGuesses(int(told[0]), first=bool(told[1]))

    def forget(self, address: str, name: str) -> None:
        """After a right one: whoever mistyped before begins anew."""
        self.redis.delete(self._key("both", counted_as(address), name))

    def _key(self, what: str, *parts: str) -> str:
        # A hash, since names are whatever somebody typed.
        told = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.keys.console(f"guesses:{what}:{told}")


def counted_as(address: str) -> str:
    """What an address is counted with: of IPv6 the network of its host, who has 2**64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.ip_network((found.packed[:8] + bytes(8), HOST_BITS)))
