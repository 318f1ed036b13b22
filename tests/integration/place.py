"""One installation of a test's own: a file, an SQLite target and ledger, a namespace in the shared Redis."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.integration.timeouts import let_timeouts_pass
from tests.nursery import nursery
from tests.waiting import until
from workers import presence
from workers.cli import main
from workers.lanes.keys import Keys
from workers.lanes.seen import looked
from workers.runtime import Runtime
from workers.settings import load, load_local, revision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from workers.settings import Settings

Call = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a command in the test's process."""

SCHEMA = """
CREATE TABLE member (segment_id TEXT, client_id TEXT, PRIMARY KEY (segment_id, client_id));
"""
INTEGRATION = """
[integrations.{key}]
connector = "{connector}"
key = "id"
active = {active}
scope = {{ database = "main", segments = {segments} }}
batch = {{ size = 10, timeout = "{timeout}" }}
[integrations.{key}.queries]
add = '''
INSERT OR REPLACE INTO {table} (segment_id, client_id) VALUES
{{for $i, $lead = $batch}}('{{segment_id}}', '{{$lead.id}}'){{autocomma}}{{end}}
'''
remove = '''
DELETE FROM {table} WHERE segment_id = '{{segment_id}}' AND client_id IN ({{batch_in "id"}})
'''
clear = "DELETE FROM {table} WHERE segment_id = '{{segment_id}}'"
"""
HEAD = """
namespace = "{namespace}"
[redis]
url = "{redis}"
[ledger]
url = "sqlite:///{ledger}"
[connectors.db]
url = "sqlite:///target.db"
statement_timeout = "{wait}"
connect_timeout = "{wait}"
"""


class Place:
    """What tests of commands work in.

    wait  how long a statement, or connecting, may take: more than a busy machine makes of it; short where it never ends
    """

    wait = "10s"

    def __init__(self, folder: Path, client: redis.Redis, url: str, namespace: str) -> None:
        self.folder = folder
        self.redis = client
        self.url = url
        self.keys = Keys(namespace)
        self.file = folder / "segsync.toml"
        self.target = folder / "target.db"
        with closing(sqlite3.connect(self.target)) as target:
            target.executescript(SCHEMA)

    def write(self, *integrations: str, ledger: str = "ledger.db") -> Settings:
        """Writes the file; integrations come from `integration`."""
        head = HEAD.format(namespace=self.keys.namespace, redis=self.url, ledger=ledger, wait=self.wait)
        self.file.write_text(head + "".join(integrations))
        return load(self.file)

    def publish(self, *integrations: str, ledger: str = "ledger.db") -> Runtime:
        """Writes the file and applies it, whatever it removes; a runtime that works by it."""
        settings = self.write(*integrations, ledger=ledger)
        revision.publish(self.redis, self.keys, settings)
        return Runtime(settings.local)

    def producer(self) -> Producer:
        """Pushes to it."""
        return Producer(self.url, namespace=self.keys.namespace)

    def publish_text(self, text: str) -> Runtime:
        """Writes this file, and applies it."""
        self.file.write_text(text)
        settings = load(self.file)
        revision.publish(self.redis, self.keys, settings)
        return Runtime(settings.local)

    def add(self, segment: str, count: int = 1, start: int = 0) -> None:
        """Pushes an add of so many profiles."""
        with Producer(self.url, namespace=self.keys.namespace) as producer:
            producer.add(segment, [{"_id": str(n), "id": str(n)} for n in range(start, start + count)])

    def let_timeouts_pass(self) -> None:
        """Waits until what is pushed or routed waits for a batch's timeout no longer."""
        let_timeouts_pass(self.redis, self.keys)

    @contextmanager
    def served(self, *queues: str) -> Iterator[None]:
        """As if a worker that takes from these queues, its pulse and beat were there, however long it lasts."""
        runtime, over = Runtime(load_local(self.file)), Event()

        def live() -> None:
            while not over.is_set():
                presence.say(runtime.redis, self.keys, "1", "all@here", queues)
                for who in ("pulse", "beat"):
                    looked(runtime.redis, self.keys, who)
                over.wait(1.0)

        worker = Thread(target=live)
        worker.start()
        until(lambda: self.redis.exists(self.keys.workers), "a worker that is there")
        try:
            yield
        finally:
            over.set()
            worker.join()
            runtime.redis.close()

    def rows(self) -> set[tuple[str, str]]:
        """The target's rows."""
        with closing(sqlite3.connect(self.target)) as target:
            return set(target.execute("SELECT segment_id, client_id FROM member"))

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Runs the command line in a process of its own."""
        variables = {**os.environ, "SEGSYNC_CONFIG": str(self.file), "COLUMNS": "80", **environ}
        return nursery.done([sys.executable, "-m", "workers.cli", *arguments], variables, stdin)


def integration(
    key: str = "crm",
    *,
    connector: str = "db",
    segments: str = '"all"',
    timeout: str = "100ms",
    table: str = "member",
    active: bool = True,
) -> str:
    """One integration as it stands in the file."""
    return INTEGRATION.format(
        key=key,
        connector=connector,
        segments=segments,
        timeout=timeout,
        table=table,
        active=str(active).lower(),
    )


def caller(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """What runs commands of a place in this process: `call`, for a place that the test has made itself."""

    def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(place.folder)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("SEGSYNC_CONFIG", str(place.file))
        monkeypatch.setattr("sys.argv", ["segsync", *command])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(command, int(end.value.code or 0), said.out, said.err)

    return run
