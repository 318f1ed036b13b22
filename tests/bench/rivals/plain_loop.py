"""A plain loop, as an honest programmer writes it in an hour: a Redis stream, batches of a thousand, two statements.

It reads, changes the table in one transaction, and deletes what it has read. It has one process, one table and one
query; an error ends it.
"""

from __future__ import annotations

import json
import os
from typing import Any

import psycopg
import redis

STREAM = "loop"
ADD = (
    "INSERT INTO member (segment_id, client_id, updated) SELECT s, c, now() FROM unnest(%s::bigint[], %s::text[])"
    " AS t (s, c) ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated"
)
REMOVE = (
    "DELETE FROM member USING unnest(%s::bigint[], %s::text[]) AS t (s, c)"
    " WHERE member.segment_id = t.s AND member.client_id = t.c"
)


def main() -> None:
    """For ever."""
    client: Any = redis.Redis.from_url(os.environ["RIVAL_REDIS"])
    link = psycopg.connect(os.environ["RIVAL_TARGET"])
    while True:
        for _, entries in client.xread({STREAM: "0"}, count=1000, block=1000):
            handle(link, [json.loads(fields[b"event"]) for _, fields in entries])
            client.xdel(STREAM, *[entry for entry, _ in entries])


def handle(link: psycopg.Connection[Any], events: list[dict[str, Any]]) -> None:
    """One transaction; the last event of a row wins."""
    last = {(e["segment"]["id"], profile["CustomID"]): e["type"] for e in events for profile in e["profiles"]}
    with link.transaction():
        for kind, statement in (("remove", REMOVE), ("add", ADD)):
            rows = [row for row, said in last.items() if said == kind]
            if rows:
                segments, clients = zip(*rows, strict=True)
                link.execute(statement, (list(segments), list(clients)))


if __name__ == "__main__":
    main()
