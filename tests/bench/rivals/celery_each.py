"""Celery with one task for each event. Run by `celery -A celery_each worker`; `publish` sends lines of standard input.

As Celery's guides say for many short tasks: results off, a large prefetch, one connection for each process
(docs.celeryq.dev, "Optimizing" and "Tasks"); and one statement for an event, as in its first example.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import psycopg
from celery import Celery
from celery.signals import worker_process_init

ADD = (
    "INSERT INTO member (segment_id, client_id, updated) VALUES (%s, %s, now())"
    " ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated"
)
REMOVE = "DELETE FROM member WHERE segment_id = %s AND client_id = %s"

app = Celery("each", broker=os.environ["RIVAL_REDIS"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)
links: list[psycopg.Connection[Any]] = []


@worker_process_init.connect
def connect(**_: object) -> None:
    """One link for each process."""
    links[:] = [psycopg.connect(os.environ["RIVAL_TARGET"])]


@app.task
def change(event: dict[str, Any]) -> None:
    """One event, in a transaction of its own."""
    keys = [(event["segment"]["id"], profile["CustomID"]) for profile in event["profiles"]]
    with links[0].transaction():
        cursor = links[0].cursor()
        if len(keys) == 1:
            cursor.execute(ADD if event["type"] == "add" else REMOVE, keys[0])
        else:
            cursor.executemany(ADD if event["type"] == "add" else REMOVE, keys)


def publish() -> None:
    """A task for each line."""
    with app.producer_pool.acquire(block=True) as producer:
        for line in sys.stdin:
            change.apply_async((json.loads(line),), producer=producer)
