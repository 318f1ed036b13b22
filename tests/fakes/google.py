"""Google's Data Manager: lists of users, requests that are applied later, and one bad member that refuses them all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes import documented
from tests.fakes.server import FakePlatform, Reply, Request, flaw

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, MANAGER = "1234567890", "9876543210"
LONGEST_MEMBERSHIP_S = 540 * 86_400
LISTS = f"/v1/accountTypes/GOOGLE_ADS/accounts/{ACCOUNT}/userLists"
MOST = 10_000
ANSWERS = (
    ("GET " + LISTS, "ListUserListsResponse"),
    ("POST " + LISTS, "UserList"),
    ("audienceMembers:ingest", "IngestAudienceMembersResponse"),
    ("audienceMembers:remove", "RemoveAudienceMembersResponse"),
    ("audienceMembers:removeAll", "RemoveAllAudienceMembersResponse"),
    ("requestStatus:retrieve", "RetrieveRequestStatusResponse"),
)
"""Google's type for what is answered to each call."""
TOP = {"destinations", "audienceMembers", "encoding", "consent", "termsOfService", "validateOnly"}
DEVICE = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
Member = tuple[str, str]


@dataclass(slots=True)
class UserList:
    id: str
    body: dict[str, Any]
    members: set[Member] = field(default_factory=set)
    told_ms: dict[Member, int] = field(default_factory=dict)
    made_ms: int = 0


@dataclass(slots=True)
class Ingestion:
    verb: str
    target: str
    members: set[Member]
    at_ms: int = 0
    status: str = "PROCESSING"
    errors: list[dict[str, str]] = field(default_factory=list)


