"""Facebook's Custom Audiences: rows that stand for people, so that who is removed by one value is gone by all."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import documented
from tests.fakes.server import NOTHING, FakePlatform, Reply, Request, flaw

ACCOUNT, TOKEN, APP_SECRET = "77", "fb-token", "fb-app-secret"
MOST = 10_000
LONGEST_SESSION_S = 5_400
LINKED_MS = 90 * 86_400_000
"""As long as a row is found by an id of one's own."""
PLAIN = {"EXTERN_ID", "MADID"}
Values = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Session:
    """Of a replacement: its rows so far, and its next part."""

    id: int
    began_ms: int
    rows: list[Values] = field(default_factory=list)
    part: int = 1


@dataclass(slots=True)
class CustomAudience:
    id: str
    name: str
    description: str
    schema: list[str] = field(default_factory=list)
    people: dict[Values, int] = field(default_factory=dict)
    rows_of: dict[tuple[str, str], set[Values]] = field(default_factory=lambda: defaultdict(set))
    made_ms: int = 0
    session: Session | None = None
    ended: set[int] = field(default_factory=set)

    def put(self, row: Values, at_ms: int) -> None:
        self.people[row] = at_ms
        for value in _finds(row):
            self.rows_of[value].add(row)

    def forget(self, now_ms: int) -> None:
        """By one's own id nobody is found any more who was not told again for so long."""
        for row, at_ms in list(self.people.items()):
            if at_ms < now_ms - LINKED_MS:
                self._drop(row)
                self.put(frozenset(each for each in row if each[0] != "EXTERN_ID"), now_ms)

    def _drop(self, row: Values) -> None:
        del self.people[row]
        for value in _finds(row):
            self.rows_of[value].discard(row)

    def take(self, row: Values) -> None:
        """All rows of whoever has one of these values, and one of theirs, and so on."""
        edge, gone = _finds(row), set[Values]()
        while edge:
            rows = set.union(set(), *(self.rows_of[value] for value in edge)) - gone
            gone |= rows
            edge = {value for each in rows for value in _finds(each)}
        for each in gone:
            self._drop(each)


def _finds(row: Values) -> set[tuple[str, str]]:
    """What finds a person."""
    return {(kind, value) for kind, value in row if kind in ("EMAIL", "PHONE", "EXTERN_ID")}


