"""Facebook's Custom Audiences: rows of hashes, added and removed at once, refused by counts.

developers.facebook.com, Marketing API: "Custom Audience", "Custom Audience Users", "Rate Limiting", "Handling Errors",
"Secure Graph API calls", "Debugging access tokens". The status of an answer says little, its code says what is wrong.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.consents import lacking
from workers.connectors.audiences.http import as_told, id_number, now_s, objects, retry_after_ms, whole_number
from workers.connectors.audiences.logins import LoginTokens
from workers.connectors.audiences.platforms import FACEBOOK
from workers.connectors.audiences.wire import (
    SETTLED_MS,
    AccountSigns,
    Answered,
    CallFailed,
    CallProgress,
    Fault,
    ReplacePart,
    Sighting,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from workers.connectors.audiences.http import Http, HttpAnswer
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Change

SCHEMA: Final = ("EMAIL", "PHONE", "FN", "LN", "GEN", "DOBY", "DOBM", "DOBD", "CT", "COUNTRY", "EXTERN_ID")
"""Of every call, in this order: an audience that is told in two forms breaks."""
ALONE: Final = ("EMAIL", "PHONE", "EXTERN_ID")
"""What a person is removed by."""
PAGE: Final = "200"
"""Audiences that one answer lists."""
SLOW_FROM: Final = 75
"""Per cent of an hour's calls from which on it is slowed down."""
_FAULTS: Final = {
    **dict.fromkeys((1, 2, 341, 368), Fault.UNHEARD),
    **dict.fromkeys((4, 17, 613, 80003, 80004), Fault.BUDGET),
    **dict.fromkeys((102, 190), Fault.LOGIN),
}
_USED_UP: Final = "the platform's limit of calls is used up"
USUAL_WAIT_MS: Final = 300_000
"""Milliseconds until the next try where the limit is used up: for so long an account of limited access is refused."""
NO_TERMS: Final = "the ad account has not accepted the terms of Custom Audiences"
"""What is told where that is so."""
_SESSION_LOST: Final = (Fault.UNDONE, "the session of a replacement is over; it is begun anew")
_SPECIAL: Final = {
    (100, 33): (Fault.GONE, "the audience is not there any more, or the token has no right to it"),
    (200, 1870090): (Fault.REFUSED, NO_TERMS),
    (2650, 1870145): (Fault.UNDONE, "the audience is being replaced"),
    (2650, 1870147): _SESSION_LOST,
    (2650, 1870158): _SESSION_LOST,
    (2650, 1870159): _SESSION_LOST,
}
"""By code and subcode. A session is lost whose first call is missing, that took longer than 90 minutes, or is over."""


