"""VK Ads: a list for each kind of id, changed by lists that name it as their base, and segments over lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.fakes import documented
from tests.fakes.server import MD5, FakePlatform, Reply, Request, flaw

FIRST, LATER = 2000, 25
TOKENS = 5
UNUSED_MS = 60 * 86_400_000
"""As long as a list stays that nobody changes."""
HASHED = ("emails", "phones")
SHAPES = {
    "vk": re.compile(r"[1-9]\d*"),
    "ok": re.compile(r"[1-9]\d*"),
    "advertising_id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "idfa": re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
}
"""Of what goes plain."""
STEPS = ("receiving", "received", "mapping", "mapped", "writing", "ready")


@dataclass(slots=True)
class UsersList:
    id: int
    name: str
    kind: str
    base: int
    rows: set[str]
    status: str = "receiving"
    members: set[str] = field(default_factory=set)
    made_ms: int = 0
    used_ms: int = 0


class FakeVk(FakePlatform):
    """Lists are applied by `work`, in any order; so many may be created in an hour.

    forgets_changes  none can be asked for but by its list
    """

    shapes = documented.VK
    quotas = ((3600, 10),)
    look_quotas = ((3600, 200),)

    def __init__(self, seed: int = 0) -> None:
        self.lists: dict[int, UsersList] = {}
        self.segments: dict[int, dict[str, object]] = {}
        self._made: dict[int, int] = {}
        self.access = "vk-access-0"
        self.refresh = "vk-refresh"
        self.given = 0
        self.scope: object = "read_ads create_ads"
        self.first, self.later = FIRST, LATER
        self.forgets_changes = False
        self._next = 1000
        super().__init__(seed)

    def members(self, name: str, kind: str = "emails") -> set[str]:
        """Of the one list of a kind that a segment makes usable."""
        self._forget()
        used = {relation["params"]["source_id"] for each in self.segments.values() for relation in each["relations"]}  # type: ignore[attr-defined]
        named = f"{name} ·"
        found = [each for each in self.lists.values() if each.id in used and each.name.startswith(named)]
        mine = [each for each in found if each.kind == kind]
        assert len(mine) == 1, [each.name for each in self.lists.values()]
        return mine[0].members

    def _forget(self) -> None:
        """Lists that nobody has changed for long are gone."""
        for each in list(self.lists.values()):
            if not each.base and each.used_ms < self.now - UNUSED_MS:
                del self.lists[each.id]

    @property
    def twins(self) -> list[object]:
        """Names that more than one list, or more than one segment, bears."""
        lists: list[object] = [each.name for each in self.lists.values() if not each.base]
        segments = [each["name"] for each in self.segments.values()]
        return [each for found in (lists, segments) for each in set(found) if found.count(each) > 1]

    def work(self, most: int = 1_000_000) -> int:
        with self._lock:
            waiting = [each for each in self.lists.values() if each.status in STEPS[:-1]]
            self._shuffle(waiting)
            for each in waiting[:most]:
                each.status = STEPS[min(STEPS.index(each.status) + 3, len(STEPS) - 1)]
                if each.status == "ready":
                    self._apply(each, self.fails.pop(0) if self.fails and each.base else "")
            return len(waiting[:most])

    def _apply(self, one: UsersList, fails: str) -> None:
        rows = set(sorted(one.rows)[: len(one.rows) // 2]) if fails == "half" else set() if fails else one.rows
        one.status = "deleted" if fails else "ready"
        target = self.lists.get(abs(one.base), one)
        target.members = target.members - rows if one.base < 0 else target.members | rows

    @property
    def busy(self) -> bool:
        return any(each.status in STEPS[:-1] for each in self.lists.values())

    def expire_token(self) -> None:
        self.access = "another"

    def answer(self, request: Request) -> Reply:
        self._forget()
        if request.path == "/api/v2/oauth2/token.json":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {self.access}":
            return Reply(401, {"code": "expired_token", "message": "m"})
        of_segment = re.fullmatch(r"/api/v2/remarketing/segments/(\d+)/relations(?:/(\d+))?\.json", request.path)
        if of_segment:
            return self._of_relations(request, int(of_segment[1]), int(of_segment[2] or 0))
        found = re.fullmatch(r"/api/v(?:2|3)/remarketing/(users_lists|segments)(?:/(\d+))?\.json", request.path)
        if found is None:
            return Reply(404, {"error": {"code": "not_found"}})
        if request.method == "GET" and not self._may_look():
            return Reply(429, {"code": "throttled"}, {"X-RateLimit-Hourly-Remaining": "0"})
        number = int(found[2]) if found[2] else 0
        return self._of_lists(request, number) if found[1] == "users_lists" else self._of_segments(request, number)

    def _token(self, request: Request) -> Reply:
        form = request.form
        if form.get("client_secret") != "vk-secret":
            return Reply(401, {"code": "invalid_client", "message": "m"})
        if form["grant_type"] == "client_credentials":
            if self.given >= TOKENS:
                return Reply(403, {"code": "token_limit_exceeded", "message": "m"})
            self.given += 1
        elif form.get("refresh_token") != self.refresh:
            return Reply(401, {"code": "invalid_token", "message": "m"})
        self.access = f"vk-access-{self.given}-{len(self.calls)}"
        life = {"expires_in": "86400", "token_type": "bearer", "scope": self.scope, "refresh_token": self.refresh}
        return Reply(body={"access_token": self.access} | life)

    def _of_lists(self, request: Request, number: int) -> Reply:
        if not number and request.method == "POST":
            return self._upload(request)
        if not number:
            wanted = request.query.get("_q", "")
            return self._page(request, [self._shown(each) for each in self._seen() if wanted in each.name])
        one = self.lists.get(number)
        if one is not None and one.base and self.forgets_changes:
            one = None
        return Reply(404, {"error": {"code": "not_found"}}) if one is None else self._of_list(request, one)

    def _seen(self) -> list[UsersList]:
        return [each for each in self.lists.values() if each.made_ms <= self.now - self.lag_ms]

    def _of_list(self, request: Request, one: UsersList) -> Reply:
        if request.method == "GET":
            return Reply(body=self._shown(one))
        if request.method == "POST":
            one.name = request.json["name"]
            return Reply(204)
        used = [r["params"]["source_id"] for each in self.segments.values() for r in each["relations"]]  # type: ignore[attr-defined]
        if one.id in used:
            return Reply(409, {"error": {"code": "in_use"}})
        del self.lists[one.id]
        return Reply(204)

    def _of_segments(self, request: Request, number: int) -> Reply:
        if not number and request.method == "GET":
            at = self.now - self.lag_ms
            return self._page(request, [each for n, each in self.segments.items() if self._made[n] <= at])
        if not number:
            self._next += 1
            self._made[self._next] = self.now
            made = self.segments[self._next] = {"id": self._next} | request.json
            made["relations"] = [self._related(each) for each in request.json["relations"]]
            return Reply(body=made)
        if number not in self.segments:
            return Reply(404, {"error": {"code": "not_found"}})
        if request.method == "DELETE":
            del self.segments[number]
        else:
            self.segments[number]["name"] = request.json["name"]
        return Reply(204)

    def _related(self, said: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        return {"id": self._next, "object_id": said["params"]["source_id"]} | said

    def _of_relations(self, request: Request, segment: int, number: int) -> Reply:
        if segment not in self.segments:
            return Reply(404, {"error": {"code": "not_found"}})
        mine: list[dict[str, Any]] = self.segments[segment]["relations"]  # type: ignore[assignment]
        if request.method == "GET":
            return Reply(body={"items": mine})
        if request.method == "DELETE":
            left = [each for each in mine if each["id"] != number]
            if len(left) < 1:
                return Reply(400, {"error": {"code": "validation_failed", "fields": {}}})
            mine[:] = left
            return Reply(204)
        mine += [self._related(each) for each in request.json["items"]]
        return Reply(body={"items": [{"id": each["id"]} for each in mine]})

    def _page(self, request: Request, found: list[dict[str, object]]) -> Reply:
        limit, skip = int(request.query["limit"]), int(request.query["offset"])
        assert limit <= 50
        return Reply(body={"items": found[skip : skip + limit], "count": len(found), "offset": skip})

    def _upload(self, request: Request) -> Reply:
        if not self._counted():
            return Reply(429, {"code": "throttled"}, {"X-RateLimit-Hourly-Remaining": "0"})
        parts = {name: data.decode() for name, data in request.parts().items()}
        kind, base = parts["type"], int(parts.get("base", "0"))
        lines = parts["file"].split("\n")
        if base and (abs(base) not in self.lists or self.lists[abs(base)].base):
            return _refused("base", "not_found")
        if base and self.lists[abs(base)].kind != kind:
            return _refused("base", "type_mismatch")
        if len(lines) < (self.later if base else self.first):
            return _refused("file", "not_enough_ids")
        wrong = self._unfit(request, kind, lines)
        self._next += 1
        good = {line for n, line in enumerate(lines, 1) if n not in wrong}
        one = UsersList(self._next, parts["name"], kind, base, good, made_ms=self.now, used_ms=self.now)
        self.lists[self._next] = one
        if base:
            self.lists[abs(base)].used_ms = self.now
        named = [{"line_number": n, "line": lines[n - 1], "error_code": code} for n, code in wrong.items()]
        return Reply(body=self._shown(one) | ({"error": named} if named else {}))

    def _unfit(self, request: Request, kind: str, lines: list[str]) -> dict[int, str]:
        """The lines that are left out, by number, each with VK's word for why: those that came before, too."""
        wrong: dict[int, str] = {}
        seen: set[str] = set()
        for n, line in enumerate(lines, 1):
            why = flaw(line, MD5) if kind in HASHED else ""
            if why:
                self._no_value(request, kind, why)
            if why or line in self.refuses or (kind not in HASHED and not SHAPES[kind].fullmatch(line)):
                wrong[n] = "invalid_md5"
            elif line in seen:
                wrong[n] = "duplicated_user_id"
            seen.add(line)
        return wrong

    def _shown(self, one: UsersList) -> dict[str, object]:
        return {"id": one.id, "name": one.name, "type": one.kind, "base": one.base, "status": one.status, "error": None}


def _refused(name: str, code: str) -> Reply:
    return Reply(400, {"error": {"fields": {name: [{"code": code}]}}})
