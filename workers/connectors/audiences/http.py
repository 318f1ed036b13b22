"""Calls over HTTP: one place in which every answer and every failure becomes ours, and nothing of a body is shown."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import httpx

from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.audiences.budgets import Budget

CALL_SECONDS: Final = 240.0
"""What sending may take; with the wait for the answer it stays below the time that an audience is owned."""
TOKEN_SECONDS: Final = 10.0
"""What a token may take, and a call that it was refused for, so that what is sent behind it ends in time."""
MOST: Final = 10**10
"""Of what a platform counts, or of seconds: three centuries."""
LONGEST_TIMEOUT: Final = 45.0
"""Seconds between two bytes of an answer."""
LONGEST_WAIT_S: Final = 86_400
"""Seconds for which a platform's `Retry-After` is heeded: as long as the longest window of any of them."""
LONGEST_CODE, LONGEST_ID = 80, 20
"""Characters of a platform's codes, and digits of its ids, which have 64 bits."""
_CODE: Final = re.compile(r"[A-Za-z]+(?:_[A-Za-z0-9]{1,24})*")
ELSEWHERE: Final = (301, 307, 308)
"""What says that a call was surely not done, and would have to be made anew at another address. Others may be what a
change is answered with once it is done."""

# They tell each call with its query string.
for _library in ("httpx", "httpcore"):
    logging.getLogger(_library).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, repr=False)
class HttpAnswer:
    """An answer.

    body  its JSON; None where it is none
    """

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def fine(self) -> bool:
        """Whether it is a 2xx, and no error stands in it."""
        return 200 <= self.status < 300 and not self._has_error  # noqa: PLR2004 - HTTP's

    @property
    def _has_error(self) -> bool:
        """Whether it tells an error in place of what was asked for; an object of VK's has an `error` of its own."""
        if not isinstance(self.body, dict):
            return False
        told = isinstance(self.body.get("error"), dict | str) and "id" not in self.body
        return told or bool(self.body.get("errors"))

    def field(self, *path: str) -> Any:  # noqa: ANN401 - JSON
        """A value inside the body, None where there is none."""
        found = self.body
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def objects(found: object) -> list[dict[str, Any]]:
    """The objects of a list; none of what is no list, since nobody knows what stands in an answer."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def whole_number(found: object) -> int:
    """A number, or a text that spells one, as stores can keep it: `MOST` at most, and 0 for anything else."""
    if isinstance(found, str):
        if not (found.isascii() and found.isdigit()):
            return 0
        return min(int(found), MOST) if len(found) <= len(str(MOST)) else MOST
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < float("inf"):
        return 0
    return int(min(found, MOST))


def word(found: object) -> str:
    """A code, in words; "" for what is none: a hash, a number or a token that a platform repeats is not shown."""
    return found if isinstance(found, str) and len(found) <= LONGEST_CODE and _CODE.fullmatch(found) else ""


def id_number(found: object) -> str:
    """A platform's id, which is a number, or a text that spells one; "" for what is none."""
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID else ""


