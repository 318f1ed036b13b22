"""What all fake platforms share: HTTP on a port of its own, a clock of its own, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import random
import re
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from tests.fakes.shapes import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.shapes import Shape

START_MS = 1_790_000_000_000
SHA256, MD5 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")
HASHES = {"an MD5": MD5, "a SHA-256": SHA256}
NOTHING = frozenset(hashlib.new(name, usedforsecurity=False).hexdigest() for name in ("sha256", "md5"))
"""What an empty text hashes to: it stands for everybody who left a field empty."""


def flaw(value: str, shape: re.Pattern[str] = SHA256) -> str:
    """What a value is instead of a hash of this shape of something; "" where it is one."""
    if value in NOTHING:
        return "the hash of an empty text"
    if shape.fullmatch(value):
        return ""
    return next((name for name, other in HASHES.items() if other.fullmatch(value)), "no hash")


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def said(self) -> str:
        """All that came, but for headers that every call has."""
        body = unquote_plus(self.body.decode(errors="replace"))
        return " ".join((self.headers.get("authorization", ""), *self.query.values(), body))

    def parts(self) -> dict[str, bytes]:
        """The parts of a multipart body by name."""
        return parts_of(self.headers.get("content-type", ""), self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out; `cut`: the link is broken instead."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


HTML = Reply(200, b"<html><body>We will be back soon</body></html>", {"Content-Type": "text/html"})


@dataclass(slots=True)
class Fault:
    """What happens to the next calls that match, instead of an answer or after it was worked out."""

    matches: str
    reply: Reply
    applied: bool = False
    before: Callable[[], None] | None = None
    stalls: bool = False
    repeats: bool = False


def repeating(said: str, status: int) -> Reply:
    """A refusal that says this in every place where a platform says something; with 200 a page that is no answer."""
    if status == 200:
        return Reply(200, said.encode())
    wrong = {"line_number": 1, "line": said, "code": said, "error_code": said, "field": said, "description": said}
    error = {"code": 190 if status == 401 else 100, "message": said, "status": said, "details": [wrong]}
    body = {"error": error | {"fields": {"file": [wrong]}}, "errors": [{"error_type": said, "message": said}]}
    return Reply(status, body | {"code": said, "message": said, "error_description": said})


class FakePlatform:
    """A platform on http://127.0.0.1. `clock` is its time in Unix ms, which only `advance` moves on, and `goes_on`.

    shapes   the calls that its documents have
    misfits  what any fake was sent that no document has: refused, and for tests to look at
    quotas   for each window its seconds, and the writes it may have; those that came beyond them are `refused_calls`
    look_quotas  the same of calls that change nothing
    in_use   audiences that cannot be deleted, by their ids
    """

    shapes: ClassVar[tuple[Shape, ...]] = ()
    misfits: ClassVar[list[str]] = []
    quotas: tuple[tuple[int, int], ...] = ()
    look_quotas: tuple[tuple[int, int], ...] = ()

    def __init__(self, seed: int = 0) -> None:
        self.now = START_MS
        self.written: deque[int] = deque()
        self.looked: deque[int] = deque()
        self.used: set[str] = set()
        self._random = random.Random(seed)
        self.calls: list[tuple[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.tokens: dict[str, int] = {}
        self.lag_ms = 0
        self.fails: list[str] = []
        self.last_first = False
        self.refused_calls = 0
        self.refuses: set[str] = set()
        self.in_use: set[str] = set()
        self._faults: deque[Fault] = deque()
        self._goes_since: float | None = None
        self._stalled: deque[Request] = deque()
        self._lock = threading.RLock()
        self._links: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.01), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def date(self) -> str:
        """What its answers bear as the time."""
        return formatdate(self.now / 1000, usegmt=True)

    def clock(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += round(seconds * 1000)

    def goes_on(self) -> None:
        """From now on its clock goes by itself, too."""
        self._goes_since = time.monotonic()

    def as_told(self, then: int) -> int:
        """A time of its clock as it tells it: where that goes by itself, as long ago by everybody's clock."""
        return then if self._goes_since is None else round(time.time() * 1000) - (self.now - then)

    def _tick(self) -> None:
        if self._goes_since is not None:
            passed = time.monotonic() - self._goes_since
            self._goes_since += passed
            self.advance(passed)

    def _counted(self) -> bool:
        """Counts a write where no window has as many as it may have already."""
        return self._count(self.written, self.quotas)

    def _may_look(self) -> bool:
        """As `_counted`, of what changes nothing."""
        return self._count(self.looked, self.look_quotas)

    def _count(self, done: deque[int], quotas: tuple[tuple[int, int], ...]) -> bool:
        longest = max((seconds for seconds, _ in quotas), default=0)
        while done and done[0] <= self.now - longest * 1000:
            done.popleft()
        for seconds, most in quotas:
            if len(done) >= most and done[-most] > self.now - seconds * 1000:
                self.refused_calls += 1
                return False
        done.append(self.now)
        return True

    def _fits(self, request: Request) -> bool:
        """Whether its documents have such a call."""
        name = f"{request.method} {request.path}"
        found = next((each for each in self.shapes if each.fits(request.method, request.path)), None)
        if found is None:
            self.misfits.append(f"{name}: no such call")
            return False
        self.used.add(f"{found.method} {found.path}")
        wrong = found.misfits(request.query, request.headers.get("content-type", ""), request.body)
        self.misfits.extend(f"{name}: {each}" for each in wrong)
        return not wrong

    def _no_value(self, request: Request, where: str, why: str) -> None:
        """Notes a value that must not have left the house; never the value."""
        self.misfits.append(f"{request.method} {request.path}: {where}: {why}")

    def heal(self) -> None:
        """Nothing fails any more."""
        self._faults.clear()
        self.fails = []

    def work(self, most: int = 1_000_000) -> int:  # noqa: ARG002 - for those that have jobs
        """Jobs end, so many at most, in any order; `fails` says which come to nothing ("all") or half ("half")."""
        return 0

    @property
    def busy(self) -> bool:
        """Whether jobs are on their way."""
        return False

    def _shuffle(self, jobs: list[Any]) -> None:
        """The order in which jobs end: any, or the newest first."""
        if self.last_first:
            jobs.reverse()
        else:
            self._random.shuffle(jobs)

    def expire_token(self) -> None:
        """The token that was given last is taken no more."""

    def fail(self, matches: str, reply: Reply, *, applied: bool = False, times: int = 1) -> None:
        """The next calls whose "METHOD path" contains `matches`; `applied`: it is done all the same."""
        self._faults.extend(Fault(matches, reply, applied) for _ in range(times))

    def before(self, matches: str, then: Callable[[], None]) -> None:
        """Something happens before the next such call is answered."""
        self._faults.append(Fault(matches, Reply(), applied=True, before=then))

    def repeat(self, matches: str, status: int, then: Callable[[], None] | None = None) -> None:
        """The next such call is refused with all that it has sent; before that something happens."""
        self._faults.append(Fault(matches, Reply(status), before=then, repeats=True))

    @property
    def faults_left(self) -> int:
        """Those that no call has met yet."""
        return len(self._faults)

    def stall(self, matches: str) -> None:
        """The next such call is not answered, and done only by `land`."""
        self._faults.append(Fault(matches, Reply(cut=True), stalls=True))

    def land(self) -> None:
        """The calls that stalled arrive."""
        with self._lock:
            while self._stalled:
                self.answer(self._stalled.popleft())

    def close(self) -> None:
        self._server.shutdown()
        for link in list(self._links):  # kept alive by clients that are there still: each would be waited for
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]

    def _answered(self, request: Request) -> Reply:
        name = f"{request.method} {request.path}"
        if not self._fits(request):
            return Reply(400, {"error": {"message": "not as documented"}})
        fault = next((each for each in self._faults if each.matches in name), None)
        if fault is not None:
            self._faults.remove(fault)
            if fault.before is not None:
                fault.before()
        with self._lock:
            self._tick()
            self.calls.append((request.method, request.path))
            self.queries.append(request.query)
            if fault is not None and fault.repeats:
                return repeating(request.said, fault.reply.status)
            if fault is None or fault.before is not None:
                return self.answer(request)
            if fault.stalls:
                self._stalled.append(request)
            if fault.applied:
                self.answer(request)
            return fault.reply

    def _handler(self) -> type[Handler]:
        return type("ItsHandler", (Handler,), {"platform": self})


class Handler(BaseHTTPRequestHandler):
    """One call."""

    platform: FakePlatform
    protocol_version = "HTTP/1.1"
    timeout = 10

    def setup(self) -> None:
        super().setup()
        self.platform._links.add(self.connection)

    def finish(self) -> None:
        self.platform._links.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        came = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self._body(headers))
        reply = self.platform._answered(came)
        if reply.cut:
            self.close_connection = True
            return
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        data = b"" if reply.body is None else data
        self.send_response(reply.status)
        for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815 - http.server's names

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(headers.get("content-length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 - http.server's
        """Of the platform's own clock: what each answer's `Date` says."""
        return self.platform.date

    def log_message(self, *_: object) -> None:
        """Nothing."""
