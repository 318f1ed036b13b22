"""Yandex.Audiences: two steps to a segment, a list and no look at one, quotas by the minute, the hour and the day."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.fakes import documented
from tests.fakes.server import HASHES, NOTHING, FakePlatform, Reply, Request, flaw

if TYPE_CHECKING:
    from collections.abc import Callable

Members = set[tuple[str, str]]
FINDS = ("email", "phone")
"""Columns of which a row needs one."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What was uploaded.

    flaws  what is wrong with it in a segment of plain values, and in one of hashes: its first such column, and why
    """

    header: list[str]
    members: Members
    flaws: tuple[str, str]


@dataclass(slots=True)
class Segment:
    id: int
    header: list[str]
    members: Members
    flaws: tuple[str, str] = ("", "")
    name: str = ""
    confirmed: bool = False
    hashed: bool = True
    history: list[tuple[int, str]] = field(default_factory=list)
    jobs: list[tuple[str, Members]] = field(default_factory=list)

    def status(self, at_ms: int) -> str | None:
        """As it was then; None before it was there."""
        return next((status for since, status in reversed(self.history) if since <= at_ms), None)


class FakeYandex(FakePlatform):
    """`jobs` of confirmed segments wait for `work`; the list tells what was `lag_ms` ago."""

    shapes = documented.YANDEX
    quotas = ((60, 10), (3600, 100), (86_400, 500))
    look_quotas = ((86_400, 4_500),)

    def __init__(self, seed: int = 0) -> None:
        self.segments: dict[int, Segment] = {}
        self.access = "ya-access-0"
        self.refresh = "ya-refresh-0"
        self.code = "1234567"
        self.renewals = 0
        self.token_lives_s = 31_536_000
        self.scope = ""
        self._next = 100
        super().__init__(seed)

    # What a test does

    def members(self, name: str) -> Members:
        """Of the one confirmed segment with that name."""
        found = [each for each in self.segments.values() if each.confirmed and each.name == name]
        assert len(found) == 1, [each.name for each in self.segments.values()]
        return found[0].members

    @property
    def unconfirmed(self) -> list[int]:
        """Uploads that nobody has made real, with whoever is in them."""
        return [each.id for each in self.segments.values() if not each.confirmed]

    def work(self, most: int = 1_000_000) -> int:
        """Applies jobs, in any order, some of which fail if `fails` says so ("all", "half"); returns how many."""
        with self._lock:
            waiting = [
                (segment, job) for segment in self.segments.values() if segment.confirmed for job in segment.jobs
            ]
            self._shuffle(waiting)
            for segment, job in waiting[:most]:
                segment.jobs.remove(job)
                kind, rows = job
                fails = self.fails.pop(0) if self.fails else ""
                done = set(sorted(rows)[: len(rows) // 2]) if fails == "half" else set() if fails else rows
                segment.members = _after(kind, segment.members, done)
                self._become(segment, "processing_failed" if fails else "is_updated" if segment.jobs else "processed")
            return len(waiting[:most])

    @property
    def busy(self) -> bool:
        return any(segment.jobs for segment in self.segments.values() if segment.confirmed)

    def expire_token(self) -> None:
        self.access = "another"

    # What Yandex does

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != f"OAuth {self.access}":
            return _error(401, "unauthorized")
        path = request.path.removeprefix("/v1/management")
        if request.method == "GET" and path == "/segments":
            return self._list(request) if self._may_look() else _error(429, "quota")
        if (request.method, path) == ("POST", "/segments/upload_csv_file"):
            return self._quota() or self._upload(request)
        found = re.fullmatch(r"/segment/(\d+)(/confirm|/modify_data)?", path)
        segment = self.segments.get(int(found[1])) if found else None
        if found is None or segment is None or request.method == "GET":
            return _error(405 if segment else 404, "not_found")
        return self._quota() or self._change(request, segment, found[2])

    def _change(self, request: Request, segment: Segment, what: str | None) -> Reply:
        if what == "/confirm":
            return self._confirm(request, segment)
        if what == "/modify_data":
            return self._modify(request, segment)
        if request.method == "DELETE":
            del self.segments[segment.id]
            return Reply(body={"success": True})
        segment.name = request.json["segment"]["name"]
        return Reply(body={"segment": self._shown(segment, self.now)})

    def _token(self, request: Request) -> Reply:
        form = request.form
        if form.get("client_secret") != "ya-secret":
            return Reply(400, {"error": "invalid_client", "error_description": "no"})
        right = form.get("code") == self.code or form.get("refresh_token") == self.refresh
        if not right:
            return Reply(400, {"error": "invalid_grant", "error_description": "no"})
        self.renewals += 1
        self.access, self.refresh = f"ya-access-{self.renewals}", f"ya-refresh-{self.renewals}"
        life: dict[str, object] = {"expires_in": self.token_lives_s, "token_type": "bearer"}
        life |= {"scope": self.scope} if self.scope else {}  # only where it is less than was asked for
        return Reply(body={"access_token": self.access, "refresh_token": self.refresh} | life)

    def _quota(self) -> Reply | None:
        return None if self._counted() else _error(429, "quota")

    def _list(self, request: Request) -> Reply:
        at, skip = self.now - self.lag_ms, int(request.query["offset"])
        shown = [self._shown(each, at) for each in self.segments.values() if each.status(at)]
        return Reply(body={"segments": shown[skip : skip + int(request.query["limit"])]})

    def _shown(self, segment: Segment, at: int) -> dict[str, object]:
        status = segment.status(at)
        made = datetime.fromtimestamp(self.as_told(segment.history[0][0]) / 1000, UTC)
        shown = {"id": segment.id, "name": segment.name, "type": "uploading", "status": status}
        return shown | {"create_time": f"{made:%Y-%m-%dT%H:%M:%SZ}"}

    def _upload(self, request: Request) -> Reply:
        came = self._read(request)
        if came is None or all(came.flaws):
            return self._unfit(request, came.flaws[True] if came else "")
        self._next += 1
        segment = self.segments[self._next] = Segment(self._next, came.header, came.members, came.flaws)
        self._become(segment, "uploaded")
        return Reply(body={"segment": self._shown(segment, self.now)})

    def _confirm(self, request: Request, segment: Segment) -> Reply:
        said = request.json["segment"]
        if segment.confirmed or said["id"] != segment.id:
            return _error(400, "invalid_parameter")
        if said["hashed"] and said.get("hashing_alg") != "SHA256":
            return _error(400, "invalid_parameter")
        if request.query.get("check_size") != "false" and len(segment.members) < 100:
            return _error(400, "invalid_parameter")
        if segment.flaws[said["hashed"]]:
            return self._unfit(request, segment.flaws[said["hashed"]])
        segment.confirmed, segment.name, segment.hashed = True, said["name"], said["hashed"]
        segment.jobs, segment.members = [("addition", segment.members)], set()
        self._become(segment, "is_processed")
        return Reply(body={"segment": self._shown(segment, self.now)})

    def _modify(self, request: Request, segment: Segment) -> Reply:
        came = self._read(request)
        if came is None or not segment.confirmed or came.header != segment.header:
            return _error(400, "invalid_parameter")
        if came.flaws[segment.hashed]:
            return self._unfit(request, came.flaws[segment.hashed])
        segment.jobs.append((request.query["modification_type"], came.members))
        self._become(segment, "is_updated")
        return Reply(body={"segment": self._shown(segment, self.now)})

    def _read(self, request: Request) -> UploadedFile | None:
        """A file; None where a row of it has neither an email nor a phone."""
        rows = list(csv.reader(io.StringIO(request.parts()["file"].decode())))
        header, members, plain, hashed = rows[0], set(), "", ""
        for row in rows[1:]:
            values = [(column, value) for column, value in zip(header, row, strict=True) if value]
            mine = {each for each in values if each[0] in FINDS}
            if not mine:
                return None
            members |= mine
            plain = plain or _flaw_of(values, _no_plain_value)
            hashed = hashed or _flaw_of(values, lambda _, value: flaw(value))
        return UploadedFile(header, members, (plain, hashed))

    def _unfit(self, request: Request, why: str) -> Reply:
        column, _, what = why.partition(": ")
        if why:
            self._no_value(request, column, what)
        return _error(400, "invalid_parameter", what, column)

    def _become(self, segment: Segment, status: str) -> None:
        segment.history.append((self.now, status))


def _after(kind: str, members: Members, rows: Members) -> Members:
    return {"addition": members | rows, "subtraction": members - rows, "replace": rows}[kind]


def _flaw_of(values: list[tuple[str, str]], look: Callable[[str, str], str]) -> str:
    found = ((column, look(column, value)) for column, value in values)
    return next((f"{column}: {why}" for column, why in found if why), "")


def _no_plain_value(column: str, value: str) -> str:
    """Ids of one's own may look as they like; nobody has an address that is a hash."""
    if value in NOTHING:
        return flaw(value)
    return next((name for name, shape in HASHES.items() if column in FINDS and shape.fullmatch(value)), "")


def _error(status: int, kind: str, message: str = "m", location: str = "l") -> Reply:
    what = {"error_type": kind, "message": message, "location": location}
    return Reply(status, {"errors": [what], "code": status, "message": message})
