"""ClickHouse 24.8 and later, over HTTP by clickhouse-connect.

There are no transactions and no session locks: what a statement has changed is there at once, and stays. `begin`,
`commit` and `rollback` send nothing. What a repetition must not do twice is known by a token instead, where that is
safe (connectors/sql/delivery.py); and a deliverer's statement that nobody waits for any more is killed.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from clickhouse_connect.driver.summary import QuerySummary

from workers.connectors.sql.clickhouse import session
from workers.connectors.sql.clickhouse.connection import open_client
from workers.connectors.sql.clickhouse.judging import judged, late_error, timed_out
from workers.connectors.sql.clickhouse.looking import look
from workers.connectors.sql.link import Link, encoded
from workers.errors import Phase, TargetError
from workers.log import SESSION_STUCK, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.httpclient import HttpClient

    from workers.connectors.contract import Target

Answer = TypeVar("Answer")
# An INSERT … SELECT reads what is there, which is another thing when it comes again: it has no token.
_OF_VALUES = re.compile(r"\s*INSERT\s+INTO\s[^()']*(?:\([^()']*\))?[^()']*\bVALUES\b", re.IGNORECASE)


class ClickhouseLink(Link):
    """A client that has logged in; statements go one by one, each with all settings."""

    def __init__(self, client: HttpClient, target: Target) -> None:
        super().__init__()
        self._client = client
        self._target = target
        self._batch = ""
        self._statements = 0
        self._lost = False
        session.check(session.pinned(target), self.row)

    def begin(self, lock: str | None, patience: float) -> None:  # noqa: ARG002 - there are no locks
        """As `Link.begin`; nothing is sent."""
        self._batch, self._statements = "", 0

    def identify(self, batch: str) -> None:
        """As `Link.identify`."""
        self._batch = batch

    def execute(self, statement: str) -> int:
        """As `Link.execute`; the rows that were written, 0 for a change by ALTER, UPDATE or DELETE."""
        encoded("clickhouse", statement)
        self._statements += 1
        answer = self._run(statement, self._repetition(statement))
        return answer.written_rows if isinstance(answer, QuerySummary) else 0

    def try_out(self, statement: str) -> int:
        """As `Link.try_out`: the target looks at it, as far as it can without running it."""
        encoded("clickhouse", statement)
        look(self, statement)
        return 0

    def value(self, *statements: str) -> str:
        """As `Link.value`."""
        return [self.row(statement)[0] for statement in statements][-1]

    def row(self, question: str) -> list[str]:
        """The first row of a question's answer, as texts; [] where there is none."""
        return next(iter(self.rows(question)), [])

    def rows(self, question: str) -> list[list[str]]:
        """All rows of a question's answer, as texts; null is "None"."""
        answer = self._sent(lambda: self._client.raw_query(question, fmt="JSONCompactStrings"))
        return [[str(cell) for cell in row] for row in json.loads(answer)["data"]] if answer else []

    def run(self, statement: str) -> None:
        """A statement of our own whose answer does not matter."""
        self._run(statement, {})

    def commit(self) -> None:
        """All is there already."""

    def rollback(self) -> None:
        """Nothing can be taken back; a trial has changed nothing."""

    def release(self) -> None:
        """There are no locks."""

    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """As `Link.judge`."""
        return judged(error, phase)

    @property
    def lost(self) -> bool:
        """As `Link.lost`: whether a request has failed on its way."""
        return self._lost

    @property
    def fileno(self) -> int | None:
        """None: the driver looks by itself whether the server has hung up."""
        return None

    def close(self) -> None:
        """As `Link.close`."""
        with suppress(Exception):
            self._client.close()

    def abandon(self) -> None:
        """As `Link.abandon`: closing a socket that the parent has, too, ends nothing there."""
        self.close()

    def _repetition(self, statement: str) -> dict[str, str]:
        """By what the server knows an INSERT again: by the batch and its place in it, or never, by a name of its own.

        Without a token it would know rows again by what they hold, and leave out those of a member who left and came
        back; `insert_deduplicate = 0` does not turn that off in newer versions.
        """
        token = uuid.uuid4().hex
        if self._batch and _OF_VALUES.match(statement):
            name = f"{self._batch} {self._statements} {statement}"
            token = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        return {"insert_deduplication_token": token}

    def _run(self, statement: str, settings: dict[str, str]) -> object:
        query = uuid.uuid4().hex
        # In the format Null nothing comes back: what does is an error in an answer that had begun well.
        words = {**settings, "default_format": "Null", "query_id": query}
        try:
            answer = self._sent(lambda: self._client.command(statement, settings=words))
        except Exception as error:
            if timed_out(error):
                self._kill(query)
            raise
        if not isinstance(answer, QuerySummary) and answer:
            raise late_error(str(answer))
        return answer

    def _sent(self, call: Callable[[], Answer]) -> Answer:
        try:
            return call()
        except Exception as error:
            self._lost = getattr(error, "code", None) is None
            raise

    def _kill(self, query: str) -> None:
        """Ends the statement that we no longer wait for."""
        try:
            client = open_client(self._target)
            try:
                client.command(f"KILL QUERY WHERE query_id = '{query}' ASYNC")
            finally:
                client.close()
        except Exception:  # noqa: BLE001 - it may be out of reach altogether; the timeout is what is reported
            tell(SESSION_STUCK, session=query, connector=self._target.key)


def connect(target: Target) -> ClickhouseLink:
    """A new link, set up and asserted. Raises only TargetError: HOLD for the CONNECTOR, or RETRY."""
    client = None
    try:
        client = open_client(target)
        return ClickhouseLink(client, target)
    except Exception as error:
        if client is not None:
            client.close()
        if isinstance(error, TargetError):
            raise
        raise judged(error, Phase.CONNECT) from None
