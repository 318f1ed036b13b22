"""Google Audience: lists of users behind the Data Manager API, told of members in requests that are applied later.

developers.google.com/data-manager/api: "Send audience members", "Limits and quotas", "Understand errors",
"Diagnostics". One bad member refuses the whole request, and is named; what is
wrong later is only counted.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from workers.connectors.audiences.http import (
    as_told,
    date_s,
    id_number,
    objects,
    retry_after_ms,
    whole_number,
    with_a_good_token,
    word,
)
from workers.connectors.audiences.wire import AccountSigns, Answered, CallFailed, CallProgress, Fault, Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from workers.connectors.audiences.http import Http, HttpAnswer
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Change, ReplacePart

PAGE: Final = "1000"
"""Lists that one answer has at most."""
LONGEST_TITLE: Final = 120
"""Characters of a segment's name that are told; with our mark it is unique in the account, as it must be."""
MEMBERSHIP: Final = f"{540 * 86_400}s"
"""How long a member stays: the longest that Google takes."""
NAME_USED: Final = "DISPLAY_NAME_ALREADY_USED"
"""The reason of a refusal: our mark is in the name, so the list is ours."""
KEY_SPACES: Final = {"android": "ANDROID", "ios": "IOS"}
_CONSENT: Final = {"granted": "CONSENT_GRANTED", "denied": "CONSENT_DENIED"}
_MEMBER: Final = re.compile(r"audience_?[mM]embers\[(\d+)\]")
_PARTIAL: Final = "PARTIAL_SUCCESS"
_UNKNOWN: Final = frozenset(("INVALID_REQUEST_ID", "REQUEST_TOO_OLD"))
"""Reasons of a refusal to tell of a request."""
_STATES: Final = {"SUCCESS": "done", _PARTIAL: "done", "FAILED": "failed", "FAILURE": "failed"}
_WORDS: Final = """
INVALID_USER_LIST_TYPE INVALID_USER_LIST_ID MULTIPLE_DATA_TYPES_NOT_ALLOWED TOO_MANY_AUDIENCE_MEMBERS
TOO_MANY_DESTINATIONS INVALID_DESTINATION DESTINATION_ACCOUNT_TYPE_MISMATCH PERMISSION_DENIED NOT_ALLOWLISTED
ADVERTISER_NOT_ALLOWLISTED_FOR_UPLOADED_DATA TERMS_AND_CONDITIONS_NOT_SIGNED
EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED
"""
_OF_ALL: Final = frozenset(_WORDS.split())
"""Reasons that are no member's own, though Google may name one beside them (its page "Understand errors")."""
_DAY_WAIT_MS: Final = 3_600_000
"""Milliseconds until the next try where a day's calls are used up; when Google's day ends is not said."""


class GoogleAccount(NamedTuple):
    """Whose lists they are, and as who we act; digits only.

    login    the manager's account, "" where it is the same
    app      of the apps whose devices are listed; "" for none
    consent  what Google is told of people's consent: "granted", "denied" or ""
    """

    number: str
    login: str = ""
    app: str = ""
    consent: str = ""


