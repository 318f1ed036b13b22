"""A ClickHouse server to talk to: the engine of `chdb`, behind the HTTP interface of the real one.

The engine is the real one: parser, types, settings, tables, deduplication, time-outs and KILL QUERY. Only imitated are
users and rights (`users` of the command line), query ids, the summary of what was written, and HTTP itself with its
status codes. Faults are ordered by POST /fault, one for the next statement that has a certain word in it.

    python -m tests.servers.clickhouse_front PORT FOLDER USERS

USERS is JSON, {"name": "password"}; the user "reader" may change nothing.
"""

from __future__ import annotations

import base64
import json
import queue
import re
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSPORT = frozenset(
    (
        *("database", "query", "query_id", "wait_end_of_query", "default_format", "compress", "decompress", "user"),
        *("password", "session_id", "client_protocol_version", "enable_http_compression", "role", "quota_key"),
    )
)
"""Parameters that are no settings of the engine."""
STATUS = {516: 403, 497: 403, 60: 404, 81: 404, 62: 400, 47: 400, 53: 400, 6: 400, 159: 408}
CHANGES = re.compile(
    r"(?:\s|/\*.*?\*/|EXPLAIN PIPELINE)*(INSERT|DELETE|ALTER|UPDATE|CREATE|DROP)\b", re.IGNORECASE | re.DOTALL
)
_PIECE = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:\\.|[^`\\])*`|--[^\n]*|/\*.*?\*/|(;)", re.DOTALL)


class Refused(Exception):
    """The server says no, with its code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Cut(Exception):
    """The connection ends without an answer."""


class Engine:
    """Connections to the one engine of this process, each with settings of its own."""

    def __init__(self, folder: str) -> None:
        from chdb.state import sqlitelike  # noqa: PLC0415 - 2 s and 260 MB, in the process that serves alone

        self._connect: Any = lambda: sqlitelike.connect(folder)
        self._idle: queue.LifoQueue[tuple[Any, set[str]]] = queue.LifoQueue()

    @contextmanager
    def connection(self, database: str, settings: dict[str, str]) -> Iterator[Any]:
        """One of them, in this database and with these settings alone."""
        reads = settings.pop("readonly", "")
        try:
            connection, before = self._idle.get_nowait() if not reads else (self._connect(), set[str]())
        except queue.Empty:
            connection, before = self._connect(), set()
        try:
            words = [f"{name} = DEFAULT" for name in before - set(settings)]
            words += [f"{name} = {quoted(value)}" for name, value in settings.items()]
            run(connection, f"USE `{database}`")
            for word in words:
                run(connection, f"SET {word}")
            if reads:  # which nothing takes back, so this one is for this request alone
                run(connection, f"SET readonly = {quoted(reads)}")
            yield connection
        finally:
            if not reads:
                self._idle.put((connection, before | set(settings)))


def quoted(text: str) -> str:
    """A literal of ClickHouse."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def run(connection: Any, statement: str, form: str = "TabSeparated") -> Any:
    """The engine's answer; Refused with its code."""
    try:
        return connection.query(statement, form)
    except Exception as error:  # noqa: BLE001 - the engine has errors of its own
        found = re.search(r"Code: (\d+)", str(error))
        raise Refused(int(found[1]) if found else 1001, str(error)) from None


def several(statement: str) -> bool:
    """Whether something follows a `;`."""
    ends = [found.end() for found in _PIECE.finditer(statement) if found[1]]
    return any(statement[end:].strip() for end in ends)


class Front(ThreadingHTTPServer):
    """What all requests share."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, folder: str, users: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", port), Request)
        self.engine = Engine(folder)
        self.users = users
        self.faults: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.seen: list[dict[str, str]] = []

    def fault(self, statement: str, database: str) -> dict[str, Any]:
        """What was ordered for this statement, once."""
        with self.lock:
            for fault in self.faults:
                if fault["word"] in statement and fault["database"] == database:
                    self.faults.remove(fault)
                    return fault
        return {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Request(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    server: Front

    def log_message(self, *_: Any) -> None:
        """Nothing: a statement may hold people's data."""

    def do_GET(self) -> None:
        """Reads."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Reads, or changes."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/fault":
            self.server.faults.append(json.loads(body))
            self._answer(200, b"")
        elif self.path == "/seen":
            self._answer(200, json.dumps(self.server.seen).encode())
        else:
            self._serve(body)

    def _serve(self, body: bytes) -> None:
        if self.path == "/ping":
            self._answer(200, b"Ok.\n")
            return
        words = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        statement = "\n".join(filter(None, (words.get("query", ""), body.decode("utf-8", "surrogateescape"))))
        try:
            user = self._user(words)
            self._statement(statement, words, user)
        except Refused as refused:
            text = f"Code: {refused.code}. {re.sub(r'^Code: [0-9]+[.] ', '', str(refused))} (version 26.9.2.1)\n"
            headers = {"X-ClickHouse-Exception-Code": str(refused.code)}
            self._answer(STATUS.get(refused.code, 500), text.encode(), headers)
        except Cut:
            self.close_connection = True

    def _user(self, words: dict[str, str]) -> str:
        user, password = words.get("user", "default"), words.get("password", "")
        kind, _, secret = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(secret).decode().partition(":")
        if self.server.users.get(user) != password:
            raise Refused(
                516, f"DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user with "
                "such name. (AUTHENTICATION_FAILED)",
            )  # fmt: skip
        return user

    def _statement(self, statement: str, words: dict[str, str], user: str) -> None:
        if several(statement):
            raise Refused(62, "DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)")
        if user == "reader" and (CHANGES.match(statement) or "CHECK GRANT" in statement):
            if "CHECK GRANT" in statement:
                self._answer(200, b'{"data": [["0"]]}')
                return
            raise Refused(497, f"DB::Exception: {user}: Not enough privileges. (ACCESS_DENIED)")
        fault = self.server.fault(statement, words.get("database", ""))
        left_out = TRANSPORT | ({"max_execution_time"} if fault.get("kind") == "endless" else set())
        settings = {name: value for name, value in words.items() if name not in left_out}
        if fault.get("kind") == "profile":  # the user's own settings hold where a request brings none
            settings = {**json.loads(fault["text"]), **settings}
        if fault.get("kind") == "code":
            raise Refused(fault["code"], f"DB::Exception: {fault.get('text', 'made up')}. (MADE_UP)")
        if fault.get("kind") == "cut before":
            raise Cut
        if fault.get("kind") == "late":
            text = b"\r\n\r\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)\r\n"
            self._answer(200, text, {"X-ClickHouse-Summary": "{}"})
            return
        self.server.seen = [*self.server.seen[-99:], {**words, "statement": statement[:300]}]
        with self.server.engine.connection(words.get("database") or "default", settings) as connection:
            answer = run(connection, self._named(statement, words), words.get("default_format", "TabSeparated"))
        if fault.get("kind") == "cut after":
            raise Cut
        written = answer.rows_written() if answer is not None else 0
        summary = json.dumps({"read_rows": "0", "written_rows": str(written), "written_bytes": "0"})
        self._answer(200, answer.bytes() if answer is not None else b"", {"X-ClickHouse-Summary": summary})

    def _named(self, statement: str, words: dict[str, str]) -> str:
        """The engine gives ids of its own; ours goes before the statement, where KILL QUERY finds it."""
        if found := re.fullmatch(r"\s*KILL QUERY WHERE query_id = '([\w-]+)'(.*)", statement, re.DOTALL):
            return f"KILL QUERY WHERE startsWith(query, '/*{found[1]}*/'){found[2]}"
        return f"/*{words['query_id']}*/{statement}" if "query_id" in words else statement

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main(port: str, folder: str, users: str) -> None:
    """Serves until it is ended."""
    Front(int(port), folder, json.loads(users)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
