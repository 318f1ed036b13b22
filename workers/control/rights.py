"""Which commands of Redis segsync needs, and which of them its user may not run: each is tried, on a key of no meaning.

Redis tells whoever is refused neither the key nor, inside a script, the command. So they are named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoPermissionError, RedisError, ResponseError

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

Command = tuple[str, ...]

K: Final = "{key}"
WITH_TEXT: Final[tuple[Command, ...]] = (
    # What would make a key finds a text there and makes none; what only reads finds nothing of its kind.
    ("SET", K, "x", "PX", "60000"), ("GET", K), ("EXISTS", K), ("INCR", K), ("PEXPIRE", K, "60000"),
    ("HSET", K, "f", "v"), ("HSETNX", K, "f", "v"), ("HINCRBY", K, "f", "1"),
    ("RPUSH", K, "v"), ("LPUSH", K, "v"), ("LSET", K, "0", "v"), ("BRPOP", K, "1"),
    ("SADD", K, "v"), ("ZADD", K, "1", "v"), ("PFADD", K, "v"), ("PFCOUNT", K),
    ("XADD", K, "*", "f", "v"), ("XREAD", "STREAMS", K, "$"), ("DEL", K),
)  # fmt: skip
WITH_NOTHING: Final[tuple[Command, ...]] = (
    ("HGET", K, "f"), ("HMGET", K, "f"), ("HGETALL", K), ("HEXISTS", K, "f"), ("HLEN", K), ("HVALS", K), ("HKEYS", K),
    ("HRANDFIELD", K), ("HSCAN", K, "0"), ("HDEL", K, "f"),
    ("LLEN", K), ("LRANGE", K, "0", "0"), ("LINDEX", K, "0"), ("LPOP", K), ("RPOP", K), ("LREM", K, "0", "v"),
    ("SMEMBERS", K), ("SISMEMBER", K, "v"), ("SCARD", K), ("SRANDMEMBER", K), ("SPOP", K), ("SREM", K, "v"),
    ("ZCARD", K), ("ZCOUNT", K, "0", "0"), ("ZRANGE", K, "0", "0"), ("ZRANGEBYSCORE", K, "0", "0"),
    ("ZREVRANGEBYSCORE", K, "0", "0"), ("ZSCORE", K, "v"), ("ZSCAN", K, "0"), ("ZREM", K, "v"),
    ("ZREMRANGEBYSCORE", K, "0", "0"),
    ("XLEN", K), ("XRANGE", K, "-", "+"), ("XREVRANGE", K, "+", "-"), ("XDEL", K, "1-1"), ("XTRIM", K, "MAXLEN", "0"),
    ("XINFO", "STREAM", K), ("RENAMENX", K, K), ("PTTL", K), ("UNLINK", K),
    ("EVAL", "return 1", "1", K), ("EVALSHA", "0" * 40, "1", K), ("SCRIPT", "EXISTS", "0" * 40),
    ("WATCH", K), ("UNWATCH",), ("MULTI",), ("EXEC",),
    ("PUBLISH", K, ""), ("TIME",), ("INFO", "server"), ("CLIENT", "ID"),
)  # fmt: skip
SHOWN: Final = 4
"""What is named in a sentence."""
COMMANDS: Final = (*WITH_TEXT, *WITH_NOTHING)
"""All that segsync and Celery send, in an order in which they leave nothing behind."""


def missing_rights(redis: Redis, keys: Keys) -> list[str]:
    """What this user may not do, as in "XADD on segsync:nothing"; [] where it may do all. redis.RedisError."""
    refused = []
    client: Any = redis
    with client.client() as one:  # MULTI and what follows it must meet on one link
        for command in COMMANDS:
            try:
                one.execute_command(*(part.format(key=keys.nothing) for part in command))
            except NoPermissionError:
                refused.append(f"{command[0]} on {keys.nothing}" if K in command else command[0])
            except ResponseError:  # it may, and there is nothing to do it with
                continue
    return refused


def sentence(redis: Redis, keys: Keys) -> str:
    """What is missing, for people; "" where nothing is, or where nobody can say."""
    try:
        refused = missing_rights(redis, keys)
    except RedisError:
        return ""
    if not refused:
        return ""
    named = ", ".join(refused[:SHOWN]) + (f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else "")
    return f"this user of Redis may not run {named}; docs/redis.md has a line with all rights that are needed"