class FakeFacebook(FakePlatform):
    """An ad account with a limit of calls an hour; its listing may lag. `fails`: which removals spare half ("half")."""

    shapes = documented.FACEBOOK
    quotas = ((3600, 1_000),)

    def __init__(self) -> None:
        self.audiences: dict[str, CustomAudience] = {}
        self.hidden: set[str] = set()
        self.deleted: list[tuple[int, CustomAudience]] = []
        self.token = TOKEN
        self.token_ends_s = 0
        self.scopes = ["ads_management", "business_management"]
        self.terms: dict[str, int] = {"custom_audience_tos": 1}
        self._next = 2385
        super().__init__()

    def members(self, name: str) -> set[tuple[str, str]]:
        """By what each finds a person, of the one audience with that name."""
        (found,) = [each for each in self.audiences.values() if each.name == name]
        found.forget(self.now)
        return {value for value, rows in found.rows_of.items() if rows}

    def expire_token(self) -> None:
        """There is another one, which a person must bring to us: it stands in a file."""
        self.token = f"another-{self.token}"

    def answer(self, request: Request) -> Reply:
        proof = hmac.new(APP_SECRET.encode(), self.token.encode(), hashlib.sha256).hexdigest()
        if (
            request.headers.get("authorization") != f"Bearer {self.token}"
            or request.query.get("appsecret_proof") != proof
        ):
            return _error(190, 463)
        if request.method == "GET":
            return self._read(request)
        if not self._counted():
            return _error(80003, 2446079)
        if request.path == f"/act_{ACCOUNT}/customaudiences":
            return self._create(request.json)
        return self._of_audience(request)

    def _of_audience(self, request: Request) -> Reply:
        found = re.fullmatch(r"/(\d+)(/users|/usersreplace)?", request.path)
        audience = self.audiences.get(found[1]) if found else None
        if found is None or audience is None:
            return _error(100, 33)
        if audience.session is not None and self.now - audience.session.began_ms > LONGEST_SESSION_S * 1000:
            audience.session = None
        if found[2] == "/usersreplace":
            return self._replace(audience, request)
        if found[2] and audience.session is not None:
            return _error(2650, 1870145)
        return self._change(request, audience) if found[2] else self._end(request, audience)

    def _replace(self, audience: CustomAudience, request: Request) -> Reply:
        """A session's parts come in order; the last one takes the place of whoever was there."""
        said = request.json
        of, known = said["session"], audience.session
        if of["session_id"] in audience.ended:
            return _error(2650, 1870159)
        if known is None and of["batch_seq"] != 1:
            return _error(2650, 1870147)
        if known is not None and known.id != of["session_id"]:
            return _error(2650, 1870145)
        known = audience.session = known or Session(of["session_id"], self.now)
        rows = _rows(said["payload"], audience.schema if known.rows else None)
        if rows is None or of["batch_seq"] != known.part:
            return _error(100, 0)
        if why := self._flaw(request, rows):
            return _error(100, 0, why)
        known.part, audience.schema = known.part + 1, said["payload"]["schema"]
        known.rows += rows
        if of["last_batch_flag"]:
            audience.ended.add(known.id)
            audience.session, audience.people = None, {}
            audience.rows_of.clear()
            for row in known.rows:
                audience.put(row, self.now)
        return Reply(body={"num_received": len(rows), "num_invalid_entries": 0, "invalid_entry_samples": {}})

    def _end(self, request: Request, audience: CustomAudience) -> Reply:
        if request.method == "DELETE" and audience.id in self.in_use:
            return _error(2650, 0)  # no document says which
        if request.method == "DELETE":
            self.deleted.append((self.now, self.audiences.pop(audience.id)))
        else:
            audience.name = request.json["name"]
        return Reply(body={"success": True})

    def _read(self, request: Request) -> Reply:
        if request.path == "/debug_token":
            ends = self.token_ends_s if request.query["input_token"] == self.token else 1
            return Reply(body={"data": {"expires_at": ends, "is_valid": True, "scopes": self.scopes}})
        if request.path == f"/act_{ACCOUNT}":
            said = {"id": f"act_{ACCOUNT}", "tos_accepted": self.terms}
            return Reply(body={name: said[name] for name in request.query["fields"].split(",")})
        if number := re.fullmatch(r"/(\d+)", request.path):
            return Reply(body={"id": number[1]}) if number[1] in self.audiences else _error(100, 33)
        late = self.now - self.lag_ms
        shown = [each for each in self.audiences.values() if each.id not in self.hidden and each.made_ms <= late]
        shown += [each for at_ms, each in self.deleted if at_ms > late]
        first = int(request.query.get("after", 0))
        page = [{"id": e.id, "name": e.name, "description": e.description} for e in shown[first : first + 2]]
        paging = {"cursors": {"after": str(first + 2)}} | ({"next": "x"} if first + 2 < len(shown) else {})
        return Reply(body={"data": page, "paging": paging})

    def _create(self, said: dict[str, Any]) -> Reply:
        if said.get("subtype") != "CUSTOM" or not said.get("customer_file_source"):
            return _error(100, 0)
        self._next += 1
        made = CustomAudience(str(self._next), said["name"], said["description"], made_ms=self.now)
        self.audiences[made.id] = made
        return Reply(body={"id": made.id})

    def _flaw(self, request: Request, rows: list[Values]) -> str:
        """What is wrong with the first value that is; also noted."""
        for kind, value in (each for row in rows for each in row):
            why = flaw(value) if kind not in PLAIN or value in NOTHING else ""
            if why:
                self._no_value(request, kind, why)
                return f"{kind}: {why}"
        return ""

    def _change(self, request: Request, audience: CustomAudience) -> Reply:
        method, said = request.method, request.json
        schema = said["payload"]["schema"]
        if method == "POST" and audience.schema and audience.schema != schema:
            return _error(2655, 0)
        rows = _rows(said["payload"])
        if rows is None or not said["session"]["last_batch_flag"]:
            return _error(100, 0)
        if why := self._flaw(request, rows):
            return _error(100, 0, why)
        audience.forget(self.now)
        fails = self.fails.pop(0) if self.fails and method == "DELETE" else ""
        spared = len(rows) - len(rows) // 2 if fails == "half" else 0
        for row in rows[: len(rows) - spared]:
            if method == "DELETE":
                audience.take(row)
            else:
                audience.put(row, self.now)
        audience.schema = schema if method == "POST" else audience.schema
        return Reply(body={"num_received": len(rows), "num_invalid_entries": spared, "invalid_entry_samples": {}})


def _rows(payload: dict[str, Any], schema: list[str] | None = None) -> list[Values] | None:
    """The rows of a call; None where their number, their length or their schema is not as it must be."""
    mine, data = payload["schema"], payload["data"]
    if len(data) > MOST or any(len(row) != len(mine) for row in data) or (schema and schema != mine):
        return None
    return [frozenset((kind, value) for kind, value in zip(mine, row, strict=True) if value) for row in data]


def _error(code: int, subcode: int, message: str = "m") -> Reply:
    what = {"message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, "is_transient": False}
    return Reply(400, {"error": what})