def date_s(text: str) -> int | None:
    """Unix seconds of one of HTTP's three forms of a date (RFC 9110, 5.6.7); None for what is none."""
    try:
        found = parsedate_to_datetime(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None


def now_s(answer: HttpAnswer) -> int:
    """Unix seconds, by the platform's own clock where it tells it."""
    told = date_s(answer.headers.get("date", ""))
    return int(time.time()) if told is None else told


def retry_after_ms(answer: HttpAnswer, usual_ms: int) -> int:
    """Milliseconds that `Retry-After` asks for, in seconds or as a date (RFC 9110, 10.2.3), a day at most.

    usual_ms  where it is not there, or cannot be read

    What is over already is a second: who says so each time is not asked without a rest.
    """
    said = answer.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        wait_s = whole_number(said)
    elif (at := date_s(said)) is not None:
        wait_s = at - now_s(answer)
    else:
        return usual_ms
    return max(1, min(wait_s, LONGEST_WAIT_S)) * 1000


def as_told(method: str, answer: HttpAnswer, refusal: CallFailed) -> CallFailed:
    """A refusal with what HTTP says of it: a look changes nothing, and whoever fails may say for how long."""
    if method == "GET" and refusal.fault is Fault.UNHEARD:
        refusal.fault = Fault.UNDONE
    if refusal.fault is not Fault.BUDGET:  # of which each platform has words of its own, too
        refusal.wait_ms = max(refusal.wait_ms, retry_after_ms(answer, 0))
    return refusal


def with_a_good_token(
    token: Callable[[], str], renew: Callable[[str], str], call: Callable[[str], HttpAnswer]
) -> HttpAnswer:
    """One call; a token that is refused is renewed, once. CallFailed, TargetError."""
    began = _now()
    known = _in_time(began, token())
    try:
        return call(known)
    except CallFailed as failed:
        if failed.fault is not Fault.LOGIN:
            raise
    return call(_in_time(began, renew(known)))


def _in_time(began: float, token: str) -> str:
    """CallFailed where a call would outlast the time that its audience is owned, since so much of it is over."""
    if _now() - began > TOKEN_SECONDS:
        raise CallFailed(Fault.UNDONE, "ads token", "a new token took long, and the call is made a little later")
    return token


class Http:
    """One process's client of one platform; begins anew in a forked child.

    platform  its key, for codes
    base      what paths are appended to
    looks     counts what changes nothing; None: nobody does
    """

    def __init__(
        self, platform: str, base: str, timeout: float, connect_timeout: float, looks: Budget | None = None
    ) -> None:
        self._looks = looks
        self._platform = platform
        self._base = base.rstrip("/")
        self._timeout = httpx.Timeout(min(timeout, LONGEST_TIMEOUT), connect=connect_timeout)
        self._client: httpx.Client | None = None
        self._pid = 0

    def get(self, path: str, *, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> HttpAnswer:
        """A look; CallFailed."""
        return self._send("GET", path, headers=headers, params=query)

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        file: bytes | None = None,
    ) -> HttpAnswer:
        """A change: a JSON body, a form, or a file with the form's fields beside it; CallFailed."""
        options: dict[str, Any] = {"headers": dict(headers or {}), "params": query}
        if file is not None:
            options |= {"files": {"file": ("data.csv", _InTime(file), "application/octet-stream")}, "data": form}
        elif form is not None:
            options["data"] = form
        elif body is not None:
            options["content"] = _InTime(json.dumps(body, separators=(",", ":")).encode())
            options["headers"]["Content-Type"] = "application/json"
        return self._send(method, path, **options)

    def close(self) -> None:
        """Closes its connections."""
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = None

    def _send(self, method: str, path: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - httpx's own
        url = path if "://" in path else self._base + path
        if not all(each.isascii() and each.isprintable() for each in options.get("headers", {}).values()):
            reason = "the token has a sign that no call can carry: a line's end, or a letter beyond ASCII"
            raise self._failed(Fault.REFUSED, "token", reason)
        wait_ms = self._looks.take(removes=True) if self._looks is not None and method == "GET" else 0
        if wait_ms:
            reason = "the looks that the platform allows are used up"
            raise CallFailed(Fault.LOOKS, f"{self._platform} looks", reason, wait_ms=wait_ms)
        try:
            answer = self._opened().request(method, url, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise self._failed(Fault.UNDONE, "connect", "the platform cannot be reached") from None
        except (httpx.HTTPError, TimeoutError) as error:
            name = type(error).__name__
            fault = Fault.UNDONE if method == "GET" else Fault.UNHEARD
            raise self._failed(fault, name, "the link was lost before the platform answered") from None
        except (httpx.InvalidURL, ValueError):
            raise self._failed(Fault.REFUSED, "url", "its URL is none; expected https://host") from None
        if answer.status_code in ELSEWHERE:
            code, reason = str(answer.status_code), "its address leads elsewhere, and is not followed"
            raise self._failed(Fault.REFUSED, code, reason)
        try:
            body = answer.json()
        except (ValueError, RecursionError):  # what is nested too deep is no answer that a document has
            body = None
        return HttpAnswer(answer.status_code, dict(answer.headers), body)

    def _opened(self) -> httpx.Client:
        if self._client is None or self._pid != os.getpid():
            self._client, self._pid = httpx.Client(timeout=self._timeout, follow_redirects=False), os.getpid()
        return self._client

    def _failed(self, fault: Fault, code: str, reason: str) -> CallFailed:
        return CallFailed(fault, f"{self._platform} {code}", reason)


class _InTime(io.BytesIO):
    """A body that is not read any more once its call's time is over."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._ends = _now() + CALL_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if _now() > self._ends:
            raise TimeoutError
        return super().read(size)


def _now() -> float:
    """Seconds; goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