class FacebookWire:
    """`wire.PlatformWire` for one ad account.

    account     its id, digits only
    token       a system user's
    app_secret  signs each call, where it is given
    """

    def __init__(self, http: Http, account: str, token: str, app_secret: str) -> None:
        self._http = http
        self._account = account
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"}
        self._proof = hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest() if app_secret else ""

    def account(self) -> str:
        """As `PlatformWire.account`."""
        return str(self._ask("GET", f"/act_{self._account}", {"fields": "id"}).field("id"))

    def given(self, token: str) -> LoginTokens:
        """A token, with when it ends and what it may, as far as Facebook tells: what is wrong, others say."""
        try:
            answer = self._ask("GET", "/debug_token", {"input_token": token})
        except CallFailed:
            return LoginTokens(token)
        ends = whole_number(answer.field("data", "expires_at"))
        left = max(1, ends - now_s(answer)) if ends else 0
        return LoginTokens(token, ends_in_s=left, lacks=lacking(answer.field("data", "scopes"), FACEBOOK.rights))

    def take_back(self, since_ms: int, until_ms: int, ours: Collection[str]) -> None:
        """As `PlatformWire.take_back`: what is begun is real, and empty."""

    def signs(self) -> AccountSigns:
        """As `PlatformWire.signs`; of an account that is shared the terms may be another business's affair."""
        said = self._ask("GET", f"/act_{self._account}", {"fields": "id,tos_accepted"}).field("tos_accepted")
        terms = None
        if isinstance(said, dict):
            terms = "" if whole_number(said.get("custom_audience_tos")) else NO_TERMS
        return AccountSigns(self.given(self._token).lacks, terms)

    def find(self, audience: Audience) -> Sequence[Sighting]:
        """As `PlatformWire.find`: by the mark in its description, since ids only grow."""
        return [
            Sighting(str(each["id"]), str(each["id"]).zfill(24))
            for each in self._listed()
            if each.get("description") == audience.mark or str(each["id"]) == audience.remote
        ]

    def create(self, audience: Audience, rows: Sequence[SentRow]) -> Answered:  # noqa: ARG002 - it begins empty
        """As `PlatformWire.create`."""
        body = {"name": audience.title, "description": audience.mark, "subtype": "CUSTOM"}
        body |= {"customer_file_source": "USER_PROVIDED_ONLY"}
        answer = self._ask("POST", f"/act_{self._account}/customaudiences", body=body)
        found = id_number(answer.field("id"))
        if not found:
            raise _failed(Fault.UNHEARD, "answer", "the answer names no audience")
        return Answered(remote=found, applied=True)

    def confirm(self, audience: Audience) -> None:
        """As `PlatformWire.confirm`: what was begun is real."""

    def change(self, audience: Audience, change: Change, rows: Sequence[SentRow]) -> Answered:
        """As `PlatformWire.change`."""
        schema = SCHEMA if change == "add" else ALONE
        data = [[row.values.get(kind, "") for kind in schema] for row in rows]
        body = _told(schema, data, secrets.randbits(62), ReplacePart(1, last=True))
        return _done(self._ask("POST" if change == "add" else "DELETE", f"/{audience.remote}/users", body=body))

    def begin_replacing(self, audience: Audience) -> str:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.begin_replacing`: the session's number, of which the account has no other."""
        return str(secrets.randbits(62))

    def replace(self, audience: Audience, rows: Sequence[SentRow], part: ReplacePart) -> Answered:
        """As `PlatformWire.replace`: nobody else is in it once the session's last call is answered."""
        data = [[row.values.get(kind, "") for kind in SCHEMA] for row in rows]
        body = _told(SCHEMA, data, int(audience.replaced), part)
        answer = self._ask("POST", f"/{audience.remote}/usersreplace", body=body)
        return dataclasses.replace(_done(answer), replaced=part.last)

    def take_out_the_rest(self, audience: Audience) -> Answered:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.take_out_the_rest`: the session's last call has done it."""
        return Answered(applied=True, replaced=True)

    def poll(self, audience: Audience, call: OpenCall) -> CallProgress:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.poll`: what was answered is done."""
        return CallProgress("done")

    def rename(self, audience: Audience) -> None:
        """As `PlatformWire.rename`."""
        _succeeded(self._ask("POST", f"/{audience.remote}", body={"name": audience.title}))

    def delete(self, audience: Audience) -> None:
        """As `PlatformWire.delete`; of one that we have no right to Facebook says what it says of one that is gone."""
        try:
            _succeeded(self._ask("DELETE", f"/{audience.remote}"))
        except CallFailed as failed:
            if failed.fault is not Fault.GONE:
                raise
            if self._is_there(audience.remote):
                raise CallFailed(Fault.REFUSED, failed.code, "the token has no right to it") from None

    def _is_there(self, number: str) -> bool:
        """Asked for by its id: the list may lag. CallFailed (UNDONE) where only the list says so."""
        try:
            self._ask("GET", f"/{number}", {"fields": "id"})
        except CallFailed as failed:
            if failed.fault is not Fault.GONE:
                raise
            if any(str(each["id"]) == number for each in self._listed()):
                why = "it is listed, and said not to be there: the list may lag"
                raise CallFailed(Fault.UNDONE, failed.code, why, wait_ms=SETTLED_MS) from None
            return False
        return True

    def _listed(self) -> Iterator[dict[str, Any]]:
        query = {"fields": "id,name,description", "limit": PAGE}
        while True:
            answer = self._ask("GET", f"/act_{self._account}/customaudiences", query)
            found = answer.field("data")
            if not isinstance(found, list | None):
                raise _failed(Fault.UNDONE, "answer", "the list of audiences is none")
            yield from (each for each in objects(found) if "id" in each)
            after = answer.field("paging", "cursors", "after")
            if not after or not answer.field("paging", "next"):
                return
            if str(after) == query.get("after"):
                raise _failed(Fault.UNDONE, "answer", "the list does not end")
            query |= {"after": str(after)}

    def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> HttpAnswer:
        if self._proof:
            query = (query or {}) | {"appsecret_proof": self._proof}
        answer = self._http.send(method, path, headers=self._headers, query=query, body=body)
        if answer.fine and isinstance(answer.body, dict):
            return answer
        raise as_told(method, answer, _refusal(answer))


def _told(schema: Sequence[str], data: list[list[str]], session: int, part: ReplacePart) -> dict[str, Any]:
    of = {"session_id": session, "batch_seq": part.number, "last_batch_flag": part.last}
    return {"payload": {"schema": schema, "data": data}, "session": of | {"estimated_num_total": len(data)}}


def _succeeded(answer: HttpAnswer) -> None:
    """CallFailed where it says that nothing was done."""
    if answer.field("success") is False:
        raise _failed(Fault.REFUSED, "answer", "Facebook says that it has not done it")


def _done(answer: HttpAnswer) -> Answered:
    if answer.field("num_received") is None and answer.field("audience_id") is None:
        raise _failed(Fault.UNHEARD, "answer", "the answer says nothing of the change")
    invalid = whole_number(answer.field("num_invalid_entries"))
    return Answered(applied=True, rejected=invalid, rest_ms=_rest_ms(answer))


def _refusal(answer: HttpAnswer) -> CallFailed:
    """By its codes; what it says in words may repeat what was sent, and is not shown."""
    code, subcode = answer.field("error", "code"), answer.field("error", "error_subcode")
    if not isinstance(code, int) and answer.status == 429:  # noqa: PLR2004 - HTTP's; of whatever stands in front of it
        return _failed(Fault.BUDGET, "429", _USED_UP, _wait_ms(answer))
    if not isinstance(code, int):
        return _failed(Fault.UNHEARD, str(answer.status), "the platform failed")
    said = f"{code}/{subcode}" if isinstance(subcode, int) else str(code)
    if (code, subcode) in _SPECIAL:
        fault, reason = _SPECIAL[code, subcode]
        return _failed(fault, said, reason)
    # A server's own error may have come after the change, whatever code it bears. A limit is told as transient, too.
    passes = answer.field("error", "is_transient") is True or answer.status >= 500  # noqa: PLR2004 - HTTP's
    fault = _FAULTS.get(code, Fault.UNHEARD if passes else Fault.REFUSED)
    reasons = {
        Fault.UNHEARD: "the platform failed for a moment",
        Fault.BUDGET: _USED_UP,
        Fault.LOGIN: "the token is refused",
    }
    wait_ms = _wait_ms(answer) if fault is Fault.BUDGET else 0
    return _failed(fault, said, reasons.get(fault, "the platform refuses the call"), wait_ms)


def _wait_ms(answer: HttpAnswer) -> int:
    """Milliseconds to wait where the limit is used up: of two words on it the longer holds."""
    return max(_rest_ms(answer), retry_after_ms(answer, USUAL_WAIT_MS))


def _rest_ms(answer: HttpAnswer) -> int:
    """Milliseconds to leave the account alone, by what it says of its usage (per cent, and minutes)."""
    worst, minutes = 0, 0
    with suppress(ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        for each in json.loads(answer.headers.get("x-business-use-case-usage", "{}")).values():
            for usage in each:
                worst = max(worst, *(int(usage.get(name, 0)) for name in ("call_count", "total_cputime", "total_time")))
                minutes = max(minutes, int(usage.get("estimated_time_to_regain_access", 0)))
    if minutes:
        return minutes * 60_000
    return (worst - SLOW_FROM + 1) * 60_000 if worst >= SLOW_FROM else 0


def _failed(fault: Fault, code: str, reason: str, wait_ms: int = 0) -> CallFailed:
    return CallFailed(fault, f"facebook-ads {code}", reason, wait_ms=wait_ms)


class GivenToken:
    """`logins.Consent` where the file gives the token: there is nothing to ask a person for, and no renewal.

    wire  asks when it ends
    """

    application = ""
    early_s = 0

    def __init__(self, token: str, wire: FacebookWire) -> None:
        self._token = token
        self._wire = wire

    def url(self, state: str) -> str:  # noqa: ARG002 - the protocol's
        """As `Consent.url`."""
        return ""

    def exchange(self, code: str) -> LoginTokens:  # noqa: ARG002 - the protocol's
        """As `Consent.exchange`."""
        return self._wire.given(self._token)

    def renew(self, refresh: str) -> LoginTokens:  # noqa: ARG002 - the protocol's
        """As `Consent.renew`: it has an end that only a person moves."""
        raise _failed(Fault.LOGIN, "190", "the token in the file is refused; expected a new one there")
