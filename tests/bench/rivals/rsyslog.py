"""rsyslog's ompgsql: lines of a file to rows, by a template, through a queue.

As its manual says: `mmjsonparse` for the fields of a JSON line, a template with `option.stdsql`, and an action queue
with batches and worker threads ("ompgsql", "Queue parameters", "mmjsonparse").
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.bench.report.contest import LONGEST_SECONDS, Table
from tests.bench.rivals.venvs import FOLDER, NotInstallableError
from tests.installation import Process
from tests.servers.debian import install, library_path
from tests.servers.process import ServerError
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.report.contest import Place
    from tests.bench.report.loads import Load

PACKAGES = ("rsyslog", "rsyslog-pgsql", "libestr0", "libfastjson4", "libpq5")
PROGRAM = "usr/sbin/rsyslogd"

CONFIGURATION = """
global(workDirectory="{folder}")
module(load="imfile")
module(load="mmjsonparse")
module(load="ompgsql")
main_queue(queue.type="LinkedList" queue.size="1000000" queue.dequeueBatchSize="1000")
input(type="imfile" File="{folder}/events.log" Tag="event")
template(name="add" type="list" option.stdsql="on") {{
  constant(value="INSERT INTO member (segment_id, client_id, updated) VALUES (")
  property(name="$!segment")
  constant(value=", '")
  property(name="$!client")
  constant(value="', now()) ON CONFLICT (segment_id, client_id) DO UPDATE SET updated = excluded.updated")
}}
action(type="mmjsonparse" cookie="")
action(type="ompgsql" server="{host}" port="{port}" user="{user}" pass="-" db="{database}" template="add"
  queue.type="LinkedList" queue.size="1000000" queue.dequeueBatchSize="1000" queue.workerThreads="2"
  queue.workerThreadMinimumMessages="1000" action.resumeRetryCount="-1")
"""


@cache
def tree() -> Path:
    """Where Debian's packages were unpacked; NotInstallableError where they cannot be had."""
    try:
        return install(FOLDER / "rsyslog", PACKAGES, PROGRAM, asked="-v")
    except ServerError as error:
        raise NotInstallableError(str(error).splitlines()[0]) from error


class Rsyslog:
    """Started on a file that is there already; its start counts, which takes a tenth of a second."""

    title = "rsyslog's ompgsql"

    def run(self, place: Place, load: Load) -> float:
        """Seconds from its start to the last row."""
        lines = [
            json.dumps({"segment": event["segment"]["id"], "client": profile["CustomID"]})
            for event in load.events
            for profile in event["profiles"]
        ]
        (place.folder / "events.log").write_text("\n".join(lines) + "\n")
        configuration = place.folder / "rsyslog.conf"
        configuration.write_text(self._configuration(place))
        rows = len(load.rows)
        table = Table(place.target)
        started = time.perf_counter()
        process = Process(self._command(place, configuration), self._environment(), place.folder / "rsyslog-out.log")
        try:
            until(table.count, lambda: process.log.read_text()[-2000:], LONGEST_SECONDS)
            return table.settled(rows, started)
        finally:
            process.kill()
            table.close()

    def _configuration(self, place: Place) -> str:
        url = make_url(place.target.url)
        return CONFIGURATION.format(
            folder=place.folder, host=url.host, port=url.port, user=url.username, database=url.database
        )

    def _command(self, place: Place, configuration: Path) -> list[str]:
        modules = next((tree() / "usr/lib").rglob("ompgsql.so")).parent
        return [
            str(tree() / PROGRAM),
            "-n",
            "-f",
            str(configuration),
            "-i",
            str(place.folder / "pid"),
            "-M",
            str(modules),
        ]

    def _environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": library_path(tree())}