class FakeGoogle(FakePlatform):
    """Requests are applied by `work`, in any order; `fails` says which come to nothing ("all") or half ("half").

    "left" is half of a removal, and all of what adds: what Google leaves out of that it would leave out again.
    """

    shapes = documented.GOOGLE
    quotas = ((60, 300), (86_400, 100_000))
    look_quotas = ((60, 300), (86_400, 100_000))
    oracle: ClassVar[Callable[[str, dict[str, Any]], str] | None] = None
    """What is wrong with a body that comes or goes, by the name of Google's own type for it (`oracle.misfit`)."""

    def __init__(self, seed: int = 0) -> None:
        self.lists: dict[str, UserList] = {}
        self.requests: dict[str, Ingestion] = {}
        self.bodies: list[tuple[str, Any]] = []
        self.access, self.refresh = "g-access-0", "g-refresh"
        self.code = "4/code"
        self.renewals = 0
        self.login_lives_s = 0
        self.scope = "https://www.googleapis.com/auth/datamanager"
        self._next = 5000
        super().__init__(seed)

    def members(self, name: str) -> set[Member]:
        found = [each for each in self.lists.values() if each.body["displayName"].startswith(f"{name} ·")]
        assert len(found) == 1, [each.body["displayName"] for each in self.lists.values()]
        self._forget(found[0])
        return found[0].members

    def _forget(self, one: UserList) -> None:
        """Who was not told again for as long as a member stays is gone."""
        stays_s = int(one.body["membershipDuration"].removesuffix("s"))
        assert 0 < stays_s <= LONGEST_MEMBERSHIP_S
        one.members = {each for each in one.members if one.told_ms.get(each, self.now) > self.now - stays_s * 1000}

    def work(self, most: int = 1_000_000) -> int:
        with self._lock:
            waiting = [each for each in self.requests.values() if each.status == "PROCESSING"]
            self._shuffle(waiting)
            for each in waiting[:most]:
                self._apply(each, self.fails.pop(0) if self.fails else "")
            return len(waiting[:most])

    @property
    def busy(self) -> bool:
        return any(each.status == "PROCESSING" for each in self.requests.values())

    def expire_token(self) -> None:
        self.access = "another"

    def _apply(self, one: Ingestion, fails: str) -> None:
        if fails == "left":
            fails = "half" if one.verb == "remove" else ""
        done = set(sorted(one.members)[: len(one.members) // 2]) if fails == "half" else one.members
        missed = {"recordCount": str(len(one.members - done)), "reason": "PROCESSING_ERROR_REASON_INVALID_FORMAT"}
        one.status = {"half": "PARTIAL_SUCCESS", "all": "FAILED"}.get(fails, "SUCCESS")
        one.errors = [missed] if fails == "half" else []
        target = self.lists.get(one.target)
        if fails == "all" or target is None:
            return
        self._forget(target)
        if one.verb == "ingest":
            target.members = target.members | done
            target.told_ms |= {each: max(one.at_ms, target.told_ms.get(each, 0)) for each in done}
        elif one.verb == "remove":
            target.members = target.members - done
        else:
            target.members = {each for each in target.members if target.told_ms.get(each, 0) >= one.at_ms}

    def answer(self, request: Request) -> Reply:
        """What Google says; of a type that Google's own package knows, where one looks (`oracle`)."""
        reply = self._reply(request)
        kind = next((kind for end, kind in ANSWERS if f"{request.method} {request.path}".endswith(end)), "")
        if kind and reply.status == 200:
            self._look(kind, reply.body)
        return reply

    def _reply(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.headers.get("authorization") != f"Bearer {self.access}":
            return _error(401, "UNAUTHENTICATED")
        if request.path.startswith(LISTS):
            if request.headers.get("login-account") != f"accountTypes/GOOGLE_ADS/accounts/{MANAGER}":
                return _error(403, "PERMISSION_DENIED")
            return self._of_lists(request, request.path.removeprefix(LISTS).removeprefix("/"))
        if request.path == "/v1/requestStatus:retrieve":
            one = self.requests[request.query["requestId"]]
            return self._status(one) if self._may_look() else _error(429, "RESOURCE_EXHAUSTED")
        verb = request.path.removeprefix("/v1/audienceMembers:")
        return self._remove_all(request.json) if verb == "removeAll" else self._members(request, verb)

    def _token(self, request: Request) -> Reply:
        form = request.form
        right = form.get("refresh_token") == self.refresh or form.get("code") == self.code
        if form.get("client_secret") != "g-secret" or not right:
            return Reply(400, {"error": "invalid_grant", "error_description": "no"})
        self.renewals += 1
        self.access = f"g-access-{self.renewals}"
        given: dict[str, object] = {"refresh_token": self.refresh} if "code" in form else {}
        given["scope"] = self.scope
        if "code" in form and self.login_lives_s:
            given["refresh_token_expires_in"] = self.login_lives_s
        return Reply(body={"access_token": self.access, "expires_in": 3599, "token_type": "Bearer"} | given)

    def _of_lists(self, request: Request, number: str) -> Reply:
        if request.method == "GET":
            seen = [each for each in self.lists.values() if each.made_ms <= self.now - self.lag_ms]
            shown = [{"id": each.id} | each.body for each in seen]
            start, size = int(request.query.get("pageToken", "0")), min(int(request.query["pageSize"]), 2)
            more = {"nextPageToken": str(start + size)} if start + size < len(shown) else {}
            return Reply(body={"userLists": shown[start : start + size]} | more)
        if request.method == "POST":
            return self._create(request.json)
        if number not in self.lists:
            return _error(404, "NOT_FOUND")
        if request.method == "DELETE":
            if number in self.in_use:
                return _error(400, "FAILED_PRECONDITION")  # no document says which
            del self.lists[number]
            return Reply(body={})
        assert request.query == {"updateMask": "displayName"}
        self.lists[number].body |= request.json
        return Reply(body={"id": number} | self.lists[number].body)

    def _keep(self, kind: str, body: dict[str, Any]) -> None:
        self.bodies.append((kind, body))
        self._look(kind, body)

    def _look(self, kind: str, body: dict[str, Any]) -> None:
        wrong = FakeGoogle.oracle(kind, body) if FakeGoogle.oracle is not None else ""
        self.misfits.extend([wrong] if wrong else [])

    def _create(self, body: dict[str, Any]) -> Reply:
        self._keep("UserList", body)
        if any(each.body["displayName"] == body["displayName"] for each in self.lists.values()):
            return _error(400, "DISPLAY_NAME_ALREADY_USED")
        self._next += 1
        number = str(self._next)
        self.lists[number] = UserList(number, body, made_ms=self.now)
        return Reply(body={"id": number, "name": f"{LISTS[4:]}/{number}", "readOnly": False} | body)

    def _members(self, request: Request, verb: str) -> Reply:
        body = request.json
        if not self._counted():
            return _error(429, "RESOURCE_EXHAUSTED")
        self._keep(f"{verb.capitalize()}AudienceMembersRequest", body)
        unknown = set(body) - (TOP if verb == "ingest" else TOP - {"consent", "termsOfService"})
        (destination,) = body["destinations"]
        target = self.lists.get(destination["productDestinationId"])
        if unknown or target is None or destination["operatingAccount"]["accountId"] != ACCOUNT:
            return _error(400, "INVALID_DESTINATION")
        if len(body["audienceMembers"]) > MOST:
            return _error(400, "TOO_MANY_AUDIENCE_MEMBERS")
        kind = target.body["ingestedUserListInfo"]["uploadKeyTypes"][0]
        read = [self._read(request, each, kind) for each in body["audienceMembers"]]
        wrong = [n for n, each in enumerate(read) if not each or any(value in self.refuses for _, value in each)]
        if wrong:
            named = [{"field": f"audience_members[{n}].x", "reason": "INVALID_SHA256_FORMAT"} for n in wrong]
            return _error(400, "INVALID_ARGUMENT", named)
        number = f"request-{len(self.requests)}"
        self.requests[number] = Ingestion(verb, target.id, {one for each in read for one in each}, self.now)
        return Reply(body={"requestId": number})

    def _read(self, request: Request, member: dict[str, Any], kind: str) -> list[Member]:
        """What is in a member, [] where anything of it is wrong."""
        if kind == "MOBILE_ID":
            found = [("mobileId", each) for each in member.get("mobileData", {}).get("mobileIds", [])]
            return found if all(DEVICE.fullmatch(value) for _, value in found) else []
        inside = member.get("compositeData", {}).get("userData", {}).get("userIdentifiers", [])
        found = [(name, value) for each in inside for name, value in each.items()]
        wrong = [(name, why) for name, value in found if (why := flaw(value))]
        for name, why in wrong:
            self._no_value(request, name, why)
        right = all(len(each) == 1 for each in inside) and not wrong
        return found if right and {name for name, _ in found} <= {"emailAddress", "phoneNumber"} else []

    def _remove_all(self, body: dict[str, Any]) -> Reply:
        if not self._counted():
            return _error(429, "RESOURCE_EXHAUSTED")
        self._keep("RemoveAllAudienceMembersRequest", body)
        (destination,) = body["destinations"]
        target = self.lists.get(destination["productDestinationId"])
        if target is None or destination["operatingAccount"]["accountId"] != ACCOUNT:
            return _error(400, "INVALID_DESTINATION")
        before = datetime.fromisoformat(body["removeAsOfTime"])
        if before.timestamp() * 1000 > self.now:
            return _error(400, "INVALID_REMOVE_AS_OF_TIME")
        number = f"request-{len(self.requests)}"
        self.requests[number] = Ingestion("removeAll", target.id, set(), round(before.timestamp() * 1000))
        return Reply(body={"requestId": number})

    def _status(self, one: Ingestion) -> Reply:
        told: dict[str, Any] = {"requestStatus": one.status}
        if one.errors:
            told["errorInfo"] = {"errorCounts": one.errors}
        return Reply(body={"requestStatusPerDestination": [told]})


def _error(status: int, reason: str, violations: list[dict[str, str]] | None = None) -> Reply:
    details: list[dict[str, Any]] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    if violations:
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    return Reply(status, {"error": {"code": status, "message": "m", "status": reason, "details": details}})
