"""A platform of a test's own: its database has members, its target rows, and both are looked at by resyncs."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from tests.waiting import until
from workers.lanes.runs import ResyncRuns
from workers.resync.folder import folder_of
from workers.resync.run import ResyncRun
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.jobs import Job

SOURCE = '''
[sources.main]
{address}
{first}
{extra}
members = """{members}"""
'''
PAGED = (
    "SELECT id AS _id, custom_id AS {q}CustomID{q} FROM membership WHERE segment_id = {{segment_id}} "
    "AND id > {{after}} ORDER BY id LIMIT {{limit}}"
)
WHOLE = "SELECT id AS _id, custom_id AS {q}CustomID{q} FROM membership WHERE segment_id = {{segment_id}}"
LISTED = "SELECT client_id FROM member WHERE segment_id = {segment_id}"


class Platform:
    """A job, and a table `membership` in the same database that is the platform's truth."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.target = job.target
        quoted = "`" if self.target.dialect == "mysql" else '"'
        self.paged, self.whole = PAGED.format(q=quoted), WHOLE.format(q=quoted)
        kept = " ENGINE = MergeTree ORDER BY (segment_id, id)" if self.target.dialect == "clickhouse" else ""
        self.target.run(f"CREATE TABLE membership (segment_id bigint, id bigint, custom_id varchar(255)){kept}")
        self.next_id = 0
        self.configure()

    def configure(
        self,
        *,
        members: str | None = None,
        first: str = "0",
        extra: str = 'delay = "0s"',
        members_query: str | None = LISTED,
        **changes: Any,
    ) -> None:
        """Applies the integration with its query `members`, and a source."""
        self._publish(self.source(members, first, extra), members_query, changes)

    def configure_feed(self, source: str, *, members: str | None = LISTED, **changes: Any) -> None:
        """The same with a source that is no database: what stands in [sources.main]."""
        self._publish(f"[sources.main]\n{source}\n", members, changes)

    def source(self, members: str | None = None, before: str = "0", extra: str = 'delay = "0s"') -> str:
        """Its `[sources.main]`."""
        text = self.paged if members is None else members
        first = f"first = {before}" if "{after}" in text else ""
        address = self.target.connector().split("\n", 1)[1]
        extra += "\nrows = 2" if first else ""
        return SOURCE.format(address=address, first=first, members=text, extra=extra)

    def configure_file(self, **changes: Any) -> None:
        """Writes the file, as `configure` would, and applies nothing."""
        self._write(self.source(), {"members": LISTED, **changes})

    def _write(self, source: str, changes: dict[str, Any]) -> None:
        self.job.installation.configure(self.target.connector() + source + self.target.integration(**changes))

    def _publish(self, source: str, members_query: str | None, changes: dict[str, Any]) -> None:
        if members_query is not None:
            changes["members"] = members_query
        job = self.job
        self._write(source, changes)
        revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))
        job.runtime = job.installation.runtime()

    def has(self, segment: int, *keys: str | None) -> None:
        """The platform's database gets these members."""
        rows = []
        for key in keys:
            self.next_id += 1
            value = "NULL" if key is None else "'" + key.replace("'", "''") + "'"
            rows.append(f"({segment}, {self.next_id}, {value})")
        self.target.run(f"INSERT INTO membership VALUES {', '.join(rows)}")

    def loses(self, segment: int, *keys: str) -> None:
        """And these leave it."""
        for key in keys:
            self.target.run(f"DELETE FROM membership WHERE segment_id = {segment} AND custom_id = '{key}'")

    def target_has(self, segment: int, *keys: str) -> None:
        """Rows that nobody knows the origin of."""
        rows = ", ".join(f"({segment}, '{key}')" for key in keys)
        self.target.run(f"INSERT INTO member (segment_id, client_id) VALUES {rows}")

    def empty(self, segment: int) -> None:
        """Neither of the two has anything of it."""
        for table in ("membership", "member"):
            self.target.run(f"DELETE FROM {table} WHERE segment_id = {segment}")

    def rows(self, segment: int) -> set[str]:
        return {key for of, key in self.target.members() if of == str(segment)}

    def ask(self, segment: int | str, kind: str = "resync", **more: Any) -> str:
        run, _ = ResyncRuns(self.job.runtime.lanes).ask("members", str(segment), "test", kind, **more)
        return run

    def cancel(self, name: str) -> None:
        ResyncRuns(self.job.runtime.lanes).cancel(name, "test")

    def run(self, name: str) -> ResyncRun:
        found = ResyncRun.read(ResyncRuns(self.job.runtime.lanes).read(name))
        assert found is not None
        return found

    def ends(self, name: str) -> ResyncRun:
        """Does what workers would, until the run is over."""
        self.until(name, lambda run: run.state == "ended")
        return self.run(name)

    def until(self, name: str, has_come: Callable[[ResyncRun], bool]) -> None:
        """One step after the other, as workers are woken for them."""
        self.works(lambda: has_come(self.run(name)), lambda: self.run(name))

    def delivered(self) -> None:
        """What was pushed is; and nothing of it is written into a ledger, which would have to be made first."""
        redis, keys = self.job.installation.redis, self.job.installation.keys
        self.works(lambda: not redis.xlen(keys.events) and not self.job.installation.backlog())

    def works(self, is_over: Callable[[], object], what: object = "") -> None:
        """Does what workers would, until it is over."""

        def comes() -> object:
            if is_over():
                return True
            for wake in self.job.runtime.tick("task").wakes:
                kind = wake.queue.partition(".")[0]
                if kind == "route":
                    self.job.runtime.route(wake.token, 1)
                elif kind == "deliver":
                    self.job.runtime.deliver("crm", wake.token, 1)
                    self.job.runtime.lanes.give_back(wake.queue, wake.token)
                elif kind == "resync":
                    self.job.runtime.resync(wake.token, 0)
                if is_over():
                    return True
            return False

        until(comes, what)

    def woken(self) -> set[str]:
        """For which queues a worker is woken now. Nobody comes: given back at once, or they would be waited for."""
        lanes = self.job.runtime.lanes
        wakes = self.job.runtime.tick("task").wakes
        for wake in wakes:
            lanes.give_back(wake.queue, wake.token)
        return {wake.queue for wake in wakes}

    def resync(self, segment: int | str, kind: str = "resync", **more: Any) -> ResyncRun:
        return self.ends(self.ask(segment, kind, **more))

    def turn(self) -> None:
        """One step of the reader, and nothing else."""
        self.job.runtime.resync("token", 0)

    def until_state(self, name: str, state: str) -> None:
        """Until the run has come so far, and no step further."""
        self.until(name, lambda run: run.state == state)

    def other_host(self) -> None:
        """What the reader had on its disk is not to be found, and it has died without a word."""
        keys, redis = self.job.installation.keys, self.job.installation.redis
        shutil.rmtree(self.folder, ignore_errors=True)
        self.job.runtime = self.job.installation.runtime()
        for name in redis.zrange(keys.runs, 0, -1):
            redis.zadd(keys.runs, {name: 0})

    @property
    def folder(self) -> Path:
        """Where the reader keeps what it has read, on this host."""
        lanes = self.job.runtime.lanes
        return folder_of(lanes.namespace, lanes.installation)

    def lane(self, segment: int) -> dict[str, str]:
        return ResyncRuns(self.job.runtime.lanes).lane("members", str(segment))

    def without_unique_key(self) -> None:
        """The same table, which takes a row twice."""
        self.target.run("DROP TABLE member", "CREATE TABLE member (segment_id bigint, client_id varchar(255))")
        loop = "{for $index, $lead = $batch}({segment_id}, '{$lead.CustomID}'){autocomma}{end}"
        self.configure(add=f"INSERT INTO member (segment_id, client_id) VALUES {loop}")

    def shown(self, run: ResyncRun) -> dict[str, list[str]]:
        found: dict[str, list[str]] = json.loads(run.shown or "{}")
        return found