class GoogleWire:
    """`wire.PlatformWire` for one account.

    token, renew  as `TokenKeeper.token` and `TokenKeeper.renew`
    """

    def __init__(
        self, http: Http, account: GoogleAccount, token: Callable[[], str], renew: Callable[[str], str]
    ) -> None:
        self._http = http
        self._account = account
        self._token = token
        self._renew = renew
        self._lists = f"/v1/accountTypes/GOOGLE_ADS/accounts/{account.number}/userLists"

    def account(self) -> str:
        """As `PlatformWire.account`."""
        self._ask("GET", self._lists, query={"pageSize": "1"})
        return self._account.number

    def take_back(self, since_ms: int, until_ms: int, ours: Collection[str]) -> None:
        """As `PlatformWire.take_back`: what is begun is real, and empty."""

    def signs(self) -> AccountSigns:
        """As `PlatformWire.signs`: it is not asked for them."""
        return AccountSigns()

    def find(self, audience: Audience) -> Sequence[Sighting]:
        """As `PlatformWire.find`: by the mark, which Google keeps as the integration's code."""
        return [
            Sighting(str(each["id"]), str(each["id"]).zfill(24))
            for each in self._listed()
            if each.get("integrationCode") == audience.mark
        ]

    def create(self, audience: Audience, rows: Sequence[SentRow]) -> Answered:  # noqa: ARG002 - it begins empty
        """As `PlatformWire.create`."""
        body: dict[str, Any] = {"displayName": _name(audience), "integrationCode": audience.mark}
        body |= {"membershipDuration": MEMBERSHIP, "ingestedUserListInfo": self._info(audience.list)}
        found = id_number(self._ask("POST", self._lists, body=body).field("id"))
        if not found:
            raise _failed(Fault.UNHEARD, "answer", "the answer names no list")
        return Answered(remote=found, applied=True)

    def confirm(self, audience: Audience) -> None:
        """As `PlatformWire.confirm`: what was begun is real."""

    def change(self, audience: Audience, change: Change, rows: Sequence[SentRow]) -> Answered:
        """As `PlatformWire.change`; asked for later by the request's id."""
        body: dict[str, Any] = {"destinations": [self._destination(audience)], "encoding": "HEX"}
        body["audienceMembers"] = [_member(row, audience.list) for row in rows]
        if change == "add":
            body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
            if said := _CONSENT.get(self._account.consent):
                body["consent"] = {"adUserData": said, "adPersonalization": said}
        verb = "ingest" if change == "add" else "remove"
        return self._requested(self._ask("POST", f"/v1/audienceMembers:{verb}", body=body))

    def _requested(self, answer: HttpAnswer) -> Answered:
        request = answer.field("requestId")
        if not isinstance(request, str) or not request:
            raise _failed(Fault.UNHEARD, "answer", "the answer names no request")
        return Answered(handle=request)

    def begin_replacing(self, audience: Audience) -> str:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.begin_replacing`: Google's own time, before anybody is told anew."""
        at = date_s(self._ask("GET", self._lists, query={"pageSize": "1"}).headers.get("date", ""))
        if at is None:
            raise _failed(Fault.REFUSED, "answer", "the answer has no date, before which others would be taken out")
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

    def replace(self, audience: Audience, rows: Sequence[SentRow], part: ReplacePart) -> Answered:  # noqa: ARG002 - as it says
        """As `PlatformWire.replace`: members are told as always."""
        return self.change(audience, "add", rows)

    def take_out_the_rest(self, audience: Audience) -> Answered:
        """As `PlatformWire.take_out_the_rest`: whoever was last told before the time at which it began."""
        body = {"destinations": [self._destination(audience)], "removeAsOfTime": audience.replaced}
        return self._requested(self._ask("POST", "/v1/audienceMembers:removeAll", body=body))

    def poll(self, audience: Audience, call: OpenCall) -> CallProgress:  # noqa: ARG002 - the request is asked for
        """As `PlatformWire.poll`; one that Google does not know may be known later, and says nothing of its list."""
        try:
            answer = self._ask("GET", "/v1/requestStatus:retrieve", query={"requestId": call.handle})
        except CallFailed as failed:
            if failed.fault is Fault.GONE or not _UNKNOWN.isdisjoint(failed.code.split()):
                return CallProgress("unseen", code=failed.code)
            raise
        found = answer.field("requestStatusPerDestination")
        told = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
        state = _STATES.get(word(told.get("requestStatus")), "working")
        info = told.get("errorInfo")
        errors = objects(info.get("errorCounts")) if isinstance(info, dict) else []
        reasons = sorted({_short(word(each.get("reason"))) for each in errors})
        rejected = sum(whole_number(each.get("recordCount")) for each in errors)  # int64 is a text in JSON
        if told.get("requestStatus") == _PARTIAL:
            rejected = max(1, rejected)  # of whom it may say nothing at all
        code = f"google-audiences {' '.join(reasons)}".strip() if reasons else ""
        if state == "failed":
            return CallProgress("failed", code=code or "google-audiences FAILED")
        return CallProgress("done", rejected, code) if state == "done" else CallProgress("working")

    def rename(self, audience: Audience) -> None:
        """As `PlatformWire.rename`."""
        query = {"updateMask": "displayName"}
        self._ask("PATCH", f"{self._lists}/{audience.remote}", query=query, body={"displayName": _name(audience)})

    def delete(self, audience: Audience) -> None:
        """As `PlatformWire.delete`."""
        try:
            self._ask("DELETE", f"{self._lists}/{audience.remote}")
        except CallFailed as failed:
            if failed.fault is not Fault.GONE:
                raise

    def _info(self, kind: str) -> dict[str, Any]:
        if kind not in KEY_SPACES:
            source = {"dataSourceType": "DATA_SOURCE_TYPE_FIRST_PARTY"}
            return {"uploadKeyTypes": ["CONTACT_ID"], "contactIdInfo": source}
        app = {"appId": self._account.app} if self._account.app else {}
        return {"uploadKeyTypes": ["MOBILE_ID"], "mobileIdInfo": {"keySpace": KEY_SPACES[kind]} | app}

    def _destination(self, audience: Audience) -> dict[str, Any]:
        operating = {"accountType": "GOOGLE_ADS", "accountId": self._account.number}
        login = {"accountType": "GOOGLE_ADS", "accountId": self._account.login or self._account.number}
        return {"operatingAccount": operating, "loginAccount": login, "productDestinationId": audience.remote}

    def _listed(self) -> Iterator[dict[str, Any]]:
        query = {"pageSize": PAGE}
        while True:
            answer = self._ask("GET", self._lists, query=query)
            found = answer.field("userLists")
            if not isinstance(found, list | None):
                raise _failed(Fault.UNDONE, "answer", "the list of lists is none")
            yield from (each for each in objects(found) if "id" in each)
            after = answer.field("nextPageToken")
            if not after:
                return
            if str(after) == query.get("pageToken"):
                raise _failed(Fault.UNDONE, "answer", "the list does not end")
            query = query | {"pageToken": str(after)}

    def _ask(self, method: str, path: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as `Http.send`
        """One call; a token that is refused is renewed, once."""
        return with_a_good_token(self._token, self._renew, lambda token: self._call(method, path, token, **options))

    def _call(self, method: str, path: str, token: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as above
        headers = {"Authorization": f"Bearer {token}"}
        if path.startswith(self._lists):
            headers["login-account"] = f"accountTypes/GOOGLE_ADS/accounts/{self._account.login or self._account.number}"
        answer = self._http.send(method, path, headers=headers, **options)
        if answer.fine and isinstance(answer.body, dict):
            return answer
        raise as_told(method, answer, _refusal(answer))


def _name(audience: Audience) -> str:
    return f"{audience.title[:LONGEST_TITLE]} · {audience.mark}"


def _member(row: SentRow, kind: str) -> dict[str, Any]:
    if kind in KEY_SPACES:
        return {"mobileData": {"mobileIds": [row.values[kind]]}}
    found = [{name: row.values[name]} for name in ("emailAddress", "phoneNumber") if name in row.values]
    return {"compositeData": {"userData": {"userIdentifiers": found}}}


def _short(reason: str) -> str:
    text = reason.removeprefix("PROCESSING_ERROR_REASON_")
    return text or "unknown"


def _refusal(answer: HttpAnswer) -> CallFailed:
    """By status and details; what it says in words may repeat what was sent, and is not shown."""
    details = objects(answer.field("error", "details"))
    violations = [one for each in details for one in objects(each.get("fieldViolations"))]
    rows = {
        whole_number(found[1]): _short(word(each.get("reason")))
        for each in violations
        if (found := _MEMBER.match(str(each.get("field", "")))) and found[1].isascii()
    }
    reasons = sorted({_short(word(each["reason"])) for each in [*details, *violations] if each.get("reason")})
    code = " ".join([str(answer.status), *reasons])
    if answer.status == 400 and rows and _OF_ALL.isdisjoint(reasons):  # noqa: PLR2004 - HTTP's
        failed = _failed(Fault.ROWS, code, "the platform refuses some members")
        failed.rows = rows
        return failed
    if answer.status == 400 and NAME_USED in reasons:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.EXISTS, code, "there is a list of this name already, and the account does not list it yet")
    # A page in place of an answer comes as a success, too, from whatever stands in front of the platform.
    refuses = 400 <= answer.status < 500  # noqa: PLR2004 - HTTP's
    usual = (Fault.REFUSED, "the platform refuses the call") if refuses else _SERVERS_OWN
    fault, reason = _MEANS.get(answer.status, usual)
    return _failed(fault, code, reason, retry_after_ms(answer, _wait_ms(details)) if fault is Fault.BUDGET else 0)


_SERVERS_OWN: Final = (Fault.UNHEARD, "the platform failed")
_MEANS: Final = {
    401: (Fault.LOGIN, "the token is refused"),
    404: (Fault.GONE, "the list is not there any more"),
    409: (Fault.UNHEARD, "the call was ended by another one"),
    429: (Fault.BUDGET, "the platform's limit of calls is used up"),
}
"""By HTTP's status; what else is below 500 is a refusal."""


def _wait_ms(details: list[dict[str, Any]]) -> int:
    told = [each["metadata"] for each in details if isinstance(each.get("metadata"), dict)]
    limits = [word(each.get("quota_limit")) for each in told]
    return _DAY_WAIT_MS if any("PerDay" in each for each in limits) else 60_000


def _failed(fault: Fault, code: str, reason: str, wait_ms: int = 0) -> CallFailed:
    return CallFailed(fault, f"google-audiences {code}", reason, wait_ms=wait_ms)
