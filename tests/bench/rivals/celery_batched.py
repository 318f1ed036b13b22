"""celery-batches. Run by `celery -A celery_batched worker`; `publish` sends lines of standard input.

As its manual says: `flush_every` and `flush_interval`, and a prefetch of 0, so that as many messages may be held
(celery-batches.readthedocs.io, "Getting started"). A batch is one transaction of two statements with arrays; as a
batch has no order between processes, the last event of a row within a batch wins.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import psycopg
from celery import Celery
from celery.signals import worker_process_init
from celery_batches import Batches

ADD = (
    "INSERT INTO member (segment_id, client_id, updated) SELECT s, c, now() FROM unnest(%s::bigint[], %s::text[])"
    " AS t (s, c) ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated"
)
REMOVE = (
    "DELETE FROM member USING unnest(%s::bigint[], %s::text[]) AS t (s, c)"
    " WHERE member.segment_id = t.s AND member.client_id = t.c"
)

app = Celery("batched", broker=os.environ["RIVAL_REDIS"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=0, broker_connection_retry_on_startup=True)
links: list[psycopg.Connection[Any]] = []


@worker_process_init.connect
def connect(**_: object) -> None:
    """One link for each process."""
    links[:] = [psycopg.connect(os.environ["RIVAL_TARGET"])]


@app.task(base=Batches, flush_every=1000, flush_interval=1)
def change(requests: list[Any]) -> None:
    """Up to a thousand events, in one transaction."""
    last: dict[tuple[int, str], str] = {}
    for request in requests:
        event = request.args[0]
        for profile in event["profiles"]:
            last[(event["segment"]["id"], profile["CustomID"])] = event["type"]
    with links[0].transaction():
        for kind, statement in (("remove", REMOVE), ("add", ADD)):
            rows = sorted(row for row, said in last.items() if said == kind)  # sorted: no two batches wait in a circle
            if rows:
                segments, clients = zip(*rows, strict=True)
                links[0].execute(statement, (list(segments), list(clients)))


def publish() -> None:
    """A task for each line."""
    with app.producer_pool.acquire(block=True) as producer:
        for line in sys.stdin:
            change.apply_async((json.loads(line),), producer=producer)
